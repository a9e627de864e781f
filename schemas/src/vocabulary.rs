use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use crate::value::{present, words_from_array, words_to_array};
use crate::{Cell, ColumnType, TableError, Value};

macro_rules! vocabulary {
    (
        $(#[doc = $about:literal])+
        pub enum $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
            schemars::JsonSchema,
        )]
        pub enum $name { $( $(#[doc = $doc])+ #[serde(rename = $word)] $variant, )+ }

        impl $name {
            /// Every word, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in tables and files.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            fn parse(column: &str, word: &str) -> Result<Self, TableError> {
                match word {
                    $( $word => Ok(Self::$variant), )+
                    _ => Err(TableError::UnknownWord {
                        column: column.to_owned(),
                        found: word.to_owned(),
                        expected: [$($word),+].join(", "),
                    }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl Value for $name {
            const TYPE: ColumnType = ColumnType::Text;

            fn to_array(values: Vec<&Self>) -> ArrayRef {
                words_to_array(values.into_iter().map(|v| Some(v.word())))
            }

            fn from_array(column: &str, array: &ArrayRef) -> Result<Vec<Self>, TableError> {
                present(column, words_from_array(column, array)?)?
                    .iter()
                    .map(|word| Self::parse(column, word))
                    .collect()
            }

            fn cell(&self) -> Cell {
                Cell::Text(self.word().to_owned())
            }
        }
    };
}

vocabulary! {
    /// How a trial ended. Only `ok` can be recommended; every other outcome keeps its reason.
    pub enum Outcome {
        /// Measured to the end in steady state.
        Ok = "ok",
        /// The load exceeds the capacity: there is no steady state.
        Unstable = "unstable",
        /// The server did not come up with this configuration.
        LaunchFailed = "launch_failed",
        /// The server ran out of memory.
        Oom = "oom",
        /// The server ended by itself.
        Crashed = "crashed",
        /// The server stopped answering.
        Hung = "hung",
        /// The load generator was the bottleneck.
        ClientLimited = "client_limited",
        /// A rule of the server forbids the configuration; nothing was run.
        Rejected = "rejected",
        /// Stopped early by the search.
        Aborted = "aborted",
    }
}

vocabulary! {
    /// Where a number comes from.
    pub enum Provenance {
        /// From the simulator.
        Simulated = "simulated",
        /// From a real server.
        Measured = "measured",
        /// From published effects or a model, not from this workload.
        Inferred = "inferred",
    }
}

vocabulary! {
    /// How a check ended.
    pub enum Verdict {
        /// Within the limit.
        Pass = "pass",
        /// Beyond the limit.
        Fail = "fail",
        /// The evidence does not decide.
        Inconclusive = "inconclusive",
    }
}

vocabulary! {
    /// How a request ended. Only `ok` feeds latencies; every other class counts as infinite.
    pub enum RequestStatus {
        /// All tokens arrived.
        Ok = "ok",
        /// The client's time limit ran out.
        Timeout = "timeout",
        /// The server refused for load (HTTP 503 or 429) until the retries were used up.
        Rejected = "rejected",
        /// The server refused the request itself, for example a prompt that is too long.
        Invalid = "invalid",
        /// The stream broke.
        Broken = "broken",
        /// The trial ended before the request did, or an earlier turn of its session failed.
        Unfinished = "unfinished",
    }
}

vocabulary! {
    /// Which requests an attribution is about.
    pub enum Population {
        /// Every finished request.
        All = "all",
        /// Requests at or above the 95th percentile of E2E.
        Tail = "tail",
    }
}
