use crate::{Digest, Manifest};

/// How a run went.
#[derive(Debug)]
pub struct RunReport {
    /// Identity of the run.
    pub run: String,
    /// Stage instances in plan order.
    pub stages: Vec<StageReport>,
    /// Whether it was stopped from outside.
    pub interrupted: bool,
    /// Wall time.
    pub took_s: f64,
}

/// How one stage instance went.
#[derive(Debug)]
pub struct StageReport {
    /// Stage instance.
    pub id: String,
    /// Its key, when its inputs were known.
    pub key: Option<Digest>,
    /// What became of it.
    pub fate: StageFate,
}

/// What became of a stage.
#[derive(Debug)]
pub enum StageFate {
    /// Its result was known.
    Hit(Manifest),
    /// It ran.
    Ran(Manifest),
    /// It failed for good.
    Failed {
        /// Why.
        error: String,
        /// Its log, when it has one.
        log: Option<String>,
        /// Whether the disk was what refused.
        cannot_write: bool,
    },
    /// It did not run, and why.
    Skipped(String),
    /// It was not asked for.
    NotSelected,
}

impl StageReport {
    /// The stage's result, if it has one.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.fate {
            StageFate::Hit(manifest) | StageFate::Ran(manifest) => Some(manifest),
            StageFate::Failed { .. } | StageFate::Skipped(_) | StageFate::NotSelected => None,
        }
    }
}

impl RunReport {
    /// Stages that failed.
    pub fn failures(&self) -> impl Iterator<Item = &StageReport> {
        self.stages
            .iter()
            .filter(|stage| matches!(stage.fate, StageFate::Failed { .. }))
    }

    /// Stages that ran, and stages whose result was known.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let count = |wanted: fn(&StageFate) -> bool| {
            self.stages
                .iter()
                .filter(|stage| wanted(&stage.fate))
                .count() as u64
        };
        (
            count(|fate| matches!(fate, StageFate::Ran(_))),
            count(|fate| matches!(fate, StageFate::Hit(_))),
        )
    }

    /// Whether every stage of the plan that is switched on has its result.
    #[must_use]
    pub fn complete(&self) -> bool {
        !self.interrupted
            && self.stages.iter().all(|stage| match &stage.fate {
                StageFate::Hit(_) | StageFate::Ran(_) | StageFate::Skipped(_) => true,
                StageFate::Failed { .. } | StageFate::NotSelected => false,
            })
            && self.failures().next().is_none()
    }

    /// How it ended, in one word.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        if self.interrupted {
            "interrupted"
        } else if self.failures().next().is_some() {
            "failed"
        } else {
            "ok"
        }
    }
}
