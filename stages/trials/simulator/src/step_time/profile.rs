//! Kernel profiles of one model, as LLMServingSim's profiler writes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::curve::Curve;
use super::grid::Grid;
use super::kernels::{KernelError, Kernels};

pub(super) const DENSE: &str = "dense.csv";
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

/// Folders that hold a profile, each with its `/`; empty for files without a folder.
pub(super) fn folders(texts: &BTreeMap<String, String>) -> Vec<String> {
    let folders = texts.keys().filter_map(|name| name.strip_suffix(DENSE));
    folders.map(str::to_owned).collect()
}

/// Reads the profile of a folder.
pub(super) fn parse(
    texts: &BTreeMap<String, String>,
    folder: &str,
) -> Result<Kernels, KernelError> {
    let dense: Vec<DenseRow> = rows(texts, &format!("{folder}{DENSE}"))?;
    let sequences: Vec<SequenceRow> = rows(texts, &format!("{folder}{PER_SEQUENCE}"))?;
    let attention: Vec<AttentionRow> = rows(texts, &format!("{folder}{ATTENTION}"))?;
    // Experts are measured on one GPU, and stand in its folder only.
    let experts = [format!("{folder}{EXPERTS}"), format!("tp1/{EXPERTS}")];
    let experts = match experts.iter().find(|file| texts.contains_key(*file)) {
        Some(file) => Some(experts_grid(&rows(texts, file)?, file)?),
        None => None,
    };
    let dense = dense
        .iter()
        .map(|row| (row.layer.as_str(), row.tokens, row.time_us));
    let sequences = sequences
        .iter()
        .map(|row| (row.layer.as_str(), row.sequences, row.time_us));
    let (prefill, decode, mixed) = attention_grids(&attention)?;
    Ok(Kernels {
        layer: total(dense.clone(), times_in_a_layer, DENSE, "a layer")?,
        ends: total(dense, times_outside_layers, DENSE, "an embedding")?,
        head: total(sequences, |_| 1.0, PER_SEQUENCE, "a vocabulary product")?,
        prefill,
        decode,
        mixed: Some(mixed),
        experts,
    })
}

/// Why a file without rows of a kind cannot be used.
pub(super) fn empty(file: &str, what: &str) -> KernelError {
    KernelError::Empty {
        file: file.to_owned(),
        what: what.to_owned(),
    }
}

/// The rows of a file.
pub(super) fn rows<T: DeserializeOwned>(
    texts: &BTreeMap<String, String>,
    file: &str,
) -> Result<Vec<T>, KernelError> {
    let text = texts
        .get(file)
        .ok_or_else(|| KernelError::Missing(file.to_owned()))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Result<Vec<T>, _> = reader.deserialize().collect();
    rows.map_err(|error| KernelError::Malformed {
        file: file.to_owned(),
        reason: error.to_string(),
    })
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

/// Seconds of several kernels together, each as often as it runs, by size.
fn total<'a>(
    rows: impl Iterator<Item = (&'a str, f64, f64)>,
    times: fn(&str) -> f64,
    file: &str,
    what: &str,
) -> Result<Curve, KernelError> {
    let mut points: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (kernel, size, us) in rows.filter(|(kernel, ..)| times(kernel) > 0.0) {
        let seconds = us * 1e-6 * times(kernel);
        points.entry(kernel).or_default().push((size, seconds));
    }
    let curves: Vec<Curve> = points.into_values().filter_map(Curve::new).collect();
    let sizes = curves.iter().flat_map(|curve| curve.sizes().to_vec());
    let sum = |size| (size, curves.iter().map(|curve| curve.at(size)).sum());
    Curve::new(sizes.map(sum).collect()).ok_or_else(|| empty(file, what))
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
    let none = |what| move || empty(ATTENTION, what);
    Ok((
        Grid::new(prefill).ok_or_else(none("a prompt alone"))?,
        Grid::new(decode).ok_or_else(none("decoding requests alone"))?,
        Grid::new(mixed).ok_or_else(none("a prompt with decoding requests"))?,
    ))
}

fn experts_grid(rows: &[ExpertsRow], file: &str) -> Result<Grid, KernelError> {
    let point = |row: &ExpertsRow| ([row.activated_experts, row.tokens], row.time_us * 1e-6);
    Grid::new(rows.iter().map(point).collect()).ok_or_else(|| empty(file, "experts"))
}
