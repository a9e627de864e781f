use sbt_client::prometheus::{parse, sum};
use sbt_launcher::Sample;
use sbt_schemas::TelemetryRow;

use crate::server::Metrics;
use crate::trial_row::{EngineSizes, Identity, ServerState};

/// What a server says of itself at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Levels {
    running: Option<f64>,
    waiting: Option<f64>,
    kv_usage: Option<f64>,
    preemptions: Option<f64>,
    prefix_queries: Option<f64>,
    prefix_hits: Option<f64>,
    generated_tokens: Option<f64>,
}

impl Levels {
    /// From the text of `/metrics`, by the server's names.
    pub(crate) fn read(text: &str, names: &Metrics) -> Self {
        let series = parse(text);
        let sum = |names: &[String]| sum(&series, names);
        Self {
            running: sum(&names.running),
            waiting: sum(&names.waiting),
            kv_usage: sum(&names.kv_usage),
            preemptions: sum(&names.preemptions),
            prefix_queries: sum(&names.prefix_queries),
            prefix_hits: sum(&names.prefix_hits),
            generated_tokens: sum(&names.generation_tokens),
        }
    }

    /// Whether the server says that it works on nothing; none when it does not say.
    pub(crate) fn is_idle(&self) -> Option<bool> {
        let running = self.running?;
        Some(running + self.waiting.unwrap_or(0.0) == 0.0)
    }
}

/// The samples of a trial as rows.
pub(crate) fn rows(trial: &Identity, samples: &[Sample<Levels>]) -> Vec<TelemetryRow> {
    let rows = samples.iter().map(|sample| {
        let (server, group, gpu) = (&sample.server, &sample.group, &sample.gpu);
        let own = group.processes > 0;
        TelemetryRow {
            trial_key: trial.trial_key.clone(),
            config_id: trial.config_id.clone(),
            config_name: trial.config_name.clone(),
            draw: trial.draw,
            time_s: sample.time_s,
            running: server.running,
            waiting: server.waiting,
            kv_usage: server.kv_usage,
            preemptions: server.preemptions,
            prefix_queries: server.prefix_queries,
            prefix_hits: server.prefix_hits,
            generated_tokens: server.generated_tokens,
            vram_mb: gpu.vram_mb,
            gpu_use: gpu.gpu_use,
            power_w: gpu.power_w,
            temperature_c: gpu.temperature_c,
            sm_clock_mhz: gpu.sm_clock_mhz,
            throttle: gpu.throttle.clone().filter(|words| !words.is_empty()),
            rss_mb: own.then_some(group.rss_mb),
            cpu_cores: group.cpu_cores.filter(|_| own),
        }
    });
    rows.collect()
}

/// Peaks and means over a trial.
pub(crate) fn state(
    samples: &[Sample<Levels>],
    engine: EngineSizes,
    version: Option<String>,
) -> ServerState {
    let rss = samples.iter().filter(|s| s.group.processes > 0);
    let counted = |value: fn(&Levels) -> Option<f64>| {
        let mut values = samples.iter().filter_map(|s| value(&s.server));
        let first = values.next()?;
        Some((values.next_back().unwrap_or(first) - first).max(0.0) as u64)
    };
    ServerState {
        vram_peak_mb: peak(samples.iter().filter_map(|s| s.gpu.vram_mb)),
        kv_peak: peak(samples.iter().filter_map(|s| s.server.kv_usage)),
        engine,
        preemptions: counted(|levels| levels.preemptions),
        rss_peak_mb: peak(rss.map(|s| s.group.rss_mb)),
        gpu_use_mean: mean(samples.iter().filter_map(|s| s.gpu.gpu_use)),
        power_mean_w: mean(samples.iter().filter_map(|s| s.gpu.power_w)),
        version,
    }
}

/// Reasons for which GPUs ran slower than they could, each once.
pub(crate) fn throttling(samples: &[Sample<Levels>]) -> Option<String> {
    let words = samples.iter().filter_map(|s| s.gpu.throttle.as_deref());
    let mut words: Vec<&str> = words
        .flat_map(|w| w.split(','))
        .filter(|w| !w.is_empty())
        .collect();
    words.sort_unstable();
    words.dedup();
    (!words.is_empty()).then(|| words.join(", "))
}

fn peak(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.reduce(f64::max)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then_some(sum / n)
}
