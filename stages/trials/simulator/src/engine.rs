use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::{Batch, Load};
use crate::emitted::Emitted;
use crate::pipeline::Pipeline;
use crate::queue_limits::Held;
use crate::scheduler::{Delivery, Scheduler};
use crate::state::Sequence;
use crate::step_time::{Decode, StepTime};

/// Network and front end (HTTP, tokenizer) before the server's queue. Chosen: measured front ends
/// take 1 to 15 ms; calibrate as client TTFT less server TTFT.
pub(crate) const FRONT_END_S: f64 = 3e-3;

/// What an engine meets: requests that come and go, and those who take its tokens.
pub(crate) trait Outside {
    /// When something happens next.
    fn next_s(&self) -> Option<f64>;

    /// Lets the next thing happen.
    fn happen(&mut self, door: &mut impl Door);

    /// A step starts, whose tokens come out then.
    fn step(&mut self, _end_s: f64) {}

    /// Takes a token of a request. Of requests that stream only the last token is handed over.
    fn take(&mut self, door: &mut impl Door, request: u32, at_s: f64, last: bool);
}

/// Where requests come in.
pub(crate) trait Door {
    /// Queues a new attempt of a request.
    fn receive(&mut self, request: u32, attempt: u32, now: f64);

    /// Drops a request, wherever it is.
    fn abort(&mut self, request: u32);

    /// What the server holds.
    fn held(&self) -> Held;

    /// A request as the server sees it.
    fn sequence(&self, request: u32) -> &Sequence;

    /// Tokens that came out in the attempt under way, as far as they are handed over.
    fn emitted(&mut self, request: u32) -> &mut Emitted;
}

/// The engine's loop on a virtual clock.
pub(crate) struct Engine {
    pub(crate) scheduler: Scheduler,
    step_time: Arc<StepTime>,
    /// Steps that may be in flight.
    depth: usize,
    in_flight: VecDeque<(f64, Batch)>,
    spare: Vec<Batch>,
    now: f64,
    pipeline: Pipeline,
    /// Steps of pure decode by the number of requests, as far as they were met.
    decodes: Vec<Option<Decode>>,
}

impl Engine {
    pub(crate) fn new(scheduler: Scheduler, step_time: Arc<StepTime>, depth: usize) -> Self {
        Self {
            pipeline: Pipeline::new(scheduler.config.pipeline_parallel_size),
            scheduler,
            step_time,
            depth,
            in_flight: VecDeque::with_capacity(depth),
            spare: (0..=depth).map(|_| Batch::default()).collect(),
            now: 0.0,
            decodes: Vec::new(),
        }
    }

    /// Steps started.
    pub(crate) fn steps(&self) -> u64 {
        u64::from(self.scheduler.scheduled)
    }

    /// When [`Self::advance`] has something to do: at the end of the step that executes; while
    /// none does, when something happens.
    pub(crate) fn next_s(&self, outside: &impl Outside) -> Option<f64> {
        match self.in_flight.front() {
            Some((done_s, _)) => Some(*done_s),
            None => outside.next_s(),
        }
    }

    /// Goes on to [`Self::next_s`]. False: nothing will ever happen.
    ///
    /// Follows `core.py`: with a depth of 2, step k + 2 is scheduled when the results of step k
    /// are in, while k + 1 executes.
    pub(crate) fn advance(&mut self, outside: &mut impl Outside) -> bool {
        if let Some((done_s, batch)) = self.in_flight.pop_front() {
            // What happens at the very end of a step sees its results.
            while outside.next_s().is_some_and(|next| next < done_s) {
                outside.happen(&mut self.scheduler);
            }
            self.now = self.now.max(done_s);
            self.finish_step(&batch, outside);
            self.spare.push(batch);
        } else if let Some(next) = outside.next_s() {
            self.now = self.now.max(next);
        } else {
            return false;
        }
        while outside.next_s().is_some_and(|next| next <= self.now) {
            outside.happen(&mut self.scheduler);
        }
        while self.in_flight.len() < self.depth && self.start_step(outside) {}
        self.stream_on(outside);
        true
    }

    /// Goes on as long as requests stream and nothing else happens: what [`Self::advance`] does
    /// then, step by step, with the same sums in the same order.
    fn stream_on(&mut self, outside: &mut impl Outside) {
        let streams = self.scheduler.streams.count();
        let alone = self
            .in_flight
            .iter()
            .all(|(_, batch)| batch.entries.is_empty());
        if streams == 0 || !alone || self.in_flight.len() < self.depth {
            return;
        }
        let next_s = outside.next_s().unwrap_or(f64::INFINITY);
        while let done_s = self.in_flight[0].0
            && done_s < next_s
            && let Some((sum, longest)) = self.scheduler.stream_on()
        {
            self.now = self.now.max(done_s);
            let seconds = self.decode(streams).seconds(sum, longest);
            let end_s = self.pipeline.start(self.now, seconds);
            outside.step(end_s);
            for later in 1..self.depth {
                self.in_flight[later - 1].0 = self.in_flight[later].0;
            }
            self.in_flight[self.depth - 1].0 = end_s;
        }
    }

    /// Schedules a step and queues it on the GPU. True when there was something to do.
    fn start_step(&mut self, outside: &mut impl Outside) -> bool {
        let mut batch = self.spare.pop().unwrap_or_default();
        let executing = self.in_flight.back_mut().map(|(_, batch)| batch);
        self.scheduler.schedule(self.now, &mut batch, executing);
        if batch.load.sequences == 0 {
            self.spare.push(batch);
            return false;
        }
        let seconds = self.seconds(&batch.load);
        let end_s = self.pipeline.start(self.now, seconds);
        self.in_flight.push_back((end_s, batch));
        outside.step(end_s);
        true
    }

    fn seconds(&mut self, load: &Load) -> f64 {
        if !load.plain_decode() {
            return self.step_time.seconds(load);
        }
        let decode = self.decode(load.decodes);
        decode.seconds(load.context_sum, load.context_max)
    }

    fn decode(&mut self, requests: u32) -> &Decode {
        let index = requests as usize;
        if self.decodes.len() <= index {
            self.decodes.resize(index + 1, None);
        }
        self.decodes[index].get_or_insert_with(|| self.step_time.decode(requests))
    }

    fn finish_step(&mut self, batch: &Batch, outside: &mut impl Outside) {
        let step = self.scheduler.results_come();
        for entry in &batch.entries {
            self.finish_streams(step, entry.admission, outside);
            if let Some(delivery) = self.scheduler.deliver(entry, step) {
                hand_over(
                    &mut self.scheduler,
                    outside,
                    entry.request,
                    self.now,
                    delivery,
                );
            }
        }
        self.finish_streams(step, u32::MAX, outside);
    }

    fn finish_streams(&mut self, step: u32, before: u32, outside: &mut impl Outside) {
        while let Some(request) = self.scheduler.finish_stream(step, before) {
            outside.take(&mut self.scheduler, request, self.now, true);
        }
    }
}

/// Hands the tokens of one step over, which come at one time.
pub(crate) fn hand_over(
    door: &mut impl Door,
    outside: &mut impl Outside,
    request: u32,
    at_s: f64,
    delivery: Delivery,
) {
    for token in 1..=delivery.tokens {
        let last = delivery.last && token == delivery.tokens;
        outside.take(door, request, at_s, last);
    }
}
