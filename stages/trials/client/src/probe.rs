//! One look at a server before the load: does it answer, what does it take, how does it count.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sbt_schemas::{RequestStatus, TokenSource};

use crate::answer::Expected;
use crate::body::{Bodies, Conversation};
use crate::clock::{Clock, span};
use crate::connection::{Connection, Dialer};
use crate::exchange::Exchange;
use crate::guard::Guard;
use crate::side::{Side, SideError, TokenizeForm};
use crate::vocabulary::Said;
use crate::{
    Api, ClientError, Features, Limits, Observed, PromptForm, Target, Vocabulary, Warning,
};

/// Words of the short and of the long prompt: their difference tells the tokens of a word.
const SHORT: usize = 8;
const LONG: usize = 64;

/// Tokens asked for: enough that usage on each event shows.
const OUTPUT: u32 = 4;

/// A server that closes its connections has done so by then; chosen: some network's way there and back.
const CLOSES_WITHIN: Duration = Duration::from_millis(200);

/// Longest wait for a call beside the load, without a limit of its own.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// What was found out.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The target with its address and the interface that it has.
    pub target: Target,
    /// What it takes, of what was wanted.
    pub features: Features,
    /// The vocabulary with what the server adds to prompts.
    pub vocabulary: Vocabulary,
    /// Whether the server counts one token for each word, so that prompts have the length asked for;
    /// none when it counts no prompts.
    pub is_exact: Option<bool>,
    /// Whether a connection stays open after an answer, to carry the next request.
    pub keeps_connections: bool,
    /// The first request that succeeded.
    pub observed: Observed,
}

/// Why no request succeeded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's first request ended with `{status}`: {evidence}")]
pub struct ProbeFailure {
    /// How the request ended.
    pub status: RequestStatus,
    /// What the server or the system said.
    pub evidence: String,
}

impl From<ClientError> for ProbeFailure {
    fn from(error: ClientError) -> Self {
        Self {
            status: RequestStatus::ClientFault,
            evidence: error.to_string(),
        }
    }
}

/// Probes a target: `wanted` is what is tried and left out where the server refuses it; words that
/// `tokenize` shows to be several tokens are dropped from the vocabulary; a server that does not tokenize
/// leaves it as it is, unless prompts are to be sent as tokens. Blocks.
///
/// # Errors
/// When no request succeeds, with the status and the words of the first that failed for another reason
/// than what it wanted; when prompts are to be sent as tokens and the server does not tell them.
pub fn probe(
    target: &Target,
    wanted: Features,
    vocabulary: &Vocabulary,
    tokenize: Option<TokenizeForm>,
    form: PromptForm,
    limits: &Limits,
) -> Result<Probe, ProbeFailure> {
    vocabulary.check()?;
    let mut target = target.clone();
    target.pin().map_err(|e| ProbeFailure {
        status: RequestStatus::Dns,
        evidence: format!("{}: {e}", target.host()),
    })?;
    let mut prober = Prober {
        bodies: Bodies {
            api: target.api,
            model: target.model.clone(),
            features: wanted,
            vocabulary: vocabulary.clone(),
        },
        runtime: crate::run::runtime()?,
        limits: limits.clone(),
        target,
    };
    let observed = prober.first_answer()?;
    prober.note_usage(&observed);
    prober.learn_tokens(tokenize, form)?;
    prober.bodies.check(&[])?;
    let is_exact = prober.measure_frame()?;
    let keeps_connections = prober.keeps_connections()?;
    Ok(Probe {
        target: prober.target,
        features: prober.bodies.features,
        vocabulary: prober.bodies.vocabulary,
        is_exact,
        keeps_connections,
        observed,
    })
}

struct Prober {
    target: Target,
    bodies: Bodies,
    limits: Limits,
    runtime: tokio::runtime::Runtime,
}

impl Prober {
    /// Tries until a request succeeds, each time with less.
    fn first_answer(&mut self) -> Result<Observed, ProbeFailure> {
        let mut first_refusal = None;
        loop {
            let seen = self.say(&self.first(SHORT), &Conversation::default(), OUTPUT)?;
            if seen.status.is_complete() {
                return Ok(seen);
            }
            let failure = failure(&seen);
            if !self.asks_less(&seen) {
                return Err(first_refusal.unwrap_or(failure));
            }
            first_refusal.get_or_insert(failure);
        }
    }

