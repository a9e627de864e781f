use handlebars::RenderError;
use sbt_schemas::{CandidateRow, Cell, Row, StabilityRow, unit};
use serde::Serialize;

use super::scale::Scale;
use super::{Frame, Tick, round, ticks};
use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;
use crate::templates::fill;

/// Metrics of the axes when the goals have fewer than two plain columns.
const FALLBACK: [&str; 2] = ["e2e_p95_s", "ttft_p95_s"];
/// Colours of the samplers, by their order.
const COLOURS: [&str; 3] = ["--a", "--b", "--c"];
const HOT: &str = "--hot";
const INK: &str = "--ink";

#[derive(Serialize)]
struct Plot {
    id: &'static str,
    frame: Frame,
    title: String,
    description: String,
    stamp: String,
    tick_x: f64,
    tick_y: f64,
    x_title: String,
    x_title_y: f64,
    y_title: String,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    points: Vec<Point>,
    finalists: Vec<Finalist>,
    legend: Vec<Entry>,
}

#[derive(Serialize)]
struct Point {
    shape: String,
    colour: &'static str,
    title: String,
}

#[derive(Serialize)]
struct Finalist {
    x: f64,
    y: f64,
    r: f64,
    bars: String,
    colour: &'static str,
    title: String,
    label: String,
    label_x: f64,
    label_y: f64,
    anchor: &'static str,
}

#[derive(Serialize)]
struct Entry {
    shape: String,
    colour: &'static str,
    fill: &'static str,
    x: f64,
    y: f64,
    label: String,
}

/// The first two objectives: what was found, and what was measured again.
pub(crate) fn pareto(params: &Params, inputs: &Inputs, stamp: &str) -> Result<String, RenderError> {
    let [x, y] = axes(params);
    let feasible: Vec<&CandidateRow> = inputs.search.iter().filter(|row| row.feasible).collect();
    let shown = || feasible.iter().copied().chain(&inputs.candidates);
    let frame = Frame::PLOT;
    let values = |name: &str| -> Vec<f64> {
        let means = shown().filter_map(|row| number(row, name));
        let bounds = inputs.stability.iter().filter(|row| row.metric == name);
        means
            .chain(bounds.flat_map(|row| [row.lo, row.hi].into_iter().flatten()))
            .collect()
    };
    let x_scale = Scale::of(values(&x), frame.left, frame.right);
    let y_scale = Scale::of(values(&y), frame.bottom, frame.top);
    // Without a value there is nothing to place, and no axis to invent.
    let empty = x_scale.is_none() || y_scale.is_none();
    let x_scale = x_scale.unwrap_or_else(|| unit_scale(frame.left, frame.right));
    let y_scale = y_scale.unwrap_or_else(|| unit_scale(frame.bottom, frame.top));
    let samplers = samplers(inputs);
    let place = |row: &CandidateRow| {
        Some((
            round(x_scale.place(number(row, &x)?)),
            round(y_scale.place(number(row, &y)?)),
        ))
    };
    let points = feasible.iter().filter_map(|row| {
        let at = place(row)?;
        let index = samplers
            .iter()
            .position(|name| *name == row.sampler)
            .unwrap_or(0);
        Some(Point {
            shape: shape(index, at.0, at.1),
            colour: COLOURS[index % COLOURS.len()],
            title: row.config_name.clone(),
        })
    });
    let mut finalists: Vec<Finalist> = Vec::new();
    for row in &inputs.candidates {
        if let Some(at) = place(row) {
            let x_row = inputs.stability_of(&row.config_id, &x);
            let y_row = inputs.stability_of(&row.config_id, &y);
            let bars = bars(at, x_row, y_row, &x_scale, &y_scale);
            finalists.push(finalist(row, at, bars, &frame));
        }
    }
    // What is labelled lies on top.
    finalists.sort_by_key(|finalist| !finalist.label.is_empty());
    fill(
        "pareto.svg",
        &Plot {
            id: "pareto",
            title: format!("{x} against {y}"),
            description: format!(
                "{} feasible configurations and {} finalists",
                feasible.len(),
                finalists.len()
            ),
            stamp: stamp.to_owned(),
            tick_x: frame.left - Frame::MARGIN,
            tick_y: frame.bottom + Frame::TICKS,
            x_title: axis_title(&x, params),
            x_title_y: frame.bottom + Frame::TITLE,
            y_title: axis_title(&y, params),
            x_ticks: if empty {
                Vec::new()
            } else {
                ticks(&x_scale, |value| format::metric(&x, value))
            },
            y_ticks: if empty {
                Vec::new()
            } else {
                ticks(&y_scale, |value| format::metric(&y, value))
            },
            points: points.collect(),
            finalists,
            legend: legend(&samplers, &frame),
            frame,
        },
    )
}

