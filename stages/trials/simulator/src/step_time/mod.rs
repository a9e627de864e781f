mod analytic;
mod communication;
mod curve;
mod decode;
mod grid;
mod hardware;
mod kernels;
mod linear;
mod measured;
mod profile;
mod skew;
mod terms;

use std::sync::Arc;

use analytic::Analytic;
use communication::Communication;
pub(crate) use decode::Decode;
use decode::{DecodeAttention, step_s};
pub use kernels::{KernelError, KernelTables};
use measured::Measured;
pub use terms::{Coefficients, Term, Terms};

use crate::batch::Load;
use crate::cuda_graphs::CudaGraphs;
use crate::{EngineConfig, Gpu, Model, SchedulerKind};

/// Host work of one step: fixed part when it is hidden behind the GPU or one rank needs no telling,
/// and when it is not hidden under tensor parallelism.
const HOST_S: f64 = 0.5e-3;
const HOST_S_SYNC_TP: f64 = 1.5e-3;
/// Part for each sequence, hidden behind the GPU and not. The parts that are not hidden are fitted
/// on Qwen3-32B under vLLM 0.12 on H100, where 128 sequences cost 4 to 5 ms more than 8 at every
/// tensor-parallel size; what its sampler takes to sort the vocabulary is in it.
const HOST_S_PER_SEQUENCE: f64 = 3e-6;
const HOST_S_PER_SEQUENCE_SYNC: f64 = 30e-6;
/// SGLang's processes that turn tokens into text keep up with 17,000 to 22,000 tokens/s at every
/// tensor-parallel size: fitted on Llama-3.1-8B under SGLang 0.5.6 on H200.
const HOST_S_PER_SEQUENCE_SGLANG: f64 = 50e-6;

/// Where the times of engine steps are from.
#[derive(Debug, Clone, PartialEq)]
pub struct StepSource {
    /// Measured kernels; none: the data sheet of the GPU and what kernels reach of it.
    pub kernels: Option<Arc<KernelTables>>,
    /// What calibration has made of the terms.
    pub coefficients: Coefficients,
}

impl Default for StepSource {
    /// The data sheet, not calibrated.
    fn default() -> Self {
        Self {
            kernels: None,
            coefficients: Coefficients::all(1.0),
        }
    }
}

#[derive(Clone)]
enum Kernels {
    Analytic(Analytic),
    Measured(Measured),
}

/// Tokens that kernels run, which a CUDA graph pads.
#[derive(Debug, Clone, Copy)]
struct Width {
    tokens: f64,
    /// Of all engines that share the experts.
    everywhere: f64,
    /// Whether one graph holds the whole step.
    full_graph: bool,
}

/// Time of one engine step.
#[derive(Clone)]
pub(crate) struct StepTime {
    kernels: Kernels,
    coefficients: Coefficients,
    communication: Communication,
    graphs: CudaGraphs,
    asynchronous: bool,
    host_s: f64,
    /// Tokens that a layer drafts one after the other, for each request.
    drafts: f64,
    layers: f64,
    /// Whether prompt chunks that share a step with decoding requests take no time.
    prefill_is_free: bool,
    host_s_per_sequence: f64,
}

impl StepTime {
    pub(crate) fn new(
        config: &EngineConfig,
        model: &Model,
        gpu: &Gpu,
        source: &StepSource,
    ) -> Result<Self, KernelError> {
        let kernels = match &source.kernels {
            None => Kernels::Analytic(Analytic::new(config, model, gpu)),
            Some(tables) => Kernels::Measured(Measured::new(tables, config, model, gpu)?),
        };
        Ok(Self {
            kernels,
            coefficients: source.coefficients,
            communication: Communication::new(config, model, gpu),
            graphs: CudaGraphs::new(config, model, gpu),
            asynchronous: config.async_scheduling,
            host_s_per_sequence: match (config.scheduler, config.async_scheduling) {
                (SchedulerKind::Sglang, _) => HOST_S_PER_SEQUENCE_SGLANG,
                (SchedulerKind::Vllm | SchedulerKind::LlamaCpp, true) => HOST_S_PER_SEQUENCE,
                (SchedulerKind::Vllm | SchedulerKind::LlamaCpp, false) => HOST_S_PER_SEQUENCE_SYNC,
            },
            host_s: if config.async_scheduling || config.tensor_parallel_size == 1 {
                HOST_S
            } else {
                HOST_S_SYNC_TP
            },
            drafts: f64::from(config.tokens_drafted_by_model()),
            layers: f64::from(model.layers),
            prefill_is_free: false,
        })
    }

