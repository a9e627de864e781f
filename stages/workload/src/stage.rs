use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{Row, WorkloadRow};
use serde_json::Value;

use crate::params::WorkloadParams;
use crate::prefix::BLOCK_TOKENS;
use crate::profile::Profile;
use crate::session::{Session, rows, timed};
use crate::streams::Streams;

/// The stage kind `workload`.
#[derive(Debug, Clone, Copy)]
pub struct WorkloadKind;

impl StageKind for WorkloadKind {
    fn name(&self) -> &'static str {
        "workload"
    }

    fn about(&self) -> &'static str {
        "Requests to serve: drawn from a profile, or taken from a public trace"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(WorkloadParams)
    }

    fn example(&self) -> &'static str {
        include_str!("example.toml")
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: WorkloadParams = parse_params(with)?;
        params.check()?;
        Ok(Box::new(WorkloadStage { params }))
    }
}

/// A workload stage with its parameters.
struct WorkloadStage {
    params: WorkloadParams,
}

impl Stage for WorkloadStage {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&WorkloadRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        serde_json::to_value(self.params.for_key()).expect("numbers and texts are JSON")
    }

    fn files(&self) -> Vec<FileParam> {
        self.params.files()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let rows = match &self.params.profile {
            Some(profile) if !self.params.has_trace() => self.profile_rows(profile, ctx)?,
            Some(_) | None => todo!(),
        };
        ctx.write_rows(WorkloadRow::TABLE.name, &rows)
    }
}

impl WorkloadStage {
    fn profile_rows(
        &self,
        profile: &Profile,
        ctx: &StageContext,
    ) -> Result<Vec<WorkloadRow>, StageError> {
        let mut all = Vec::new();
        for draw in 0..self.params.draws {
            ctx.check_cancelled()?;
            let sessions = profile.draw(self.params.requests, self.streams(draw));
            all.extend(self.timed_rows(draw, BLOCK_TOKENS, sessions));
        }
        Ok(all)
    }

    fn streams(&self, draw: u64) -> Streams {
        Streams {
            seed: self.params.seed,
            draw,
        }
    }

    fn timed_rows(&self, draw: u64, block_tokens: u64, sessions: Vec<Session>) -> Vec<WorkloadRow> {
        let arrival = self.params.arrival();
        let factor = match (
            self.params.rate_scale,
            self.params.target_rps,
            arrival.mean_rps(),
        ) {
            (Some(scale), _, _) => scale,
            (None, Some(target), Some(mean)) => target / mean,
            (None, _, _) => 1.0,
        };
        let arrival = arrival.scaled(factor);
        rows(
            draw,
            block_tokens,
            timed(sessions, &arrival, self.streams(draw)),
        )
    }
}
