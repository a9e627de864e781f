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
    heap: BinaryHeap<Scheduled>,
    serial: u64,
}

impl Agenda {
    pub(crate) fn new(requests: &[Request]) -> Self {
        let mut agenda = Self {
            heap: BinaryHeap::with_capacity(2 * requests.len() + 1),
            serial: 0,
        };
        for (index, request) in requests.iter().enumerate() {
            if request.after.is_none() {
                agenda.plan(request.start_s, index as u32, 0, Happening::Intended);
            }
        }
        agenda
    }

    pub(crate) fn plan(&mut self, at_s: f64, request: u32, attempt: u32, what: Happening) {
        self.heap.push(Scheduled {
            at_s,
            serial: self.serial,
            request,
            attempt,
            what,
        });
        self.serial += 1;
    }

    pub(crate) fn next_s(&self) -> Option<f64> {
        self.heap.peek().map(|scheduled| scheduled.at_s)
    }

    /// The next thing that happens.
    pub(crate) fn pop(&mut self) -> Option<Scheduled> {
        self.heap.pop()
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
