use std::fmt;
use std::str::FromStr;

/// Something that real servers do wrong, played on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// HTTP 503.
    Http503,
    /// HTTP 429 with `Retry-After`.
    Http429,
    /// HTTP 500.
    Http500,
    /// HTTP 400.
    Http400,
    /// HTTP 400 in the words for a prompt that is too long.
    ContextOverflow,
    /// HTTP 401.
    Unauthorized,
    /// An error event before any token, under HTTP 200.
    ErrorFirst,
    /// An error event after half the tokens, under HTTP 200.
    ErrorAfter,
    /// An error object instead of an answer, under HTTP 200.
    ErrorJson,
    /// A data line that is no JSON.
    Garbage,
    /// A token that is no UTF-8.
    BadUtf8,
    /// No `[DONE]`.
    NoDone,
    /// Neither `finish_reason` nor `[DONE]`.
    NoTerminator,
    /// No usage, though asked for.
    NoUsage,
    /// Nothing but `[DONE]`.
    OnlyDone,
    /// Closed after half the tokens.
    Cut,
    /// Closed within the headers.
    CutHeaders,
    /// Reset after half the tokens.
    Reset,
    /// Headers, then nothing.
    HangFirst,
    /// Nothing after half the tokens.
    Hang,
    /// Nothing at all.
    HangHeaders,
    /// Comments instead of tokens.
    SlowComments,
    /// The role long before the first token.
    RoleEarly,
    /// Four tokens an event.
    Chunked4,
    /// One JSON body though a stream was asked for.
    NotStreamed,
    /// Half the tokens, and `finish_reason` is `stop`.
    Short,
    /// Ten times the time between tokens.
    Slow,
    /// A finished answer without a token.
    Empty,
    /// Usage that tells twice the tokens.
    WrongUsage,
}

impl Fault {
    /// Every fault: its word and what it does.
    pub const ALL: &[(Self, &'static str, &'static str)] = &[
        (Self::Http503, "http_503", "status 503"),
        (Self::Http429, "http_429", "status 429 with Retry-After: 1"),
        (Self::Http500, "http_500", "status 500"),
        (Self::Http400, "http_400", "status 400"),
        (
            Self::ContextOverflow,
            "context_overflow",
            "status 400: prompt too long",
        ),
        (Self::Unauthorized, "unauthorized", "status 401"),
        (
            Self::ErrorFirst,
            "error_first",
            "200, an error event before any token",
        ),
        (
            Self::ErrorAfter,
            "error_after",
            "200, an error event after half the tokens",
        ),
        (
            Self::ErrorJson,
            "error_json",
            "200, an error object as JSON body",
        ),
        (
            Self::Garbage,
            "garbage",
            "a data line that is no JSON, half-way",
        ),
        (
            Self::BadUtf8,
            "bad_utf8",
            "a token that is no UTF-8, half-way",
        ),
        (Self::NoDone, "no_done", "no [DONE]"),
        (
            Self::NoTerminator,
            "no_terminator",
            "neither finish_reason nor [DONE]",
        ),
        (Self::NoUsage, "no_usage", "no usage, though asked for"),
        (Self::OnlyDone, "only_done", "nothing but [DONE]"),
        (Self::Cut, "cut", "closed (FIN) after half the tokens"),
        (
            Self::CutHeaders,
            "cut_headers",
            "closed (FIN) within the headers",
        ),
        (Self::Reset, "reset", "reset (RST) after half the tokens"),
        (Self::HangFirst, "hang_first", "headers, then nothing"),
        (Self::Hang, "hang", "nothing after half the tokens"),
        (Self::HangHeaders, "hang_headers", "no answer at all"),
        (
            Self::SlowComments,
            "slow_comments",
            "`: ping` ten times a second, no token",
        ),
        (
            Self::RoleEarly,
            "role_early",
            "the role chunk as soon as the request is in",
        ),
        (Self::Chunked4, "chunked4", "four tokens an event"),
        (
            Self::NotStreamed,
            "not_streamed",
            "one JSON body though a stream was asked for",
        ),
        (Self::Short, "short", "half the tokens, finish_reason stop"),
        (Self::Slow, "slow", "ten times the time between tokens"),
        (
            Self::Empty,
            "empty",
            "finish_reason and usage without a token",
        ),
        (
            Self::WrongUsage,
            "wrong_usage",
            "usage tells twice the tokens",
        ),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let entry = Self::ALL.iter().find(|entry| entry.0 == self);
        entry.map_or("", |entry| entry.1)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault `{0}`; faults: {all}", all = words())]
pub struct UnknownFault(String);

fn words() -> String {
    let words: Vec<&str> = Fault::ALL.iter().map(|entry| entry.1).collect();
    words.join(", ")
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(word: &str) -> Result<Self, UnknownFault> {
        let entry = Self::ALL.iter().find(|entry| entry.1 == word);
        entry
            .map(|entry| entry.0)
            .ok_or_else(|| UnknownFault(word.to_owned()))
    }
}

/// Shares of the requests that get a fault; which ones depends on the seed and on the request's
/// number alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultRates {
    /// Share of each fault, 0 to 1; of several that hit, the first is played.
    pub rates: Vec<(Fault, f64)>,
    /// Another seed, other requests.
    pub seed: u64,
}

impl FaultRates {
    pub(crate) fn of(&self, request: u64) -> Option<Fault> {
        let hit = self.rates.iter().zip(0..).find(|((_, rate), place)| {
            let drawn = mix(mix(self.seed ^ (*place << 56)) ^ request);
            ((drawn >> 11) as f64) < rate * (1_u64 << 53) as f64
        });
        hit.map(|((fault, _), _)| *fault)
    }
}

/// `SplitMix64`.
fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_fault() {
        for (fault, word, _) in Fault::ALL {
            assert_eq!(word.parse(), Ok(*fault));
            assert_eq!(fault.word(), *word);
        }
        let unknown = "nope".parse::<Fault>().unwrap_err().to_string();
        assert!(unknown.contains("nope") && unknown.contains("http_503"));
    }

    #[test]
    fn rate_hits_its_share_and_the_same_requests_again() {
        let rates = |seed| FaultRates {
            rates: vec![(Fault::Cut, 0.1), (Fault::Http503, 1.0)],
            seed,
        };
        let cut = |seed| -> Vec<u64> {
            let of_seed = rates(seed);
            (0..10_000)
                .filter(|n| of_seed.of(*n) == Some(Fault::Cut))
                .collect()
        };
        assert!((900..1100).contains(&cut(7).len()));
        assert_eq!(cut(7), cut(7));
        assert_ne!(cut(7), cut(8));
        assert_eq!(FaultRates::default().of(3), None);
    }
}
