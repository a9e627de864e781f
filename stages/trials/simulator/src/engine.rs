use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::Batch;
use crate::scheduler::Scheduler;
use crate::state::Sequence;
use crate::step_time::StepTime;

/// Network and front end (HTTP, tokenizer) before the server's queue. Chosen: measured front ends
/// take 1 to 15 ms; calibrate as client TTFT less server TTFT.
pub(crate) const FRONT_END_S: f64 = 3e-3;

/// What an engine meets: requests that come and go, and those who take its tokens.
pub(crate) trait Outside {
    /// When something happens next.
    fn next_s(&self) -> Option<f64>;

    /// Lets the next thing happen.
    fn happen(&mut self, door: &mut impl Door);

    /// Takes a token of a request.
    fn take(&mut self, door: &impl Door, request: u32, at_s: f64, last: bool);
}

/// Where requests come in.
pub(crate) trait Door {
    /// Queues a new attempt of a request.
    fn receive(&mut self, request: u32, attempt: u32, now: f64);

    /// Drops a request, wherever it is.
    fn abort(&mut self, request: u32);

    /// Requests that wait.
    fn waiting(&self) -> usize;

    /// A request as the server sees it.
    fn sequence(&self, request: u32) -> &Sequence;
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
    gpu_free_s: f64,
    steps: u64,
}

impl Engine {
    pub(crate) fn new(scheduler: Scheduler, step_time: Arc<StepTime>, depth: usize) -> Self {
        Self {
            scheduler,
            step_time,
            depth,
            in_flight: VecDeque::with_capacity(depth),
            spare: (0..=depth).map(|_| Batch::default()).collect(),
            now: 0.0,
            gpu_free_s: 0.0,
            steps: 0,
        }
    }

    /// Steps started.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
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
        while self.in_flight.len() < self.depth && self.start_step() {}
        true
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

    fn finish_step(&mut self, batch: &Batch, outside: &mut impl Outside) {
        for entry in &batch.entries {
            if let Some(last) = self.scheduler.deliver(entry) {
                outside.take(&self.scheduler, entry.request, self.now, last);
            }
        }
    }
}
