use handlebars::RenderError;
use sbt_schemas::{AttributionRow, Population};
use serde::Serialize;

use super::round;
use crate::format;
use crate::inputs::Inputs;
use crate::templates::fill;
use crate::view::whom;

/// Parts of E2E in the order of time, with their colours.
const PARTS: [(&str, &str); 5] = [
    ("retry", "--p0"),
    ("network", "--p1"),
    ("queue", "--p2"),
    ("prefill", "--p3"),
    ("decode", "--p4"),
];
const WIDTH: f64 = 720.0;
const LEFT: f64 = 190.0;
const TOP: f64 = 66.0;
const BAR: f64 = 30.0;
const STEP: f64 = 46.0;
/// A share that has room for its figure.
const LABELLED: f64 = 0.09;

#[derive(Serialize)]
struct Plot {
    width: f64,
    height: f64,
    description: String,
    stamp: String,
    legend: Vec<Entry>,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
struct Entry {
    x: f64,
    y: f64,
    text_x: f64,
    colour: &'static str,
    label: &'static str,
}

#[derive(Serialize)]
struct Bar {
    y: f64,
    height: f64,
    label_y: f64,
    sub_y: f64,
    text_y: f64,
    label: String,
    sub: String,
    parts: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    x: f64,
    width: f64,
    colour: &'static str,
    title: String,
    text: String,
    text_x: f64,
}

/// Stacked bars: shares of E2E for all requests and for the tail of each configuration.
pub(crate) fn tail(inputs: &Inputs, stamp: &str) -> Result<String, RenderError> {
    let mut groups: Vec<(&str, Population)> = Vec::new();
    // Of an excess the parts may be negative.
    let whole = inputs.attribution.iter();
    for row in whole.filter(|row| row.population != Population::Excess) {
        let group = (row.config_name.as_str(), row.population);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let bars = groups.iter().enumerate().map(|(i, (name, population))| {
        let rows: Vec<&AttributionRow> = inputs
            .attribution
            .iter()
            .filter(|row| row.config_name == *name && row.population == *population)
            .collect();
        bar(i, name, *population, &rows)
    });
    let bars: Vec<Bar> = bars.collect();
    fill(
        "tail.svg",
        &Plot {
            width: WIDTH,
            height: TOP + STEP * bars.len().max(1) as f64,
            description: format!("shares of end-to-end latency, {} bars", bars.len()),
            stamp: stamp.to_owned(),
            legend: legend(),
            bars,
        },
    )
}

fn bar(index: usize, name: &str, population: Population, rows: &[&AttributionRow]) -> Bar {
    let y = TOP + STEP * index as f64;
    let mut x = LEFT;
    let mut parts = Vec::new();
    for (part, colour) in PARTS {
        let Some(row) = rows.iter().find(|row| row.component == part) else {
            continue;
        };
        let width = row.share * (WIDTH - LEFT);
        parts.push(Part {
            x: round(x),
            width: round(width),
            colour,
            title: format!(
                "{part}: {:.1} %, {}",
                row.share * 100.0,
                format::seconds(row.seconds)
            ),
            text: if row.share >= LABELLED {
                format!("{:.0} %", row.share * 100.0)
            } else {
                String::new()
            },
            text_x: round(x + width / 2.0),
        });
        x += width;
    }
    let seconds: f64 = rows.iter().map(|row| row.seconds).sum();
    let whom = whom(population);
    Bar {
        y,
        height: BAR,
        label_y: y + 13.0,
        sub_y: y + 28.0,
        text_y: y + 20.0,
        label: name.to_owned(),
        sub: format!("{whom}, {}", format::seconds(seconds)),
        parts,
    }
}

fn legend() -> Vec<Entry> {
    const GAP: f64 = 100.0;
    let entries = PARTS.iter().enumerate().map(|(i, (label, colour))| {
        let x = LEFT + GAP * i as f64;
        Entry {
            x,
            y: 32.0,
            text_x: x + 18.0,
            colour,
            label,
        }
    });
    entries.collect()
}
