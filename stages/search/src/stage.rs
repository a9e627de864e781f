use std::collections::BTreeMap;

use sbt_engine::{
    Digest, FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind,
    parse_params,
};
use sbt_schemas::{CandidateRow, QualityRow, Row, TraceRow, TrialRow, WorkloadRow};
use sbt_trials::{Config, Judge, Quality, TrialRunner, backend_files, calibration_input};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::evaluator::Evaluator;
use crate::genetic::{Nsga2, Nsga3};
use crate::params::{Params, SamplerKind};
use crate::race::Race;
use crate::random::Random;
use crate::sampler::Sampler;
use crate::sobol::Sobol;
use crate::stopping::{Ended, Stopping};
use crate::study::Study;
use crate::tpe::Tpe;
use crate::trace::trace;
use crate::transfer::{Predictor, Simulated, Transfer};

/// The kind `search`.
pub struct SearchKind;

impl StageKind for SearchKind {
    fn name(&self) -> &'static str {
        "search"
    }

    fn about(&self) -> &'static str {
        "Looks for good configurations in a space: manual list, random, Sobol, NSGA-II, NSGA-III, TPE, transfer"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"sampler = "nsga2"
budget = 100
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 2 }
goals = { minimize = ["e2e_p95_s", "cost_per_mtok"], subject_to = ["ttft_p95_s <= 1.0"] }
[space]
max_num_seqs = { kind = "int", min = 16, max = 256, step = 8, log = true }
kv_cache_dtype = { kind = "choice", values = ["auto", "fp8"] }
enable_prefix_caching = { kind = "bool" }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let goals = params.goals.check().into_iter();
        let mut errors: Vec<ParamError> = goals.map(|error| error.under("goals")).collect();
        errors.extend(params.backend.problems(&["backend"]));
        if params.backend.server().is_ok() {
            let space = params.space.check(&params.backend).into_iter();
            errors.extend(space.map(|error| error.under("space")));
        }
        for (i, config) in params.configs.iter().enumerate() {
            let path = ["configs", &i.to_string()];
            errors.extend(params.backend.problems_of_config(config, &path));
        }
        if params.sampler == SamplerKind::Manual && params.configs.is_empty() {
            errors.push(ParamError::at(
                &["configs"],
                "the sampler `manual` needs configurations",
            ));
        }
        match &params.transfer {
            Some(transfer) => errors.extend(transfer.problems()),
            None if params.sampler == SamplerKind::Transfer => errors.push(ParamError::at(
                &["transfer"],
                "the sampler `transfer` needs a simulator: `transfer.simulated`",
            )),
            None => {}
        }
        errors.extend(params.stop.problems());
        let race = params.race.iter();
        errors.extend(race.flat_map(|race| race.problems(&params.protocol)));
        if params.budget == 0 {
            errors.push(ParamError::at(&["budget"], "must be at least 1"));
        }
        if params.population < 2 {
            errors.push(ParamError::at(&["population"], "must be at least 2"));
        }
        if errors.is_empty() {
            Ok(Box::new(SearchStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct SearchStage {
    params: Params,
}

impl Stage for SearchStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input {
                optional: !self.params.goals.names_baseline()
                    && self.params.sampler != SamplerKind::Transfer,
                ..Input::required("baseline", &CandidateRow::TABLE)
            },
            Input::optional("quality", &QualityRow::TABLE),
            calibration_input(),
        ]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.backend)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&CandidateRow::TABLE),
            Output::table(&TraceRow::TABLE),
            Output::table(&TrialRow::TABLE),
        ]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn pass_env(&self) -> Vec<String> {
        self.params.backend.pass_env()
    }

    fn measured(&self) -> bool {
        self.params.backend.is_real()
    }

    fn identity(&self) -> BTreeMap<String, String> {
        let mut identity = TrialRunner::identity(&self.params.backend);
        if let Some(transfer) = &self.params.transfer {
            let simulated = TrialRunner::identity(&transfer.simulated).into_iter();
            let simulated = simulated.map(|(part, of)| (format!("simulated.{part}"), of));
            identity.extend(simulated);
        }
        identity
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let params = &self.params;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let quality = ctx.rows_if_wired("quality")?.unwrap_or_default();
        let server = params.backend.server().map_err(StageError::user)?;
        let quality = Quality::new(&server, quality);
        let baseline = baseline(ctx, &quality)?;
        let judge = Judge::new(&params.goals, baseline.as_ref()).map_err(StageError::user)?;
        let predictor = self.predictor(ctx, &judge, &quality, &workload)?;
        let runner = TrialRunner::new(ctx, &params.backend, &params.protocol, &workload)?;
        let mut evaluator = Evaluator {
            sampler: params.sampler.name(),
            draw: params.draw,
            race: self.race(&workload),
            runner: runner.expecting(self.most_trials()),
            slo: &params.protocol.slo,
            judge: &judge,
            quality: &quality,
            stopping: self.stopping(),
            veto: predictor.as_ref().filter(|_| params.backend.is_real()),
            trials: Vec::new(),
            ended: None,
        };
        let mut candidates = self.search(&mut evaluator, predictor.as_ref())?;
        match evaluator.ended.take() {
            Some(Ended::Failures(diagnosis)) => return Err(StageError::user(diagnosis)),
            Some(Ended::Limit(why)) => ctx.warn(format!(
                "ended after {} of {} configurations: {why}",
                candidates.len(),
                self.budget()
            )),
            None if candidates.len() < self.budget() => ctx.warn(format!(
                "the space has no more configurations that are easily found: {} of {} were \
                 evaluated",
                candidates.len(),
                self.budget()
            )),
            None => {}
        }
        let trace = trace(params.sampler.name(), &judge, &candidates);
        judge.rank(&mut candidates);
        judge.recommend(&mut candidates, params.top as usize);
        ctx.write_rows("candidates", &candidates)?;
        ctx.write_rows("trace", &trace)?;
        ctx.write_rows("trials", &evaluator.last_trials())
    }
}

