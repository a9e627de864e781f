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
    /// What a measured point of a sweep was used for.
    pub enum PointUse {
        /// Coefficients were fitted to it.
        Fitted = "fitted",
        /// Errors are of such points.
        HeldOut = "held_out",
        /// It cannot be simulated.
        Skipped = "skipped",
    }
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
        /// More requests failed than a trial may have.
        TooManyErrors = "too_many_errors",
    }
}

vocabulary! {
    /// Part of a trial that a request belongs to.
    pub enum Phase {
        /// Served and not counted.
        Warmup = "warmup",
        /// Counted.
        Measure = "measure",
        /// Load that goes on until the last measured request has ended; not counted.
        Drain = "drain",
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
    /// How a request ended. Only `ok` feeds latencies; every class but `ok_short` beside it counts
    /// as infinite.
    pub enum RequestStatus {
        /// All tokens arrived.
        Ok = "ok",
        /// The answer ended by itself before the length asked for, although the server was to ignore its end.
        OkShort = "ok_short",
        /// The host name has no address.
        Dns = "dns",
        /// Nothing listens at the address.
        ConnectRefused = "connect_refused",
        /// The connection was not made in time, or failed otherwise.
        ConnectTimeout = "connect_timeout",
        /// The TLS handshake failed.
        Tls = "tls",
        /// The request could not be written whole.
        SendFailed = "send_failed",
        /// The server reset the connection.
        ConnReset = "conn_reset",
        /// The stream ended before its terminator.
        StreamCut = "stream_cut",
        /// The server refused the request itself (HTTP 4xx).
        Http4xx = "http_4xx",
        /// The server refused for load (HTTP 429).
        Http429 = "http_429",
        /// The server failed, or refused for load (HTTP 5xx).
        Http5xx = "http_5xx",
        /// The prompt, or prompt and answer, do not fit the context length.
        ContextOverflow = "context_overflow",
        /// An error inside a stream that began with HTTP 200.
        SseError = "sse_error",
        /// A line of the stream that is no answer.
        SseGarbage = "sse_garbage",
        /// The stream ended well and held no token.
        Empty = "empty",
        /// The stream ended cleanly, without a terminator or a reason to end.
        NoTerminator = "no_terminator",
        /// No first token in time.
        TimeoutTtft = "timeout_ttft",
        /// No further token in time.
        TimeoutIdle = "timeout_idle",
        /// Not finished in time.
        TimeoutTotal = "timeout_total",
        /// The trial ended before the request did.
        CancelledByClient = "cancelled_by_client",
        /// Not sent: as many requests were in flight as may be.
        NotSentCap = "not_sent_cap",
        /// Not sent: the trial was over, or the turn that it carries on failed.
        NotSentLate = "not_sent_late",
        /// The load generator's own fault, such as no file descriptor left.
        ClientFault = "client_fault",
    }
}

impl RequestStatus {
    /// Whether one of the client's time limits ran out.
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(
            self,
            Self::TimeoutTtft | Self::TimeoutIdle | Self::TimeoutTotal
        )
    }

    /// Whether the server refused for load.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::Http429 | Self::Http5xx)
    }

    /// Whether the request itself was wrong: no server would have served it.
    #[must_use]
    pub const fn is_invalid(self) -> bool {
        matches!(self, Self::Http4xx | Self::ContextOverflow)
    }

    /// Whether all that the server was asked for, or would give, arrived.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Ok | Self::OkShort)
    }
}

vocabulary! {
    /// Where the count of a request's output tokens comes from.
    pub enum TokenSource {
        /// The simulator, which makes them.
        Simulator = "simulator",
        /// The final `usage` of the answer.
        Usage = "usage",
        /// A `usage` on every event.
        ContinuousUsage = "continuous_usage",
        /// The server's own timings.
        ServerTimings = "server_timings",
        /// The number of events: an estimate.
        Events = "events",
    }
}

vocabulary! {
    /// Which requests an attribution is about.
    pub enum Population {
        /// Every finished request.
        All = "all",
        /// Requests at or above the 95th percentile of E2E.
        Tail = "tail",
        /// The tail beyond those in the middle, from the 40th to the 60th percentile of E2E.
        Excess = "excess",
    }
}
