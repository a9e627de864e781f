use std::collections::VecDeque;
use std::sync::Arc;

use crate::balancer::Balancer;
use crate::batch::{Batch, Load};
use crate::emitted::Emitted;
use crate::engine::{Door, Outside, hand_over};
use crate::pipeline::Pipeline;
use crate::queue_limits::Held;
use crate::scheduler::Scheduler;
use crate::state::{Phase, Sequence};
use crate::step_time::StepTime;

/// Several engines, each with a share of the requests (`data_parallel_size`).
///
/// Engines of a mixture of experts share those, and step together: one without work takes part
/// all the same, and they compute prompts in the same steps (`DPEngineCoreProc` of `core.py`).
/// Others run on their own.
pub(crate) struct Fleet {
    engines: Vec<Scheduler>,
    lanes: Vec<Lane>,
    balancer: Balancer,
    /// Engine of each request.
    homes: Vec<usize>,
    step_time: Arc<StepTime>,
    depth: usize,
    now: f64,
    steps: u32,
}

/// Engines that step together.
struct Lane {
    engines: Vec<usize>,
    /// End, number and batches of each step.
    in_flight: VecDeque<(f64, u32, Vec<Batch>)>,
    pipeline: Pipeline,
    /// Steps since there was last nothing to do.
    steps: u32,
    /// Steps of which one computes prompts while something decodes; 1: every one.
    prefill_interval: u32,
}

impl Fleet {
    pub(crate) fn new(
        engines: Vec<Scheduler>,
        together: bool,
        step_time: Arc<StepTime>,
        depth: usize,
    ) -> Self {
        let all: Vec<usize> = (0..engines.len()).collect();
        let lanes = all.chunks(if together { all.len() } else { 1 });
        let stages = engines[0].config.pipeline_parallel_size;
        let version = engines[0].config.version;
        let prefill_interval = if together {
            engines[0].config.prefill_schedule_interval
        } else {
            1
        };
        let lane = |engines: &[usize]| Lane {
            engines: engines.to_vec(),
            in_flight: VecDeque::with_capacity(depth),
            pipeline: Pipeline::new(stages),
            steps: 0,
            prefill_interval,
        };
        Self {
            lanes: lanes.map(lane).collect(),
            balancer: Balancer::new(engines.len(), version),
            homes: vec![0; engines[0].sequences.len()],
            engines,
            step_time,
            depth,
            now: 0.0,
            steps: 0,
        }
    }

    pub(crate) fn engines(&self) -> &[Scheduler] {
        &self.engines
    }

    /// Steps started; those that engines take together count once.
    pub(crate) fn steps(&self) -> u64 {
        u64::from(self.steps)
    }

    /// Goes on until nothing will ever happen.
    pub(crate) fn run(&mut self, outside: &mut impl Outside) {
        loop {
            let step = self.next_step();
            match (outside.next_s(), step) {
                (None, None) => return,
                (Some(next), step) if step.is_none_or(|(done_s, _)| next < done_s) => {
                    self.now = self.now.max(next);
                }
                (_, Some((done_s, lane))) => {
                    self.now = done_s;
                    self.finish_step(lane, outside);
                }
                (Some(_), None) => unreachable!("what happens next without a step is above"),
            }
            while outside.next_s().is_some_and(|next| next <= self.now) {
                outside.happen(self);
            }
            let finished = step.map(|(_, lane)| lane);
            for lane in 0..self.lanes.len() {
                // A step under way is not joined by another until its results are in.
                if Some(lane) == finished || self.lanes[lane].in_flight.is_empty() {
                    while self.lanes[lane].in_flight.len() < self.depth
                        && self.start_step(lane, outside)
                    {}
                }
            }
        }
    }

    /// The step that ends first, and its lane.
    fn next_step(&self) -> Option<(f64, usize)> {
        let lanes = self.lanes.iter().enumerate();
        let ends = lanes.filter_map(|(i, lane)| Some((lane.in_flight.front()?.0, i)));
        ends.min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// True when there was something to do.
    fn start_step(&mut self, lane: usize, outside: &mut impl Outside) -> bool {
        let lane = &mut self.lanes[lane];
        let throttled = !lane.steps.is_multiple_of(lane.prefill_interval);
        let batches: Vec<Batch> = lane
            .engines
            .iter()
            .map(|engine| {
                let mut batch = Batch::default();
                self.engines[*engine].throttled = throttled;
                self.engines[*engine].schedule(self.now, &mut batch, None);
                batch
            })
            .collect();
        if batches.iter().all(|batch| batch.entries.is_empty()) {
            if lane.in_flight.is_empty() {
                lane.steps = 0;
            }
            return false;
        }
        let loads: Vec<Load> = batches.iter().map(|batch| batch.load).collect();
        let seconds = match loads.as_slice() {
            [alone] => self.step_time.seconds(alone),
            together => self.step_time.seconds_together(together),
        };
        let end_s = lane.pipeline.start(self.now, seconds);
        lane.in_flight.push_back((end_s, self.steps, batches));
        outside.step(end_s);
        self.steps += 1;
        lane.steps += 1;
        true
    }

    fn finish_step(&mut self, lane: usize, outside: &mut impl Outside) {
        let Some((_, step, batches)) = self.lanes[lane].in_flight.pop_front() else {
            return;
        };
        for (i, batch) in batches.iter().enumerate() {
            let engine = self.lanes[lane].engines[i];
            for entry in &batch.entries {
                if let Some(delivery) = self.engines[engine].deliver(entry, step) {
                    if delivery.last {
                        self.balancer.left(engine);
                    }
                    let now = self.now;
                    hand_over(self, outside, entry.request, now, delivery);
                }
            }
        }
    }
}

impl Door for Fleet {
    fn receive(&mut self, request: u32, attempt: u32, now: f64) {
        let engine = self.balancer.choose(now, &self.engines);
        self.homes[request as usize] = engine;
        self.engines[engine].receive(request, attempt, now);
    }

    fn abort(&mut self, request: u32) {
        let engine = self.homes[request as usize];
        // A request that its client gives up before it arrives is with no engine.
        if self.engines[engine].sequence(request).phase != Phase::Away {
            self.balancer.left(engine);
            self.engines[engine].abort(request);
        }
    }

    fn held(&self) -> Held {
        let held = self.engines.iter().map(Door::held);
        held.fold(Held::default(), Held::plus)
    }

    fn sequence(&self, request: u32) -> &Sequence {
        self.engines[self.homes[request as usize]].sequence(request)
    }

    fn emitted(&mut self, request: u32) -> &mut Emitted {
        self.engines[self.homes[request as usize]].emitted(request)
    }
}
