use std::path::Path;
use std::sync::{Arc, Mutex};

use sbt_engine::{Event, EventSink, StageContext, StageError};
use sbt_schemas::{Outcome, Phase, WorkloadRow};

use super::{Trial, TrialRunner, TrialSpec};
use crate::{Backend, Config, Protocol};

/// Hears how each trial ended and whether the memo knew it.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, bool)>>);

impl EventSink for Heard {
    fn event(&self, event: &Event) {
        if let Event::TrialDone { outcome, memo, .. } = event {
            self.0.lock().unwrap().push((outcome.clone(), *memo));
        }
    }
}

fn context(dir: &Path, jobs: usize) -> (StageContext, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let mut ctx = StageContext::for_test(dir);
    ctx.jobs = jobs;
    ctx.events = Arc::clone(&heard) as Arc<dyn EventSink>;
    (ctx, heard)
}

fn backend() -> Backend {
    serde_json::from_value(serde_json::json!({
        "kind": "simulator", "server": "vllm", "model": "llama-3.1-8b", "gpu": "h100-sxm", "gpus": 1,
    }))
    .unwrap()
}

fn protocol() -> Protocol {
    Protocol {
        warmup_requests: 5,
        ..Protocol::default()
    }
}

/// Sessions of two turns each.
pub(crate) fn workload(draws: u64, sessions: u64) -> Vec<WorkloadRow> {
    let turns = (0..draws).flat_map(|draw| {
        (0..sessions).flat_map(move |session| (0..2).map(move |turn| (draw, session, turn)))
    });
    let rows = turns.map(|(draw, session, turn)| WorkloadRow {
        draw,
        request_id: 2 * session + turn,
        session,
        turn,
        arrival_s: (turn == 0).then_some(session as f64 * 0.5 + draw as f64 * 0.1),
        think_s: (turn == 1).then_some(0.25),
        continues: turn == 1,
        prompt_tokens: 200 + 100 * turn + session % 7,
        output_tokens: 20 + session % 5,
        prefix_block_ids: Vec::new(),
        prefix_block_tokens: 16,
        category: "chat".to_owned(),
        prompt: None,
    });
    rows.collect()
}

fn spec(name: &str, knobs: &str, draw: u64) -> TrialSpec {
    TrialSpec {
        config: Config::from_json(name, knobs).unwrap(),
        draw,
        requests: None,
        rate_scale: 1.0,
        keep_requests: false,
    }
}

fn run(ctx: &StageContext, specs: &[TrialSpec]) -> Vec<Trial> {
    let workload = workload(2, 40);
    let runner = TrialRunner::new(ctx, &backend(), &protocol(), &workload).unwrap();
    runner.run(specs).unwrap()
}

