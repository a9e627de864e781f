use std::collections::BTreeMap;

use sbt_engine::{FileParam, Input, Output, Stage, StageContext, StageError};
use sbt_schemas::{CandidateRow, FidelityRow, Row, TrialRow, VerdictRow, WorkloadRow};
use sbt_trials::{Backend, Config, TrialRunner, backend_files, calibration_input};
use serde_json::{Value, json};

use super::compare::{Pair, fidelity};
use super::params::Params;
use super::verdict::verdict;

/// Replays configurations on both sides.
pub(crate) struct RankingStage {
    pub(crate) params: Params,
}

impl Stage for RankingStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            calibration_input(),
        ]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.simulated)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&FidelityRow::TABLE),
            Output::table(&VerdictRow::TABLE),
            Output::table(&TrialRow::TABLE),
        ]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn pass_env(&self) -> Vec<String> {
        self.params.measured.pass_env()
    }

    fn measured(&self) -> bool {
        true
    }

    fn identity(&self) -> BTreeMap<String, String> {
        let side = |name: &'static str, backend| {
            let identity = TrialRunner::identity(backend).into_iter();
            identity.map(move |(part, value)| (format!("{name}.{part}"), value))
        };
        side("simulated", &self.params.simulated)
            .chain(side("measured", &self.params.measured))
            .collect()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let configs = self.configs(&ctx.rows("candidates")?)?;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let simulated = self.replay(ctx, &self.params.simulated, &configs, &workload)?;
        let measured = self.replay(ctx, &self.params.measured, &configs, &workload)?;
        let trials: Vec<TrialRow> = simulated
            .iter()
            .chain(&measured)
            .flatten()
            .cloned()
            .collect();
        let pairs = simulated.into_iter().zip(measured);
        let pairs: Vec<Pair> = pairs
            .map(|(simulated, measured)| Pair {
                simulated,
                measured,
            })
            .collect();
        let rows: Vec<FidelityRow> = pairs.iter().flat_map(fidelity).collect();
        ctx.write_rows(FidelityRow::TABLE.name, &rows)?;
        let verdict = verdict(&pairs, &self.params.rank_by);
        ctx.write_rows(VerdictRow::TABLE.name, &[verdict])?;
        ctx.write_rows(TrialRow::TABLE.name, &trials)
    }
}

impl RankingStage {
    /// The baseline, the recommended, then the rest as they stand; each once.
    fn configs(&self, candidates: &[CandidateRow]) -> Result<Vec<Config>, StageError> {
        let mut order: Vec<&CandidateRow> = candidates.iter().collect();
        order.sort_by_key(|row| {
            let baseline = row.sampler == "baseline";
            (!baseline, row.recommended.is_none(), row.recommended)
        });
        let mut configs: Vec<Config> = Vec::new();
        for row in order {
            let config = Config::of_candidate(row).map_err(StageError::user)?;
            if configs.iter().all(|known| known.id() != config.id()) {
                configs.push(config);
            }
        }
        configs.truncate(usize::try_from(self.params.most).unwrap_or(usize::MAX));
        if configs.is_empty() {
            return Err(StageError::user("input `candidates` has no configuration"));
        }
        Ok(configs)
    }

    /// Trials of each configuration over the draws, under the names that the input gave them.
    fn replay(
        &self,
        ctx: &StageContext,
        side: &Backend,
        configs: &[Config],
        workload: &[WorkloadRow],
    ) -> Result<Vec<Vec<TrialRow>>, StageError> {
        let runner = TrialRunner::new(ctx, side, &self.params.protocol, workload)?;
        let configs = configs.iter();
        let configs = configs.map(|config| self.params.for_side(side, config));
        runner.over_draws(&configs.collect::<Vec<_>>(), &self.params.draws)
    }
}