    /// As if the prompts of others took no time of a decoding request's steps.
    pub(crate) fn with_free_prefill(&self) -> Self {
        Self {
            prefill_is_free: true,
            ..self.clone()
        }
    }

    /// Seconds from the start of the step to its results.
    pub(crate) fn seconds(&self, load: &Load) -> f64 {
        let load = &self.counted(load);
        if load.plain_decode() {
            let decode = self.decode(load.decodes);
            return decode.seconds(load.context_sum, load.context_max);
        }
        self.whole_s(load, self.width(load))
    }

    /// Seconds of a step that engines which share their experts take together: the slowest's. An
    /// engine without work takes part with a token of its own.
    pub(crate) fn seconds_together(&self, loads: &[Load]) -> f64 {
        let loads: Vec<Load> = loads.iter().map(|load| self.counted(load)).collect();
        let tokens = |load: &Load| load.tokens.max(1);
        let largest = loads.iter().map(tokens).max().unwrap_or(1);
        // With a CUDA graph every engine runs the size of the largest batch.
        let decode = loads.iter().all(Load::pure_decode);
        let padded = self.graphs.padded(largest, decode);
        let run = |load: &Load| f64::from(padded.unwrap_or(tokens(load)));
        let everywhere = loads.iter().map(run).sum();
        let full_graph = padded.is_some() && decode;
        let seconds = loads.iter().map(|load| {
            let width = Width {
                tokens: run(load),
                everywhere,
                full_graph,
            };
            self.whole_s(load, width)
        });
        seconds.fold(0.0, f64::max)
    }

    /// Steps in which `requests` decode and nothing else happens.
    pub(crate) fn decode(&self, requests: u32) -> Decode {
        let load = Load {
            tokens: requests,
            sequences: requests,
            decodes: requests,
            ..Load::default()
        };
        let terms = self.terms_beside_attention(&load, self.width(&load));
        Decode {
            beside_attention_s: terms.gpu_s(&self.coefficients),
            attention: self.decode_attention(requests),
            coefficient: self.coefficients[Term::DecodeAttention] * self.share_with_drafts(),
            host_s: terms.host_s(&self.coefficients),
            asynchronous: self.asynchronous,
        }
    }

    /// What of a step takes time.
    fn counted(&self, load: &Load) -> Load {
        if self.prefill_is_free && load.decodes > 0 {
            load.decodes_alone()
        } else {
            *load
        }
    }

    fn whole_s(&self, load: &Load, width: Width) -> f64 {
        let terms = self.terms(load, width);
        let gpu_s = terms.gpu_s(&self.coefficients);
        step_s(gpu_s, terms.host_s(&self.coefficients), self.asynchronous)
    }

    fn width(&self, load: &Load) -> Width {
        let padded = self.graphs.padded(load.tokens, load.pure_decode());
        let tokens = f64::from(padded.unwrap_or(load.tokens));
        Width {
            tokens,
            everywhere: tokens,
            full_graph: padded.is_some() && load.pure_decode(),
        }
    }

    /// Where the time of a step goes, before calibration.
    fn terms(&self, load: &Load, width: Width) -> Terms {
        let mut terms = self.terms_beside_attention(load, width);
        if load.decodes == load.sequences {
            if load.decodes > 0 {
                let attention = self.decode_attention(load.decodes);
                let seconds = attention.seconds(load.context_sum, load.context_max);
                terms[Term::DecodeAttention] = seconds * self.share_with_drafts();
            }
            return terms;
        }
        let (prefill, mixed) = match &self.kernels {
            Kernels::Analytic(analytic) => analytic.attention_s(load),
            Kernels::Measured(measured) => measured.attention_s(load),
        };
        terms[Term::PrefillAttention] = prefill;
        terms[Term::MixedAttention] = mixed * self.share_with_drafts();
        terms
    }

