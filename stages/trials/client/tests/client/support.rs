use sbt_client::{
    Ask, Counts, Features, Limits, Observation, Observed, Observer, PromptWords, Target,
    Vocabulary, run,
};

pub(crate) struct Patient;

impl Observer for Patient {
    fn progress(&self, _: Counts) {}

    fn stop(&self) -> bool {
        false
    }
}

pub(crate) const FEATURES: Features = Features {
    include_usage: true,
    continuous_usage: false,
    ignore_eos: true,
    min_tokens: false,
};

/// A request of eight words, for four tokens.
pub(crate) fn ask(start_s: f64) -> Ask {
    Ask {
        start_s,
        after: None,
        continues: false,
        prompt_tokens: 8,
        output_tokens: 4,
        words: PromptWords::Drawn {
            salt: 1,
            blocks: Vec::new(),
            block_tokens: 16,
            request: 0,
        },
        measured: true,
        keep_text: true,
    }
}

pub(crate) fn run_all(target: &Target, asks: &[Ask], limits: &Limits) -> Observation {
    let vocabulary = Vocabulary::default();
    let seen = run(target, FEATURES, &vocabulary, asks, limits, &Patient).unwrap();
    assert_eq!(seen.requests.len(), asks.len());
    seen
}

/// What becomes of a single request.
pub(crate) fn run_one(target: &Target, limits: &Limits) -> Observed {
    run_all(target, &[ask(0.0)], limits).requests.remove(0)
}
