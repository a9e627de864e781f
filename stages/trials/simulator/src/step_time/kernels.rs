use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::curve::Curve;
use super::grid::Grid;

/// Kernels of one model on one GPU at one tensor-parallel size, as measured under vLLM by
/// LLMServingSim's profiler (`dense.csv`, `per_sequence.csv`, `attention.csv`, `moe.csv`).
#[derive(Debug, Clone, PartialEq)]
pub struct KernelTables {
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
    /// Both in one batch: the four coordinates above.
    pub(super) mixed: Grid,
    /// Experts of one layer: experts visited, tokens.
    pub(super) experts: Option<Grid>,
}

/// Why tables cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KernelError {
    /// A file is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A file does not read as what it should be.
    #[error("`{file}`: {reason}")]
    Malformed {
        /// The file.
        file: &'static str,
        /// What is wrong, with its line where there is one.
        reason: String,
    },
    /// A file has no row of a kind.
    #[error("`{file}` has no row of {what}")]
    Empty {
        /// The file.
        file: &'static str,
        /// The kind.
        what: &'static str,
    },
}

const DENSE: &str = "dense.csv";
const PER_SEQUENCE: &str = "per_sequence.csv";
const ATTENTION: &str = "attention.csv";
const EXPERTS: &str = "moe.csv";

#[derive(Deserialize)]
struct DenseRow {
    layer: String,
    tokens: f64,
    time_us: f64,
}

#[derive(Deserialize)]
struct SequenceRow {
    sequences: f64,
    layer: String,
    time_us: f64,
}

#[derive(Deserialize)]
struct AttentionRow {
    prefill_chunk: f64,
    kv_prefill: f64,
    n_decode: f64,
    kv_decode: f64,
    time_us: f64,
}

#[derive(Deserialize)]
struct ExpertsRow {
    tokens: f64,
    activated_experts: f64,
    time_us: f64,
}

impl KernelTables {
    /// Files that make up the tables; the last one for mixtures of experts only.
    pub const FILES: [&str; 4] = [DENSE, PER_SEQUENCE, ATTENTION, EXPERTS];

    /// Reads the tables from the texts of their files by name.
    ///
    /// # Errors
    /// With the file that is missing or malformed.
    pub fn parse(texts: &BTreeMap<String, String>) -> Result<Self, KernelError> {
        let dense: Vec<DenseRow> = rows(texts, DENSE)?;
        let sequences: Vec<SequenceRow> = rows(texts, PER_SEQUENCE)?;
        let attention: Vec<AttentionRow> = rows(texts, ATTENTION)?;
        let experts = match rows(texts, EXPERTS) {
            Ok(rows) => Some(experts_grid(&rows)?),
            Err(KernelError::Missing(_)) => None,
            Err(other) => return Err(other),
        };
        let dense = dense
            .iter()
            .map(|row| (row.layer.as_str(), row.tokens, row.time_us));
        let sequences = sequences
            .iter()
            .map(|row| (row.layer.as_str(), row.sequences, row.time_us));
        let (prefill, decode, mixed) = attention_grids(&attention)?;
        Ok(Self {
            layer: total(dense.clone(), times_in_a_layer, DENSE, "a layer")?,
            ends: total(dense, times_outside_layers, DENSE, "an embedding")?,
            head: total(sequences, |_| 1.0, PER_SEQUENCE, "a vocabulary product")?,
            prefill,
            decode,
            mixed,
            experts,
        })
    }

    /// Attention of `decodes` requests alone, by their mean context.
    pub(super) fn decode_curve(&self, decodes: f64) -> Curve {
        let contexts = match &self.decode {
            Grid::Axis(_, grids) => match grids.last() {
                Some(Grid::Axis(contexts, _)) => contexts.as_slice(),
                _ => &[],
            },
            Grid::Point(_) => &[],
        };
        let points = contexts
            .iter()
            .map(|context| (*context, self.decode.at(&[decodes, *context])));
        Curve::new(points.collect()).expect("a grid has points")
    }
}

/// The norm before attention and the one behind it are one kernel.
fn times_in_a_layer(kernel: &str) -> f64 {
    match kernel {
        "layernorm" => 2.0,
        other => 1.0 - times_outside_layers(other),
    }
}

fn times_outside_layers(kernel: &str) -> f64 {
    f64::from(u8::from(matches!(kernel, "embedding" | "final_layernorm")))
}

fn rows<T: DeserializeOwned>(
    texts: &BTreeMap<String, String>,
    file: &'static str,
) -> Result<Vec<T>, KernelError> {
    let text = texts.get(file).ok_or(KernelError::Missing(file))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Result<Vec<T>, _> = reader.deserialize().collect();
    rows.map_err(|error| KernelError::Malformed {
        file,
        reason: error.to_string(),
    })
}

/// Seconds of several kernels together, each as often as it runs, by size.
fn total<'a>(
    rows: impl Iterator<Item = (&'a str, f64, f64)>,
    times: fn(&str) -> f64,
    file: &'static str,
    what: &'static str,
) -> Result<Curve, KernelError> {
    let mut points: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (kernel, size, us) in rows.filter(|(kernel, ..)| times(kernel) > 0.0) {
        let seconds = us * 1e-6 * times(kernel);
        points.entry(kernel).or_default().push((size, seconds));
    }
    let curves: Vec<Curve> = points.into_values().filter_map(Curve::new).collect();
    let sizes = curves.iter().flat_map(|curve| curve.sizes().to_vec());
    let sum = |size| (size, curves.iter().map(|curve| curve.at(size)).sum());
    Curve::new(sizes.map(sum).collect()).ok_or(KernelError::Empty { file, what })
}

/// Prompts alone, decoding requests alone, both.
fn attention_grids(rows: &[AttentionRow]) -> Result<(Grid, Grid, Grid), KernelError> {
    let (mut prefill, mut decode, mut mixed) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let seconds = row.time_us * 1e-6;
        let chunk = [row.prefill_chunk, row.kv_prefill];
        let decodes = [row.n_decode, row.kv_decode];
        match (row.prefill_chunk > 0.0, row.n_decode > 0.0) {
            (true, false) => prefill.push((chunk, seconds)),
            (false, true) => decode.push((decodes, seconds)),
            (true, true) => mixed.push(([chunk[0], chunk[1], decodes[0], decodes[1]], seconds)),
            (false, false) => {}
        }
    }
    let empty = |what| KernelError::Empty {
        file: ATTENTION,
        what,
    };
    Ok((
        Grid::new(prefill).ok_or_else(|| empty("a prompt alone"))?,
        Grid::new(decode).ok_or_else(|| empty("decoding requests alone"))?,
        Grid::new(mixed).ok_or_else(|| empty("a prompt with decoding requests"))?,
    ))
}

fn experts_grid(rows: &[ExpertsRow]) -> Result<Grid, KernelError> {
    let point = |row: &ExpertsRow| ([row.activated_experts, row.tokens], row.time_us * 1e-6);
    Grid::new(rows.iter().map(point).collect()).ok_or(KernelError::Empty {
        file: EXPERTS,
        what: "experts",
    })
}
