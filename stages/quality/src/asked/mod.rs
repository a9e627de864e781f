//! Asks a real server, variant by variant.

mod answer;
mod arbiter;
mod asker;
mod divergence;
mod judged;
mod reading;
mod rows;
mod tables;
mod trial;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use sbt_engine::{FileParam, Input, Output, Stage, StageContext, StageError};
use sbt_schemas::{QualityItemRow, QualityRow, Row, VerdictRow};
use sbt_trials::{Asking, Backend, Config, ServerSpec, TrialRunner, model_identity};
use serde_json::{Value, json};

use crate::params::Params;
use crate::programs::Programs;
use crate::score::Scoring;
use crate::suite::Family;
use answer::Manner;
use arbiter::Arbiter;
use asker::{Addressee, Asker};
use judged::Judge;
use reading::Questions;
use trial::Trial;

/// Share of wrong decisions that is allowed, on either side.
const ALPHA: f64 = 0.05;

/// The stage that asks.
pub(crate) struct Asked {
    params: Params,
    backend: Backend,
    /// The reference's, as table `quality` has it.
    reference: String,
    /// By variant: the configuration that is started for it.
    variants: BTreeMap<String, Config>,
}

impl Asked {
    /// A stage that asks for variants, of which the reference is one.
    pub(crate) fn new(
        params: Params,
        backend: Backend,
        server: &ServerSpec,
        variants: BTreeMap<String, Config>,
    ) -> Self {
        let mut of_all = params.config.knobs.clone();
        of_all.retain(|name, _| server.knobs.get(name).is_some_and(|knob| !knob.quality));
        let names: Vec<String> = variants.keys().map(|variant| short(variant)).collect();
        let is_unique = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
        let named = variants.into_iter().map(|(variant, config)| {
            let name = Some(short(&variant)).filter(is_unique);
            let mut knobs = of_all.clone();
            knobs.extend(config.knobs);
            let name = name.unwrap_or_else(|| variant.clone());
            (variant, Config { name, knobs })
        });
        Self {
            reference: server.variant(&params.config),
            variants: named.collect(),
            params,
            backend,
        }
    }

    /// Of the model that a variant is served with.
    fn model_of(&self, config: &Config) -> String {
        let Backend::Server(launched) = &self.backend else {
            return String::new();
        };
        let server = self.backend.server();
        let model = server.map_or_else(
            |_| launched.model.clone(),
            |server| server.model(&launched.model, config),
        );
        model_identity(&model).unwrap_or_else(|error| format!("unreadable: {error}"))
    }

    fn programs(&self, ctx: &StageContext, questions: &Questions) -> Programs {
        let mut families = questions.families.iter();
        if !families.any(|(family, _)| *family == Family::Code) {
            return Programs::NotRun("there are none".to_owned());
        }
        let programs = Programs::on_this_machine(self.params.unsafe_exec);
        if let Programs::NotRun(why) = &programs {
            ctx.warn(format!("programs are not run, and have no score: {why}"));
        }
        programs
    }

    fn addressee<'a>(&'a self, variant: &str, identity: &Value, time: u64) -> Addressee<'a> {
        let config = &self.variants[variant];
        Addressee {
            config,
            name: &config.name,
            identity: json!({
                "server": identity,
                "backend": self.backend,
                "variant": variant,
                "model": self.model_of(config),
            }),
            time,
        }
    }
}

impl Stage for Asked {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&QualityRow::TABLE),
            Output::table(&QualityItemRow::TABLE),
            Output::table(&VerdictRow::TABLE),
        ]
    }

    fn key_params(&self) -> Value {
        let mut params = json!(self.params);
        params["suites"] = json!(self.params.suites());
        params["space"] = json!(self.variants.keys().collect::<Vec<_>>());
        params
    }

    fn files(&self) -> Vec<FileParam> {
        let suites = self.params.suites.iter().enumerate();
        let files = suites.filter(|(_, suite)| !suite.path.is_empty());
        files
            .map(|(index, suite)| FileParam {
                name: reading::file_name(index),
                path: PathBuf::from(&suite.path),
                folder: false,
            })
            .collect()
    }

    fn pass_env(&self) -> Vec<String> {
        let judge = self.params.judge.iter();
        let judge = judge.flat_map(|judge| Backend::Endpoint(judge.endpoint()).pass_env());
        self.backend.pass_env().into_iter().chain(judge).collect()
    }

    fn measured(&self) -> bool {
        true
    }

    fn identity(&self) -> BTreeMap<String, String> {
        let mut identity = TrialRunner::identity(&self.backend);
        let variants = self.variants.iter();
        identity.extend(
            variants
                .map(|(variant, config)| (format!("model of {variant}"), self.model_of(config))),
        );
        identity
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let questions = Questions::read(&self.params, ctx)?;
        let identity = json!(TrialRunner::identity(&self.backend));
        let asker = Asker {
            ctx,
            asking: Asking::new(ctx, &self.backend)?,
            manner: Manner {
                top_logprobs: self.params.top_logprobs,
                request: self.params.request.clone(),
                seed: self.params.seed,
            },
            concurrency: self.params.concurrency(),
            limit: self.params.timeout(),
            fresh: Mutex::default(),
        };
        let to = self.addressee(&self.reference, &identity, 0);
        let scoring = Scoring {
            programs: self.programs(ctx, &questions),
        };
        let reference = Trial::of_reference(&asker, &to, &questions, &scoring, None)?;
        let arbiter = self.params.judge.as_ref();
        let arbiter = arbiter.map(|judge| Arbiter::new(ctx, judge, &self.params));
        let arbiter = arbiter.transpose()?;
        let mut judge = Judge {
            params: &self.params,
            questions: &questions,
            reference: &reference,
            scoring: &scoring,
            arbiter: arbiter.as_ref(),
            noisy: BTreeSet::new(),
        };
        let mut again = None;
        if self.params.a_a {
            // as a variant's: with nothing of the first time in its caches
            asker.asking.stop();
            let to = self.addressee(&self.reference, &identity, 1);
            let order = Some(self.params.seed.wrapping_add(1));
            let trial = Trial::of_reference(&asker, &to, &questions, &scoring, order)?;
            let judged = judge.again(trial)?;
            judge.noisy = judged.fired();
            again = Some(judged);
        }
        let mut judged = Vec::new();
        for variant in self.variants.keys().filter(|v| **v != self.reference) {
            let to = self.addressee(variant, &identity, 0);
            judged.push((variant.as_str(), judge.variant(&asker, &to)?));
        }
        self.write(ctx, &judge, again.as_ref(), &judged)
    }
}

/// A variant for people: paths without their folders.
fn short(variant: &str) -> String {
    let knobs: BTreeMap<String, Value> = serde_json::from_str(variant).unwrap_or_default();
    let words = knobs.iter().map(|(name, value)| {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let file = value.rsplit('/').next().unwrap_or_default();
        format!("{name}={file}")
    });
    match words.collect::<Vec<_>>().join(" ") {
        nothing if nothing.is_empty() => "defaults".to_owned(),
        words => words,
    }
}
