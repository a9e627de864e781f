//! What a server showed of itself during one trial.

use handlebars::RenderError;
use sbt_schemas::TelemetryRow;

use super::Frame;
use super::chart::{About, Axis, Chart, Mark, line};
use super::scale::Scale;
use crate::format;

/// A gauge with its colour.
type Gauge = (&'static str, &'static str, fn(&TelemetryRow) -> Option<f64>);

/// Gauges of one unit.
struct Group {
    name: &'static str,
    title: &'static str,
    label: fn(f64) -> String,
    gauges: &'static [Gauge],
}

const GROUPS: &[Group] = &[
    Group {
        name: "requests",
        title: "requests in the server",
        label: format::digits,
        gauges: &[
            ("running", "--a", |row| row.running),
            ("waiting", "--hot", |row| row.waiting),
        ],
    },
    Group {
        name: "use",
        title: "share in use",
        label: |share| format!("{:.0} %", share * 100.0),
        gauges: &[
            ("KV cache", "--a", |row| row.kv_usage),
            ("GPU", "--c", |row| row.gpu_use),
        ],
    },
    Group {
        name: "memory",
        title: "memory",
        label: |mb| format::metric("vram_mb", mb),
        gauges: &[
            ("fullest GPU", "--a", |row| row.vram_mb),
            ("processes", "--c", |row| row.rss_mb),
        ],
    },
    Group {
        name: "cores",
        title: "processor cores in use",
        label: format::digits,
        gauges: &[("server", "--a", |row| row.cpu_cores)],
    },
    Group {
        name: "power",
        title: "power of the GPUs",
        label: |watts| format::metric("power_w", watts),
        gauges: &[("power", "--a", |row| row.power_w)],
    },
];

/// A strip for each group of gauges that were read at all, by the group's name.
pub(crate) fn telemetry(
    trial_key: &str,
    rows: &[TelemetryRow],
    id: &str,
    stamp: &str,
) -> Result<Vec<(&'static str, String)>, RenderError> {
    let rows = rows.iter().filter(|row| row.trial_key == trial_key);
    let mut rows: Vec<&TelemetryRow> = rows.collect();
    rows.sort_by(|a, b| a.time_s.total_cmp(&b.time_s));
    let mut strips = Vec::new();
    for group in GROUPS {
        if let Some(strip) = strip(group, &rows, id, stamp)? {
            strips.push((group.name, strip));
        }
    }
    Ok(strips)
}

fn strip(
    group: &Group,
    rows: &[&TelemetryRow],
    id: &str,
    stamp: &str,
) -> Result<Option<String>, RenderError> {
    let frame = Frame::STRIP;
    let read = |gauge: &&Gauge| rows.iter().any(|row| gauge.2(row).is_some());
    let gauges: Vec<&Gauge> = group.gauges.iter().filter(read).collect();
    if gauges.is_empty() {
        return Ok(None);
    }
    let values = gauges.iter();
    let values = values.flat_map(|(_, _, value)| rows.iter().filter_map(|row| value(row)));
    // 0 keeps both scales linear, and gauges comparable by eye.
    let times = rows.iter().map(|row| row.time_s).chain([0.0]);
    let (Some(x), Some(y)) = (
        Scale::of(times, frame.left, frame.right),
        Scale::of(values.chain([0.0]), frame.bottom, frame.top),
    ) else {
        return Ok(None);
    };
    let names: Vec<&str> = gauges.iter().map(|(name, _, _)| *name).collect();
    let about = About {
        id: format!("{id}-{}", group.name),
        title: group.title.to_owned(),
        description: format!("{}, {} samples", names.join(" and "), rows.len()),
        stamp,
    };
    let x_axis = Axis::new("s from the start", x, format::digits);
    let y_axis = Axis::new(group.title, y, group.label);
    let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
    for (label, colour, value) in gauges {
        let places = rows
            .iter()
            .map(|row| Some((x.place(row.time_s), y.place(value(row)?))));
        chart.add(label, colour, Mark::Line, line(places));
    }
    chart.draw().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::measurement;

    #[test]
    fn only_gauges_that_were_read_are_drawn_and_gaps_stay_open() {
        let rows = measurement().telemetry;
        let strips = telemetry("key", &rows, "id", "MEASURED").unwrap();
        let names: Vec<&str> = strips.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["requests", "memory"]);
        let (_, requests) = &strips[0];
        assert!(requests.contains("running") && !requests.contains("waiting"));
        let line = requests.split("<path d=\"").nth(1).unwrap();
        let line = line.split('"').next().unwrap();
        assert_eq!(
            line.matches('M').count(),
            2,
            "a sample without a value breaks it: {line}"
        );
    }
}
