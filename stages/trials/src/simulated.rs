//! Trials on the embedded simulator.

use std::collections::BTreeMap;

use sbt_engine::{Digest, StageError};
use sbt_schemas::{Outcome, Phase, Provenance, RequestRow, RequestStatus, WorkloadRow};
use sbt_simulator::{
    Client, Coefficients, EngineConfig, Factor, Gpu, LaunchFailure, Memory, Model, Request, Run,
    Served, Server, StepSource, Term,
};
use serde_json::{Value, json};

use crate::draw::{Draw, tokens};
use crate::metrics::Metrics;
use crate::request_row::{event_gaps, phases, token_gaps, unsent};
use crate::steady::overload;
use crate::step_source::digest;
use crate::trial_row::{EngineSizes, Execution, Identity, ServerState, trial_row};
use crate::{ClientLimits, Config, Knob, Protocol, ServerSpec, SimulatorBackend, Trial, TrialSpec};

/// A simulated machine and the server on it, resolved.
pub(crate) struct Simulated {
    server: &'static ServerSpec,
    model: Model,
    gpu: Gpu,
    gpus: u64,
    /// Servers alike behind one balancer, each on as many GPUs.
    replicas: u64,
    usd_per_gpu_hour: Option<f64>,
    /// Version of the server; empty for the newest.
    version: String,
    speculative_acceptance: Vec<f64>,
    /// What a configuration runs on, for keys.
    identity: Value,
    /// Where the times of steps are from, and its digest.
    steps: (StepSource, Option<Digest>),
}

/// What a simulated server runs on, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedMachine {
    /// Model.
    pub model: Model,
    /// GPU.
    pub gpu: Gpu,
    /// GPUs of the machine.
    pub gpus: u32,
    /// Configuration of the server.
    pub config: EngineConfig,
}

impl SimulatedMachine {
    /// Starts the server, whose steps take what `source` says.
    ///
    /// # Errors
    /// When it would not come up.
    pub fn launch(&self, source: &StepSource) -> Result<Server, LaunchFailure> {
        Server::launch(&self.config, &self.model, &self.gpu, self.gpus, source)
    }
}

/// Why a configuration does not come up.
enum NotLaunched {
    /// The simulator does not model it.
    Unmodelled(String),
    /// The server would refuse it, or run out of memory.
    Refused(Outcome, String),
}

impl SimulatorBackend {
    /// What a configuration runs on.
    ///
    /// # Errors
    /// With what is wrong with the backend or the configuration.
    pub fn machine(&self, config: &Config) -> Result<SimulatedMachine, String> {
        let simulated = Simulated::new(self)?;
        Ok(SimulatedMachine {
            config: simulated.engine_config(config)?,
            model: simulated.model,
            gpu: simulated.gpu,
            gpus: tokens(simulated.gpus),
        })
    }

    /// Starts the simulated server with a configuration, as a trial of it does.
    ///
    /// # Errors
    /// With what is wrong with the backend or the configuration, or why it does not come up.
    pub fn launch(&self, config: &Config) -> Result<Server, String> {
        Simulated::new(self)?
            .launch(config)
            .map_err(|not| match not {
                NotLaunched::Unmodelled(reason) | NotLaunched::Refused(_, reason) => reason,
            })
    }
}

impl Simulated {
    pub(crate) fn new(backend: &SimulatorBackend) -> Result<Self, String> {
        let server = ServerSpec::named(&backend.server)?;
        let model = backend.model.resolve()?;
        let gpu = backend.gpu.resolve()?;
        let version = match backend.version.as_str() {
            "" => server.version.clone(),
            version => version.to_owned(),
        };
        Ok(Self {
            version: backend.version.clone(),
            identity: json!({
                "simulator": sbt_simulator::REVISION,
                "server": [server.name, version],
                "model": model,
                "gpu": gpu,
                "speculative_acceptance": backend.speculative_acceptance,
            }),
            speculative_acceptance: backend.speculative_acceptance.clone(),
            usd_per_gpu_hour: backend.usd_per_gpu_hour.or(gpu.usd_per_hour),
            gpus: backend.gpus,
            replicas: 1,
            server,
            model,
            gpu,
            steps: (StepSource::default(), None),
        })
    }