    /// Leaves out what the server may have refused; false when there is nothing left to leave out.
    fn asks_less(&mut self, seen: &Observed) -> bool {
        let said = seen.error.as_deref().unwrap_or_default();
        let is_chat = self.target.api == Api::Chat;
        match seen.http_status {
            Some(404 | 405) if is_chat => self.use_completions(),
            Some(400) if is_chat && said.contains("chat template") => self.use_completions(),
            Some(400 | 422) => return drop_one(&mut self.bodies.features, said),
            _ => return false,
        }
        true
    }

    fn use_completions(&mut self) {
        self.target.api = Api::Completions;
        self.bodies.api = Api::Completions;
    }

    /// What was taken without a refusal may still have been passed over.
    fn note_usage(&mut self, seen: &Observed) {
        let features = &mut self.bodies.features;
        if seen.warnings.contains(&Warning::NoUsage) {
            features.include_usage = false;
        }
        if seen.events.len() > 1 && seen.source != TokenSource::ContinuousUsage {
            features.continuous_usage = false;
        }
        if seen.status == RequestStatus::OkShort {
            features.ignore_eos = false;
        }
    }

    /// Keeps the words that are one token each, with their tokens where prompts are to be these.
    fn learn_tokens(
        &mut self,
        tokenize: Option<TokenizeForm>,
        form: PromptForm,
    ) -> Result<(), ProbeFailure> {
        let found = tokenize.map(|tokenize| self.single_tokens(tokenize));
        let failure = match (found, form) {
            (Some(Ok(single)), _) => {
                let (words, ids) = single.into_iter().unzip();
                self.bodies.vocabulary.words = words;
                if form == PromptForm::TokenIds {
                    self.bodies.vocabulary.ids = ids;
                }
                return Ok(());
            }
            (Some(Err(_)) | None, PromptForm::Text) => return Ok(()),
            (Some(Err(error)), PromptForm::TokenIds) => error.to_string(),
            (None, PromptForm::TokenIds) => "it has no /tokenize that is known".to_owned(),
        };
        Err(ProbeFailure {
            status: RequestStatus::ClientFault,
            evidence: format!("prompts cannot be sent as tokens: {failure}"),
        })
    }

    /// The words that are one token each, with it.
    fn single_tokens(&self, form: TokenizeForm) -> Result<Vec<(String, u64)>, SideError> {
        let limit = self.limits.total_timeout_s.and_then(span);
        let side = Side::new(&self.target, limit.unwrap_or(CALL_LIMIT))?;
        let words = &self.bodies.vocabulary.words;
        // a start of sequence is in both counts
        let base = side.tokenize(form, " a")?.len();
        let mut kept = Vec::with_capacity(words.len());
        let mut parts = vec![words.as_slice()];
        while let Some(part) = parts.pop() {
            let text = format!(" a {}", part.join(" "));
            let tokens = side.tokenize(form, &text)?;
            if tokens.len() == base + part.len() {
                kept.extend(part.iter().cloned().zip(tokens.into_iter().skip(base)));
            } else if part.len() > 1 {
                let (head, tail) = part.split_at(part.len() / 2);
                parts.extend([tail, head]);
            }
        }
        Ok(kept)
    }

    /// Finds what the server adds to prompts; tells whether each word is one token.
    fn measure_frame(&mut self) -> Result<Option<bool>, ProbeFailure> {
        let none = Conversation::default();
        let Some(short) = self.prompt_tokens(&self.first(SHORT), &none)? else {
            return Ok(None);
        };
        let Some(long) = self.prompt_tokens(&self.first(LONG), &none)? else {
            return Ok(None);
        };
        let added = short.saturating_sub(SHORT as u64);
        self.bodies.vocabulary.frame_tokens = u32::try_from(added).unwrap_or(u32::MAX);
        let is_exact = short >= SHORT as u64 && long == added + LONG as u64;
        if self.target.api == Api::Chat {
            let said = self.first(SHORT);
            let before = Conversation::of(said.text(), said.text());
            let three = self.prompt_tokens(&self.first(SHORT), &before)?;
            let turn = three.map_or(0, |n| n.saturating_sub(added + 3 * SHORT as u64));
            self.bodies.vocabulary.turn_tokens = u32::try_from(turn).unwrap_or(u32::MAX);
        }
        Ok(Some(is_exact))
    }

