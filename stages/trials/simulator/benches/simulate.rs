//! CPU time of one trial: `cargo bench -p sbt-simulator --bench simulate`.
//!
//! On one of two busy shared cores; before: a look at every request in every step.
//!
//! | workload | before | now |
//! |---|---|---|
//! | 300 short chats | 584 µs | 105 to 126 µs |
//! | 300 x (512 to 128), 64 at once | 891 µs | 68 µs |
//! | 512 x (1024 to 512), 128 at once | 8.69 ms | 0.13 ms |
//! | 300 long chats, KV starved | 3.23 ms | 0.96 ms |
//!
//! Of the short chats' time (1,734 steps, two thirds of which a request comes or goes in) a tenth
//! is the times of steps with prompts, 5 % those of pure decode, 7 % the search for the next
//! longest context, 10 % the agenda; no other part has more than 6 %. Of the starved one's, two
//! fifths are the KV blocks.
#![expect(clippy::unwrap_used, reason = "a bench may stop")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use sbt_simulator::{Client, EngineConfig, Gpu, Model, Request, Server, StepSource};

/// Uniform numbers from a linear congruential generator (Knuth's MMIX constants).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.next().ln() * mean
    }
}

fn request(start_s: f64, prompt_tokens: u32, output_tokens: u32) -> Request {
    Request {
        start_s,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens,
        output_tokens,
        block_ids: Vec::new(),
        block_tokens: 16,
    }
}

/// Poisson arrivals with exponential lengths; every sequence has block ids of its own when asked.
fn open_loop(count: u32, rate: f64, prompt: f64, output: f64, ids: bool) -> Vec<Request> {
    let mut uniform = Uniform(7);
    let (mut at, mut next) = (0.0, 0);
    let mut one = || {
        at += uniform.exponential(1.0 / rate);
        let lengths = [prompt, output].map(|mean| uniform.exponential(mean).ceil().min(4000.0));
        let mut request = request(at, lengths[0] as u32, lengths[1] as u32);
        if ids {
            let blocks = u64::from((request.prompt_tokens + request.output_tokens).div_ceil(16));
            request.block_ids = (next..next + blocks).collect();
            next += blocks;
        }
        request
    };
    (0..count).map(|_| one()).collect()
}

fn closed_loop(count: u32, prompt: u32, output: u32) -> Vec<Request> {
    (0..count).map(|_| request(0.0, prompt, output)).collect()
}

fn server(gpu: &str, config: EngineConfig) -> Server {
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named(gpu).unwrap();
    let config = EngineConfig {
        max_model_len: Some(16_384),
        ..config
    };
    Server::launch(&config, model, gpu, 1, &StepSource::default()).unwrap()
}

fn at_most(in_flight: u64) -> Client {
    Client {
        max_in_flight: Some(in_flight),
        ..Client::default()
    }
}

/// CPU time of the process: other work on the machine does not count.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn simulations(criterion: &mut Criterion<CpuTime>) {
    let h100 = server("h100-sxm", EngineConfig::default());
    let starved = EngineConfig {
        num_gpu_blocks_override: Some(2588),
        ..EngineConfig::default()
    };
    let starved = server("rtx-4090", starved);
    let any = Client::default();
    let cases = [
        (
            "300 short chats",
            &h100,
            open_loop(300, 30.0, 120.0, 60.0, false),
            any,
        ),
        (
            "300 short chats with block ids",
            &h100,
            open_loop(300, 30.0, 120.0, 60.0, true),
            any,
        ),
        (
            "300 x (512 to 128), 64 at once",
            &h100,
            closed_loop(300, 512, 128),
            at_most(64),
        ),
        (
            "512 x (1024 to 512), 128 at once",
            &h100,
            closed_loop(512, 1024, 512),
            at_most(128),
        ),
        (
            "300 long chats, KV starved",
            &starved,
            open_loop(300, 10.0, 1000.0, 400.0, true),
            any,
        ),
    ];
    for (name, server, requests, client) in &cases {
        let run = server.simulate(requests, client);
        let name = format!(
            "{name}, {} steps, {} preemptions",
            run.steps, run.preemptions
        );
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| server.simulate(black_box(requests), client));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = simulations
}
criterion_main!(benches);
