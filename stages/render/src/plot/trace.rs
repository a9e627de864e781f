use handlebars::RenderError;
use sbt_schemas::TraceRow;
use serde::Serialize;

use super::scale::Scale;
use super::{Frame, Tick, round, ticks};
use crate::format;
use crate::inputs::Inputs;
use crate::templates::fill;

/// Colours and dashes of the samplers, by their order.
const STYLES: [(&str, &str); 3] = [("--a", "none"), ("--b", "7 4"), ("--c", "2 4")];

#[derive(Serialize)]
struct Plot {
    frame: Frame,
    description: String,
    stamp: String,
    tick_x: f64,
    tick_y: f64,
    x_title_y: f64,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    path: String,
    key: String,
    colour: &'static str,
    dash: &'static str,
    label: String,
    label_x: f64,
    label_y: f64,
}

/// Hypervolume per evaluation and sampler.
pub(crate) fn search_trace(inputs: &Inputs, stamp: &str) -> Result<String, RenderError> {
    let frame = Frame::PLOT;
    let rows: Vec<(&TraceRow, f64)> = inputs
        .trace
        .iter()
        .filter_map(|row| Some((row, row.hypervolume?)))
        .collect();
    let evaluations = rows.iter().map(|(row, _)| row.evaluation as f64 + 1.0);
    let longest = evaluations.fold(1.0, f64::max);
    let x_scale = linear(longest, frame.left, frame.right);
    let highest = rows.iter().map(|(_, volume)| *volume).fold(0.0, f64::max);
    let y_scale = linear(
        if highest > 0.0 { highest } else { 1.0 },
        frame.bottom,
        frame.top,
    );
    let mut samplers: Vec<&str> = rows.iter().map(|(row, _)| row.sampler.as_str()).collect();
    samplers.sort_unstable();
    samplers.dedup();
    let lines = samplers.iter().enumerate().map(|(i, sampler)| {
        let of_sampler = rows.iter().filter(|(row, _)| row.sampler == *sampler);
        let places: Vec<(f64, f64)> = of_sampler
            .map(|(row, volume)| {
                let x = x_scale.place(row.evaluation as f64 + 1.0);
                (round(x), round(y_scale.place(*volume)))
            })
            .collect();
        line(i, sampler, &places, &frame)
    });
    fill(
        "search_trace.svg",
        &Plot {
            description: format!(
                "{} samplers over {longest} evaluations each",
                samplers.len()
            ),
            stamp: stamp.to_owned(),
            tick_x: frame.left - Frame::MARGIN,
            tick_y: frame.bottom + Frame::TICKS,
            x_title_y: frame.bottom + Frame::TITLE,
            x_ticks: ticks(&x_scale, |value| format!("{value}")),
            y_ticks: ticks(&y_scale, format::digits),
            lines: lines.collect(),
            frame,
        },
    )
}

fn linear(highest: f64, from: f64, to: f64) -> Scale {
    // From 1/20 up, a log scale would begin: 0 keeps it linear.
    Scale::of([0.0, highest], from, to).expect("two finite values have a scale")
}

/// A staircase: what was found stays found.
fn line(index: usize, sampler: &str, places: &[(f64, f64)], frame: &Frame) -> Line {
    /// Room of one entry of the legend, and the length of its key.
    const STEP: f64 = 150.0;
    const KEY: f64 = 28.0;
    let (colour, dash) = STYLES[index % STYLES.len()];
    let mut path = String::new();
    for (i, (x, y)) in places.iter().enumerate() {
        path.push_str(&if i == 0 {
            format!("M{x} {y}")
        } else {
            format!("H{x}V{y}")
        });
    }
    let x = frame.left + STEP * index as f64;
    let y = frame.bottom + Frame::LEGEND;
    Line {
        path,
        key: format!("M{x} {y}h{KEY}"),
        colour,
        dash,
        label: sampler.to_owned(),
        label_x: x + KEY + Frame::MARGIN,
        label_y: y,
    }
}
