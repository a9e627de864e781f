use std::collections::BTreeMap;

use sbt_engine::{FileParam, Input, Output, Stage, StageContext, StageError};
use sbt_schemas::{CalibrationRow, FidelityRow, RequestRow, Row, WorkloadRow};
use serde_json::{Value, json};

use super::fit;
use super::params::Params;
use crate::compared::{Compared, SOURCE_CALIBRATED};
use crate::scene::Scene;
use crate::trial_run;

/// Calibrates the simulator on the first requests of a run.
pub(crate) struct CalibrateStage {
    pub(crate) params: Params,
}

impl Stage for CalibrateStage {
    fn inputs(&self) -> Vec<Input> {
        let mut inputs = vec![Input::required("workload", &WorkloadRow::TABLE)];
        if self.params.run.is_empty() {
            inputs.push(Input::required("requests", &RequestRow::TABLE));
        }
        inputs
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&CalibrationRow::TABLE),
            Output::table(&FidelityRow::TABLE),
        ]
    }

    fn key_params(&self) -> Value {
        json!(Params {
            run: String::new(),
            ..self.params.clone()
        })
    }

    fn files(&self) -> Vec<FileParam> {
        if self.params.run.is_empty() {
            return Vec::new();
        }
        vec![self.params.recorded().folder()]
    }

    fn identity(&self) -> BTreeMap<String, String> {
        crate::scene::identity()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let scene = self.scene(ctx)?;
        let first = usize::try_from(self.params.first).unwrap_or(usize::MAX);
        if first == 0 {
            ctx.write_rows::<CalibrationRow>(CalibrationRow::TABLE.name, &[])?;
            return ctx.write_rows::<FidelityRow>(FidelityRow::TABLE.name, &[]);
        }
        scene.check_first(first)?;
        let posterior = fit::fit(&scene, first)?;
        ctx.write_rows(CalibrationRow::TABLE.name, &posterior.rows(first as u64))?;
        let simulated = scene.simulate(&posterior.source())?;
        let compared = Compared {
            scene: &scene,
            source: SOURCE_CALIBRATED,
            simulated: &simulated,
            intervals: None,
            first,
        };
        ctx.write_rows(FidelityRow::TABLE.name, &compared.fidelity())
    }
}

impl CalibrateStage {
    fn scene(&self, ctx: &StageContext) -> Result<Scene, StageError> {
        let params = &self.params;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let Some(backend) = &params.backend else {
            return params.recorded().read(ctx, &workload);
        };
        let machine = backend
            .machine(&params.config())
            .map_err(StageError::user)?;
        let requests: Vec<RequestRow> = ctx.rows("requests")?;
        let scene = trial_run::scene(machine, &requests, &workload, params.draw);
        scene.map_err(|error| StageError::user(error.to_string()))
    }
}
