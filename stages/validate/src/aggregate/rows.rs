//! What the mode says: rows by group, verdicts, and a row for each point.

use sbt_schemas::{FidelityRow, PointRow, PointUse, Provenance, Verdict, VerdictRow};

use super::group::{Candidate, Group};
use super::params::Limits;
use super::point::Point;
use super::reader::Line;
use super::scene::Simulated;
use crate::errors::{mape, mean};

/// Names of the step times before and after the fit.
const ANALYTIC: &str = "analytic";
const FITTED: &str = "analytic, host work and mixed attention fitted";

/// One latency on both sides; none where it was not measured.
type Pick = fn(&Candidate, &Simulated) -> Option<(f64, f64)>;

const METRICS: [(&str, Pick); 2] = [
    ("tpot", |candidate, simulated| {
        Some((simulated.tpot_s, candidate.point.tpot_s))
    }),
    ("ttft", |candidate, simulated| {
        Some((simulated.ttft_s, candidate.point.ttft_s?))
    }),
];

/// Errors of the points that were not fitted.
pub(crate) fn fidelity(group: &Group) -> Vec<FidelityRow> {
    let mut rows = Vec::new();
    for (metric, pick) in METRICS {
        for source in [ANALYTIC, FITTED] {
            let held_out = group.held_out();
            let pairs = held_out.iter().filter_map(|candidate| {
                let simulated = if source == ANALYTIC {
                    &candidate.analytic
                } else {
                    &candidate.fitted
                };
                pick(candidate, simulated)
            });
            let pairs: Vec<(f64, f64)> = pairs.collect();
            if !pairs.is_empty() {
                rows.extend(of_pairs(group, metric, source, &pairs));
            }
        }
    }
    rows
}

fn of_pairs(group: &Group, metric: &str, source: &str, pairs: &[(f64, f64)]) -> [FidelityRow; 2] {
    let simulated = mean(pairs.iter().map(|pair| pair.0));
    let measured = mean(pairs.iter().map(|pair| pair.1));
    let row = |statistic: &str, error: f64| FidelityRow {
        config_id: group.name.clone(),
        config_name: group.name.clone(),
        metric: metric.to_owned(),
        statistic: statistic.to_owned(),
        source: source.to_owned(),
        simulated: Some(simulated),
        measured: Some(measured),
        error: Some(error),
        n: pairs.len() as u64,
    };
    [
        row("mape", mape(pairs)),
        row("mean", simulated / measured - 1.0),
    ]
}

/// Whether the time per output token is met within the limit.
pub(crate) fn verdict(group: &Group, limits: &Limits) -> VerdictRow {
    let point = &group.candidates[0].point;
    let limit = match (&point.model.experts, &point.gpu.fp4) {
        (Some(_), _) => limits.mixture,
        (None, Some(_)) => limits.dense_on_fp4,
        (None, None) => limits.dense,
    };
    let held_out = group.held_out();
    let pairs = |pick: fn(&Candidate) -> Simulated| -> Vec<(f64, f64)> {
        let both = held_out.iter().map(|c| (pick(c).tpot_s, c.point.tpot_s));
        both.collect()
    };
    let (before, after) = (pairs(|c| c.analytic), pairs(|c| c.fitted));
    let value = (!after.is_empty()).then(|| mape(&after));
    let verdict = match value.zip(limit) {
        None => Verdict::Inconclusive,
        Some((value, limit)) if value <= limit => Verdict::Pass,
        Some(_) => Verdict::Fail,
    };
    let evidence = match value {
        None => "every point was fitted".to_owned(),
        Some(value) => evidence(group, value, mape(&before)),
    };
    VerdictRow {
        check: format!("TPOT of {}", group.name),
        subject: "tpot_mape".to_owned(),
        verdict,
        value,
        limit,
        evidence,
        provenance: Provenance::Measured,
    }
}

fn evidence(group: &Group, error: f64, before: f64) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    format!(
        "TPOT MAPE {} over {} points that were not fitted, {} before the fit; host work x {:.2} and \
         mixed attention x {:.2} from {} points of its own",
        percent(error),
        group.held_out().len(),
        percent(before),
        group.overheads.host.exp(),
        group.overheads.mixed.exp(),
        group.fitted(),
    )
}

/// The row of a line before anything is simulated.
pub(crate) fn named(line: &Line, id: String) -> PointRow {
    let server = [line.text("backend"), line.text("backend_version")];
    let ms = |column: &str| line.number(column).ok().flatten().map(|ms| ms * 1e-3);
    PointRow {
        id,
        used: PointUse::Skipped,
        reason: None,
        config_group: None,
        model: line.text("model_path").to_owned(),
        system: line.text("system").to_owned(),
        server: server.join(" ").trim().to_owned(),
        input_tokens: None,
        output_tokens: None,
        concurrency: None,
        tensor_parallel_size: None,
        data_parallel_size: None,
        measured_ttft_s: ms("silicon_ttft_ms"),
        simulated_ttft_s: None,
        measured_tpot_s: ms("silicon_tpot_ms"),
        simulated_tpot_s: None,
        tpot_error: None,
    }
}

/// What a line that can be simulated says besides.
pub(crate) fn understood(row: &mut PointRow, point: &Point) {
    row.input_tokens = Some(point.input_tokens.into());
    row.output_tokens = Some(point.output_tokens.into());
    row.concurrency = Some(point.concurrency.into());
    row.tensor_parallel_size = Some(point.tensor_parallel.into());
    row.data_parallel_size = Some(point.data_parallel.into());
}

/// What became of it.
pub(crate) fn simulated(row: &mut PointRow, group: &Group, candidate: &Candidate) {
    row.used = if candidate.held_out {
        PointUse::HeldOut
    } else {
        PointUse::Fitted
    };
    row.config_group = Some(group.name.clone());
    row.simulated_ttft_s = Some(candidate.fitted.ttft_s);
    row.simulated_tpot_s = Some(candidate.fitted.tpot_s);
    row.tpot_error = Some(candidate.fitted.tpot_s / candidate.point.tpot_s - 1.0);
}
