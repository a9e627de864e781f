use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::Request;

/// Limits and retries of the client.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Client {
    /// Requests in flight at once; more wait in the client.
    pub max_in_flight: Option<u64>,
    /// Time limit of one attempt, from its send.
    pub timeout_s: Option<f64>,
    /// Further attempts after the first.
    pub retries: u64,
    /// Pause before the first retry; doubled for each further one.
    pub backoff_s: f64,
}

/// Something that happens outside the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The schedule wants the request sent.
    Intended,
    /// An attempt reaches the server.
    Received,
    /// The time of an attempt is over.
    TimedOut,
    /// The pause before another attempt is over.
    Retried,
}

impl Happening {
    const COUNT: usize = Self::Retried as usize + 1;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduled {
    pub(crate) at_s: f64,
    serial: u64,
    pub(crate) request: u32,
    pub(crate) attempt: u32,
    pub(crate) what: Happening,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// The earliest is the greatest: the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = other.at_s.total_cmp(&self.at_s);
        by_time.then(other.serial.cmp(&self.serial))
    }
}

/// What is to happen, in order; equal times in order of their planning.
pub(crate) struct Agenda {
    /// Each kind is mostly planned in order of time: what comes in order needs no heap.
    in_order: [VecDeque<Scheduled>; Happening::COUNT],
    others: BinaryHeap<Scheduled>,
    next_s: Option<f64>,
    serial: u64,
}

impl Agenda {
    pub(crate) fn new(requests: &[Request]) -> Self {
        let mut agenda = Self {
            in_order: Default::default(),
            others: BinaryHeap::new(),
            next_s: None,
            serial: 0,
        };
        agenda.in_order[Happening::Intended as usize].reserve(requests.len());
        for (index, request) in requests.iter().enumerate() {
            if request.after.is_none() {
                agenda.plan(request.start_s, index as u32, 0, Happening::Intended);
            }
        }
        agenda
    }

    pub(crate) fn plan(&mut self, at_s: f64, request: u32, attempt: u32, what: Happening) {
        let scheduled = Scheduled {
            at_s,
            serial: self.serial,
            request,
            attempt,
            what,
        };
        self.serial += 1;
        self.next_s = Some(self.next_s.map_or(at_s, |next| next.min(at_s)));
        let in_order = &mut self.in_order[what as usize];
        // The later is the lesser.
        if in_order.back().is_none_or(|last| scheduled < *last) {
            in_order.push_back(scheduled);
        } else {
            self.others.push(scheduled);
        }
    }

    pub(crate) fn next_s(&self) -> Option<f64> {
        self.next_s
    }

    fn next(&self) -> Option<&Scheduled> {
        let in_order = self.in_order.iter().filter_map(VecDeque::front);
        in_order.chain(self.others.peek()).max()
    }

    /// The next thing that happens.
    pub(crate) fn pop(&mut self) -> Option<Scheduled> {
        let next = *self.next()?;
        let in_order = &mut self.in_order[next.what as usize];
        if in_order.front() == Some(&next) {
            in_order.pop_front();
        } else {
            self.others.pop();
        }
        self.next_s = self.next().map(|scheduled| scheduled.at_s);
        Some(next)
    }
}

/// Requests that may be in flight, and those that wait for a place.
pub(crate) struct Places {
    free: Option<u64>,
    queue: VecDeque<u32>,
}

impl Places {
    pub(crate) fn new(client: &Client, requests: usize) -> Self {
        Self {
            free: client.max_in_flight,
            queue: VecDeque::with_capacity(requests),
        }
    }

    /// Takes a place, or queues for one.
    pub(crate) fn enter(&mut self, request: u32) -> bool {
        match &mut self.free {
            None => true,
            Some(0) => {
                self.queue.push_back(request);
                false
            }
            Some(free) => {
                *free -= 1;
                true
            }
        }
    }

    /// Gives a place back; the request that takes it, if one waits.
    pub(crate) fn leave(&mut self) -> Option<u32> {
        let next = self.queue.pop_front();
        if next.is_none()
            && let Some(free) = &mut self.free
        {
            *free += 1;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agenda_is_in_order_of_time_and_then_of_planning(plans in prop::collection::vec((0_u32..9, 0_usize..3, 0_usize..3), 0..80)) {
            const KINDS: [Happening; 3] = [Happening::Intended, Happening::TimedOut, Happening::Retried];
            let mut agenda = Agenda::new(&[]);
            let mut all = Vec::new();
            let mut seen = Vec::new();
            for (number, (tick, kind, pops)) in plans.into_iter().enumerate() {
                let after = seen.last().map_or(0, |(tick, _)| *tick);
                agenda.plan(f64::from(after + tick), number as u32, 0, KINDS[kind]);
                all.push((after + tick, number as u32));
                for _ in 0..pops {
                    seen.extend(agenda.pop().map(|s| (s.at_s as u32, s.request)));
                }
            }
            while let Some(scheduled) = agenda.pop() {
                seen.push((scheduled.at_s as u32, scheduled.request));
            }
            all.sort_unstable();
            prop_assert_eq!(seen, all);
        }
    }
}
