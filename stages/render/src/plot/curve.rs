//! Latency over the offered rate.

use handlebars::RenderError;
use sbt_schemas::RateCurveRow;

use super::chart::{About, Axis, Chart, Mark, crosses, line};
use super::{Frame, Scale};
use crate::format;

/// Of the configurations that are drawn: the recommendation and what it replaces, which are the
/// first and the last of the table.
const COLOURS: [&str; 2] = ["--a", "--c"];

/// p95 of E2E over the offered rate; crosses
/// stand where the rate is not sustainable. None without a latency.
pub(crate) fn curve(rows: &[RateCurveRow], stamp: &str) -> Result<Option<String>, RenderError> {
    let frame = Frame::PLOT;
    let mut names: Vec<&str> = rows.iter().map(|row| row.config_name.as_str()).collect();
    names.dedup();
    if names.len() > COLOURS.len() {
        names.drain(1..names.len() - 1);
    }
    let shown = |row: &&RateCurveRow| names.contains(&row.config_name.as_str());
    let shown: Vec<&RateCurveRow> = rows.iter().filter(shown).collect();
    let rates = shown.iter().map(|row| row.offered_rps).chain([0.0]);
    let latencies = shown.iter().filter_map(|row| row.e2e_p95_s);
    let (Some(x), Some(y)) = (
        Scale::of(rates, frame.left, frame.right),
        Scale::of(latencies, frame.bottom, frame.top),
    ) else {
        return Ok(None);
    };
    let about = About {
        id: "rate-curve".to_owned(),
        title: "latency over the offered rate".to_owned(),
        description: format!("E2E p95 of one replica of {}", names.join(", ")),
        stamp,
    };
    let x_axis = Axis::new("requests offered per second", x, format::digits);
    let y_axis = Axis::new("E2E p95", y, format::seconds);
    let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
    for (name, colour) in names.into_iter().zip(COLOURS) {
        let of_name = shown.iter().filter(|row| row.config_name == name);
        let placed = of_name.map(|row| {
            let place = row
                .e2e_p95_s
                .map(|s| (x.place(row.offered_rps), y.place(s)));
            (place, row.sustained)
        });
        let placed: Vec<(Option<(f64, f64)>, bool)> = placed.collect();
        let broken = placed.iter().filter(|(_, sustained)| !sustained);
        let broken = crosses(broken.filter_map(|(place, _)| *place));
        let path = line(placed.iter().map(|(place, _)| *place));
        chart.add(name, colour, Mark::Line, path + &broken);
    }
    chart.draw().map(Some)
}

#[cfg(test)]
mod tests {
    use sbt_schemas::Provenance;

    use super::*;

    fn row(name: &str, offered_rps: f64, e2e_p95_s: Option<f64>, sustained: bool) -> RateCurveRow {
        RateCurveRow {
            config_id: name.to_owned(),
            config_name: name.to_owned(),
            rate_scale: offered_rps / 10.0,
            offered_rps,
            rps: Some(offered_rps),
            ttft_p50_s: None,
            ttft_p95_s: None,
            e2e_p50_s: None,
            e2e_p95_s,
            e2e_p95_lo_s: None,
            e2e_p95_hi_s: None,
            slo_share: None,
            sustained,
            queue_model_wait_s: None,
            n_draws: 3,
            provenance: Provenance::Simulated,
        }
    }

    #[test]
    fn broken_rates_are_crossed_and_nothing_is_drawn_of_nothing() {
        let rows = [
            row("best", 5.0, Some(1.0), true),
            row("best", 10.0, Some(3.0), false),
            row("baseline", 5.0, Some(2.0), true),
        ];
        let svg = curve(&rows, "SIMULATED").unwrap().unwrap();
        assert_eq!(svg.matches("m-4-4l8 8m0-8l-8 8").count(), 1);
        assert!(svg.contains("best") && svg.contains("baseline"));
        assert_eq!(curve(&[], "SIMULATED").unwrap(), None);
        assert_eq!(curve(&[row("a", 5.0, None, false)], "S").unwrap(), None);
    }
}