    /// With step times from measured kernels, or calibrated.
    pub(crate) fn with_steps(self, steps: (StepSource, Option<Digest>)) -> Self {
        Self { steps, ..self }
    }

    /// With other coefficients of the same step times.
    pub(crate) fn take_coefficients(&mut self, coefficients: Coefficients) {
        self.steps.0.coefficients = coefficients;
        self.steps.1 = digest(&self.steps.0);
    }

    /// Several servers alike, the shortest queue of which takes the next request. None for a model
    /// with experts: engines of one server share them and wait for one another, servers do not.
    pub(crate) fn replicated(self, replicas: u64) -> Option<Self> {
        let alone = self.model.experts.is_none();
        alone.then_some(Self { replicas, ..self })
    }

    /// With a term of the step time multiplied by a factor.
    pub(crate) fn slowed(mut self, term: Term, factor: f64) -> Self {
        let (source, digest) = &mut self.steps;
        source.coefficients[term] *= factor;
        let before = digest.map(|digest| digest.to_string());
        let times = json!([before, term.name(), factor]);
        *digest = Some(Digest::of_value("slowed", &times));
        self
    }

    /// For stage keys: readable where it is short, a digest where it is not.
    pub(crate) fn identity(&self) -> BTreeMap<String, String> {
        let digest = |part: &str| Digest::of_value(part, &self.identity[part]).short();
        let mut entries = BTreeMap::from([
            ("simulator", sbt_simulator::REVISION.to_string()),
            (
                "server",
                format!(
                    "{} {} ({})",
                    self.server.name,
                    self.identity["server"][1].as_str().unwrap_or_default(),
                    self.server.digest
                ),
            ),
            (
                "model",
                format!("{} ({})", self.model.name, digest("model")),
            ),
            ("gpu", format!("{} ({})", self.gpu.name, digest("gpu"))),
        ]);
        if !self.speculative_acceptance.is_empty() {
            let acceptance = self.identity["speculative_acceptance"].to_string();
            entries.insert("speculative_acceptance", acceptance);
        }
        let entries = entries.into_iter();
        entries
            .map(|(part, identity)| (part.to_owned(), identity))
            .collect()
    }

    /// What a trial's result depends on, but for the workload and the protocol.
    pub(crate) fn key(&self, config: &Config) -> Value {
        json!({
            "identity": self.identity,
            "gpus": self.gpus,
            "replicas": self.replicas,
            "usd_per_gpu_hour": self.usd_per_gpu_hour,
            "config": self.server.effective(config).value(),
            "steps": self.steps.1,
        })
    }

    pub(crate) fn trial(
        &self,
        key: Digest,
        spec: &TrialSpec,
        draw: &Draw,
        protocol: &Protocol,
    ) -> Result<Trial, StageError> {
        let server = match self.launch(&spec.config) {
            Ok(server) => server,
            Err(NotLaunched::Unmodelled(error)) => {
                let message = format!("`{}`: {error}", spec.config.name);
                return Err(StageError::user(message));
            }
            Err(NotLaunched::Refused(outcome, reason)) => {
                let ending = (outcome, reason);
                return Ok(Trial::unserved(
                    self.named(key, spec),
                    ending,
                    Execution::default(),
                ));
            }
        };
        let run = server.simulate(&requests(draw, spec.rate_scale), &client(&protocol.client));
        Ok(self.served(key, spec, draw, protocol, &server, &run))
    }

    /// E2E of the finished requests, s, without some factors; none when the server does not come
    /// up.
    pub(crate) fn e2e_without(
        &self,
        factors: &[Factor],
        spec: &TrialSpec,
        draw: &Draw,
        protocol: &Protocol,
    ) -> Option<Vec<f64>> {
        let server = self.launch(&spec.config).ok()?;
        let requests = requests(draw, spec.rate_scale);
        let run = server.simulate_without(factors, &requests, &client(&protocol.client));
        let intended = run.requests.iter().map(|served| served.intended_s);
        let phases = phases(intended, protocol.warmup_requests);
        let measured = run.requests.iter().zip(phases);
        let measured = measured.filter(|(_, phase)| *phase == Phase::Measure);
        let ok = measured.filter(|(served, _)| served.status == RequestStatus::Ok);
        let e2e = ok.filter_map(|(served, _)| Some(served.end_s? - served.intended_s));
        Some(e2e.collect())
    }

