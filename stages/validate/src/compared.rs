use sbt_engine::Digest;
use sbt_schemas::{FidelityRow, PredictionRow};
use sbt_trials::nearest_rank;
use serde_json::json;

use crate::errors::{mape, mean};
use crate::interval::Interval;
use crate::latencies::{Latencies, Metric};
use crate::scene::Scene;

pub(crate) const SOURCE_ANALYTIC: &str = "analytic";
pub(crate) const SOURCE_KERNELS: &str = "kernels";
pub(crate) const SOURCE_CALIBRATED: &str = "calibrated";

/// Share of the requests that intervals are to hold.
pub(crate) const NOMINAL: f64 = 0.9;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// A run as one source of step times simulates it.
pub(crate) struct Compared<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) source: &'static str,
    pub(crate) simulated: &'a [Latencies],
    /// By metric and request.
    pub(crate) intervals: Option<&'a [Vec<Option<Interval>>; 3]>,
    /// The first requests, which a calibration has seen and no error counts.
    pub(crate) first: usize,
}

impl Compared<'_> {
    /// Errors over the requests that no calibration has seen.
    pub(crate) fn fidelity(&self) -> Vec<FidelityRow> {
        let mut rows = Vec::new();
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            let pairs = self
                .simulated
                .iter()
                .zip(&self.scene.measured)
                .skip(self.first);
            let pairs = pairs.filter_map(|(s, m)| s.get(metric).zip(m.get(metric)));
            let pairs: Vec<(f64, f64)> = pairs.collect();
            if pairs.is_empty() {
                continue;
            }
            let row = |statistic: &str, simulated, measured, error| FidelityRow {
                config_id: self.config_id(),
                config_name: self.scene.title.clone(),
                metric: metric.name().to_owned(),
                statistic: statistic.to_owned(),
                source: self.source.to_owned(),
                simulated,
                measured,
                error,
                n: pairs.len() as u64,
            };
            for (statistic, simulated, measured) in statistics(&pairs) {
                let error = simulated / measured - 1.0;
                rows.push(row(statistic, Some(simulated), Some(measured), Some(error)));
            }
            rows.push(row("mape", None, None, Some(mape(&pairs))));
            if let Some(intervals) = self.intervals {
                let held = self.held(metric, &intervals[index]);
                rows.push(row(
                    "coverage_90",
                    Some(NOMINAL),
                    Some(held),
                    Some(NOMINAL / held - 1.0),
                ));
            }
        }
        rows
    }

    /// What is said of each request.
    pub(crate) fn predictions(&self) -> Vec<PredictionRow> {
        let pairs = self.simulated.iter().zip(&self.scene.measured).enumerate();
        let rows = pairs.map(|(request, (simulated, measured))| {
            let of = |metric: usize| self.intervals.and_then(|all| all[metric][request]);
            let [ttft, tpot, e2e] = [of(0), of(1), of(2)];
            PredictionRow {
                source: self.source.to_owned(),
                request_id: request as u64,
                calibrated_on: request < self.first,
                ttft_s: simulated.ttft_s,
                ttft_lo_s: ttft.map(|i| i.low),
                ttft_hi_s: ttft.map(|i| i.high),
                measured_ttft_s: measured.ttft_s,
                tpot_s: simulated.tpot_s,
                tpot_lo_s: tpot.map(|i| i.low),
                tpot_hi_s: tpot.map(|i| i.high),
                measured_tpot_s: measured.tpot_s,
                e2e_s: simulated.e2e_s,
                e2e_lo_s: e2e.map(|i| i.low),
                e2e_hi_s: e2e.map(|i| i.high),
                measured_e2e_s: measured.e2e_s,
            }
        });
        rows.collect()
    }

    /// Share of the requests whose measured value lies within its interval.
    fn held(&self, metric: Metric, intervals: &[Option<Interval>]) -> f64 {
        let pairs = intervals.iter().zip(&self.scene.measured).skip(self.first);
        let pairs = pairs.filter_map(|(interval, m)| Some((interval.as_ref()?, m.get(metric)?)));
        let held: Vec<bool> = pairs.map(|(interval, m)| interval.holds(m)).collect();
        held.iter().filter(|held| **held).count() as f64 / held.len().max(1) as f64
    }

    fn config_id(&self) -> String {
        let config = json!(self.scene.machine.config);
        Digest::of_value("recorded run", &config).short()
    }
}

/// Mean and percentiles of both sides.
fn statistics(pairs: &[(f64, f64)]) -> Vec<(&'static str, f64, f64)> {
    let (mut simulated, mut measured): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let mean_of = |values: &[f64]| mean(values.iter().copied());
    let mut all = vec![("mean", mean_of(&simulated), mean_of(&measured))];
    simulated.sort_unstable_by(f64::total_cmp);
    measured.sort_unstable_by(f64::total_cmp);
    for (name, q) in QUANTILES {
        let both = nearest_rank(&simulated, q).zip(nearest_rank(&measured, q));
        all.extend(both.map(|(simulated, measured)| (name, simulated, measured)));
    }
    all
}
