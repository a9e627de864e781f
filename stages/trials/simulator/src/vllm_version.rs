use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Versions of vLLM whose schedulers differ. `max_num_partial_prefills` of 0.19 is no knob here: its
/// V1 engine refused any value but 1, and did not look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VllmVersion {
    /// 0.20 up to 0.33.
    #[serde(rename = "0.33")]
    V0_33,
    /// Up to 0.19.
    #[serde(rename = "0.19")]
    V0_19,
}

impl VllmVersion {
    /// The one that stands for a minor version 0.MINOR.
    #[must_use]
    pub fn of_minor(minor: u32) -> Self {
        if minor < 20 { Self::V0_19 } else { Self::V0_33 }
    }

    /// Share of the device memory that a server takes by default (`config/cache.py`).
    pub(crate) fn gpu_memory_utilization(self) -> f64 {
        match self {
            Self::V0_33 => 0.92,
            Self::V0_19 => 0.90,
        }
    }

    /// Whether the chunks of a long prompt are limited when there is no other request.
    pub(crate) fn limits_chunks_of_the_only_request(self) -> bool {
        self == Self::V0_19
    }

    /// Whether a freed block without known content is the next to be taken (`block_pool.py`);
    /// otherwise all freed blocks go to the back of the list.
    pub(crate) fn reuses_unknown_blocks_first(self) -> bool {
        self == Self::V0_33
    }
}

/// Order of waiting requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SchedulingPolicy {
    /// First come, first served; the last that was admitted is preempted first.
    Fcfs,
    /// By priority, the lowest first, and then by arrival; the highest and latest is preempted
    /// first.
    Priority,
}