fn unit_scale(from: f64, to: f64) -> Scale {
    Scale::of([0.0, 1.0], from, to).expect("two finite values have a scale")
}

/// The first two objectives that are plain columns of a candidate.
fn axes(params: &Params) -> [String; 2] {
    let goals = params
        .goals
        .minimize
        .iter()
        .chain(&params.goals.maximize)
        .map(String::as_str);
    let plain = goals
        .chain(FALLBACK)
        .filter(|goal| CandidateRow::TABLE.column(goal).is_some());
    let mut axes: Vec<String> = Vec::new();
    for goal in plain {
        if !axes.iter().any(|axis| axis == goal) {
            axes.push(goal.to_owned());
        }
    }
    let mut axes = axes.into_iter();
    let next = |axes: &mut dyn Iterator<Item = String>, i: usize| {
        axes.next().unwrap_or_else(|| FALLBACK[i].to_owned())
    };
    [next(&mut axes, 0), next(&mut axes, 1)]
}

fn axis_title(metric: &str, params: &Params) -> String {
    let more = params.goals.maximize.iter().any(|goal| goal == metric);
    let better = if more {
        "more is better"
    } else {
        "less is better"
    };
    match unit(metric) {
        Some(unit) => format!("{metric} ({unit}), {better}"),
        None => format!("{metric}, {better}"),
    }
}

fn samplers(inputs: &Inputs) -> Vec<&str> {
    let mut names: Vec<&str> = inputs
        .search
        .iter()
        .map(|row| row.sampler.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn number(row: &CandidateRow, metric: &str) -> Option<f64> {
    match row.cell(metric)? {
        Cell::Number(value) => Some(value),
        Cell::Null | Cell::Bool(_) | Cell::Text(_) => None,
    }
}

/// A mark that differs by form, not by colour alone.
fn shape(index: usize, x: f64, y: f64) -> String {
    match index % 3 {
        0 => format!("M{} {y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0", x - 3.5),
        1 => format!("M{x} {}l4 7h-8z", y - 4.0),
        _ => format!("M{} {}h6v6h-6z", x - 3.0, y - 3.0),
    }
}

fn bars(
    (x, y): (f64, f64),
    x_row: Option<&StabilityRow>,
    y_row: Option<&StabilityRow>,
    x_scale: &Scale,
    y_scale: &Scale,
) -> String {
    let bounds = |row: Option<&StabilityRow>| row.and_then(|row| row.lo.zip(row.hi));
    let mut path = format!("M{x} {y}");
    if let Some((lo, hi)) = bounds(x_row).filter(|(lo, _)| *lo > 0.0) {
        path.push_str(&format!(
            "M{} {y}H{}",
            round(x_scale.place(lo)),
            round(x_scale.place(hi))
        ));
    }
    if let Some((lo, hi)) = bounds(y_row).filter(|(lo, _)| *lo > 0.0) {
        path.push_str(&format!(
            "M{x} {}V{}",
            round(y_scale.place(lo)),
            round(y_scale.place(hi))
        ));
    }
    path
}

fn finalist(row: &CandidateRow, (x, y): (f64, f64), bars: String, frame: &Frame) -> Finalist {
    let (colour, label) = match (row.recommended, row.sampler.as_str()) {
        (Some(1), _) => (HOT, format!("{} (recommended)", row.config_name)),
        (_, "baseline") => (INK, row.config_name.clone()),
        _ => ("--soft", String::new()),
    };
    let near_right = x > frame.left + 0.7 * (frame.right - frame.left);
    let above = y > frame.top + 20.0;
    Finalist {
        x,
        y,
        r: if label.is_empty() { 4.0 } else { 6.0 },
        bars,
        colour,
        title: row.config_name.clone(),
        label,
        label_x: if near_right { x - 10.0 } else { x + 10.0 },
        label_y: if above { y - 10.0 } else { y + 20.0 },
        anchor: if near_right { "end" } else { "start" },
    }
}

fn legend(samplers: &[&str], frame: &Frame) -> Vec<Entry> {
    /// Room of one entry.
    const STEP: f64 = 150.0;
    let y = frame.bottom + Frame::LEGEND;
    let mut entries: Vec<Entry> = Vec::new();
    for (i, sampler) in samplers.iter().enumerate() {
        let x = frame.left + STEP * i as f64;
        entries.push(Entry {
            shape: shape(i, x, y),
            colour: COLOURS[i % COLOURS.len()],
            fill: "none",
            x: x + 12.0,
            y,
            label: format!("{sampler}, searched"),
        });
    }
    let x = frame.left + STEP * samplers.len() as f64;
    entries.push(Entry {
        shape: shape(0, x, y),
        colour: "--soft",
        fill: "var(--soft)",
        x: x + 12.0,
        y,
        label: "finalist, fresh seeds, 95 % interval".to_owned(),
    });
    entries
}
