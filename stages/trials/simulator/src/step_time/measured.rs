use std::sync::Arc;

use super::analytic::distinct;
use super::decode::DecodeAttention;
use super::kernels::KernelTables;
use super::skewed;
use crate::batch::Load;
use crate::{EngineConfig, Model};

/// Kernels from measured tables.
pub(super) struct Measured {
    tables: Arc<KernelTables>,
    layers: f64,
    experts: Option<Mixture>,
}

/// A mixture of experts on one rank.
struct Mixture {
    count: f64,
    active: f64,
    ranks: f64,
}

impl Measured {
    pub(super) fn new(tables: Arc<KernelTables>, config: &EngineConfig, model: &Model) -> Self {
        let mixture = |experts: crate::Experts| Mixture {
            count: f64::from(experts.count),
            active: f64::from(experts.active),
            ranks: f64::from(config.expert_ranks()),
        };
        Self {
            tables,
            layers: f64::from(model.layers),
            experts: model.experts.map(mixture),
        }
    }

    /// `everywhere`: tokens of all ranks that share the experts.
    pub(super) fn linear_s(&self, tokens: f64, everywhere: f64) -> f64 {
        let layer_s = self.tables.layer.at(tokens) + self.experts_s(everywhere);
        self.layers * layer_s + self.tables.ends.at(tokens)
    }

    /// Experts of one layer. A rank holds its part of them, and sees its part of the visits.
    fn experts_s(&self, tokens: f64) -> f64 {
        let (Some(mixture), Some(grid)) = (&self.experts, &self.tables.experts) else {
            return 0.0;
        };
        let visited = distinct(mixture.count, mixture.active, tokens) / mixture.ranks;
        grid.at(&[visited, tokens / mixture.ranks])
    }

    pub(super) fn decode_attention(&self, requests: u32) -> DecodeAttention {
        let requests = f64::from(requests);
        DecodeAttention::ByMean {
            requests,
            layers: self.layers,
            curve: self.tables.decode_curve(requests),
        }
    }

    /// Attention of the prompt chunks, and of the decoding requests beside them. Tables hold
    /// batches of one chunk: of several chunks the first runs beside the decoding requests, and
    /// each further one adds what it takes beyond a launch.
    pub(super) fn attention_s(&self, load: &Load) -> (f64, f64) {
        let chunks = f64::from(load.sequences - load.decodes);
        let tokens = f64::from(load.tokens - load.decodes) / chunks;
        let before = (load.prefill_pairs / (chunks * tokens) - tokens / 2.0).max(0.0);
        let alone = self.tables.prefill.at(&[tokens, before]);
        let further = (chunks - 1.0) * (alone - self.tables.prefill.at(&[0.0, 0.0])).max(0.0);
        let prefill_s = self.layers * (alone + further);
        if load.decodes == 0 {
            return (prefill_s, 0.0);
        }
        let decodes = f64::from(load.decodes);
        let beside = |context| self.tables.mixed.at(&[tokens, before, decodes, context]) - alone;
        let mean = load.context_sum / decodes;
        (
            prefill_s,
            self.layers * skewed(beside(mean), beside(load.context_max)),
        )
    }

    pub(super) fn head_s(&self, load: &Load) -> f64 {
        self.tables.head.at(f64::from(load.sequences))
    }
}
