use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use sbt_simulator::Gauges;

use crate::progress::Progress;

const TTFT_BOUNDS_S: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];
const ITL_BOUNDS_S: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];
const E2E_BOUNDS_S: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

/// What `/metrics` counts, under vLLM's names and with its bounds.
pub(crate) struct Metrics(Mutex<Counts>);

struct Counts {
    prompt_tokens: u64,
    generation_tokens: u64,
    finished: BTreeMap<&'static str, u64>,
    ttft: Histogram,
    itl: Histogram,
    e2e: Histogram,
}

struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds: the last is beyond all.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    fn observe(&mut self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place] += 1;
        self.sum += value;
    }

    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let _ = writeln!(text, "# TYPE vllm:{name} histogram");
        let mut below = 0;
        let bounds = self.bounds.iter().map(|bound| format!("{bound:?}"));
        for (count, bound) in self.counts.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            below += count;
            let _ = writeln!(
                text,
                "vllm:{name}_bucket{{{labels},le=\"{bound}\"}} {below}"
            );
        }
        let _ = writeln!(text, "vllm:{name}_count{{{labels}}} {below}");
        let _ = writeln!(text, "vllm:{name}_sum{{{labels}}} {}", self.sum);
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counts {
            prompt_tokens: 0,
            generation_tokens: 0,
            finished: BTreeMap::from([("length", 0), ("stop", 0)]),
            ttft: Histogram::new(TTFT_BOUNDS_S),
            itl: Histogram::new(ITL_BOUNDS_S),
            e2e: Histogram::new(E2E_BOUNDS_S),
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the token that a request has just got.
    pub(crate) fn token(&self, progress: &Progress, gap_s: Option<f64>) {
        let mut counts = self.lock();
        counts.generation_tokens += 1;
        match gap_s {
            Some(gap_s) => counts.itl.observe(gap_s),
            None => {
                counts.prompt_tokens += progress.prompt_tokens as u64;
                counts.ttft.observe(progress.ttft_s());
            }
        }
    }

    /// Counts a request that has all its tokens.
    pub(crate) fn finished(&self, progress: &Progress, reason: &'static str) {
        let mut counts = self.lock();
        *counts.finished.entry(reason).or_default() += 1;
        counts.e2e.observe(progress.e2e_s());
    }

    /// The text of `/metrics`.
    pub(crate) fn render(&self, gauges: &Gauges, model: &str) -> String {
        let model = model.replace('\\', "\\\\").replace('"', "\\\"");
        let labels = format!("engine=\"0\",model_name=\"{model}\"");
        let counts = self.lock();
        let mut text = String::from("# simulated by sbt\n");
        let mut put = |name: &str, kind: &str, value: f64| {
            let _ = writeln!(text, "# TYPE vllm:{name} {kind}");
            let _ = writeln!(text, "vllm:{name}{{{labels}}} {value:?}");
        };
        put("num_requests_running", "gauge", gauges.running as f64);
        put("num_requests_waiting", "gauge", gauges.waiting as f64);
        put("kv_cache_usage_perc", "gauge", gauges.kv_usage);
        put(
            "prefix_cache_queries_total",
            "counter",
            gauges.prefix_queries as f64,
        );
        put(
            "prefix_cache_hits_total",
            "counter",
            gauges.prefix_hits as f64,
        );
        put(
            "num_preemptions_total",
            "counter",
            gauges.preemptions as f64,
        );
        put(
            "prompt_tokens_total",
            "counter",
            counts.prompt_tokens as f64,
        );
        put(
            "generation_tokens_total",
            "counter",
            counts.generation_tokens as f64,
        );
        text.push_str("# TYPE vllm:request_success_total counter\n");
        for (reason, count) in &counts.finished {
            let _ = writeln!(
                text,
                "vllm:request_success_total{{{labels},finished_reason=\"{reason}\"}} {count}"
            );
        }
        counts
            .ttft
            .render("time_to_first_token_seconds", &labels, &mut text);
        counts
            .itl
            .render("inter_token_latency_seconds", &labels, &mut text);
        counts
            .e2e
            .render("e2e_request_latency_seconds", &labels, &mut text);
        text
    }
}