    fn launch(&self, config: &Config) -> Result<Server, NotLaunched> {
        let breaches = self.server.breaches(config, &self.facts());
        if !breaches.is_empty() {
            return Err(NotLaunched::Refused(Outcome::Rejected, breaches.join(" ")));
        }
        let mut config = self
            .engine_config(config)
            .map_err(NotLaunched::Unmodelled)?;
        config.data_parallel_size *= tokens(self.replicas);
        Server::launch(
            &config,
            &self.model,
            &self.gpu,
            tokens(self.gpus * self.replicas),
            &self.steps.0,
        )
        .map_err(|failure| {
            let reason = failure.to_string();
            match failure {
                LaunchFailure::Invalid(_) => NotLaunched::Refused(Outcome::LaunchFailed, reason),
                LaunchFailure::DoesNotFit { .. } => NotLaunched::Refused(Outcome::Oom, reason),
                LaunchFailure::NoKernels(_) => NotLaunched::Unmodelled(reason),
            }
        })
    }

    /// A configuration as the simulator takes it.
    fn engine_config(&self, config: &Config) -> Result<EngineConfig, String> {
        let mut engine = engine_config(self.server, &self.server.effective(config))?;
        engine
            .speculative_acceptance
            .clone_from(&self.speculative_acceptance);
        if !self.version.is_empty() {
            engine.version =
                serde_json::from_value(json!(self.version)).map_err(|e| e.to_string())?;
        }
        Ok(engine)
    }

    fn facts(&self) -> BTreeMap<String, Knob> {
        let facts = [
            ("gpus", self.gpus),
            ("model.heads", u64::from(self.model.heads)),
            ("model.kv_heads", u64::from(self.model.kv_heads)),
            ("model.max_model_len", u64::from(self.model.max_model_len)),
        ];
        let knob = |number| Knob::Int(i64::try_from(number).unwrap_or(i64::MAX));
        facts
            .map(|(name, number)| (name.to_owned(), knob(number)))
            .into()
    }

    fn sizes(&self, config: &Config, memory: &Memory) -> EngineSizes {
        let kv_cache = EngineSizes {
            kv_cache_tokens: Some(memory.kv_cache_tokens),
            num_gpu_blocks: Some(memory.kv_blocks.into()),
            ..EngineSizes::default()
        };
        let Ok(config) = self.engine_config(config) else {
            return kv_cache;
        };
        let (model, gpu) = (&self.model, &self.gpu);
        EngineSizes {
            block_size: Some(config.block_size.into()),
            max_num_seqs: Some(config.resolved_max_num_seqs(gpu).into()),
            max_num_batched_tokens: Some(config.resolved_max_num_batched_tokens(model, gpu).into()),
            max_model_len: Some(config.resolved_max_model_len(model).into()),
            ..kv_cache
        }
    }

    fn served(
        &self,
        key: Digest,
        spec: &TrialSpec,
        draw: &Draw,
        protocol: &Protocol,
        server: &Server,
        run: &Run,
    ) -> Trial {
        let identity = self.named(key, spec);
        let memory = server.memory();
        let state = ServerState {
            vram_peak_mb: Some(memory.reserved_bytes / 1e6),
            kv_peak: Some(run.kv_peak),
            engine: self.sizes(&spec.config, memory),
            preemptions: Some(run.preemptions),
            ..ServerState::default()
        };
        let intended = run.requests.iter().map(|served| served.intended_s);
        let phases = phases(intended, protocol.warmup_requests);
        let served = draw.rows.iter().zip(phases).enumerate();
        let requests = served.map(|(index, (row, phase))| RequestRow {
            phase,
            ..request_row(&identity, row, (run, index))
        });
        let requests: Vec<RequestRow> = requests.collect();
        let last_arrival_s = draw.last_arrival_s / spec.rate_scale;
        let slo = &protocol.slo;
        let metrics = Metrics::of(&requests, slo, last_arrival_s, spec.keep_requests);
        let measured: Vec<&RequestRow> = requests
            .iter()
            .filter(|r| r.phase == Phase::Measure)
            .collect();
        let reason = overload(&measured, last_arrival_s);
        let outcome = if reason.is_some() {
            Outcome::Unstable
        } else {
            Outcome::Ok
        };
        Trial {
            row: trial_row(
                identity,
                (outcome, reason),
                &metrics,
                state,
                Execution::default(),
            ),
            requests,
            telemetry: Vec::new(),
        }
    }

