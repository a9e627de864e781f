//! STUB, never committed.
#![allow(missing_docs)]
use sbt_schemas::RequestStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub name: String,
    pub heads: u64,
    pub kv_heads: u64,
    pub max_model_len: u64,
}
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    pub name: String,
    pub usd_per_hour: Option<f64>,
}
impl Model {
    pub fn named(n: &str) -> Result<Self, String> {
        if n == "llama-3.1-8b" {
            Ok(Self {
                name: n.into(),
                heads: 32,
                kv_heads: 8,
                max_model_len: 131072,
            })
        } else {
            Err(format!("unknown model `{n}`; did you mean `llama-3.1-8b`?"))
        }
    }
}
impl Gpu {
    pub fn named(n: &str) -> Result<Self, String> {
        if n == "h100-sxm" {
            Ok(Self {
                name: n.into(),
                usd_per_hour: Some(2.5),
            })
        } else {
            Err(format!("unknown GPU `{n}`; did you mean `h100-sxm`?"))
        }
    }
}
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct EngineConfig {
    pub max_num_seqs: u64,
    pub gpu_memory_utilization: f64,
}
impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_num_seqs: 256,
            gpu_memory_utilization: 0.92,
        }
    }
}
pub struct Client {
    pub max_in_flight: Option<u64>,
    pub timeout_s: Option<f64>,
    pub retries: u64,
    pub backoff_s: f64,
}
#[derive(Debug, Clone)]
pub struct Request {
    pub start_s: f64,
    pub after: Option<usize>,
    pub prompt_tokens: u64,
    pub output_tokens: u64,
    pub block_ids: Vec<u64>,
    pub block_tokens: u64,
}
#[derive(Debug)]
pub enum LaunchFailure {
    Invalid(String),
    DoesNotFit { message: String },
}
#[derive(Debug, Clone)]
pub struct Served {
    pub status: RequestStatus,
    pub intended_s: f64,
    pub sent_s: Option<f64>,
    pub first_token_s: Option<f64>,
    pub end_s: Option<f64>,
    pub attempts: u64,
    pub cached_tokens: u64,
    pub output_tokens: u64,
    pub queue_s: f64,
    pub prefill_s: f64,
    pub decode_s: f64,
    pub retry_s: f64,
    pub network_s: f64,
    pub preemptions: u64,
    pub itl_s: Vec<f64>,
}
pub struct Run {
    pub requests: Vec<Served>,
    pub kv_peak: f64,
    pub preemptions: u64,
    pub steps: u64,
    pub end_s: f64,
}
pub struct Memory {
    pub peak_mb: f64,
    pub kv_tokens: u64,
}
pub struct Server {
    seqs: usize,
}
pub const REVISION: u32 = 0;
impl std::fmt::Display for LaunchFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(m) | Self::DoesNotFit { message: m } => f.write_str(m),
        }
    }
}
impl Server {
    pub fn launch(c: &EngineConfig, _: &Model, _: &Gpu, _: u64) -> Result<Self, LaunchFailure> {
        if c.gpu_memory_utilization < 0.2 {
            return Err(LaunchFailure::DoesNotFit {
                message: "no room".into(),
            });
        }
        Ok(Self {
            seqs: c.max_num_seqs as usize,
        })
    }
    pub fn memory(&self) -> Memory {
        Memory {
            peak_mb: 70000.0,
            kv_tokens: 400000,
        }
    }
    pub fn simulate(&self, rs: &[Request], _: &Client) -> Run {
        let mut free = vec![0.0_f64; self.seqs];
        let mut out: Vec<Served> = Vec::new();
        for r in rs {
            let intended = r
                .after
                .map_or(r.start_s, |a| out[a].end_s.unwrap() + r.start_s);
            let slot = (0..free.len())
                .min_by(|&a, &b| free[a].total_cmp(&free[b]))
                .unwrap();
            let start = intended.max(free[slot]);
            let first = start + r.prompt_tokens as f64 / 20000.0;
            let n = r.output_tokens;
            let gap = 0.01;
            let end = first + (n - 1) as f64 * gap;
            free[slot] = end;
            out.push(Served {
                status: RequestStatus::Ok,
                intended_s: intended,
                sent_s: Some(intended),
                first_token_s: Some(first),
                end_s: Some(end),
                attempts: 1,
                cached_tokens: 0,
                output_tokens: n,
                queue_s: start - intended,
                prefill_s: first - start,
                decode_s: end - first,
                retry_s: 0.0,
                network_s: 0.0,
                preemptions: 0,
                itl_s: vec![gap; (n - 1) as usize],
            });
        }
        let end_s = out.iter().filter_map(|s| s.end_s).fold(0.0, f64::max);
        Run {
            requests: out,
            kv_peak: 0.5,
            preemptions: 0,
            steps: 1,
            end_s,
        }
    }
}
