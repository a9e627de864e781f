use handlebars::RenderError;
use sbt_schemas::PredictionRow;
use serde::Serialize;

use crate::format;
use crate::plot::{About, Axis, Chart, Frame, Mark, Scale, dots, line, staircase};

/// Colours of the sources, in their order.
const COLOURS: [&str; 3] = ["--b", "--c", "--a"];
const MEASURED: &str = "--ink";

/// A latency of a prediction, on both sides.
type Pick = fn(&PredictionRow) -> (f64, f64);

const LATENCIES: [(&str, &str, Pick); 2] = [
    ("ttft", "TTFT", |row| (row.measured_ttft_s, row.ttft_s)),
    ("e2e", "E2E", |row| (row.measured_e2e_s, row.e2e_s)),
];

/// A plot and its file's name.
#[derive(Serialize)]
pub(super) struct Drawn {
    pub(super) file: String,
    pub(super) svg: String,
    caption: &'static str,
}

/// Both latencies, request by request and as shares.
pub(super) fn all(rows: &[PredictionRow]) -> Result<Vec<Drawn>, RenderError> {
    let mut drawn = Vec::new();
    for (name, label, pick) in LATENCIES {
        let caption = "Each dot is one request; on the dashed line both agree.";
        let svg = scatter(rows, name, label, pick)?;
        drawn.extend(svg.map(|svg| Drawn {
            file: format!("{name}-requests"),
            svg,
            caption,
        }));
        let caption = "Share of the requests within a latency, measured and as each source has it.";
        let svg = shares(rows, name, label, pick)?;
        drawn.extend(svg.map(|svg| Drawn {
            file: format!("{name}-shares"),
            svg,
            caption,
        }));
    }
    Ok(drawn)
}

/// Rows of each source, in the order of the table.
fn by_source(rows: &[PredictionRow]) -> impl Iterator<Item = (&[PredictionRow], &'static str)> {
    let groups = rows.chunk_by(|a, b| a.source == b.source);
    groups.zip(COLOURS.into_iter().cycle())
}

fn about(name: &str, kind: &str, title: String, n: usize) -> About<'static> {
    About {
        id: format!("{name}-{kind}"),
        title,
        description: format::counted(n, "prediction"),
        stamp: "SIMULATED AGAINST MEASURED",
    }
}

fn scatter(
    rows: &[PredictionRow],
    name: &str,
    label: &str,
    pick: Pick,
) -> Result<Option<String>, RenderError> {
    let frame = Frame::PLOT;
    let both = || rows.iter().map(pick).flat_map(|(m, s)| [m, s]);
    // The same range on both axes: the diagonal means equal.
    let (Some(x), Some(y)) = (
        Scale::of(both(), frame.left, frame.right),
        Scale::of(both(), frame.bottom, frame.top),
    ) else {
        return Ok(None);
    };
    let title = format!("{label} of each request, simulated against measured");
    let (x_axis, y_axis) = (
        Axis::new("measured", x, format::seconds),
        Axis::new("simulated", y, format::seconds),
    );
    let about = about(name, "requests", title, rows.len());
    let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
    let ends = [(frame.left, frame.bottom), (frame.right, frame.top)];
    chart.add("equal", "--soft", Mark::Dashed, line(ends.map(Some)));
    for (rows, colour) in by_source(rows) {
        let places = rows.iter().map(pick).map(|(m, s)| (x.place(m), y.place(s)));
        chart.add(&rows[0].source, colour, Mark::Dots, dots(places));
    }
    chart.draw().map(Some)
}

fn shares(
    rows: &[PredictionRow],
    name: &str,
    label: &str,
    pick: Pick,
) -> Result<Option<String>, RenderError> {
    let frame = Frame::PLOT;
    let both = || rows.iter().map(pick).flat_map(|(m, s)| [m, s]);
    let (Some(x), Some(y)) = (
        Scale::of(both(), frame.left, frame.right),
        Scale::of([0.0, 1.0], frame.bottom, frame.top),
    ) else {
        return Ok(None);
    };
    let title = format!("Share of requests within a {label}, simulated and measured");
    let percent = |share| format!("{:.0} %", share * 100.0);
    let (x_axis, y_axis) = (
        Axis::new("latency", x, format::seconds),
        Axis::new("requests within it", y, percent),
    );
    let about = about(name, "shares", title, rows.len());
    let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
    let curve = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        staircase(&values, values.len(), &x, &y)
    };
    for (i, (rows, colour)) in by_source(rows).enumerate() {
        let (measured, simulated): (Vec<f64>, Vec<f64>) = rows.iter().map(pick).unzip();
        if i == 0 {
            chart.add("measured", MEASURED, Mark::Dashed, curve(measured));
        }
        chart.add(&rows[0].source, colour, Mark::Line, curve(simulated));
    }
    chart.draw().map(Some)
}
