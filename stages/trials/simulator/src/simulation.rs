use std::collections::VecDeque;

use sbt_schemas::RequestStatus;

use crate::batch::Batch;
use crate::client::{Agenda, Happening, Places, Scheduled};
use crate::scheduler::Scheduler;
use crate::step_time::StepTime;
use crate::{Client, Request, Run, Served};

/// Network and front end (HTTP, tokenizer) before the server's queue. Chosen: measured front ends
/// take 1 to 15 ms; calibrate as client TTFT less server TTFT.
const FRONT_END_S: f64 = 3e-3;

/// What the server does with requests before they are queued, and how far it schedules ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_model_len: u32,
    pub(crate) max_queued: Option<usize>,
    pub(crate) depth: usize,
}

/// One simulation: the engine's loop and the client around it, on a virtual clock.
pub(crate) struct Simulation<'a> {
    rules: Rules,
    step_time: &'a StepTime,
    scheduler: Scheduler<'a>,
    requests: &'a [Request],
    client: &'a Client,
    agenda: Agenda,
    places: Places,
    served: Vec<Served>,
    /// Times of the tokens of the attempt under way.
    tokens: Vec<Vec<f64>>,
    /// Later turns by the turn that they follow.
    followers: Vec<Vec<u32>>,
    in_flight: VecDeque<(f64, Batch)>,
    spare: Vec<Batch>,
    now: f64,
    gpu_free_s: f64,
    steps: u64,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(
        rules: Rules,
        step_time: &'a StepTime,
        scheduler: Scheduler<'a>,
        requests: &'a [Request],
        client: &'a Client,
    ) -> Self {
        let mut followers = vec![Vec::new(); requests.len()];
        for (index, request) in requests.iter().enumerate() {
            if let Some(before) = request.after {
                assert!(before < index, "a turn follows one that stands before it");
                followers[before].push(index as u32);
            }
        }
        let lengths = scheduler
            .sequences
            .iter()
            .map(|s| Vec::with_capacity(s.output as usize));
        Self {
            tokens: lengths.collect(),
            rules,
            step_time,
            scheduler,
            requests,
            client,
            agenda: Agenda::new(requests),
            places: Places::new(client, requests.len()),
            served: requests.iter().map(|_| unsent()).collect(),
            followers,
            in_flight: VecDeque::with_capacity(rules.depth),
            spare: (0..=rules.depth).map(|_| Batch::default()).collect(),
            now: 0.0,
            gpu_free_s: 0.0,
            steps: 0,
        }
    }

    /// Follows `core.py`: with a depth of 2, step k + 2 is scheduled when the results of step k
    /// are in, while k + 1 executes.
    pub(crate) fn run(mut self) -> Run {
        loop {
            self.happen_until(self.now);
            if self.in_flight.len() < self.rules.depth {
                let started = self.start_step();
                if started && self.in_flight.len() < self.rules.depth {
                    continue;
                }
            }
            if let Some((done_s, batch)) = self.in_flight.pop_front() {
                self.happen_before(done_s);
                self.now = self.now.max(done_s);
                self.finish_step(&batch);
                self.spare.push(batch);
            } else {
                match self.agenda.next_s() {
                    Some(next) => self.now = self.now.max(next),
                    None => break,
                }
            }
        }
        let ends = self.served.iter().filter_map(|served| served.end_s);
        Run {
            end_s: ends.fold(0.0, f64::max),
            kv_peak: self.scheduler.kv_peak(),
            preemptions: self.scheduler.preemptions(),
            steps: self.steps,
            requests: self.served,
        }
    }

    /// Schedules a step and queues it on the GPU. True when there was something to do.
    fn start_step(&mut self) -> bool {
        let mut batch = self.spare.pop().unwrap_or_default();
        self.scheduler.schedule(self.now, &mut batch);
        if batch.entries.is_empty() {
            self.spare.push(batch);
            return false;
        }
        let start_s = self.now.max(self.gpu_free_s);
        self.gpu_free_s = start_s + self.step_time.seconds(&batch.load);
        self.in_flight.push_back((self.gpu_free_s, batch));
        self.steps += 1;
        true
    }

    fn finish_step(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            let Some(last) = self.scheduler.deliver(entry) else {
                continue;
            };
            self.tokens[entry.request as usize].push(self.now);
            if last {
                self.complete(entry.request);
            }
        }
    }

    fn happen_until(&mut self, now: f64) {
        while let Some(scheduled) = self.agenda.pop_until(now) {
            self.happen(scheduled);
        }
    }

    /// What happens while a step executes; what happens at its very end sees its results.
    fn happen_before(&mut self, end_s: f64) {
        while self.agenda.next_s().is_some_and(|next| next < end_s) {
            if let Some(scheduled) = self.agenda.pop_until(end_s) {
                self.happen(scheduled);
            }
        }
    }

    fn happen(&mut self, scheduled: Scheduled) {
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
            Happening::Received if current => self.receive(request, attempt, at_s),
            Happening::TimedOut if current => {
                self.scheduler.abort(request);
                self.fail_attempt(request, at_s, RequestStatus::TimeoutTotal);
            }
            Happening::Received | Happening::TimedOut => {}
        }
    }

    fn send(&mut self, request: u32, at_s: f64) {
        let served = &mut self.served[request as usize];
        served.attempts += 1;
        served.sent_s = Some(at_s);
        let attempt = served.attempts as u32;
        self.tokens[request as usize].clear();
        self.agenda
            .plan(at_s + FRONT_END_S, request, attempt, Happening::Received);
        if let Some(limit) = self.client.timeout_s {
            self.agenda
                .plan(at_s + limit, request, attempt, Happening::TimedOut);
        }
    }

    fn receive(&mut self, request: u32, attempt: u32, at_s: f64) {
        let prompt = self.requests[request as usize].prompt_tokens;
        if prompt == 0 || prompt >= self.rules.max_model_len {
            self.end(request, at_s, RequestStatus::ContextOverflow);
        } else if self
            .rules
            .max_queued
            .is_some_and(|most| self.scheduler.waiting() >= most)
        {
            self.fail_attempt(request, at_s, RequestStatus::Http5xx);
        } else {
            self.scheduler.receive(request, attempt, at_s);
        }
    }

    fn fail_attempt(&mut self, request: u32, at_s: f64, status: RequestStatus) {
        let attempts = self.served[request as usize].attempts;
        if attempts > self.client.retries {
            self.end(request, at_s, status);
            return;
        }
        let doublings = i32::try_from(attempts - 1).unwrap_or(i32::MAX);
        let pause_s = self.client.backoff_s * 2_f64.powi(doublings);
        self.served[request as usize].sent_s = None;
        self.agenda
            .plan(at_s + pause_s, request, 0, Happening::Retried);
    }

    fn complete(&mut self, request: u32) {
        let sequence = self.scheduler.sequences[request as usize];
        let tokens = &self.tokens[request as usize];
        let (Some(&first), Some(&last)) = (tokens.first(), tokens.last()) else {
            return;
        };
        let served = &mut self.served[request as usize];
        let sent_s = served.sent_s.unwrap_or(served.intended_s);
        served.cached_tokens = u64::from(sequence.cached);
        served.retry_s = Some(sent_s - served.intended_s);
        served.network_s = Some(sequence.received_s - sent_s);
        served.queue_s = Some(sequence.scheduled_s - sequence.received_s);
        served.prefill_s = Some(first - sequence.scheduled_s);
        served.decode_s = Some(last - first);
        self.end(request, last, RequestStatus::Ok);
    }

    /// Tokens that came before a failure are kept: they tell a slow answer from a long wait.
    fn end(&mut self, request: u32, at_s: f64, status: RequestStatus) {
        let tokens = &self.tokens[request as usize];
        let served = &mut self.served[request as usize];
        served.first_token_s = tokens.first().copied();
        served.output_tokens = tokens.len() as u64;
        served.itl_s = tokens.windows(2).map(|pair| pair[1] - pair[0]).collect();
        served.status = status;
        served.end_s = Some(at_s);
        served.preemptions = u64::from(self.scheduler.sequences[request as usize].preemptions);
        self.follow(request, at_s, status);
        if let Some(waiting) = self.places.leave() {
            self.send(waiting, at_s);
        }
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
        itl_s: Vec::new(),
    }
}
