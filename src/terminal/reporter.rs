use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sbt_engine::{Event, EventSink};

use crate::environment::Environment;
use crate::terminal::number::short;
use crate::terminal::style::Paint;

/// Shows a run on standard error: bars on a terminal, plain lines elsewhere.
pub(crate) struct TerminalReporter {
    paint: Paint,
    bars: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<String, ProgressBar>,
    trials: BTreeMap<String, Trials>,
    width: usize,
}

/// Trials of a stage.
#[derive(Debug, Clone, Copy, Default)]
struct Trials {
    run: u64,
    known: u64,
}

impl Trials {
    /// What a stage says of them when it is done.
    fn note(self, took_s: f64) -> String {
        let mut note = String::new();
        if self.run > 0 {
            let rate = short(self.run as f64 / took_s.max(f64::MIN_POSITIVE));
            note.push_str(&format!(", {} trials ({rate} trials/s)", self.run));
        }
        if self.known > 0 {
            note.push_str(&format!(", {} trials known", self.known));
        }
        note
    }
}

impl TerminalReporter {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            paint: Paint::new(environment.colour_err),
            bars: environment
                .bars
                .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10))),
            state: Mutex::default(),
        }
    }

    fn line(&self, line: &str) {
        // Nobody is left to tell when standard error is closed.
        let _ = match &self.bars {
            Some(bars) => bars.println(line),
            None => writeln!(io::stderr(), "{line}"),
        };
    }

    fn stage_line(&self, state: &State, stage: &str, what: &str, note: &str) {
        let width = state.width;
        self.line(format!("{stage:width$}  {what}  {note}").trim_end());
    }

    fn begin(&self, state: &mut State, stage: &str, reason: &str) {
        let Some(bars) = &self.bars else {
            self.stage_line(state, stage, "running", reason);
            return;
        };
        let bar = bars.add(ProgressBar::new_spinner());
        let template = format!(
            "{{prefix:{}}}  {{spinner}} {{elapsed}}  {{wide_msg}}",
            state.width
        );
        bar.set_style(style(&template));
        bar.set_prefix(stage.to_owned());
        bar.set_message(reason.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        state.running.insert(stage.to_owned(), bar);
    }

    fn advance(&self, state: &mut State, stage: &str, done: u64, total: u64, note: &str) {
        let Some(bar) = state.running.get(stage) else {
            return;
        };
        if bar.length() != Some(total) {
            let template = format!(
                "{{prefix:{}}}  {{bar:24}} {{pos}}/{{len}}  {{elapsed}}  {{wide_msg}}",
                state.width
            );
            bar.set_style(style(&template));
            bar.set_length(total);
        }
        bar.set_position(done);
        bar.set_message(note.to_owned());
    }

    fn finish(state: &mut State, stage: &str) {
        if let Some(bar) = state.running.remove(stage) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is one of ours")
}

impl EventSink for TerminalReporter {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        match event {
            Event::RunStarted { stages, .. } => {
                state.width = stages.iter().map(String::len).max().unwrap_or(0);
            }
            Event::StageHit { .. } | Event::RunDone { .. } => {}
            Event::StageStarted { stage, reason, .. } => self.begin(state, stage, reason),
            Event::StageProgress {
                stage,
                done,
                total,
                note,
            } => self.advance(state, stage, *done, *total, note),
            Event::TrialDone { stage, memo, .. } => {
                let trials = state.trials.entry(stage.clone()).or_default();
                if *memo {
                    trials.known += 1;
                } else {
                    trials.run += 1;
                }
            }
            Event::StageDone { stage, took_s, .. } => {
                Self::finish(state, stage);
                let trials = state.trials.remove(stage).unwrap_or_default();
                let note = format!("in {took_s:.2} s{}", trials.note(*took_s));
                self.stage_line(state, stage, &self.paint.green("done"), &note);
            }
            Event::StageFailed {
                stage,
                error,
                attempt,
                retrying,
                log,
            } => {
                Self::finish(state, stage);
                let what = if *retrying { "retrying" } else { "failed" };
                let mut note = format!("attempt {attempt}: {error}");
                if let Some(log) = log {
                    note.push_str(&format!("\n  log: {log}"));
                }
                self.stage_line(state, stage, &self.paint.red(what), &note);
            }
            Event::StageSkipped { stage, because } => {
                self.stage_line(state, stage, &self.paint.yellow("skipped"), because);
            }
            Event::Warning { stage, message } => {
                let stage = stage.as_deref().unwrap_or("");
                self.stage_line(state, stage, &self.paint.yellow("warning"), message);
            }
            Event::CacheCorrupt { what, action } => {
                let note = format!("{what} is damaged: {action}");
                self.stage_line(state, "store", &self.paint.yellow("warning"), &note);
            }
        }
    }
}

/// Prints each event as one line of JSON on standard output.
pub(crate) struct JsonReporter;

impl EventSink for JsonReporter {
    fn event(&self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            // A reader that has gone must not stop the run.
            let _ = writeln!(io::stdout().lock(), "{line}");
        }
    }
}
