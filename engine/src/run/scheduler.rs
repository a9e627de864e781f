use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::key::key_of;
use crate::run::execute::Job;
use crate::run::explain::reason;
use crate::run::inputs::components;
use crate::run::journal::Journal;
use crate::run::lookup::{fresh, lookup};
use crate::run::report::{RunReport, StageFate, StageReport};
use crate::runlog::{RunLog, TrialCounter};
use crate::{Cancel, Digest, Event, EventSink, Manifest, Plan, RunError, Store};

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Folder of the store.
    pub store: PathBuf,
    /// Stages at once, and threads for the trials of each.
    pub jobs: usize,
    /// Stages asked for, by index; none means all. Others must have a stored result where they
    /// are read.
    pub selected: Option<BTreeSet<usize>>,
    /// Stages to run again even if a result is stored.
    pub refresh: BTreeSet<usize>,
}

/// Runs a plan. Stages that fail are in the report; they stop what needs them and nothing else.
///
/// # Errors
/// When the store cannot be used at all.
pub fn run(
    plan: &Arc<Plan>,
    options: &RunOptions,
    events: Arc<dyn EventSink>,
    cancel: &Cancel,
) -> Result<RunReport, RunError> {
    let started = Instant::now();
    let store = Arc::new(Store::open(&options.store)?);
    let now = jiff::Timestamp::now();
    let run = format!(
        "{}-{}",
        now.strftime("%Y%m%dT%H%M%S%3f"),
        std::process::id()
    );
    let run_folder = store.root().join("runs").join(&run);
    let trials = Arc::new(TrialCounter::new(events));
    let journal = Arc::new(Journal::create(&run_folder, trials.clone())?);
    let log = RunLog::open(&store, journal.as_ref());
    log.begin(&run, plan, now);
    journal.event(&Event::RunStarted {
        run: run.clone(),
        pipeline: plan.name.clone(),
        stages: plan.stages.iter().map(|stage| stage.id.clone()).collect(),
    });
    let scheduler = Scheduler {
        plan,
        options,
        store: Arc::clone(&store),
        events: journal.clone(),
        cancel,
        run_folder,
        log: &log,
        now,
        fates: plan.stages.iter().map(|_| None).collect(),
        keys: vec![None; plan.stages.len()],
        running: BTreeSet::new(),
        ready: BTreeMap::new(),
    };
    let (stages, interrupted) = scheduler.run()?;
    if store.memo().damaged() > 0 {
        journal.event(&Event::CacheCorrupt {
            what: format!("{} records of the trial journals", store.memo().damaged()),
            action: "left aside; their trials ran again if they were needed".to_owned(),
        });
    }
    let report = RunReport {
        run,
        stages,
        interrupted,
        took_s: started.elapsed().as_secs_f64(),
    };
    log.end(&report, plan, &store, &trials.take());
    let (ran, hits) = report.counts();
    journal.event(&Event::RunDone {
        run: report.run.clone(),
        outcome: report.outcome().to_owned(),
        ran,
        hits,
        took_s: report.took_s,
    });
    Ok(report)
}

struct Scheduler<'a> {
    plan: &'a Arc<Plan>,
    options: &'a RunOptions,
    store: Arc<Store>,
    events: Arc<dyn EventSink>,
    cancel: &'a Cancel,
    run_folder: PathBuf,
    log: &'a RunLog,
    now: jiff::Timestamp,
    fates: Vec<Option<StageFate>>,
    keys: Vec<Option<Digest>>,
    running: BTreeSet<usize>,
    ready: BTreeMap<usize, (Value, String)>,
}

/// What can be said about a stage now.
enum Step {
    /// Nothing yet: an input is being made.
    Wait,
    /// It is decided.
    Decided(StageFate),
    /// It has to run.
    Run(Value, String),
}

