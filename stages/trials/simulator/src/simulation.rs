use std::sync::Arc;

use sbt_schemas::RequestStatus;

use crate::client::{Agenda, Happening, Places, Scheduled};
use crate::emitted::Emitted;
use crate::engine::{Door, Engine, FRONT_END_S, Outside};
use crate::fleet::Fleet;
use crate::queue_limits::QueueLimits;
use crate::scheduler::Scheduler;
use crate::step_time::StepTime;
use crate::{Client, Request, Run, Served};

/// What the server does with requests before they are queued, and how far it schedules ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_model_len: u32,
    pub(crate) queue: QueueLimits,
    pub(crate) depth: usize,
    pub(crate) stream_interval: u32,
}

/// One simulation: the client around the engine's loop.
pub(crate) struct Simulation<'a> {
    rules: Rules,
    requests: &'a [Request],
    client: &'a Client,
    agenda: Agenda,
    places: Places,
    served: Vec<Served>,
    /// When each step ends.
    step_ends_s: Vec<f64>,
    /// Later turns by the turn that they follow.
    followers: Vec<Vec<u32>>,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(rules: Rules, requests: &'a [Request], client: &'a Client) -> Self {
        let mut followers = vec![Vec::new(); requests.len()];
        for (index, request) in requests.iter().enumerate() {
            if let Some(before) = request.after {
                assert!(before < index, "a turn follows one that stands before it");
                followers[before].push(index as u32);
            }
        }
        Self {
            step_ends_s: Vec::new(),
            rules,
            requests,
            client,
            agenda: Agenda::new(requests),
            places: Places::new(client, requests.len()),
            served: requests.iter().map(|_| unsent()).collect(),
            followers,
        }
    }

    pub(crate) fn run(mut self, scheduler: Scheduler, step_time: Arc<StepTime>) -> Run {
        let mut engine = Engine::new(scheduler, step_time, self.rules.depth);
        while engine.advance(&mut self) {}
        let steps = engine.steps();
        self.ended(std::slice::from_ref(&engine.scheduler), steps)
    }

    /// With several engines; `together`: they share their experts.
    pub(crate) fn run_fleet(
        mut self,
        engines: Vec<Scheduler>,
        together: bool,
        step_time: Arc<StepTime>,
    ) -> Run {
        let mut fleet = Fleet::new(engines, together, step_time, self.rules.depth);
        fleet.run(&mut self);
        self.ended(fleet.engines(), fleet.steps())
    }

    fn ended(self, engines: &[Scheduler], steps: u64) -> Run {
        let ends = self.served.iter().filter_map(|served| served.end_s);
        Run {
            end_s: ends.fold(0.0, f64::max),
            kv_peak: engines.iter().map(Scheduler::kv_peak).fold(0.0, f64::max),
            preemptions: engines.iter().map(Scheduler::preemptions).sum(),
            steps,
            requests: self.served,
            step_ends_s: self.step_ends_s,
            stream_interval: self.rules.stream_interval,
        }
    }

    fn happened(&mut self, scheduled: Scheduled, door: &mut impl Door) {
        let Scheduled {
            at_s,
            request,
            attempt,
            what,
            ..
        } = scheduled;
        let served = &self.served[request as usize];
        // Nothing is in flight during a pause before a retry.
        let current = served.attempts == u64::from(attempt)
            && served.sent_s.is_some()
            && served.end_s.is_none();
        match what {
            Happening::Intended => {
                self.served[request as usize].intended_s = at_s;
                if self.places.enter(request) {
                    self.send(request, at_s);
                }
            }
            Happening::Retried => self.send(request, at_s),
            Happening::Received if current => self.receive(request, attempt, at_s, door),
            Happening::TimedOut if current => {
                door.abort(request);
                self.fail_attempt(request, at_s, RequestStatus::TimeoutTotal, door);
            }
            Happening::Received | Happening::TimedOut => {}
        }
    }

    fn send(&mut self, request: u32, at_s: f64) {
        let served = &mut self.served[request as usize];
        served.attempts += 1;
        served.sent_s = Some(at_s);
        let attempt = served.attempts as u32;
        self.agenda
            .plan(at_s + FRONT_END_S, request, attempt, Happening::Received);
        if let Some(limit) = self.client.timeout_s {
            self.agenda
                .plan(at_s + limit, request, attempt, Happening::TimedOut);
        }
    }

    fn receive(&mut self, request: u32, attempt: u32, at_s: f64, door: &mut impl Door) {
        let prompt = self.requests[request as usize].prompt_tokens;
        if prompt == 0 || prompt >= self.rules.max_model_len {
            self.end(request, at_s, RequestStatus::ContextOverflow, door);
        } else if self.rules.queue.refuse(door.held()) {
            self.fail_attempt(request, at_s, RequestStatus::Http5xx, door);
        } else {
            door.receive(request, attempt, at_s);
        }
    }

    fn fail_attempt(
        &mut self,
        request: u32,
        at_s: f64,
        status: RequestStatus,
        door: &mut impl Door,
    ) {
        let attempts = self.served[request as usize].attempts;
        if attempts > self.client.retries {
            self.end(request, at_s, status, door);
            return;
        }
        let doublings = i32::try_from(attempts - 1).unwrap_or(i32::MAX);
        let pause_s = self.client.backoff_s * 2_f64.powi(doublings);
        self.served[request as usize].sent_s = None;
        *door.emitted(request) = Emitted::default();
        self.agenda
            .plan(at_s + pause_s, request, 0, Happening::Retried);
    }

    fn complete(&mut self, request: u32, at_s: f64, door: &mut impl Door) {
        let sequence = *door.sequence(request);
        let first = door.emitted(request).first();
        let first_s = first.map_or(at_s, |step| self.end_of(step));
        let served = &mut self.served[request as usize];
        let sent_s = served.sent_s.unwrap_or(served.intended_s);
        served.cached_tokens = u64::from(sequence.cached);
        served.retry_s = Some(sent_s - served.intended_s);
        served.network_s = Some(sequence.received_s - sent_s);
        served.queue_s = Some(sequence.scheduled_s - sequence.received_s);
        served.prefill_s = Some(first_s - sequence.scheduled_s);
        served.decode_s = Some(at_s - first_s);
        self.end(request, at_s, RequestStatus::Ok, door);
    }

    /// Tokens that came before a failure are kept: they tell a slow answer from a long wait.
    fn end(&mut self, request: u32, at_s: f64, status: RequestStatus, door: &mut impl Door) {
        let emitted = std::mem::take(door.emitted(request));
        let first_s = emitted.first().map(|step| self.end_of(step));
        let served = &mut self.served[request as usize];
        served.first_token_s = first_s;
        served.output_tokens = emitted.count();
        served.emitted = emitted;
        served.status = status;
        served.end_s = Some(at_s);
        served.preemptions = u64::from(door.sequence(request).preemptions);
        self.follow(request, at_s, status);
        if let Some(waiting) = self.places.leave() {
            self.send(waiting, at_s);
        }
    }

    fn end_of(&self, step: u32) -> f64 {
        self.step_ends_s[step as usize]
    }

    /// Plans what follows a request that ended.
    fn follow(&mut self, request: u32, at_s: f64, status: RequestStatus) {
        for i in 0..self.followers[request as usize].len() {
            let next = self.followers[request as usize][i];
            let follower = &self.requests[next as usize];
            if status == RequestStatus::Ok || !follower.continues {
                let due_s = at_s + follower.start_s;
                self.agenda.plan(due_s, next, 0, Happening::Intended);
            } else {
                self.give_up(next, at_s);
            }
        }
    }

    /// A turn whose conversation broke is never sent, nor are those that carry it on.
    fn give_up(&mut self, request: u32, at_s: f64) {
        let served = &mut self.served[request as usize];
        served.intended_s = at_s;
        served.end_s = Some(at_s);
        self.follow(request, at_s, RequestStatus::NotSentLate);
    }
}

impl Outside for Simulation<'_> {
    fn next_s(&self) -> Option<f64> {
        self.agenda.next_s()
    }

    fn happen(&mut self, door: &mut impl Door) {
        if let Some(scheduled) = self.agenda.pop() {
            self.happened(scheduled, door);
        }
    }

    fn step(&mut self, end_s: f64) {
        self.step_ends_s.push(end_s);
    }

    fn take(&mut self, door: &mut impl Door, request: u32, at_s: f64, last: bool) {
        if last {
            self.complete(request, at_s, door);
        }
    }
}

fn unsent() -> Served {
    Served {
        status: RequestStatus::NotSentLate,
        intended_s: 0.0,
        sent_s: None,
        first_token_s: None,
        end_s: None,
        attempts: 0,
        cached_tokens: 0,
        output_tokens: 0,
        queue_s: None,
        prefill_s: None,
        decode_s: None,
        retry_s: None,
        network_s: None,
        preemptions: 0,
        emitted: Emitted::default(),
    }
}