    fn terms_beside_attention(&self, load: &Load, width: Width) -> Terms {
        let mut terms = Terms::all(0.0);
        let sampled = f64::from(load.sampled());
        terms[Term::Linear] = self.linear_s(width.tokens, width.everywhere);
        terms[Term::Head] = self.head_s(sampled);
        if let Kernels::Analytic(analytic) = &self.kernels {
            let share = self.share_with_drafts();
            terms[Term::Small] = analytic.small_s(width.tokens) * share;
            terms[Term::Ungraphed] = analytic.ungraphed_s(width.full_graph) * share;
        }
        if self.drafts > 0.0 {
            // The first draft follows all tokens of the step, each further one the draft before.
            let requests = f64::from(load.sequences);
            let further_s = (self.drafts - 1.0) * self.linear_s(requests, requests);
            terms[Term::Linear] += (terms[Term::Linear] + further_s) / self.layers;
            terms[Term::Head] += self.drafts * self.head_s(requests);
        }
        terms[Term::Communication] = self.communication.seconds(width);
        terms[Term::Host] = self.host_s;
        terms[Term::HostPerSequence] = self.host_s_per_sequence * f64::from(load.sequences);
        terms
    }

    /// The model's layers and those that draft, relative to the model's.
    fn share_with_drafts(&self) -> f64 {
        1.0 + self.drafts / self.layers
    }

    fn linear_s(&self, tokens: f64, everywhere: f64) -> f64 {
        match &self.kernels {
            Kernels::Analytic(analytic) => analytic.linear_s(tokens, everywhere),
            Kernels::Measured(measured) => measured.linear_s(tokens, everywhere),
        }
    }

    fn head_s(&self, sampled: f64) -> f64 {
        match &self.kernels {
            Kernels::Analytic(analytic) => analytic.head_s(sampled),
            Kernels::Measured(measured) => measured.head_s(sampled),
        }
    }

    fn decode_attention(&self, requests: u32) -> DecodeAttention {
        match &self.kernels {
            Kernels::Analytic(analytic) => analytic.decode_attention(requests),
            Kernels::Measured(measured) => measured.decode_attention(requests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(batch: u32, context: f64) -> Load {
        Load {
            tokens: batch,
            sequences: batch,
            decodes: batch,
            context_sum: f64::from(batch) * context,
            context_max: context,
            ..Load::default()
        }
    }

    fn llama(gpu: &str, config: &EngineConfig) -> StepTime {
        let model = Model::named("llama-3.1-8b").unwrap();
        StepTime::new(
            config,
            model,
            Gpu::named(gpu).unwrap(),
            &StepSource::default(),
        )
        .unwrap()
    }

    /// 16.06 GB of weights at 3.35 TB/s × 0.80 are 6.0 ms: what an H100 needs for one token.
    #[test]
    fn lone_decode_on_h100_is_the_time_to_read_the_weights() {
        let seconds = llama("h100-sxm", &EngineConfig::default()).seconds(&decode(1, 500.0));
        assert!((0.0055..0.0075).contains(&seconds), "{seconds}");
    }

    #[test]
    fn step_takes_longer_with_more_requests_and_longer_contexts() {
        let time = llama("l40s", &EngineConfig::default());
        let by_batch = [1, 8, 64, 256].map(|n| time.seconds(&decode(n, 500.0)));
        let by_context = [1e2, 1e3, 1e4].map(|c| time.seconds(&decode(32, c)));
        assert!(by_batch.is_sorted() && by_context.is_sorted());
    }

    #[test]
    fn synchronous_steps_pay_for_the_host() {
        let config = EngineConfig {
            async_scheduling: false,
            ..EngineConfig::default()
        };
        let load = decode(8, 500.0);
        let sync = llama("h100-sxm", &config).seconds(&load);
        assert!(sync > llama("h100-sxm", &EngineConfig::default()).seconds(&load));
    }
}
