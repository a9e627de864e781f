use std::collections::BTreeMap;
use std::sync::Arc;

use sbt_engine::{FileParam, Input, Output, Stage, StageContext, StageError};
use sbt_schemas::{CalibrationRow, FidelityRow, PredictionRow, Row, WorkloadRow};
use sbt_simulator::StepSource;
use sbt_trials::kernel_tables;
use serde_json::{Value, json};

use super::params::Params;
use crate::calibrate::Posterior;
use crate::compared::{Compared, SOURCE_ANALYTIC, SOURCE_CALIBRATED, SOURCE_KERNELS};
use crate::interval::intervals;
use crate::scene::Scene;

/// Name of the folder of kernels among the stage's files.
const KERNELS: &str = "kernels";

/// Replays a recorded run and compares.
pub(crate) struct ReplayStage {
    pub(crate) params: Params,
}

/// Rows of both tables.
#[derive(Default)]
struct Rows {
    fidelity: Vec<FidelityRow>,
    predictions: Vec<PredictionRow>,
}

impl Rows {
    fn add(&mut self, compared: &Compared<'_>) {
        self.fidelity.extend(compared.fidelity());
        self.predictions.extend(compared.predictions());
    }
}

impl Stage for ReplayStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::optional("calibration", &CalibrationRow::TABLE),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&FidelityRow::TABLE),
            Output::table(&PredictionRow::TABLE),
        ]
    }

    fn key_params(&self) -> Value {
        json!(Params {
            run: String::new(),
            kernels: String::new(),
            ..self.params.clone()
        })
    }

    fn files(&self) -> Vec<FileParam> {
        let mut files = vec![self.params.recorded().folder()];
        if !self.params.kernels.is_empty() {
            files.push(FileParam {
                name: KERNELS.to_owned(),
                path: (&self.params.kernels).into(),
                folder: true,
            });
        }
        files
    }

    fn identity(&self) -> BTreeMap<String, String> {
        crate::scene::identity()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let scene = self.params.recorded().read(ctx, &workload)?;
        let calibration: Option<Vec<CalibrationRow>> = ctx.rows_if_wired("calibration")?;
        let calibrated = Posterior::from_rows(&calibration.unwrap_or_default());
        let calibrated = calibrated.map_err(|e| StageError::user(format!("calibration: {e}")))?;
        let first = calibrated.as_ref().map_or(0, |(_, first)| *first);
        scene.check_first(first)?;
        let mut rows = Rows::default();
        for (name, source) in self.sources(ctx)? {
            let simulated = scene.simulate(&source)?;
            rows.add(&Compared {
                scene: &scene,
                source: name,
                simulated: &simulated,
                intervals: None,
                first,
            });
        }
        if let Some((posterior, _)) = &calibrated {
            self.calibrated(&scene, posterior, first, &mut rows)?;
        }
        ctx.write_rows(FidelityRow::TABLE.name, &rows.fidelity)?;
        ctx.write_rows(PredictionRow::TABLE.name, &rows.predictions)
    }
}

impl ReplayStage {
    /// What is the same for every run of the hardware.
    fn sources(&self, ctx: &StageContext) -> Result<Vec<(&'static str, StepSource)>, StageError> {
        let mut sources = vec![(SOURCE_ANALYTIC, StepSource::default())];
        if !self.params.kernels.is_empty() {
            let tables = kernel_tables(ctx.file(KERNELS)?).map_err(StageError::user)?;
            let kernels = StepSource {
                kernels: Some(Arc::new(tables)),
                ..StepSource::default()
            };
            sources.push((SOURCE_KERNELS, kernels));
        }
        Ok(sources)
    }

    fn calibrated(
        &self,
        scene: &Scene,
        posterior: &Posterior,
        first: usize,
        rows: &mut Rows,
    ) -> Result<(), StageError> {
        let simulated = scene.simulate(&posterior.source())?;
        let draws = usize::try_from(self.params.draws).unwrap_or(usize::MAX);
        let intervals = intervals(scene, &simulated, posterior, draws, self.params.seed)?;
        rows.add(&Compared {
            scene,
            source: SOURCE_CALIBRATED,
            simulated: &simulated,
            intervals: Some(&intervals),
            first,
        });
        Ok(())
    }
}
