use std::path::Path;

use sbt_engine::{FileParam, ParamError, StageContext, StageError};
use sbt_schemas::WorkloadRow;
use sbt_simulator::{Gpu, Model};
use sbt_trials::{CatalogueEntry, Catalogued};

use crate::scene::Scene;

/// Name of the run's folder among a stage's files.
const RUN: &str = "run";

/// A recorded run, and what is said instead of its own files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordedParams<'a> {
    pub(crate) run: &'a str,
    pub(crate) model: Option<&'a CatalogueEntry<Model>>,
    pub(crate) gpu: Option<&'a CatalogueEntry<Gpu>>,
}

impl RecordedParams<'_> {
    pub(crate) fn problems(&self) -> Vec<ParamError> {
        [
            ("model", said(self.model).and_then(|e| e.resolve().err())),
            ("gpu", said(self.gpu).and_then(|e| e.resolve().err())),
        ]
        .into_iter()
        .filter_map(|(key, problem)| Some(ParamError::at(&[key], problem?)))
        .collect()
    }

    pub(crate) fn folder(&self) -> FileParam {
        FileParam {
            name: RUN.to_owned(),
            path: self.run.into(),
            folder: true,
        }
    }

    pub(crate) fn read(
        &self,
        ctx: &StageContext,
        workload: &[WorkloadRow],
    ) -> Result<Scene, StageError> {
        let folder: &Path = ctx.file(RUN)?;
        let scene = super::read(folder, workload, said(self.model), said(self.gpu));
        scene.map_err(|error| StageError::user(format!("run {}: {error}", self.run)))
    }
}

/// What is given; an empty name is nothing, so that a pipeline's parameter may be left empty.
fn said<T: Catalogued>(entry: Option<&CatalogueEntry<T>>) -> Option<&CatalogueEntry<T>> {
    entry.filter(|entry| !matches!(entry, CatalogueEntry::Named(name) if name.is_empty()))
}
