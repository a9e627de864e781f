//! What the events of an answer add up to: tokens, stamps, status.

use sbt_schemas::{RequestStatus, TokenSource};

use crate::chunk::{Choice, Chunk, Timings, Usage, error_of, said_by};
use crate::sse::{Event, TERMINATOR};
use crate::{Observed, Warning};

/// Silence of tokens, with pings, that is worth a word; chosen.
const PING_GAP_S: f64 = 1.0;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) output_tokens: u64,
    pub(crate) usage: bool,
    pub(crate) ignore_eos: bool,
    pub(crate) keep_text: bool,
}

/// A status with the reason.
pub(crate) type Fault = (RequestStatus, String);

/// The answer so far.
#[derive(Debug)]
pub(crate) struct Answer {
    expected: Expected,
    usage: Option<Usage>,
    timings: Option<Timings>,
    /// Tokens that usage on events has told of.
    counted: u64,
    /// Token events that carried usage.
    with_usage: usize,
    reasoned: bool,
    is_done: bool,
    fault: Option<Fault>,
    /// When anything but a ping came.
    last_news_s: f64,
}

impl Answer {
    /// Begins at the head of the answer.
    pub(crate) fn new(expected: Expected, headers_s: f64) -> Self {
        Self {
            expected,
            usage: None,
            timings: None,
            counted: 0,
            with_usage: 0,
            reasoned: false,
            is_done: false,
            fault: None,
            last_news_s: headers_s,
        }
    }

    /// Whether nothing more is to be waited for: the terminator came, or an error.
    pub(crate) fn is_over(&self) -> bool {
        self.is_done || self.fault.is_some()
    }

