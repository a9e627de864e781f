//! Engine steps from the times of tokens: what a step computes comes out at one time.

use sbt_simulator::{SchedulerKind, Step};

use super::regression::median;
use crate::scene::Scene;

/// Share of the median time between tokens that separates two steps.
const SEPARATE: f64 = 0.25;
/// Fewer steps than these say less than the latencies of requests.
const FEWEST: usize = 30;

/// Steps and how long each took, s.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Steps {
    /// Those in which requests decoded and nothing else happened.
    pub(crate) pure: Vec<(f64, Step)>,
    /// Those with prompt chunks.
    pub(crate) mixed: Vec<(f64, Step)>,
}

/// Tokens that came out of one step.
struct Cluster {
    end_s: f64,
    /// Request, and the number of its token.
    tokens: Vec<(usize, usize)>,
}

/// Steps that gave the first `n` requests their tokens. None: the run does not tell them, or its
/// server computes something else between.
pub(crate) fn reconstruct(scene: &Scene, n: usize) -> Option<Steps> {
    let config = &scene.machine.config;
    let plain = config.scheduler == SchedulerKind::Vllm
        && config.data_parallel_size == 1
        && config.pipeline_parallel_size == 1
        && config.num_speculative_tokens == 0
        && config.stream_interval == 1;
    if !plain || scene.streams.is_empty() {
        return None;
    }
    let clusters = clusters(scene);
    let mut replay = Replay::new(scene);
    let mut steps = Steps::default();
    for at in 0..clusters.len() {
        let scheduled = at.checked_sub(if config.async_scheduling { 2 } else { 1 });
        let scheduled_s = scheduled.map_or(f64::NEG_INFINITY, |step| clusters[step].end_s);
        let step = replay.step(&clusters[at], scheduled_s);
        let Some(before) = at.checked_sub(1).map(|before| &clusters[before]) else {
            continue;
        };
        let (Some(step), true) = (step, follows(before, &clusters[at], n)) else {
            continue;
        };
        let timed = (clusters[at].end_s - before.end_s, step);
        if timed.1.chunks.is_empty() {
            steps.pure.push(timed);
        } else {
            steps.mixed.push(timed);
        }
    }
    let enough = steps.pure.len() + steps.mixed.len() >= FEWEST;
    enough.then_some(steps)
}

/// Tokens in order of time, cut where they pause.
fn clusters(scene: &Scene) -> Vec<Cluster> {
    let mut tokens: Vec<(f64, usize, usize)> = Vec::new();
    let mut gaps = Vec::new();
    for (request, stream) in scene.streams.iter().enumerate() {
        let times = stream.tokens_s.iter().enumerate();
        tokens.extend(times.map(|(number, at_s)| (*at_s, request, number)));
        gaps.extend(stream.tokens_s.windows(2).map(|pair| pair[1] - pair[0]));
    }
    tokens.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let pause = SEPARATE * median(gaps);
    let steps = tokens.chunk_by(|one, next| next.0 - one.0 <= pause);
    let cluster = |tokens: &[(f64, usize, usize)]| Cluster {
        end_s: median(tokens.iter().map(|(at_s, ..)| *at_s).collect()),
        tokens: tokens.iter().map(|(_, r, number)| (*r, *number)).collect(),
    };
    steps.map(cluster).collect()
}

/// Whether no step lies between two: one of the first `n` requests got a token and its next.
fn follows(before: &Cluster, after: &Cluster, n: usize) -> bool {
    let mut tokens = after.tokens.iter();
    tokens.any(|(request, number)| {
        *request < n && *number > 0 && before.tokens.contains(&(*request, number - 1))
    })
}

/// What is left of the prompts, as the scheduler goes on: decoding requests first, prompts in order
/// of arrival in what is left of the budget.
struct Replay<'a> {
    scene: &'a Scene,
    /// Tokens of a step, and requests that may run.
    budget: u32,
    places: usize,
    /// Tokens computed of each prompt.
    computed: Vec<u32>,
    /// Tokens that came of each request.
    came: Vec<usize>,
    /// Requests by arrival.
    order: Vec<usize>,
    /// Requests whose last token came out of the step before.
    ended: usize,
}

impl<'a> Replay<'a> {
    fn new(scene: &'a Scene) -> Self {
        let machine = &scene.machine;
        let (config, model, gpu) = (&machine.config, &machine.model, &machine.gpu);
        let streams = &scene.streams;
        let mut order: Vec<usize> = (0..streams.len()).collect();
        order.sort_by(|a, b| streams[*a].sent_s.total_cmp(&streams[*b].sent_s));
        Self {
            scene,
            budget: config.resolved_max_num_batched_tokens(model, gpu),
            places: config.resolved_max_num_seqs(gpu) as usize,
            computed: streams.iter().map(|stream| stream.cached).collect(),
            came: vec![0; streams.len()],
            order,
            ended: 0,
        }
    }

    /// The step whose tokens these are, scheduled then. None: they cannot be those of one step.
    fn step(&mut self, cluster: &Cluster, scheduled_s: f64) -> Option<Step> {
        let expected = self.decoding();
        let mut step = Step::default();
        for &(request, number) in &cluster.tokens {
            let prompt = self.scene.requests[request].prompt_tokens;
            if number == 0 {
                let computed = self.computed[request].min(prompt - 1);
                step.chunks.push((computed, prompt - computed));
                self.computed[request] = prompt;
            } else {
                step.decodes.push(prompt + number as u32);
            }
            self.came[request] = number + 1;
        }
        let used = step.decodes.len() as u32 + step.chunks.iter().map(|c| c.1).sum::<u32>();
        let whole = step.decodes.len() == expected && used <= self.budget;
        // With asynchronous scheduling those that have just ended still had their places.
        let ending = self.scene.machine.config.async_scheduling;
        let running = cluster.tokens.len() + if ending { self.ended } else { 0 };
        let free = self.places.saturating_sub(running);
        self.begin_prompts(
            self.budget.saturating_sub(used),
            free,
            scheduled_s,
            &mut step,
        );
        let last = |(request, number): &&(usize, usize)| {
            number + 1 == self.scene.streams[*request].tokens_s.len()
        };
        self.ended = cluster.tokens.iter().filter(last).count();
        whole.then_some(step)
    }

    /// Requests that have begun and not ended.
    fn decoding(&self) -> usize {
        let streams = self.came.iter().zip(&self.scene.streams);
        let decoding = streams.filter(|(came, s)| **came > 0 && **came < s.tokens_s.len());
        decoding.count()
    }

    /// Gives what is left of a step to prompts that end in a later one. A prompt that would have
    /// ended was not let in, nor was any behind it.
    fn begin_prompts(&mut self, mut left: u32, free: usize, scheduled_s: f64, step: &mut Step) {
        let threshold = self.scene.machine.config.long_prefill_token_threshold;
        let mut prompts = 0;
        for &request in &self.order {
            let prompt = self.scene.requests[request].prompt_tokens;
            let computed = self.computed[request];
            if computed >= prompt {
                continue;
            }
            let wanted = prompt - computed;
            let most = if threshold > 0 {
                threshold.min(left)
            } else {
                left
            };
            let arrived = self.scene.streams[request].sent_s <= scheduled_s;
            if left == 0 || prompts == free || !arrived || wanted <= most {
                return;
            }
            step.chunks.push((computed, most));
            self.computed[request] += most;
            left -= most;
            prompts += 1;
        }
    }
}
