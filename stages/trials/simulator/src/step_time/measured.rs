use std::sync::Arc;

use super::analytic::mixed_decode;
use super::decode::DecodeAttention;
use super::kernels::{KernelError, KernelTables, Kernels};
use super::linear::distinct;
use super::skew::Skew;
use crate::batch::Load;
use crate::{EngineConfig, Gpu, Model};

/// Kernels from measured tables.
#[derive(Clone)]
pub(super) struct Measured {
    tables: Arc<Kernels>,
    layers: f64,
    /// Cost of decoding beside a prompt against alone, where that was not measured.
    mixed_decode: f64,
    experts: Option<Mixture>,
    skew: Skew,
}

/// A mixture of experts on one rank.
#[derive(Clone)]
struct Mixture {
    count: f64,
    active: f64,
    ranks: f64,
    /// Whether a rank holds whole experts, not a slice of each.
    whole: bool,
}

impl Measured {
    pub(super) fn new(
        tables: &KernelTables,
        config: &EngineConfig,
        model: &Model,
        gpu: &Gpu,
    ) -> Result<Self, KernelError> {
        let mixture = |experts: crate::Experts| Mixture {
            count: f64::from(experts.count),
            active: f64::from(experts.active),
            ranks: f64::from(config.expert_ranks()),
            whole: config.enable_expert_parallel,
        };
        Ok(Self {
            tables: tables.of(config, model)?,
            layers: f64::from(model.layers),
            mixed_decode: mixed_decode(model),
            experts: model.experts.map(mixture),
            skew: Skew::new(config, model, gpu),
        })
    }

    /// `everywhere`: tokens of all ranks that share the experts.
    pub(super) fn linear_s(&self, tokens: f64, everywhere: f64) -> f64 {
        let layer_s = self.tables.layer.at(tokens) + self.experts_s(everywhere);
        self.layers * layer_s + self.tables.ends.at(tokens)
    }

    /// Experts of one layer, which were measured on one GPU that holds them all.
    fn experts_s(&self, tokens: f64) -> f64 {
        let (Some(mixture), Some(grid)) = (&self.experts, &self.tables.experts) else {
            return 0.0;
        };
        let visited = distinct(mixture.count, mixture.active, tokens);
        if mixture.whole {
            grid.at(&[visited / mixture.ranks, tokens / mixture.ranks])
        } else {
            grid.at(&[visited, tokens]) / mixture.ranks
        }
    }

    pub(super) fn decode_attention(&self, requests: u32) -> DecodeAttention {
        let requests = f64::from(requests);
        DecodeAttention::ByMean {
            requests,
            layers: self.layers,
            curve: self.tables.decode_curve(requests),
            skew: self.skew,
        }
    }

    /// Attention of the prompt chunks, and of the decoding requests beside them. Tables hold
    /// batches of one chunk: of several chunks the first runs beside the decoding requests, and
    /// each further one adds what it takes beyond a launch.
    pub(super) fn attention_s(&self, load: &Load) -> (f64, f64) {
        let chunks = f64::from(load.sequences - load.decodes);
        let tokens = f64::from(load.tokens - load.decodes - load.drafts) / chunks;
        let before = (load.prefill_pairs / (chunks * tokens) - tokens / 2.0).max(0.0);
        let alone = self.tables.prefill.at(&[tokens, before]);
        let further = (chunks - 1.0) * (alone - self.tables.prefill.at(&[0.0, 0.0])).max(0.0);
        let prefill_s = self.layers * (alone + further);
        if load.decodes == 0 {
            return (prefill_s, 0.0);
        }
        let mean = load.context_sum / f64::from(load.decodes);
        let beside = |context| match &self.tables.mixed {
            Some(mixed) => mixed.at(&[tokens, before, f64::from(load.decodes), context]) - alone,
            None => self.tables.decode.at(&[f64::from(load.decodes), context]) * self.mixed_decode,
        };
        let skew_s = self.skew.mixed_s(mean, load.context_max);
        (prefill_s, self.layers * beside(mean) + skew_s)
    }

    pub(super) fn head_s(&self, sequences: f64) -> f64 {
        self.tables.head.at(sequences)
    }
}
