use crate::row::table;
use crate::{Outcome, Provenance};

table! {
    /// One row per trial: one configuration, one workload draw, one backend.
    table "trials" version 3 key [config_id, draw, rate_scale];
    pub struct TrialRow {
        /// Memo key of the trial: equal key, equal trial.
        pub trial_key: String,
        /// Identity of the configuration: a hash of its knobs.
        pub config_id: String,
        /// Name that the pipeline gives the configuration.
        pub config_name: String,
        /// Knobs that the configuration sets, as canonical JSON.
        pub config: String,
        /// Backend: kind, server, model and GPU.
        pub backend: String,
        /// Which draw of the workload was served.
        pub draw: u64,
        /// Factor on the arrival rate of the workload.
        pub rate_scale: f64,
        /// How the trial ended.
        pub outcome: Outcome,
        /// Why, when the outcome is not `ok`.
        pub reason: Option<String>,
        /// Where the numbers come from.
        pub provenance: Provenance,
        /// When it was measured, RFC 3339 UTC; null when simulated.
        pub started_at: Option<String>,
        /// Wall time of the trial; null when simulated.
        pub wall_s: Option<f64>,
        /// Requests in the measured part.
        pub n: u64,
        /// Of these, finished with status `ok`.
        pub n_ok: u64,
        /// Of these, ended before the length asked for; they stand in no latency and miss every objective.
        pub n_short: u64,
        /// Requests by how they ended, as `ok 190, stream_cut 10`.
        pub statuses: Option<String>,
        /// Time to first token, from the intended send: mean. Over finished requests.
        pub ttft_mean_s: Option<f64>,
        /// Lower bound of the 95 % interval of `ttft_mean_s`.
        pub ttft_mean_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `ttft_mean_s`; null when n is too small for a finite one.
        pub ttft_mean_hi_s: Option<f64>,
        /// Time to first token, from the intended send: median. Null when failed requests reach it.
        pub ttft_p50_s: Option<f64>,
        /// Lower bound of the 95 % interval of `ttft_p50_s`.
        pub ttft_p50_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `ttft_p50_s`; null when n is too small for a finite one.
        pub ttft_p50_hi_s: Option<f64>,
        /// Time to first token, from the intended send: 90th percentile. Null when failed requests reach it.
        pub ttft_p90_s: Option<f64>,
        /// Lower bound of the 95 % interval of `ttft_p90_s`.
        pub ttft_p90_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `ttft_p90_s`; null when n is too small for a finite one.
        pub ttft_p90_hi_s: Option<f64>,
        /// Time to first token, from the intended send: 95th percentile. Null when failed requests reach it.
        pub ttft_p95_s: Option<f64>,
        /// Lower bound of the 95 % interval of `ttft_p95_s`.
        pub ttft_p95_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `ttft_p95_s`; null when n is too small for a finite one.
        pub ttft_p95_hi_s: Option<f64>,
        /// Time to first token, from the intended send: 99th percentile. Null when failed requests reach it.
        pub ttft_p99_s: Option<f64>,
        /// Lower bound of the 95 % interval of `ttft_p99_s`.
        pub ttft_p99_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `ttft_p99_s`; null when n is too small for a finite one.
        pub ttft_p99_hi_s: Option<f64>,
        /// Time per output token after the first, (last - first) / (n - 1) of each request: mean. Over finished requests.
        pub tpot_mean_s: Option<f64>,
        /// Lower bound of the 95 % interval of `tpot_mean_s`.
        pub tpot_mean_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `tpot_mean_s`; null when n is too small for a finite one.
        pub tpot_mean_hi_s: Option<f64>,
        /// Time per output token after the first, (last - first) / (n - 1) of each request: median. Null when failed requests reach it.
        pub tpot_p50_s: Option<f64>,
        /// Lower bound of the 95 % interval of `tpot_p50_s`.
        pub tpot_p50_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `tpot_p50_s`; null when n is too small for a finite one.
        pub tpot_p50_hi_s: Option<f64>,
        /// Time per output token after the first, (last - first) / (n - 1) of each request: 90th percentile. Null when failed requests reach it.
        pub tpot_p90_s: Option<f64>,
        /// Lower bound of the 95 % interval of `tpot_p90_s`.
        pub tpot_p90_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `tpot_p90_s`; null when n is too small for a finite one.
        pub tpot_p90_hi_s: Option<f64>,
        /// Time per output token after the first, (last - first) / (n - 1) of each request: 95th percentile. Null when failed requests reach it.
        pub tpot_p95_s: Option<f64>,
        /// Lower bound of the 95 % interval of `tpot_p95_s`.
        pub tpot_p95_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `tpot_p95_s`; null when n is too small for a finite one.
        pub tpot_p95_hi_s: Option<f64>,
        /// Time per output token after the first, (last - first) / (n - 1) of each request: 99th percentile. Null when failed requests reach it.
        pub tpot_p99_s: Option<f64>,
        /// Lower bound of the 95 % interval of `tpot_p99_s`.
        pub tpot_p99_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `tpot_p99_s`; null when n is too small for a finite one.
        pub tpot_p99_hi_s: Option<f64>,
        /// Inter-token latency, gaps between tokens pooled over requests: mean. Over finished requests.
        pub itl_mean_s: Option<f64>,
        /// Lower bound of the 95 % interval of `itl_mean_s`.
        pub itl_mean_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `itl_mean_s`; null when n is too small for a finite one.
        pub itl_mean_hi_s: Option<f64>,
        /// Inter-token latency, gaps between tokens pooled over requests: median. Null when failed requests reach it.
        pub itl_p50_s: Option<f64>,
        /// Lower bound of the 95 % interval of `itl_p50_s`.
        pub itl_p50_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `itl_p50_s`; null when n is too small for a finite one.
        pub itl_p50_hi_s: Option<f64>,
        /// Inter-token latency, gaps between tokens pooled over requests: 90th percentile. Null when failed requests reach it.
        pub itl_p90_s: Option<f64>,
        /// Lower bound of the 95 % interval of `itl_p90_s`.
        pub itl_p90_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `itl_p90_s`; null when n is too small for a finite one.
        pub itl_p90_hi_s: Option<f64>,
        /// Inter-token latency, gaps between tokens pooled over requests: 95th percentile. Null when failed requests reach it.
        pub itl_p95_s: Option<f64>,
        /// Lower bound of the 95 % interval of `itl_p95_s`.
        pub itl_p95_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `itl_p95_s`; null when n is too small for a finite one.
        pub itl_p95_hi_s: Option<f64>,
        /// Inter-token latency, gaps between tokens pooled over requests: 99th percentile. Null when failed requests reach it.
        pub itl_p99_s: Option<f64>,
        /// Lower bound of the 95 % interval of `itl_p99_s`.
        pub itl_p99_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `itl_p99_s`; null when n is too small for a finite one.
        pub itl_p99_hi_s: Option<f64>,
        /// End-to-end latency, from the intended send: mean. Over finished requests.
        pub e2e_mean_s: Option<f64>,
        /// Lower bound of the 95 % interval of `e2e_mean_s`.
        pub e2e_mean_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `e2e_mean_s`; null when n is too small for a finite one.
        pub e2e_mean_hi_s: Option<f64>,
        /// End-to-end latency, from the intended send: median. Null when failed requests reach it.
        pub e2e_p50_s: Option<f64>,
        /// Lower bound of the 95 % interval of `e2e_p50_s`.
        pub e2e_p50_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `e2e_p50_s`; null when n is too small for a finite one.
        pub e2e_p50_hi_s: Option<f64>,
        /// End-to-end latency, from the intended send: 90th percentile. Null when failed requests reach it.
        pub e2e_p90_s: Option<f64>,
        /// Lower bound of the 95 % interval of `e2e_p90_s`.
        pub e2e_p90_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `e2e_p90_s`; null when n is too small for a finite one.
        pub e2e_p90_hi_s: Option<f64>,
        /// End-to-end latency, from the intended send: 95th percentile. Null when failed requests reach it.
        pub e2e_p95_s: Option<f64>,
        /// Lower bound of the 95 % interval of `e2e_p95_s`.
        pub e2e_p95_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `e2e_p95_s`; null when n is too small for a finite one.
        pub e2e_p95_hi_s: Option<f64>,
        /// End-to-end latency, from the intended send: 99th percentile. Null when failed requests reach it.
        pub e2e_p99_s: Option<f64>,
        /// Lower bound of the 95 % interval of `e2e_p99_s`.
        pub e2e_p99_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `e2e_p99_s`; null when n is too small for a finite one.
        pub e2e_p99_hi_s: Option<f64>,
        /// Time to first token, from the intended send: median over finished requests only, whatever failed.
        pub ttft_ok_p50_s: Option<f64>,
        /// Time to first token, from the intended send: 95th percentile over finished requests only, whatever failed.
        pub ttft_ok_p95_s: Option<f64>,
        /// Time to first token, from the intended send: 99th percentile over finished requests only, whatever failed.
        pub ttft_ok_p99_s: Option<f64>,
        /// Time per output token after the first: median over finished requests only, whatever failed.
        pub tpot_ok_p50_s: Option<f64>,
        /// Time per output token after the first: 95th percentile over finished requests only, whatever failed.
        pub tpot_ok_p95_s: Option<f64>,
        /// Time per output token after the first: 99th percentile over finished requests only, whatever failed.
        pub tpot_ok_p99_s: Option<f64>,
        /// End-to-end latency, from the intended send: median over finished requests only, whatever failed.
        pub e2e_ok_p50_s: Option<f64>,
        /// End-to-end latency, from the intended send: 95th percentile over finished requests only, whatever failed.
        pub e2e_ok_p95_s: Option<f64>,
        /// End-to-end latency, from the intended send: 99th percentile over finished requests only, whatever failed.
        pub e2e_ok_p99_s: Option<f64>,
        /// Time to first token from the send: median over finished requests. Most tools show this one.
        pub ttft_from_sent_p50_s: Option<f64>,
        /// Time to first token from the send: 95th percentile over finished requests.
        pub ttft_from_sent_p95_s: Option<f64>,
        /// Output tokens per second over the measured span.
        pub tok_s: Option<f64>,
        /// Finished requests per second over the measured span.
        pub rps: Option<f64>,
        /// Finished requests per second that met every service-level objective.
        pub goodput_rps: Option<f64>,
        /// Share of requests that met every service-level objective; failures miss.
        pub slo_share: Option<f64>,
        /// Share of requests that ran into the client's time limit.
        pub timeout_rate: Option<f64>,
        /// Share of requests that ended otherwise than `ok`, time limits included.
        pub error_rate: Option<f64>,
        /// Retries per request.
        pub retry_rate: Option<f64>,
        /// p99 / p50 of E2E.
        pub tail_amp: Option<f64>,
        /// Peak device memory per GPU.
        pub vram_peak_mb: Option<f64>,
        /// Peak share of the KV cache in use.
        pub kv_peak: Option<f64>,
        /// KV cache size per replica.
        pub kv_cache_tokens: Option<u64>,
        /// Blocks of the KV cache per replica.
        pub num_gpu_blocks: Option<u64>,
        /// Tokens of one block.
        pub block_size: Option<u64>,
        /// Most requests that the engine runs at once.
        pub max_num_seqs: Option<u64>,
        /// Most tokens of one step of the engine.
        pub max_num_batched_tokens: Option<u64>,
        /// Longest sequence, prompt and output together.
        pub max_model_len: Option<u64>,
        /// Share of prompt tokens served from the prefix cache.
        pub prefix_hit_rate: Option<f64>,
        /// Requests preempted for want of KV blocks, counted each time.
        pub preemptions: Option<u64>,
        /// Peak resident memory of the server's processes.
        pub rss_peak_mb: Option<f64>,
        /// Mean share of the time in which the busiest GPU worked.
        pub gpu_use_mean: Option<f64>,
        /// Mean power of all GPUs together.
        pub power_mean_w: Option<f64>,
        /// Delay of the client's sends behind the schedule: median.
        pub lag_p50_s: Option<f64>,
        /// Delay of the client's sends behind the schedule: 99th percentile.
        pub lag_p99_s: Option<f64>,
        /// Delay of the client's sends behind the schedule: maximum.
        pub lag_max_s: Option<f64>,
        /// Share of one processor core that the client used.
        pub client_cpu: Option<f64>,
        /// Tokens per event of the streams.
        pub tokens_per_event: Option<f64>,
        /// Version that the server states.
        pub server_version: Option<String>,
        /// What is odd about the trial, in sentences.
        pub warnings: Option<String>,
        /// Seed word of the prompts, new for every execution unless the protocol fixes it.
        pub salt: Option<String>,
        /// GPUs that one replica occupies; 0 where there are none, or nobody knows.
        pub gpus: u64,
        /// Price of one replica.
        pub cost_usd_h: Option<f64>,
        /// Price per million output tokens at the load of the trial.
        pub cost_per_mtok: Option<f64>,
        /// Price per million output tokens of requests that met every objective.
        pub cost_per_goodput_mtok: Option<f64>,
    }
}
