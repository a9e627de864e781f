//! What is found out about a server before there is load.

use std::time::Duration;

use sbt_client::side;
use sbt_client::{Features, Limits, Probe, PromptForm, Target, Vocabulary};
use sbt_engine::StageError;
use sbt_schemas::Outcome;

use super::client::calls;
use super::{Ending, Measured, sizes};
use crate::Backend;
use crate::server::TokenizeForm;
use crate::trial_row::EngineSizes;

/// Time limit of asking a new server about itself: vLLM looks at the whole machine first.
const ASK_WITHIN: Duration = Duration::from_secs(60);
/// Looks at a server before it is given up.
const PROBES: usize = 3;

/// What does not change while a server runs.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// What it takes.
    pub(crate) probe: Probe,
    pub(crate) engine: EngineSizes,
}

impl Look {
    /// A look at the server that must succeed before there is load; of a server that was started
    /// here, one is enough.
    pub(crate) fn at(
        trials: &Measured<'_>,
        target: &Target,
        form: PromptForm,
        limits: &Limits,
    ) -> Result<Result<Self, Ending>, StageError> {
        if let Some(known) = trials.machine.known() {
            return Ok(Ok(known));
        }
        let probe = match probe(trials, target, form, limits)? {
            Ok(probe) => probe,
            Err(ending) => return Ok(Err(ending)),
        };
        let side = calls(&probe.target, ASK_WITHIN)?;
        let engine = sizes::read(&side, &target.model, &trials.server.sizes);
        let look = Self { probe, engine };
        trials.machine.learn(&look);
        Ok(Ok(look))
    }
}

/// Tells what a server takes. A look that fails by chance gets a second and a third.
fn probe(
    trials: &Measured<'_>,
    target: &Target,
    form: PromptForm,
    limits: &Limits,
) -> Result<Result<Probe, Ending>, StageError> {
    let api = &trials.server.api;
    let wanted = Features {
        include_usage: true,
        continuous_usage: api.continuous_usage,
        ignore_eos: api.ignore_eos,
        min_tokens: api.min_tokens,
    };
    let tokenize = match api.tokenize {
        TokenizeForm::None => None,
        TokenizeForm::Vllm => Some(side::TokenizeForm::Vllm),
        TokenizeForm::Llamacpp => Some(side::TokenizeForm::Llamacpp),
    };
    let words = Vocabulary::default();
    let mut attempts =
        (0..PROBES).map(|_| sbt_client::probe(target, wanted, &words, tokenize, form, limits));
    let mut last = None;
    let found = attempts.find_map(|probed| probed.map_err(|failure| last = Some(failure)).ok());
    drop(attempts);
    let failure = match (found, last) {
        (Some(probe), _) => return Ok(Ok(probe)),
        (None, failure) => failure.map_or_else(String::new, |failure| failure.to_string()),
    };
    trials.ctx.check_cancelled()?;
    match &trials.backend {
        Backend::Endpoint(endpoint) => {
            Err(StageError::user(format!("{}: {failure}", endpoint.url)))
        }
        Backend::Server(_) | Backend::Simulator(_) => {
            let died = trials.machine.death();
            Ok(Err(died.unwrap_or((Outcome::Crashed, failure))))
        }
    }
}
