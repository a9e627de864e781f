//! Virtual-time model of a continuous-batching serving engine: no I/O, no clock.
//!
//! Follows the scheduler of vLLM 0.33 (V1): running requests first, chunked prefill, KV blocks
//! with prefix cache and preemption, asynchronous scheduling, tensor parallelism, CUDA graphs, and
//! the memory that is left for the KV cache. Every engine step is simulated; equal inputs give
//! equal results on every machine.

mod acceptance;
mod admission;
mod allocation;
mod balancer;
mod batch;
mod blocks;
mod called;
mod catalogue;
mod client;
mod cuda_graphs;
mod emission;
mod emitted;
mod engine;
mod engine_config;
mod factor;
mod fleet;
mod gpu;
mod hf_config;
mod launch_rules;
mod live;
mod memory;
mod model;
mod pipeline;
mod policy;
mod prefix;
mod queue_limits;
mod request;
mod run;
mod scheduler;
mod server;
mod sglang;
mod simulation;
mod state;
mod step;
mod step_time;
mod streaming;
mod streams;
mod vllm_version;
mod weights;

pub use client::Client;
pub use emission::Emission;
pub use engine_config::{
    EngineConfig, KvCacheDtype, Quantization, SchedulerKind, SpeculativeMethod,
};
pub use factor::Factor;
pub use gpu::{Gpu, Products};
pub use hf_config::ConfigError;
pub use live::{Gauges, Live};
pub use memory::Memory;
pub use model::{Experts, Latent, Model, Window};
pub use request::Request;
pub use run::{Run, Served};
pub use server::{LaunchFailure, Server};
pub use step::Step;
pub use step_time::{Coefficients, KernelError, KernelTables, StepSource, Term, Terms};
pub use vllm_version::{SchedulingPolicy, VllmVersion};
pub use weights::WeightsDtype;

/// Raised when the same inputs give another result.
pub const REVISION: u32 = 6;

/// Texts of the embedded data files: what results depend on besides the code.
#[must_use]
pub fn data_digest_source() -> &'static [&'static str] {
    &[gpu::DATA, model::DATA]
}
