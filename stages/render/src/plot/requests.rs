//! What the requests of one trial went through.

use handlebars::RenderError;
use sbt_schemas::{Phase, RequestRow, RequestStatus};

use super::Frame;
use super::chart::{About, Axis, Chart, Mark, crosses, dots, staircase};
use super::scale::Scale;
use crate::format;

/// A latency of a request, with its colour.
type Shown = (&'static str, &'static str, fn(&RequestRow) -> Option<f64>);

const LATENCIES: [Shown; 2] = [
    ("TTFT", "--a", |row| row.ttft_s),
    ("E2E", "--c", |row| row.e2e_s),
];

/// Measured requests of one trial.
pub(crate) struct Requests<'a> {
    finished: Vec<&'a RequestRow>,
    failed: Vec<&'a RequestRow>,
}

impl<'a> Requests<'a> {
    pub(crate) fn of(trial_key: &str, rows: &'a [RequestRow]) -> Self {
        let measured = rows
            .iter()
            .filter(|row| row.trial_key == trial_key && row.phase == Phase::Measure);
        let (finished, other): (Vec<_>, Vec<_>) =
            measured.partition(|row| row.status == RequestStatus::Ok);
        // Answers that ended by themselves are neither: they stand in no latency.
        let failed = other.into_iter().filter(|row| !row.status.is_complete());
        Self {
            finished,
            failed: failed.collect(),
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let of_latency = LATENCIES.iter();
        of_latency.flat_map(|(_, _, value)| self.finished.iter().filter_map(|row| value(row)))
    }

    /// TTFT and E2E of each request by when it was to be sent; none when nothing finished.
    pub(crate) fn over_time(&self, id: String, stamp: &str) -> Result<Option<String>, RenderError> {
        /// Where failed requests stand below the upper edge of the plane.
        const EDGE: f64 = 8.0;
        let frame = Frame::PLOT;
        let sends = self.finished.iter().chain(&self.failed);
        // 0 keeps the scale linear.
        let sends = sends.map(|row| row.intended_s).chain([0.0]);
        let (Some(x), Some(y)) = (
            Scale::of(sends, frame.left, frame.right),
            Scale::of(self.values(), frame.bottom, frame.top + 2.0 * EDGE),
        ) else {
            return Ok(None);
        };
        let about = About {
            id,
            title: "Latency over time".to_owned(),
            description: format!(
                "{} finished and {} failed requests",
                self.finished.len(),
                self.failed.len()
            ),
            stamp,
        };
        let x_axis = Axis::new("intended send, s from the start", x, format::digits);
        let y_axis = Axis::new("latency from the intended send", y, format::seconds);
        let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
        for (label, colour, value) in LATENCIES {
            let rows = self.finished.iter();
            let places =
                rows.filter_map(|row| Some((x.place(row.intended_s), y.place(value(row)?))));
            chart.add(label, colour, Mark::Dots, dots(places));
        }
        if !self.failed.is_empty() {
            let places = self.failed.iter();
            let places = places.map(|row| (x.place(row.intended_s), frame.top + EDGE));
            chart.add("failed", "--hot", Mark::Crosses, crosses(places));
        }
        chart.draw().map(Some)
    }

    fn total(&self) -> usize {
        self.finished.len() + self.failed.len()
    }

    /// Share of the requests within a latency; failed ones are within none.
    pub(crate) fn ecdf(&self, id: String, stamp: &str) -> Result<Option<String>, RenderError> {
        let frame = Frame::PLOT;
        let (Some(x), Some(y)) = (
            Scale::of(self.values(), frame.left, frame.right),
            Scale::of([0.0, 1.0], frame.bottom, frame.top),
        ) else {
            return Ok(None);
        };
        let about = About {
            id,
            title: "Share of requests within a latency".to_owned(),
            description: format!(
                "{} finished of {} requests",
                self.finished.len(),
                self.total()
            ),
            stamp,
        };
        let percent = |share| format!("{:.0} %", share * 100.0);
        let x_axis = Axis::new("latency from the intended send", x, format::seconds);
        let y_axis = Axis::new("requests within it", y, percent);
        let mut chart = Chart::new(about, frame, &x_axis, &y_axis);
        for (label, colour, value) in LATENCIES {
            let mut values: Vec<f64> = self.finished.iter().filter_map(|row| value(row)).collect();
            values.sort_unstable_by(f64::total_cmp);
            chart.add(
                label,
                colour,
                Mark::Line,
                staircase(&values, self.total(), &x, &y),
            );
        }
        chart.draw().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::measurement;

    #[test]
    fn failures_are_marked_and_the_warm_up_is_not_drawn() {
        let inputs = measurement();
        let requests = Requests::of("key", &inputs.requests);
        let plot = requests
            .over_time("id".to_owned(), "MEASURED")
            .unwrap()
            .unwrap();
        assert!(plot.contains("3 finished and 2 failed requests"));
        let dots = plot.matches("h0").count();
        assert_eq!(dots, 3 + 3 + 2, "TTFT, E2E, and their keys");
        assert_eq!(plot.matches("m-4-4l8 8").count(), 2 + 1, "and the key");
    }

    #[test]
    fn failed_requests_keep_the_curve_below_one() {
        let inputs = measurement();
        let requests = Requests::of("key", &inputs.requests);
        let x = Scale::of([1.0, 4.0], 0.0, 100.0).unwrap();
        let y = Scale::of([0.0, 1.0], 0.0, 100.0).unwrap();
        let curve = staircase(&[1.0, 2.0, 4.0], requests.total(), &x, &y);
        let end: f64 = curve.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((end - y.place(0.6)).abs() < 0.1, "{curve}");
    }

    #[test]
    fn nothing_finished_draws_nothing() {
        let inputs = measurement();
        let other = Requests::of("another trial", &inputs.requests);
        assert!(other.over_time("id".to_owned(), "").unwrap().is_none());
        assert!(other.ecdf("id".to_owned(), "").unwrap().is_none());
    }
}