    /// Whether the terminator came.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    pub(crate) fn terminate(&mut self) {
        self.is_done = true;
    }

    /// Takes an event of a stream that came at `at` seconds.
    pub(crate) fn event(&mut self, seen: &mut Observed, at: f64, event: Event<'_>) {
        if self.is_over() {
            return;
        }
        match event {
            Event::Comment => {
                if at - self.last_news_s > PING_GAP_S {
                    seen.warn(Warning::PingOnlyGap);
                }
                return;
            }
            Event::Data(data) if data == TERMINATOR => self.is_done = true,
            Event::Data([]) => return,
            Event::Data(data) => self.data(seen, at, data),
            Event::Error(data) => {
                let said = error_of(data).unwrap_or_else(|| lossy(data));
                self.fault = Some((RequestStatus::SseError, said));
            }
            Event::Malformed(line) => self.garbage(line),
        }
        self.last_news_s = at;
        seen.first_event_s.get_or_insert(at);
    }

    /// Takes a whole answer, of a server that does not stream.
    pub(crate) fn whole(&mut self, seen: &mut Observed, body: &[u8]) {
        seen.warn(Warning::NotStreamed);
        let Some(chunk) = self.parse(seen, body) else {
            return;
        };
        self.is_done = true;
        let Some(choice) = chunk.choices.as_ref().and_then(|c| c.first()) else {
            return;
        };
        self.keep(seen, choice);
        let has_tokens = choice.content().is_some() || choice.reasons() || choice.calls();
        if has_tokens {
            // without a stamp: it did not come token by token
            seen.output_tokens = 1;
        }
    }

    fn data(&mut self, seen: &mut Observed, at: f64, data: &[u8]) {
        let Some(chunk) = self.parse(seen, data) else {
            return;
        };
        let Some(choice) = chunk.choices.as_ref().and_then(|c| c.first()) else {
            return;
        };
        self.keep(seen, choice);
        let is_output = choice.content().is_some() || choice.calls();
        if !is_output && !choice.reasons() {
            return;
        }
        let tokens = match chunk.usage.and_then(|u| u.completion_tokens) {
            Some(total) => {
                let new = total.saturating_sub(self.counted);
                self.counted = self.counted.max(total);
                self.with_usage += 1;
                u32::try_from(new).unwrap_or(u32::MAX)
            }
            None => 1,
        };
        seen.events.push((at, tokens));
        seen.first_token_s.get_or_insert(at);
        seen.last_token_s = Some(at);
        if is_output {
            seen.first_output_s.get_or_insert(at);
        }
    }

    /// Reads what every event may hold; none when it is an error or no answer.
    fn parse<'a>(&mut self, seen: &mut Observed, data: &'a [u8]) -> Option<Chunk<'a>> {
        let chunk: Chunk<'a> = match serde_json::from_slice(data) {
            Ok(chunk) => chunk,
            Err(_) => {
                self.error_or_garbage(data);
                return None;
            }
        };
        if let Some(error) = &chunk.error {
            self.fault = Some((RequestStatus::SseError, said_by(error)));
            return None;
        }
        if chunk.choices.is_none() && chunk.usage.is_none() {
            self.error_or_garbage(data);
            return None;
        }
        self.usage = chunk.usage.or(self.usage);
        if let Some(timings) = chunk.timings {
            self.timings = Some(timings);
            seen.server = timings.server();
        }
        if let Some(metrics) = chunk.metrics {
            seen.server = metrics.server();
        }
        if seen.server_request_id.is_none() {
            seen.server_request_id = chunk.id.as_ref().map(|id| id.0.clone().into_owned());
        }
        Some(chunk)
    }

    fn keep(&mut self, seen: &mut Observed, choice: &Choice<'_>) {
        self.reasoned |= choice.reasons();
        if let Some(reason) = choice.finish_reason() {
            seen.finish_reason = Some(reason.to_owned());
        }
        if self.expected.keep_text {
            seen.text.push_str(choice.content().unwrap_or_default());
        }
    }

    fn error_or_garbage(&mut self, data: &[u8]) {
        match error_of(data) {
            Some(said) => self.fault = Some((RequestStatus::SseError, said)),
            None => self.garbage(data),
        }
    }

    fn garbage(&mut self, data: &[u8]) {
        let said = format!("no answer: {}", lossy(data));
        self.fault = Some((RequestStatus::SseGarbage, said));
    }

    /// Settles counts and status, once, at the end of the stream: a clean one, or broken off.
    pub(crate) fn settle(mut self, seen: &mut Observed, broken: Option<Fault>) {
        self.count(seen);
        let fault = match (self.fault.take(), self.is_done) {
            (Some(fault), _) => Some(fault),
            (None, true) => None,
            (None, false) => broken,
        };
        let is_ended = self.is_done || seen.finish_reason.is_some();
        let has_tokens = !seen.events.is_empty()
            || (seen.warnings.contains(&Warning::NotStreamed) && seen.output_tokens > 0);
        (seen.status, seen.error) = match fault {
            Some((status, error)) => (status, Some(error)),
            None if !is_ended => (RequestStatus::NoTerminator, None),
            None if !has_tokens => (RequestStatus::Empty, None),
            None if self.is_short(seen) => (RequestStatus::OkShort, None),
            None => (RequestStatus::Ok, None),
        };
        if seen.status.is_complete() {
            self.warn(seen);
        }
    }

    fn is_short(&self, seen: &Observed) -> bool {
        self.expected.ignore_eos
            && seen.finish_reason.as_deref() == Some("stop")
            && seen.output_tokens < self.expected.output_tokens
    }

    fn warn(&self, seen: &mut Observed) {
        if !self.is_done {
            seen.warn(Warning::NoDone);
        }
        if self.expected.usage && self.usage.is_none() {
            seen.warn(Warning::NoUsage);
        }
        if seen.reasoning_tokens.is_some_and(|n| n > 0) && !self.reasoned {
            seen.warn(Warning::HiddenReasoning);
        }
    }

    fn count(&self, seen: &mut Observed) {
        let usage = self.usage.as_ref();
        let timings = self.timings.as_ref();
        seen.prompt_tokens = usage
            .and_then(|u| u.prompt_tokens)
            .or_else(|| timings.and_then(Timings::prompt_tokens));
        seen.cached_tokens = usage
            .and_then(|u| u.prompt_tokens_details?.cached_tokens)
            .or_else(|| timings.and_then(Timings::cached_tokens));
        seen.reasoning_tokens = usage.and_then(|u| u.completion_tokens_details?.reasoning_tokens);

        let by_events = seen.events.iter().map(|e| u64::from(e.1)).sum();
        let every_event = seen.events.len() > 1 && self.with_usage == seen.events.len();
        let by_usage = usage.and_then(|u| u.completion_tokens);
        let by_timings = timings.and_then(|t| t.predicted_n);
        let streamed = !seen.events.is_empty();
        (seen.output_tokens, seen.source) = match (by_usage, by_timings) {
            (Some(n), _) if every_event => (n, TokenSource::ContinuousUsage),
            (Some(n), _) => (n, TokenSource::Usage),
            (None, Some(n)) => (n, TokenSource::ServerTimings),
            (None, None) if streamed => (by_events, TokenSource::Events),
            (None, None) => (seen.output_tokens, TokenSource::Events),
        };
        if streamed && seen.output_tokens != by_events {
            seen.warn(Warning::UsageMismatch);
            spread(&mut seen.events, by_events, seen.output_tokens);
        }
        // one more than events is the end of sequence, which has no text
        let mean_is_above_one = seen.output_tokens > seen.events.len() as u64 + 1;
        if streamed && mean_is_above_one {
            seen.warn(Warning::MultiTokenChunks);
        }
    }
}

/// Scales the tokens of the events, `from` in all, so that they are `to` in all.
fn spread(events: &mut [(f64, u32)], from: u64, to: u64) {
    let count = events.len() as u64;
    let (mut before, mut given) = (0, 0);
    for (i, event) in (1..).zip(events.iter_mut()) {
        before += u64::from(event.1);
        // without a count of their own, all events are alike
        let (part, whole) = if from == 0 {
            (i, count)
        } else {
            (before, from)
        };
        let upto = u128::from(to) * u128::from(part) / u128::from(whole);
        let upto = u64::try_from(upto).unwrap_or(u64::MAX);
        event.1 = u32::try_from(upto - given).unwrap_or(u32::MAX);
        given = upto;
    }
}

fn lossy(data: &[u8]) -> String {
    // enough for the 512 bytes that are kept
    String::from_utf8_lossy(&data[..data.len().min(1024)]).into_owned()
}

#[cfg(test)]
mod tests;
