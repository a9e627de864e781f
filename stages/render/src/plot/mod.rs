//! Plots as SVG: coordinates from here, markup from the templates.

mod chart;
mod curve;
mod fidelity;
mod pareto;
mod plots;
mod requests;
mod scale;
mod tail;
mod telemetry;
mod trace;

pub(crate) use chart::{About, Axis, Chart, Mark, dots, line, staircase};
pub(crate) use plots::{Drawn, Plots};
pub(crate) use scale::Scale;
pub(crate) use serde::Serialize;

/// The plane that a plot is drawn on, in user units.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Frame {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

impl Frame {
    pub(crate) const PLOT: Self = Self {
        width: 720.0,
        height: 420.0,
        left: 84.0,
        right: 704.0,
        top: 34.0,
        bottom: 344.0,
    };

    /// A flat one, of which several stand above one another.
    pub(crate) const STRIP: Self = Self {
        height: 240.0,
        bottom: 164.0,
        ..Self::PLOT
    };

    /// Height of the tick labels, the axis title and the legend below the plane.
    const TICKS: f64 = 18.0;
    const TITLE: f64 = 38.0;
    const LEGEND: f64 = 62.0;
    /// Gap between the plane and its labels on the left.
    const MARGIN: f64 = 8.0;
}

/// A tick, placed.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

pub(crate) fn ticks(scale: &Scale, label: impl Fn(f64) -> String) -> Vec<Tick> {
    let places = scale.ticks().into_iter().map(|value| Tick {
        at: round(scale.place(value)),
        label: label(value),
    });
    places.collect()
}

/// Tenths of a unit are finer than a screen shows.
pub(crate) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
