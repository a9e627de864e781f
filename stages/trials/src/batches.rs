use sbt_schemas::{Phase, RequestRow, TrialRow};

use crate::metrics::{Metrics, Throughput};
use crate::trial_row::{Execution, Identity, ServerState, trial_row};
use crate::{Slo, Trial};

/// A trial's row as each of `count` successive batches of its measured requests shows it, in the
/// order of the intended send; its outcome is the trial's. Latencies and shares are of the batch's
/// own requests, rates of all that left the server until the next batch began. Empty without the
/// requests, or with fewer than batches.
#[must_use]
pub fn batches(trial: &Trial, slo: &Slo, count: usize) -> Vec<TrialRow> {
    let measured = trial.requests.iter().filter(|r| r.phase == Phase::Measure);
    let mut measured: Vec<&RequestRow> = measured.collect();
    measured.sort_by(|a, b| a.intended_s.total_cmp(&b.intended_s));
    if count == 0 || measured.len() < count {
        return Vec::new();
    }
    let bound = |batch: usize| batch * measured.len() / count;
    let begin_s = |batch: usize| measured[bound(batch).min(measured.len() - 1)].intended_s;
    let rows = (0..count).map(|batch| {
        let own = measured[bound(batch)..bound(batch + 1)].iter();
        let own: Vec<RequestRow> = own.map(|r| (*r).clone()).collect();
        let span = (begin_s(batch), begin_s(batch + 1));
        let throughput = (span.1 > span.0).then(|| Throughput::within(&trial.requests, slo, span));
        let metrics = Metrics {
            throughput,
            ..Metrics::of(&own, slo, 0.0, false)
        };
        let row = &trial.row;
        let state = ServerState {
            vram_peak_mb: row.vram_peak_mb,
            kv_peak: row.kv_peak,
            ..ServerState::default()
        };
        let ending = (row.outcome, row.reason.clone());
        TrialRow {
            provenance: row.provenance,
            ..trial_row(identity(row), ending, &metrics, state, Execution::default())
        }
    });
    rows.collect()
}

fn identity(row: &TrialRow) -> Identity {
    Identity {
        trial_key: row.trial_key.clone(),
        config_id: row.config_id.clone(),
        config_name: row.config_name.clone(),
        config: row.config.clone(),
        backend: row.backend.clone(),
        draw: row.draw,
        rate_scale: row.rate_scale,
        gpus: row.gpus,
        cost_usd_h: row.cost_usd_h,
    }
}

#[cfg(test)]
mod tests {
    use sbt_schemas::{Outcome, Provenance};

    use super::*;
    use crate::samples::request;

    fn trial(requests: Vec<RequestRow>) -> Trial {
        let identity = Identity {
            trial_key: String::new(),
            config_id: String::new(),
            config_name: String::new(),
            config: "{}".to_owned(),
            backend: String::new(),
            draw: 0,
            rate_scale: 1.0,
            gpus: 1,
            cost_usd_h: Some(3.6),
        };
        let ending = (Outcome::Ok, String::new());
        Trial {
            requests,
            ..Trial::unserved(identity, ending, Execution::default())
        }
    }

    #[test]
    fn each_batch_has_the_latencies_of_its_requests_and_the_tokens_of_its_time() {
        // A request a second, with 50 tokens; the second half takes twice as long.
        let rows = (0..40).map(|i| {
            let e2e_s = if i < 20 { 1.0 } else { 2.0 };
            request(i, i as f64, 0.1, e2e_s, 50)
        });
        let trial = trial(rows.collect());
        let found = batches(&trial, &Slo::default(), 4);
        let e2e: Vec<Option<f64>> = found.iter().map(|row| row.e2e_p95_s).collect();
        assert_eq!(e2e, [Some(1.1), Some(1.1), Some(2.1), Some(2.1)]);
        assert!(found.iter().all(|row| row.n == 10));
        assert!(
            found
                .iter()
                .all(|row| row.provenance == Provenance::Simulated)
        );
        let tok_s = found[1].tok_s.unwrap();
        assert!((tok_s - 50.0).abs() < 5.0, "{tok_s}");
        assert!((found[1].cost_per_mtok.unwrap() - 1e3 / tok_s).abs() < 1e-9);
        assert_eq!(batches(&trial, &Slo::default(), 41), []);
    }
}
