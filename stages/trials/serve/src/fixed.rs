use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};

use sbt_simulator::Emission;

/// Times of an engine that is never busy: for the calibration of clients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedTimes {
    /// From the receipt to the first token.
    pub ttft_s: f64,
    /// Between tokens; 0: all at once.
    pub itl_s: f64,
    /// Longest sequence served.
    pub max_model_len: u32,
}

/// Gives every request its tokens at fixed times.
pub(crate) struct Fixed {
    times: FixedTimes,
    due: BinaryHeap<Reverse<Due>>,
    open: BTreeSet<u64>,
    next_request: u64,
}

struct Due {
    at_s: f64,
    request: u64,
    received_s: f64,
    token: u32,
    tokens: u32,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = self.at_s.total_cmp(&other.at_s);
        by_time.then(self.request.cmp(&other.request))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl Fixed {
    pub(crate) fn new(times: FixedTimes) -> Self {
        Self {
            times,
            due: BinaryHeap::new(),
            open: BTreeSet::new(),
            next_request: 0,
        }
    }

    pub(crate) fn submit(&mut self, now_s: f64, tokens: u32) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        self.open.insert(request);
        self.due.push(Reverse(Due {
            at_s: now_s + self.times.ttft_s,
            request,
            received_s: now_s,
            token: 0,
            tokens,
        }));
        request
    }

    pub(crate) fn abort(&mut self, request: u64) {
        self.open.remove(&request);
    }

    pub(crate) fn max_model_len(&self) -> u32 {
        self.times.max_model_len
    }

    /// Requests under way.
    pub(crate) fn running(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn next_s(&self) -> Option<f64> {
        self.due.peek().map(|due| due.0.at_s)
    }

    pub(crate) fn advance(&mut self, now_s: f64, out: &mut Vec<Emission>) {
        while self.next_s().is_some_and(|next| next <= now_s) {
            let Some(Reverse(due)) = self.due.pop() else {
                return;
            };
            if self.open.contains(&due.request) {
                self.emit(due, out);
            }
        }
    }

    fn emit(&mut self, due: Due, out: &mut Vec<Emission>) {
        let token = due.token + 1;
        let last = token >= due.tokens;
        out.push(Emission {
            request: due.request,
            at_s: due.at_s,
            last,
            scheduled_s: due.received_s,
            cached_tokens: 0,
        });
        if last {
            self.open.remove(&due.request);
            return;
        }
        // From the receipt, so that rounding does not add up.
        let at_s = due.received_s + self.times.ttft_s + f64::from(token) * self.times.itl_s;
        self.due.push(Reverse(Due { at_s, token, ..due }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_at_their_fixed_times_and_none_after_an_abort() {
        let times = FixedTimes {
            ttft_s: 0.5,
            itl_s: 0.25,
            max_model_len: 100,
        };
        let mut fixed = Fixed::new(times);
        let (kept, left) = (fixed.submit(1.0, 3), fixed.submit(1.0, 3));
        let mut out = Vec::new();
        fixed.advance(1.5, &mut out);
        assert_eq!(out.len(), 2);
        fixed.abort(left);
        assert_eq!(fixed.running(), 1);
        fixed.advance(9.0, &mut out);
        let of_kept: Vec<f64> = out
            .iter()
            .filter(|emission| emission.request == kept)
            .map(|emission| emission.at_s)
            .collect();
        assert_eq!(of_kept, [1.5, 1.75, 2.0]);
        assert_eq!((out.len(), fixed.running()), (4, 0));
        assert_eq!(fixed.next_s(), None);
    }
}
