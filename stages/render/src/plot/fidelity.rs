use handlebars::RenderError;
use sbt_schemas::FidelityRow;

use super::Frame;
use super::chart::{About, Axis, Chart, Mark, dots, line};
use super::scale::Scale;
use crate::format;

/// Latencies, all in seconds, so that one plane holds them; with their colours.
const LATENCIES: [(&str, &str, &str); 3] = [
    ("ttft", "TTFT", "--a"),
    ("tpot", "TPOT", "--b"),
    ("e2e", "E2E", "--c"),
];

/// Simulated over measured latencies with the line where they agree; none when no pair is whole.
pub(crate) fn fidelity(rows: &[FidelityRow], stamp: &str) -> Result<Option<String>, RenderError> {
    let frame = Frame::PLOT;
    let pairs = |metric: &'static str| {
        let of_metric = rows.iter().filter(move |row| row.metric == metric);
        of_metric.filter_map(|row| row.measured.zip(row.simulated))
    };
    let all: Vec<(f64, f64)> = LATENCIES.iter().flat_map(|(m, _, _)| pairs(m)).collect();
    let both = || {
        all.iter()
            .flat_map(|(measured, simulated)| [*measured, *simulated])
    };
    // The same range on both axes: the diagonal means equal.
    let (Some(x), Some(y)) = (
        Scale::of(both(), frame.left, frame.right),
        Scale::of(both(), frame.bottom, frame.top),
    ) else {
        return Ok(None);
    };
    let about = About {
        id: "fidelity".to_owned(),
        title: "Simulated against measured latencies".to_owned(),
        description: format::counted(all.len(), "pair"),
        stamp,
    };
    let axis = |title, scale| Axis::new(title, scale, format::seconds);
    let (x_axis, y_axis) = (axis("measured", x), axis("simulated", y));
    let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
    let ends = [(frame.left, frame.bottom), (frame.right, frame.top)];
    chart.add("equal", "--soft", Mark::Dashed, line(ends.map(Some)));
    for (metric, label, colour) in LATENCIES {
        let places = pairs(metric).map(|(m, s)| (x.place(m), y.place(s)));
        let places: Vec<(f64, f64)> = places.collect();
        if !places.is_empty() {
            chart.add(label, colour, Mark::Dots, dots(places));
        }
    }
    chart.draw().map(Some)
}
