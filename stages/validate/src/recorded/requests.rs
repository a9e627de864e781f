use sbt_schemas::WorkloadRow;
use sbt_simulator::Request;
use sbt_trials::simulator_requests;
use serde::Deserialize;

use super::RunError;
use crate::latencies::Latencies;

/// How far the prompt of a request may be from the workload's: servers add tokens at the start.
const PROMPT_SLACK_TOKENS: u64 = 16;

/// One request as the server saw it; times in seconds on its own clock.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Recorded {
    #[serde(default)]
    request_id: String,
    input_toks: u64,
    output_toks: u64,
    queued_ts: f64,
    first_token_ts: f64,
    last_token_ts: f64,
}

impl Recorded {
    fn problem(&self) -> Option<String> {
        let times = [self.queued_ts, self.first_token_ts, self.last_token_ts];
        if self.input_toks == 0 || self.output_toks == 0 {
            return Some("expected 1 or more `input_toks` and `output_toks`".to_owned());
        }
        let in_order = times.iter().all(|time| time.is_finite()) && times.is_sorted();
        (!in_order).then(|| {
            format!("expected queued_ts <= first_token_ts <= last_token_ts, found {times:?}")
        })
    }

    /// Number at the end of the name, as in `bench-17`.
    fn number(&self) -> Option<u64> {
        let digits = self
            .request_id
            .rsplit(|c: char| !c.is_ascii_digit())
            .next()?;
        digits.parse().ok()
    }
}

impl From<&Recorded> for Latencies {
    fn from(request: &Recorded) -> Self {
        Self::of(
            request.first_token_ts - request.queued_ts,
            request.last_token_ts - request.first_token_ts,
            request.output_toks,
        )
    }
}

/// The requests of a run in the order of their numbers; where some have none, as they stand.
pub(super) fn read(text: &str) -> Result<Vec<Recorded>, RunError> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let requests = lines.map(|(index, line)| {
        let wrong = |problem| RunError::Line { line: index + 1, problem };
        let request: Recorded = serde_json::from_str(line).map_err(|error| wrong(format!(
            "{error}; expected an object with `input_toks`, `output_toks`, `queued_ts`, `first_token_ts` and `last_token_ts`"
        )))?;
        match request.problem() {
            Some(problem) => Err(wrong(problem)),
            None => Ok(request),
        }
    });
    let mut requests = requests.collect::<Result<Vec<_>, _>>()?;
    if requests.iter().all(|request| request.number().is_some()) {
        requests.sort_by_key(Recorded::number);
    }
    Ok(requests)
}

/// The workload as the simulator takes it, checked to be that of the run. Tokens to generate are
/// those that the server did generate.
pub(super) fn matched(
    recorded: &[Recorded],
    workload: &[WorkloadRow],
) -> Result<Vec<Request>, RunError> {
    let mut requests = simulator_requests(workload, 0);
    if recorded.len() != requests.len() || recorded.is_empty() {
        return Err(RunError::Count {
            run: recorded.len(),
            workload: requests.len(),
        });
    }
    for (index, (request, run)) in requests.iter_mut().zip(recorded).enumerate() {
        if u64::from(request.prompt_tokens).abs_diff(run.input_toks) > PROMPT_SLACK_TOKENS {
            return Err(RunError::Prompt {
                request: index,
                run: run.input_toks,
                workload: request.prompt_tokens,
            });
        }
        request.output_tokens = u32::try_from(run.output_toks).unwrap_or(u32::MAX);
    }
    Ok(requests)
}