#[test]
fn trials_come_back_in_order_whatever_the_jobs() {
    let specs: Vec<TrialSpec> = (1..9_u64)
        .map(|n| {
            spec(
                &format!("c{n}"),
                &format!(r#"{{"max_num_seqs":{n}}}"#),
                n % 2,
            )
        })
        .collect();
    let results = [1, 4].map(|jobs| {
        let dir = tempfile::tempdir().unwrap();
        run(&context(dir.path(), jobs).0, &specs)
    });
    assert_eq!(results[0], results[1]);
    let names: Vec<&str> = results[0]
        .iter()
        .map(|t| t.row.config_name.as_str())
        .collect();
    assert_eq!(names, ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"]);
    let row = &results[0][7].row;
    assert_eq!(
        (row.outcome, row.n, row.n_ok, row.draw),
        (Outcome::Ok, 75, 75, 0)
    );
    assert!(row.e2e_p95_s > row.ttft_p95_s && row.cost_per_mtok.is_some());
}

#[test]
fn known_trial_is_not_run_again_and_takes_the_name_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let first = run(&context(dir.path(), 1).0, &[spec("one", "{}", 0)]);
    let (ctx, heard) = context(dir.path(), 1);
    let again = run(&ctx, &[spec("other", "{}", 0), spec("other", "{}", 1)]);
    assert_eq!(
        *heard.0.lock().unwrap(),
        [("ok".to_owned(), true), ("ok".to_owned(), false)]
    );
    assert_eq!(again[0].row.config_name, "other");
    assert_eq!(again[0].row.e2e_p95_s, first[0].row.e2e_p95_s);
    assert_eq!(again[0].row.trial_key, first[0].row.trial_key);
}

#[test]
fn equal_trials_of_one_call_run_once() {
    let dir = tempfile::tempdir().unwrap();
    let (ctx, heard) = context(dir.path(), 2);
    let unset = spec("b", r#"{"quantization":"none"}"#, 0);
    let trials = run(&ctx, &[spec("a", "{}", 0), unset]);
    assert_eq!(heard.0.lock().unwrap().len(), 1);
    assert_eq!(trials[0].row.trial_key, trials[1].row.trial_key);
    assert_ne!(trials[0].row.config_id, trials[1].row.config_id);
}

#[test]
fn requests_are_kept_when_asked_for_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let plain = run(&context(dir.path(), 1).0, &[spec("a", "{}", 0)]);
    assert!(plain[0].requests.is_empty());
    let keeping = TrialSpec {
        keep_requests: true,
        ..spec("a", "{}", 0)
    };
    let kept = run(&context(dir.path(), 1).0, std::slice::from_ref(&keeping));
    assert_eq!(kept[0].requests.len(), 80);
    assert_eq!(
        kept[0]
            .requests
            .iter()
            .filter(|r| r.phase == Phase::Warmup)
            .count(),
        5
    );
    let (kept_row, plain_row) = (&kept[0].row, &plain[0].row);
    assert_eq!(kept_row.e2e_p95_s, plain_row.e2e_p95_s);
    assert!(kept_row.e2e_p50_hi_s.is_some() && plain_row.e2e_p50_hi_s.is_none());
    let (ctx, heard) = context(dir.path(), 1);
    assert_eq!(run(&ctx, &[keeping]), kept);
    assert_eq!(*heard.0.lock().unwrap(), [("ok".to_owned(), true)]);
}

#[test]
fn forbidden_and_unfitting_configurations_are_outcomes_with_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let trials = run(
        &context(dir.path(), 1).0,
        &[
            spec("two", r#"{"tensor_parallel_size":2}"#, 0),
            spec("tight", r#"{"gpu_memory_utilization":0.1}"#, 0),
        ],
    );
    let row = &trials[0].row;
    assert_eq!(
        (row.outcome, row.n, row.e2e_p95_s, row.gpus),
        (Outcome::Rejected, 0, None, 2)
    );
    assert!(
        row.reason
            .as_deref()
            .unwrap()
            .contains("World size (2 x 1 x 1) is larger")
    );
    let row = &trials[1].row;
    assert_eq!((row.outcome, row.vram_peak_mb), (Outcome::Oom, None));
    assert!(row.reason.is_some());
}

#[test]
fn load_beyond_the_capacity_is_unstable() {
    let dir = tempfile::tempdir().unwrap();
    let overloaded = TrialSpec {
        rate_scale: 8.0,
        ..spec("narrow", r#"{"max_num_seqs":1}"#, 0)
    };
    let trials = run(&context(dir.path(), 1).0, &[overloaded]);
    let row = &trials[0].row;
    assert_eq!(row.outcome, Outcome::Unstable, "{:?}", row.reason);
    assert!(
        row.reason.as_deref().unwrap().contains("TTFT grows by"),
        "{:?}",
        row.reason
    );
}

#[test]
fn missing_draw_stopped_run_and_empty_measurement_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (ctx, _) = context(dir.path(), 1);
    let rows = workload(2, 40);
    let runner = TrialRunner::new(&ctx, &backend(), &protocol(), &rows).unwrap();
    let error = runner.run(&[spec("a", "{}", 7)]).unwrap_err();
    assert_eq!(error.to_string(), "the workload has no draw 7; it has 0, 1");
    ctx.cancel.cancel();
    let stopped = runner.run(&[spec("a", "{}", 0)]);
    assert!(matches!(stopped, Err(StageError::Cancelled)));
    let few = workload(1, 2);
    let error = TrialRunner::new(&ctx, &backend(), &protocol(), &few)
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("none would be measured"),
        "{error}"
    );
}