impl SearchStage {
    /// Who predicts for the sampler `transfer`.
    fn predictor<'a>(
        &'a self,
        ctx: &'a StageContext,
        judge: &'a Judge,
        quality: &'a Quality<'a>,
        workload: &[WorkloadRow],
    ) -> Result<Option<Predictor<'a>>, StageError> {
        let params = &self.params;
        let asked = params.sampler == SamplerKind::Transfer || params.backend.is_real();
        let Some(of) = params.transfer.as_ref().filter(|_| asked) else {
            return Ok(None);
        };
        let simulated = Simulated {
            backend: &of.simulated,
            protocol: &params.protocol,
            rename: &of.rename,
            fixed: &of.simulated_knobs,
        };
        let columns = params.goals.columns().into_iter().collect();
        let judged = (judge, quality);
        let served = (workload, params.draw);
        Predictor::new(ctx, &simulated, judged, columns, served).map(Some)
    }

    fn budget(&self) -> usize {
        match self.params.sampler {
            SamplerKind::Manual => self.params.configs.len(),
            SamplerKind::Random
            | SamplerKind::Sobol
            | SamplerKind::Nsga2
            | SamplerKind::Nsga3
            | SamplerKind::Tpe
            | SamplerKind::Transfer => self.params.budget as usize,
        }
    }

    fn search(
        &self,
        evaluator: &mut Evaluator<'_>,
        predictor: Option<&Predictor<'_>>,
    ) -> Result<Vec<CandidateRow>, StageError> {
        if self.params.sampler == SamplerKind::Manual {
            let evaluated = evaluator.evaluate(&self.params.configs, 0)?.into_iter();
            return Ok(evaluated.map(|(candidate, _)| candidate).collect());
        }
        let study = self.study();
        let evaluate = |configs: &[Config], start: usize| evaluator.evaluate(configs, start);
        match (self.sampler(), predictor) {
            (Some(mut sampler), _) => study.run(&mut sampler, evaluate),
            (None, Some(predictor)) => {
                let simulations = self.params.transfer.as_ref();
                let simulations = simulations.map_or(0, |of| of.simulations as usize);
                let wanted = (simulations, self.params.stop.improvement_below);
                let space = &self.params.space;
                let mut sampler = Transfer::new(space, predictor, wanted, self.seed("sampler"));
                let found = study.run(&mut sampler, evaluate)?;
                if sampler.exhausted {
                    let text = "no candidate promises `stop.improvement_below` any more".to_owned();
                    evaluator.ended.get_or_insert(Ended::Limit(text));
                }
                Ok(found)
            }
            (None, None) => Ok(Vec::new()),
        }
    }

    /// Who asks; nobody when the list is given.
    fn sampler(&self) -> Option<Box<dyn Sampler>> {
        let Params {
            space, population, ..
        } = &self.params;
        let seed = self.seed("sampler");
        match self.params.sampler {
            SamplerKind::Manual | SamplerKind::Transfer => None,
            SamplerKind::Random => Some(Box::new(Random::new(space, seed))),
            SamplerKind::Sobol => Some(Box::new(Sobol::new(space, seed))),
            SamplerKind::Nsga2 => Some(Box::new(Nsga2::new(space, *population as usize, seed))),
            SamplerKind::Nsga3 => Some(Box::new(Nsga3::new(space, *population as usize, seed))),
            SamplerKind::Tpe => Some(Box::new(Tpe::new(space, seed))),
        }
    }

    fn race(&self, workload: &[WorkloadRow]) -> Race {
        let draw = workload.iter().filter(|row| row.draw == self.params.draw);
        let whole = draw.count() as u64;
        let sizes = self.params.race.iter().flat_map(|race| &race.requests);
        Race::new(sizes.copied().filter(|size| *size < whole).collect())
    }

    fn most_trials(&self) -> u64 {
        let parts = self.params.race.as_ref();
        let parts = parts.map_or(0, |race| race.requests.len());
        (self.budget() * (1 + parts)) as u64
    }

    fn stopping(&self) -> Stopping {
        let params = &self.params;
        let usual = if params.backend.is_real() { 5 } else { 0 };
        Stopping {
            stop: params.stop,
            failures: params.stop_after_failures.unwrap_or(usual),
        }
    }

    fn study(&self) -> Study<'_> {
        Study {
            name: self.params.sampler.name(),
            space: &self.params.space,
            budget: self.budget(),
            batch: self.params.batch.unwrap_or(match self.params.sampler {
                SamplerKind::Tpe | SamplerKind::Transfer => 1,
                SamplerKind::Manual
                | SamplerKind::Random
                | SamplerKind::Sobol
                | SamplerKind::Nsga2
                | SamplerKind::Nsga3 => self.params.population,
            }) as usize,
            seed: self.seed("sampler-replacements"),
        }
    }

    /// Samplers differ in their seeds: random and NSGA-II do not begin with the same points.
    fn seed(&self, purpose: &str) -> u64 {
        let params = json!([self.params.sampler.name(), self.params.seed]);
        Digest::of_value(purpose, &params).seed()
    }
}

/// The baseline with its quality; the first one when there are more.
fn baseline(ctx: &StageContext, quality: &Quality<'_>) -> Result<Option<CandidateRow>, StageError> {
    let rows: Option<Vec<CandidateRow>> = ctx.rows_if_wired("baseline")?;
    let Some(mut baseline) = rows.and_then(|rows| rows.into_iter().next()) else {
        return Ok(None);
    };
    let config = Config::from_json(&baseline.config_name, &baseline.config)
        .map_err(|error| StageError::user(format!("input `baseline`: {error}")))?;
    quality.fill(&mut baseline, &config);
    Ok(Some(baseline))
}

#[cfg(test)]
mod tests;