impl Scheduler<'_> {
    fn run(mut self) -> Result<(Vec<StageReport>, bool), RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(self.options.jobs.max(1))
            .build()
            .map_err(|source| RunError::File {
                path: "the thread pool".to_owned(),
                source,
            })?;
        runtime.block_on(self.work())?;
        let interrupted = self.cancel.is_cancelled()
            && self
                .fates
                .iter()
                .any(|fate| matches!(fate, Some(StageFate::Skipped(_))));
        let reports = self.plan.stages.iter().zip(self.fates).zip(self.keys);
        let stages = reports.map(|((stage, fate), key)| StageReport {
            id: stage.id.clone(),
            key,
            fate: fate.unwrap_or(StageFate::NotSelected),
        });
        Ok((stages.collect(), interrupted))
    }

    async fn work(&mut self) -> Result<(), RunError> {
        let mut tasks: JoinSet<(usize, StageFate)> = JoinSet::new();
        loop {
            self.decide(&mut tasks)?;
            let Some(finished) = tasks.join_next().await else {
                return Ok(());
            };
            match finished {
                Ok((index, fate)) => {
                    self.running.remove(&index);
                    self.fates[index] = Some(fate);
                }
                Err(error) => return Err(RunError::User(format!("a stage broke off: {error}"))),
            }
        }
    }

    /// Decides every stage that can be decided, and starts what has to run.
    fn decide(&mut self, tasks: &mut JoinSet<(usize, StageFate)>) -> Result<(), RunError> {
        for index in 0..self.plan.stages.len() {
            let open = self.fates[index].is_none() && !self.running.contains(&index);
            if !open || self.ready.contains_key(&index) {
                continue;
            }
            match self.step(index)? {
                Step::Wait => {}
                Step::Decided(fate) => {
                    self.tell(index, &fate);
                    self.fates[index] = Some(fate);
                }
                Step::Run(components, reason) => {
                    self.ready.insert(index, (components, reason));
                }
            }
        }
        while self.running.len() < self.options.jobs.max(1) {
            let Some((index, (components, reason))) = self.ready.pop_first() else {
                break;
            };
            let job = self.job(index, components, reason);
            self.running.insert(index);
            tasks.spawn_blocking(move || (index, job.run_caught()));
        }
        Ok(())
    }

    fn step(&mut self, index: usize) -> Result<Step, RunError> {
        let stage = &self.plan.stages[index];
        let selected = self
            .options
            .selected
            .as_ref()
            .is_none_or(|s| s.contains(&index));
        if !selected && !self.is_read_by_selected(index) {
            return Ok(Step::Decided(StageFate::NotSelected));
        }
        if !stage.enabled {
            return Ok(skipped("its condition is false"));
        }
        for wire in stage.inputs.values().flatten() {
            match &self.fates[wire.stage] {
                None => return Ok(Step::Wait),
                Some(StageFate::Hit(_) | StageFate::Ran(_)) => {}
                Some(StageFate::Failed { .. } | StageFate::Skipped(_) | StageFate::NotSelected) => {
                    let needed = &self.plan.stages[wire.stage].id;
                    return Ok(skipped(&format!("needs `{needed}`, which has no result")));
                }
            }
        }
        if self.cancel.is_cancelled() {
            return Ok(skipped("the run is being stopped"));
        }
        let results = |i: usize| self.fates[i].as_ref().and_then(manifest_of);
        let components = match components(self.plan, stage, &results) {
            Ok(Some(components)) => components,
            Ok(None) => return Ok(skipped("an input has no such output")),
            Err(error) => return Ok(Step::Decided(failed(error.to_string()))),
        };
        let key = key_of(&components);
        let first_look = self.keys[index].replace(key).is_none();
        if first_look && !self.options.refresh.contains(&index) {
            let known = lookup(&self.store, &key, self.events.as_ref())?;
            if let Some(manifest) = known.filter(|m| fresh(m, stage.cache, self.now)) {
                return Ok(Step::Decided(StageFate::Hit(manifest)));
            }
        }
        if !selected {
            let message = format!("`{}` has no stored result and was not asked for", stage.id);
            return Ok(Step::Decided(failed(message)));
        }
        let why = if self.options.refresh.contains(&index) {
            "asked for by --refresh".to_owned()
        } else {
            reason(&self.store, self.log, self.plan, stage, &components)
        };
        Ok(Step::Run(components, why))
    }

    fn is_read_by_selected(&self, index: usize) -> bool {
        let Some(selected) = &self.options.selected else {
            return true;
        };
        selected.iter().any(|&reader| {
            let wires = self.plan.stages[reader].inputs.values().flatten();
            wires.into_iter().any(|wire| wire.stage == index)
        })
        // What an unselected stage reads is needed too: its key hangs on it.
        || self.plan.stages.iter().enumerate().any(|(reader, stage)| {
            reader > index
                && !selected.contains(&reader)
                && stage.inputs.values().flatten().any(|wire| wire.stage == index)
                && self.is_read_by_selected(reader)
        })
    }

    fn tell(&self, index: usize, fate: &StageFate) {
        let stage = self.plan.stages[index].id.clone();
        match fate {
            StageFate::Hit(manifest) => self.events.event(&Event::StageHit {
                stage,
                key: manifest.key,
            }),
            StageFate::Skipped(because) => self.events.event(&Event::StageSkipped {
                stage,
                because: because.clone(),
            }),
            StageFate::Failed { error, .. } => self.events.event(&Event::StageFailed {
                stage,
                error: error.clone(),
                attempt: 1,
                retrying: false,
                log: None,
            }),
            StageFate::Ran(_) | StageFate::NotSelected => {}
        }
    }

    fn job(&self, index: usize, components: Value, reason: String) -> Job {
        let wires = self.plan.stages[index].inputs.values().flatten();
        let manifests: BTreeMap<usize, Arc<Manifest>> = wires
            .filter_map(|wire| {
                let fate = self.fates[wire.stage].as_ref()?;
                Some((wire.stage, Arc::new(manifest_of(fate)?.clone())))
            })
            .collect();
        Job {
            plan: Arc::clone(self.plan),
            index,
            components,
            manifests,
            store: Arc::clone(&self.store),
            events: Arc::clone(&self.events),
            cancel: self.cancel.clone(),
            run_folder: self.run_folder.clone(),
            jobs: self.options.jobs.max(1),
            refresh: self.options.refresh.contains(&index)
                || self.plan.stages[index].cache == crate::CachePolicy::Off,
            reason,
        }
    }
}

fn manifest_of(fate: &StageFate) -> Option<&Manifest> {
    match fate {
        StageFate::Hit(manifest) | StageFate::Ran(manifest) => Some(manifest),
        StageFate::Failed { .. } | StageFate::Skipped(_) | StageFate::NotSelected => None,
    }
}

fn failed(error: String) -> StageFate {
    StageFate::Failed {
        error,
        log: None,
        cannot_write: false,
    }
}

fn skipped(because: &str) -> Step {
    Step::Decided(StageFate::Skipped(because.to_owned()))
}