    pub(crate) fn named(&self, key: Digest, spec: &TrialSpec) -> Identity {
        let gpus = self.replicas * self.server.replica_gpus(&spec.config);
        let backend = format!(
            "simulator: {} {}, {} on {}",
            self.server.name, self.server.version, self.model.name, self.gpu.name
        );
        let cost_usd_h = self.usd_per_gpu_hour.map(|usd| usd * gpus as f64);
        Identity::of(key, spec, backend, gpus, cost_usd_h)
    }
}

/// A configuration of a server as the simulator takes it.
///
/// # Errors
/// With the knobs that the simulator does not model, or not with that value.
pub(crate) fn engine_config(server: &ServerSpec, config: &Config) -> Result<EngineConfig, String> {
    let fields = config.knobs.iter().map(|(name, value)| {
        let (field, value) = field(server, name, value);
        (name, value, field)
    });
    let fields: Vec<_> = fields.collect();
    let unmodelled = fields.iter().filter(|(_, value, field)| {
        let alone = json!({ field.as_str(): value });
        serde_json::from_value::<EngineConfig>(alone).is_err()
    });
    let unmodelled: Vec<String> = unmodelled
        .map(|(name, ..)| format!("`{name}` = {}", config.knobs[*name]))
        .collect();
    if !unmodelled.is_empty() {
        return Err(format!(
            "the simulator does not model {}",
            unmodelled.join(", ")
        ));
    }
    let fixed = server.simulated.clone().unwrap_or_default();
    let set = fields.into_iter().map(|(_, value, field)| (field, value));
    let whole: BTreeMap<String, Knob> = fixed.into_iter().chain(set).collect();
    serde_json::from_value(json!(whole)).map_err(|error| error.to_string())
}

/// The simulator's field for a knob, and its value there.
fn field(server: &ServerSpec, name: &str, value: &Knob) -> (String, Knob) {
    let simulates = server
        .knobs
        .get(name)
        .and_then(|knob| knob.simulates.as_deref());
    let field = simulates.unwrap_or(name);
    match (field.strip_prefix('!'), value) {
        (Some(field), Knob::Bool(on)) => (field.to_owned(), Knob::Bool(!on)),
        (Some(field), other) => (field.to_owned(), other.clone()),
        (None, value) => (field.to_owned(), value.clone()),
    }
}

/// What the simulator is to serve: the requests of one draw of a workload, in the order of their
/// numbers; none when there is no such draw.
#[must_use]
pub fn simulator_requests(workload: &[WorkloadRow], draw: u64) -> Vec<Request> {
    let draw = Draw::all(workload).remove(&draw);
    draw.map_or_else(Vec::new, |draw| requests(&draw, 1.0))
}

/// What the simulator is to serve, in the order of the draw's rows.
fn requests(draw: &Draw, rate_scale: f64) -> Vec<Request> {
    let rows = draw.rows.iter().enumerate();
    let requests = rows.map(|(index, row)| Request {
        start_s: draw.start_s(index, rate_scale),
        after: draw.before[index],
        continues: row.continues,
        priority: 0,
        prompt_tokens: tokens(row.prompt_tokens),
        output_tokens: tokens(row.output_tokens),
        block_ids: row.prefix_block_ids.clone(),
        block_tokens: tokens(row.prefix_block_tokens),
    });
    requests.collect()
}