    fn prompt_tokens(
        &self,
        said: &Said,
        before: &Conversation,
    ) -> Result<Option<u64>, ProbeFailure> {
        let seen = self.say(said, before, 1)?;
        // an answer of one token may be an end without text
        if seen.status.is_complete() || seen.status == RequestStatus::Empty {
            Ok(seen.prompt_tokens)
        } else {
            Err(failure(&seen))
        }
    }

    fn first(&self, count: usize) -> Said {
        self.bodies.vocabulary.first(count)
    }

    fn say(
        &self,
        said: &Said,
        before: &Conversation,
        output_tokens: u32,
    ) -> Result<Observed, ProbeFailure> {
        self.exchange(said, before, output_tokens)
            .map(|(seen, _)| seen)
    }

    /// Whether the server leaves a connection open: some close it a moment after each answer.
    fn keeps_connections(&self) -> Result<bool, ProbeFailure> {
        let none = Conversation::default();
        let (_, connection) = self.exchange(&self.first(SHORT), &none, 1)?;
        let Some(mut connection) = connection else {
            return Ok(false);
        };
        Ok(self.runtime.block_on(async {
            tokio::time::sleep(CLOSES_WITHIN).await;
            connection.is_open().await
        }))
    }

    fn exchange(
        &self,
        said: &Said,
        before: &Conversation,
        output_tokens: u32,
    ) -> Result<(Observed, Option<Connection>), ProbeFailure> {
        let body = self.bodies.body(said, before, output_tokens);
        let expected = Expected {
            output_tokens: output_tokens.into(),
            usage: self.bodies.features.include_usage,
            ignore_eos: self.bodies.features.ignore_eos,
            keep_text: true,
        };
        let clock = Clock { t0: Instant::now() };
        let dialer = Dialer::new(&self.target)?;
        let limits = self.limits.clone();
        let exchange = Exchange::new(&self.target, dialer, limits, clock, Arc::default());
        let mut seen = Observed::unsent(0.0, RequestStatus::ClientFault, None);
        seen.attempts = 1;
        seen.dispatched_s = Some(0.0);
        let connection = self.runtime.block_on(async {
            let mut guard = Guard::new(&Arc::clone(&exchange.cancel));
            exchange
                .attempt(&mut seen, &body, expected, None, &mut guard)
                .await
        });
        Ok((seen, connection))
    }
}

fn failure(seen: &Observed) -> ProbeFailure {
    let said = seen.error.as_deref().unwrap_or("no token came");
    ProbeFailure {
        status: seen.status,
        evidence: match seen.http_status {
            Some(http) if http != 200 => format!("HTTP {http}, {said}"),
            Some(_) | None => said.to_owned(),
        },
    }
}

/// Leaves out the feature that a refusal names, else the rarest; false when none is left.
fn drop_one(features: &mut Features, said: &str) -> bool {
    let by_rarity = [
        ("continuous_usage_stats", &mut features.continuous_usage),
        ("min_tokens", &mut features.min_tokens),
        ("ignore_eos", &mut features.ignore_eos),
        ("stream_options", &mut features.include_usage),
    ];
    let named = by_rarity
        .iter()
        .position(|(name, on)| **on && said.contains(name));
    let Some(at) = named.or_else(|| by_rarity.iter().position(|(_, on)| **on)) else {
        return false;
    };
    *by_rarity[at].1 = false;
    // usage on each event is part of the options
    features.continuous_usage &= features.include_usage;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_feature_is_dropped_first_then_the_rarest() {
        let mut features = Features {
            include_usage: true,
            continuous_usage: true,
            ignore_eos: true,
            min_tokens: false,
        };
        assert!(drop_one(&mut features, "unknown field `ignore_eos`"));
        assert!(!features.ignore_eos && features.continuous_usage);
        assert!(drop_one(&mut features, "no"));
        assert!(!features.continuous_usage && features.include_usage);
        assert!(drop_one(&mut features, "no"));
        assert_eq!(features, Features::default());
        assert!(!drop_one(&mut features, "no"));
    }
}
