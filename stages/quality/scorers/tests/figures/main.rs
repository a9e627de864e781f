//! The scorers against what the reference implementations say about the same answers:
//! `tests/reference/make.py` names them and made the figures.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

mod instructions;
mod rules;
mod schemas;
mod texts;

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

const FIGURES: &[u8] = include_bytes!("../reference/figures.json.gz");
const TEXTS: &str = include_str!("../reference/texts.json");

fn figures(name: &str) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(FIGURES)
        .read_to_string(&mut text)
        .unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(all[name].take()).unwrap()
}

fn own_texts() -> Vec<String> {
    serde_json::from_str(TEXTS).unwrap()
}

/// The lines of a data set, or none and the reason printed.
fn data(name: &str) -> Option<Vec<Value>> {
    let base = std::env::var_os("SBT_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data"),
        PathBuf::from,
    );
    let path = base.join("quality").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not on this machine", path.display());
        return None;
    };
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn gsm8k() -> Option<Vec<String>> {
    let items = data("gsm8k_test.jsonl")?;
    Some(
        items
            .iter()
            .map(|item| item["answer"].as_str().unwrap().to_owned())
            .collect(),
    )
}

fn qmsum() -> Option<Vec<String>> {
    let meetings = data("qmsum_product_test.jsonl")?;
    let queries = meetings.iter().flat_map(|meeting| {
        ["general_query_list", "specific_query_list"]
            .into_iter()
            .flat_map(|list| meeting[list].as_array().unwrap())
    });
    Some(
        queries
            .map(|query| query["answer"].as_str().unwrap().to_owned())
            .collect(),
    )
}
