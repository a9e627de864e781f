/// Latencies of one request, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latencies {
    /// To the first token.
    pub(crate) ttft_s: f64,
    /// From the first to the last token, per further token; none where there is one token.
    pub(crate) tpot_s: Option<f64>,
    /// To the last token.
    pub(crate) e2e_s: f64,
}

impl Latencies {
    /// From the time to the first token, the time from there to the last, and the tokens.
    pub(crate) fn of(ttft_s: f64, decode_s: f64, tokens: u64) -> Self {
        Self {
            ttft_s,
            tpot_s: (tokens > 1).then(|| decode_s / (tokens - 1) as f64),
            e2e_s: ttft_s + decode_s,
        }
    }

    /// One of them.
    pub(crate) fn get(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Ttft => Some(self.ttft_s),
            Metric::Tpot => self.tpot_s,
            Metric::E2e => Some(self.e2e_s),
        }
    }
}

/// Which latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// Time to first token.
    Ttft,
    /// Time per output token.
    Tpot,
    /// End to end.
    E2e,
}

impl Metric {
    pub(crate) const ALL: [Self; 3] = [Self::Ttft, Self::Tpot, Self::E2e];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::E2e => "e2e",
        }
    }
}