fn client(limits: &ClientLimits) -> Client {
    Client {
        max_in_flight: limits.max_in_flight,
        timeout_s: limits.timeout_s,
        retries: limits.retries,
        backoff_s: limits.backoff_s,
    }
}

/// The row of a request, by its index in the run.
fn request_row(trial: &Identity, row: &WorkloadRow, (run, index): (&Run, usize)) -> RequestRow {
    let served: &Served = &run.requests[index];
    let chunks = run.chunks(index);
    let since = |start: Option<f64>, time: Option<f64>| Some(time? - start?);
    let intended = Some(served.intended_s);
    let ok = served.status == RequestStatus::Ok;
    let gaps = served.output_tokens.saturating_sub(1);
    let decode_s = since(served.first_token_s, served.end_s);
    RequestRow {
        status: served.status,
        intended_s: served.intended_s,
        dispatched_s: served.sent_s,
        sent_s: served.sent_s,
        first_token_s: served.first_token_s,
        end_s: served.end_s,
        ttft_s: since(intended, served.first_token_s),
        ttft_from_sent_s: since(served.sent_s, served.first_token_s),
        tpot_s: decode_s
            .filter(|_| ok && gaps > 0)
            .map(|decode| decode / gaps as f64),
        e2e_s: since(intended, served.end_s).filter(|_| ok),
        e2e_from_sent_s: since(served.sent_s, served.end_s).filter(|_| ok),
        attempts: served.attempts,
        cached_tokens: Some(served.cached_tokens),
        output_tokens: served.output_tokens,
        queue_s: served.queue_s,
        prefill_s: served.prefill_s,
        decode_s: served.decode_s,
        retry_s: served.retry_s,
        network_s: served.network_s,
        preemptions: Some(served.preemptions),
        events: chunks.as_ref().map(|chunks| chunks.len() as u64),
        itl_s: match &chunks {
            Some(chunks) => token_gaps(chunks),
            None => run.itl_s(index),
        },
        icl_s: chunks.map_or_else(Vec::new, |chunks| event_gaps(&chunks)),
        ..unsent(trial, row, Provenance::Simulated)
    }
}

#[cfg(test)]
mod tests {
    use sbt_simulator::SchedulerKind;

    use super::*;

    fn mapped(server: &str, knobs: &str) -> Result<EngineConfig, String> {
        let server = ServerSpec::named(server).unwrap();
        let config = Config::from_json("c", knobs).unwrap();
        engine_config(server, &server.effective(&config))
    }

    #[test]
    fn knobs_of_other_servers_are_the_simulators_under_their_own_names() {
        let sglang = mapped(
            "sglang",
            r#"{"max_running_requests":64,"disable_radix_cache":true,"tp_size":2}"#,
        );
        let expected = EngineConfig {
            scheduler: SchedulerKind::Sglang,
            max_num_seqs: Some(64),
            enable_prefix_caching: false,
            tensor_parallel_size: 2,
            ..EngineConfig::default()
        };
        assert_eq!(sglang, Ok(expected));
        let llama = mapped("llamacpp", r#"{"parallel":4,"ctx_size":8192}"#).unwrap();
        assert_eq!(llama.scheduler, SchedulerKind::LlamaCpp);
        assert_eq!(
            (llama.max_num_seqs, llama.async_scheduling),
            (Some(4), false)
        );
    }

    #[test]
    fn knob_that_is_not_modelled_is_named_as_the_user_did() {
        let error = mapped("sglang", r#"{"schedule_policy":"lpm","tp_size":2}"#);
        assert_eq!(
            error.unwrap_err(),
            "the simulator does not model `schedule_policy` = lpm"
        );
    }

    #[test]
    fn fields_that_servers_name_are_the_simulators() {
        let known = serde_json::to_value(EngineConfig::default()).unwrap();
        let known = known.as_object().unwrap();
        for server in ["vllm", "sglang", "llamacpp"] {
            let server = ServerSpec::named(server).unwrap();
            let knobs = server.knobs.values().filter_map(|k| k.simulates.as_deref());
            for field in knobs.map(|field| field.trim_start_matches('!')) {
                assert!(known.contains_key(field), "{}: {field}", server.name);
            }
        }
    }
}
