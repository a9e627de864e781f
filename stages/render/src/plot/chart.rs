use std::collections::BTreeSet;

use handlebars::RenderError;
use serde::Serialize;

use super::scale::Scale;
use super::{Frame, Tick, round, ticks};
use crate::templates::fill;

/// A plane with axes, on which series of one kind of value are drawn.
#[derive(Serialize)]
pub(crate) struct Chart {
    /// Unique on the page.
    id: String,
    title: String,
    description: String,
    stamp: String,
    frame: Frame,
    tick_x: f64,
    tick_y: f64,
    x_title: String,
    x_title_y: f64,
    y_title: String,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    series: Vec<Series>,
}

/// An axis: what it shows, where values are placed, and how they read.
pub(crate) struct Axis {
    title: &'static str,
    scale: Scale,
    label: fn(f64) -> String,
}

impl Axis {
    pub(crate) fn new(title: &'static str, scale: Scale, label: fn(f64) -> String) -> Self {
        Self {
            title,
            scale,
            label,
        }
    }
}

/// What a chart is about.
pub(crate) struct About<'a> {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) stamp: &'a str,
}

#[derive(Serialize)]
struct Series {
    path: String,
    key: String,
    colour: &'static str,
    width: f64,
    dash: &'static str,
    opacity: f64,
    label: String,
    label_x: f64,
    label_y: f64,
}

/// How a series is drawn.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Line,
    Dashed,
    Dots,
    Crosses,
}

impl Chart {
    pub(crate) fn new(about: About<'_>, frame: Frame, x: &Axis, y: &Axis) -> Self {
        Self {
            id: about.id,
            title: about.title,
            description: about.description,
            stamp: about.stamp.to_owned(),
            tick_x: frame.left - Frame::MARGIN,
            tick_y: frame.bottom + Frame::TICKS,
            x_title: x.title.to_owned(),
            x_title_y: frame.bottom + Frame::TITLE,
            y_title: y.title.to_owned(),
            x_ticks: ticks(&x.scale, x.label),
            y_ticks: ticks(&y.scale, y.label),
            series: Vec::new(),
            frame,
        }
    }

    /// Adds a series that [`line`], [`dots`] or [`crosses`] has drawn, and its key.
    pub(crate) fn add(&mut self, label: &str, colour: &'static str, mark: Mark, path: String) {
        /// Room of one entry of the legend, and the length of its key.
        const STEP: f64 = 150.0;
        const KEY: f64 = 28.0;
        let x = self.frame.left + STEP * self.series.len() as f64;
        let y = self.frame.bottom + Frame::LEGEND;
        let (width, dash, opacity) = match mark {
            Mark::Line => (2.2, "none", 1.0),
            Mark::Dashed => (1.4, "5 4", 1.0),
            Mark::Dots => (4.5, "none", 0.65),
            Mark::Crosses => (1.8, "none", 1.0),
        };
        let middle = [(x + KEY / 2.0, y)];
        let key = match mark {
            Mark::Line | Mark::Dashed => format!("M{x} {y}h{KEY}"),
            Mark::Dots => dots(middle),
            Mark::Crosses => crosses(middle),
        };
        self.series.push(Series {
            path,
            key,
            colour,
            width,
            dash,
            opacity,
            label: label.to_owned(),
            label_x: x + KEY + Frame::MARGIN,
            label_y: y,
        });
    }

    pub(crate) fn draw(&self) -> Result<String, RenderError> {
        fill("chart.svg", self)
    }
}

/// A line through places; it breaks where there is none.
pub(crate) fn line(places: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut pen = "M";
    for place in places {
        let Some((x, y)) = place else {
            pen = "M";
            continue;
        };
        path.push_str(&format!("{pen}{} {}", round(x), round(y)));
        pen = "L";
    }
    path
}

/// Dots, each place once: thousands of requests lie on one another.
pub(crate) fn dots(places: impl IntoIterator<Item = (f64, f64)>) -> String {
    marks(places, "h0")
}

/// Crosses, each place once.
pub(crate) fn crosses(places: impl IntoIterator<Item = (f64, f64)>) -> String {
    marks(places, "m-4-4l8 8m0-8l-8 8")
}

/// Shares of `total` that values in rising order reach: one step a column of the screen, at most.
pub(crate) fn staircase(values: &[f64], total: usize, x: &Scale, y: &Scale) -> String {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let (column, share) = (x.place(*value).round(), (i + 1) as f64 / total as f64);
        match steps.last_mut() {
            Some((last, reached)) if *last == column => *reached = share,
            Some(_) | None => steps.push((column, share)),
        }
    }
    let mut below = 0.0;
    let corners = steps.into_iter().flat_map(|(column, share)| {
        let corners = [(column, y.place(below)), (column, y.place(share))];
        below = share;
        corners.map(Some)
    });
    line(corners)
}

fn marks(places: impl IntoIterator<Item = (f64, f64)>, shape: &str) -> String {
    let places = places.into_iter();
    let whole: BTreeSet<(i64, i64)> = places
        .map(|(x, y)| (x.round() as i64, y.round() as i64))
        .collect();
    let marks = whole.into_iter().map(|(x, y)| format!("M{x} {y}{shape}"));
    marks.collect()
}
