//! A real run as table `requests` has it: what the client saw.

use std::collections::{BTreeMap, BTreeSet};

use sbt_schemas::{RequestRow, RequestStatus, WorkloadRow};
use sbt_trials::{SimulatedMachine, simulator_requests};

use crate::latencies::Latencies;
use crate::scene::{Clock, Scene, Stream};

/// Why table `requests` cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum TrialRunError {
    /// It has several trials, or none.
    #[error("expected the `requests` of one trial of draw {draw}, found those of {found}")]
    Trials {
        /// The draw.
        draw: u64,
        /// Trials of the draw.
        found: usize,
    },
    /// A request of the workload is missing, or did not end well.
    #[error("request {request} {how}: calibrate on a run in which every request ended well")]
    Request {
        /// Number of the request.
        request: usize,
        /// What became of it.
        how: String,
    },
}

/// The run of one draw, with the simulator that stands for its server.
pub(crate) fn scene(
    machine: SimulatedMachine,
    rows: &[RequestRow],
    workload: &[WorkloadRow],
    draw: u64,
) -> Result<Scene, TrialRunError> {
    let of_draw = rows.iter().filter(|row| row.draw == draw);
    let trials: BTreeSet<&str> = of_draw.clone().map(|row| row.trial_key.as_str()).collect();
    let mut requests = simulator_requests(workload, draw);
    if trials.len() != 1 || requests.is_empty() {
        let found = trials.len();
        return Err(TrialRunError::Trials { draw, found });
    }
    let by_number: BTreeMap<u64, &RequestRow> = of_draw.map(|row| (row.request_id, row)).collect();
    let mut measured = Vec::with_capacity(requests.len());
    let mut streams = Vec::with_capacity(requests.len());
    for (number, request) in requests.iter_mut().enumerate() {
        let failed = |how: String| TrialRunError::Request {
            request: number,
            how,
        };
        let row = by_number.get(&(number as u64));
        let row = row.ok_or_else(|| failed("is not in `requests`".to_owned()))?;
        let latencies =
            latencies(row).ok_or_else(|| failed(format!("ended with {}", row.status)))?;
        request.output_tokens = u32::try_from(row.output_tokens).unwrap_or(u32::MAX);
        measured.push(latencies);
        streams.extend(stream(row));
    }
    if streams.len() < requests.len() {
        streams.clear();
    }
    Ok(Scene {
        streams,
        title: format!(
            "{} on {} x {}",
            machine.model.name, machine.gpus, machine.gpu.name
        ),
        machine,
        clock: Clock::Client,
        requests,
        measured,
    })
}

/// None: its tokens did not come one by one, or some of their steps were for nothing.
fn stream(row: &RequestRow) -> Option<Stream> {
    let gaps = row.output_tokens.checked_sub(1)?;
    if row.itl_s.len() as u64 != gaps || !row.icl_s.is_empty() || row.preemptions > Some(0) {
        return None;
    }
    let mut at_s = row.first_token_s?;
    let mut tokens_s = vec![at_s];
    for gap in &row.itl_s {
        at_s += gap;
        tokens_s.push(at_s);
    }
    Some(Stream {
        sent_s: row.sent_s?,
        tokens_s,
        cached: u32::try_from(row.cached_tokens.unwrap_or(0)).unwrap_or(u32::MAX),
    })
}

fn latencies(row: &RequestRow) -> Option<Latencies> {
    let (sent_s, first_s, end_s) = (row.sent_s?, row.first_token_s?, row.end_s?);
    let ok = row.status == RequestStatus::Ok && row.output_tokens > 0;
    ok.then(|| Latencies::of(first_s - sent_s, end_s - first_s, row.output_tokens))
}
