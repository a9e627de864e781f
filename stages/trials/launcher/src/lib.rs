//! Starts, watches, samples and stops one real server.
//!
//! A server is a process group with an HTTP readiness path; nothing here knows its requests, its
//! knobs or trials. Linux only: processes are read from `/proc`.

mod cgroup;
mod diagnosis;
mod failure;
mod gpu;
mod group;
mod lock;
mod log;
mod memory;
mod plan;
mod probe;
mod process;
mod record;
mod running;
mod sampler;

pub use failure::{Exit, Failure, FailurePattern, StartError};
pub use gpu::{GpuIdentity, GpuLevels, Gpus};
pub use group::Ended;
pub use lock::MachineLock;
pub use memory::MemoryLevel;
pub use plan::{LaunchPlan, free_port};
pub use probe::Health;
pub use record::{Swept, kill_own, sweep};
pub use running::{Progress, Running, Stopped};
pub use sampler::{GroupLevels, Sample, Sampler};
