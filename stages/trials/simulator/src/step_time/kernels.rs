use std::collections::BTreeMap;
use std::sync::Arc;

use super::curve::Curve;
use super::grid::Grid;
use super::hardware::Hardware;
use super::profile;
use crate::{EngineConfig, Model};

/// Kernels of one model on one rank, seconds.
#[derive(Debug, PartialEq)]
pub(super) struct Kernels {
    /// One layer without attention and experts, by tokens.
    pub(super) layer: Curve,
    /// What stands before and behind the layers, by tokens.
    pub(super) ends: Curve,
    /// Vocabulary product and sampler, by sequences.
    pub(super) head: Curve,
    /// Attention of one layer, prompts alone: tokens of the chunk, context before it.
    pub(super) prefill: Grid,
    /// Decoding requests alone: requests, mean context.
    pub(super) decode: Grid,
    /// Both in one batch: the four coordinates above; none where that was not measured.
    pub(super) mixed: Option<Grid>,
    /// Experts of one layer, all on one GPU: experts visited, tokens.
    pub(super) experts: Option<Grid>,
}

/// Measured kernels of a GPU, in one of two forms.
///
/// * A model's own under vLLM, from LLMServingSim's profiler: `dense.csv`, `per_sequence.csv`,
///   `attention.csv`, and `moe.csv` for a mixture of experts, microseconds; in a folder `tpN` for
///   each tensor-parallel size, or one size alone.
/// * Those of any model, from AIConfigurator: `gemm_compact.csv`,
///   `context_attention_compact.csv`, `generation_attention_compact.csv`, milliseconds.
#[derive(Debug, PartialEq)]
pub struct KernelTables {
    /// By tensor-parallel size; 0: of a size that is not said.
    profiles: BTreeMap<u32, Arc<Kernels>>,
    hardware: Option<Hardware>,
}

/// Why tables cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KernelError {
    /// A file is missing.
    #[error("`{0}` is missing among the kernel tables")]
    Missing(String),
    /// A file does not read as what it should be.
    #[error("`{file}`: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, with its line where there is one.
        reason: String,
    },
    /// A file has no row of a kind.
    #[error("`{file}` has no row of {what}")]
    Empty {
        /// The file.
        file: String,
        /// The kind.
        what: String,
    },
    /// The tables are for other tensor-parallel sizes.
    #[error("there are kernel tables for tensor_parallel_size {known}, none for {asked}")]
    TensorParallel {
        /// The size asked for.
        asked: u32,
        /// The sizes that there are.
        known: String,
    },
}

impl KernelTables {
    /// Reads tables from the texts of their files by name, `tpN/FILE` or `FILE`. Other files are
    /// let be.
    ///
    /// # Errors
    /// With the file that is missing or malformed.
    pub fn parse(texts: &BTreeMap<String, String>) -> Result<Self, KernelError> {
        let hardware = Hardware::parse(texts)?;
        let mut profiles = BTreeMap::new();
        for folder in profile::folders(texts) {
            let kernels = Arc::new(profile::parse(texts, &folder)?);
            let size = folder.trim_start_matches("tp").trim_end_matches('/');
            profiles.insert(size.parse().unwrap_or(0), kernels);
        }
        if profiles.is_empty() && hardware.is_none() {
            return Err(KernelError::Missing(profile::DENSE.to_owned()));
        }
        Ok(Self { profiles, hardware })
    }

    /// The kernels of one rank.
    pub(super) fn of(
        &self,
        config: &EngineConfig,
        model: &Model,
    ) -> Result<Arc<Kernels>, KernelError> {
        let asked = config.tensor_parallel_size;
        if let Some(kernels) = self.profiles.get(&asked).or(self.profiles.get(&0)) {
            return Ok(Arc::clone(kernels));
        }
        if let Some(hardware) = &self.hardware {
            return hardware.kernels(config, model).map(Arc::new);
        }
        let known: Vec<String> = self.profiles.keys().map(u32::to_string).collect();
        Err(KernelError::TensorParallel {
            asked,
            known: known.join(", "),
        })
    }
}

impl Kernels {
    /// Attention of `decodes` requests alone, by their mean context.
    pub(super) fn decode_curve(&self, decodes: f64) -> Curve {
        let contexts = self.decode.values_of_last_axis();
        let points = contexts
            .iter()
            .map(|context| (*context, self.decode.at(&[decodes, *context])));
        Curve::new(points.collect()).expect("a grid has points")
    }
}
