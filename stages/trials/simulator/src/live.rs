use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::client::{Agenda, Happening};
use crate::engine::{Door, Engine, FRONT_END_S, Outside};
use crate::queue_limits::Held;
use crate::scheduler::Scheduler;
use crate::simulation::Rules;
use crate::state::Sequence;
use crate::step_time::StepTime;
use crate::{Emission, Request};

/// Keys of ended requests that are left before they are cleared away; few in tests, which have few.
const SLACK: usize = if cfg!(test) { 64 } else { 1 << 16 };

/// The engine of a server that does not know its requests beforehand. Driven along the machine's
/// clock it serves in real time; it gives the tokens that [`crate::Server::simulate`] gives for the
/// same requests at the same times.
pub struct Live {
    engine: Engine,
    desk: Desk,
    rules: Rules,
    open: BTreeMap<u64, u32>,
    next_request: u64,
    now: f64,
    clear_at: usize,
}

/// Who asks for tokens and who gets them, by place in the scheduler's tables.
struct Desk {
    agenda: Agenda,
    places: Vec<Place>,
    free: Vec<u32>,
    /// Prompt tokens of requests on their way, in their order.
    arriving: VecDeque<u32>,
    out: Vec<Emission>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    request: u64,
    /// Raised with each request: what is planned for an earlier one is void.
    attempt: u32,
    open: bool,
}

/// State of a [`Live`] server at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Gauges {
    /// Requests that are scheduled step by step.
    pub running: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Share of the KV blocks in use.
    pub kv_usage: f64,
    /// Preemptions so far.
    pub preemptions: u64,
    /// Prompt tokens looked up in the prefix cache so far.
    pub prefix_queries: u64,
    /// Prompt tokens found there so far.
    pub prefix_hits: u64,
}

impl Live {
    pub(crate) fn new(rules: Rules, scheduler: Scheduler, step_time: Arc<StepTime>) -> Self {
        Self {
            engine: Engine::new(scheduler, step_time, rules.depth),
            desk: Desk {
                agenda: Agenda::new(&[]),
                places: Vec::new(),
                free: Vec::new(),
                arriving: VecDeque::new(),
                out: Vec::new(),
            },
            rules,
            open: BTreeMap::new(),
            next_request: 0,
            now: 0.0,
            clear_at: SLACK,
        }
    }

    /// Longest sequence served, tokens.
    #[must_use]
    pub fn max_model_len(&self) -> u32 {
        self.rules.max_model_len
    }

    /// Tokens of one KV block.
    #[must_use]
    pub fn block_size(&self) -> u32 {
        self.engine.scheduler.config.block_size
    }

    /// Sends a request at its `start_s`, or now if that is over; its number. None when the prompt
    /// is empty or does not fit, or when the queue is full. An output that does not fit is cut.
    pub fn submit(&mut self, request: &Request) -> Option<u64> {
        let prompt = request.prompt_tokens;
        if prompt == 0 || prompt >= self.rules.max_model_len || self.is_full() {
            return None;
        }
        let room = self.rules.max_model_len - prompt;
        let place = self.desk.place();
        let Place { attempt, .. } = self.desk.places[place as usize];
        let sequence = Sequence {
            number: self.next_request,
            priority: request.priority,
            ..Sequence::new(prompt, request.output_tokens.clamp(1, room))
        };
        self.clear();
        self.engine.scheduler.place(place, request, sequence);
        let number = self.next_request;
        self.next_request += 1;
        self.desk.places[place as usize] = Place {
            request: number,
            attempt: attempt + 1,
            open: true,
        };
        self.desk.arriving.push_back(prompt);
        self.now = self.now.max(request.start_s);
        let at_s = self.now + FRONT_END_S;
        let agenda = &mut self.desk.agenda;
        agenda.plan(at_s, place, attempt + 1, Happening::Received);
        self.open.insert(number, place);
        Some(number)
    }

    /// The client of a request has left.
    pub fn abort(&mut self, now_s: f64, request: u64) {
        self.now = self.now.max(now_s);
        if let Some(place) = self.open.remove(&request) {
            let Place { attempt, .. } = self.desk.places[place as usize];
            let agenda = &mut self.desk.agenda;
            agenda.plan(self.now, place, attempt, Happening::TimedOut);
        }
    }

    /// When something happens next.
    #[must_use]
    pub fn next_s(&self) -> Option<f64> {
        self.engine.next_s(&self.desk)
    }

    /// Goes on to a time; the tokens that came out until then, in order.
    pub fn advance(&mut self, now_s: f64) -> impl Iterator<Item = Emission> {
        self.now = self.now.max(now_s);
        while self.next_s().is_some_and(|next| next <= self.now) {
            self.engine.advance(&mut self.desk);
        }
        for emission in self.desk.out.iter().filter(|emission| emission.last) {
            self.open.remove(&emission.request);
        }
        self.desk.out.drain(..)
    }

    /// State after the last [`Self::advance`].
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let scheduler = &self.engine.scheduler;
        Gauges {
            running: scheduler.running.len(),
            waiting: scheduler.waiting.len(),
            kv_usage: scheduler.pool.usage(),
            preemptions: scheduler.preemptions(),
            prefix_queries: scheduler.prefix_queries,
            prefix_hits: scheduler.prefix_hits,
        }
    }

    /// Empties the prefix cache; false while KV blocks are in use, and nothing happens then.
    pub fn reset_prefix_cache(&mut self) -> bool {
        self.engine.scheduler.pool.reset()
    }

    fn is_full(&self) -> bool {
        let held = self.engine.scheduler.held();
        let arriving = Held {
            waiting: self.desk.arriving.len(),
            running: 0,
            prefill_tokens: self.desk.arriving.iter().map(|p| u64::from(*p)).sum(),
        };
        self.rules.queue.refuse(held.plus(arriving))
    }

    /// Clears away what ended requests have left, when it is more than what is in use.
    fn clear(&mut self) {
        if self.engine.scheduler.keys.len() < self.clear_at {
            return;
        }
        let places = self.desk.places.iter().enumerate();
        let open: Vec<usize> = places.filter(|(_, p)| p.open).map(|(i, _)| i).collect();
        self.engine.scheduler.keep(&open);
        self.clear_at = 2 * self.engine.scheduler.keys.len() + SLACK;
    }
}

impl Desk {
    fn place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        })
    }

    fn close(&mut self, place: u32) {
        self.places[place as usize].open = false;
        self.free.push(place);
    }
}

impl Outside for Desk {
    fn next_s(&self) -> Option<f64> {
        self.agenda.next_s()
    }

    fn happen(&mut self, door: &mut impl Door) {
        let Some(planned) = self.agenda.pop() else {
            return;
        };
        let place = self.places[planned.request as usize];
        let current = place.open && place.attempt == planned.attempt;
        if planned.what == Happening::Received {
            self.arriving.pop_front();
            if current {
                door.receive(planned.request, planned.attempt, planned.at_s);
            }
        } else if current {
            door.abort(planned.request);
            self.close(planned.request);
        }
    }

    fn take(&mut self, door: &mut impl Door, request: u32, at_s: f64, last: bool) {
        let sequence = door.sequence(request);
        self.out.push(Emission {
            request: self.places[request as usize].request,
            at_s,
            last,
            scheduled_s: sequence.scheduled_s,
            cached_tokens: sequence.cached,
        });
        if last {
            self.close(request);
        }
    }
}

#[cfg(test)]
mod tests;
