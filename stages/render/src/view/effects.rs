use sbt_schemas::{Effect, StabilityRow};
use serde::Serialize;

use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;

/// Metrics that are compared in any case, in this order.
const ALWAYS: &[&str] = &[
    "e2e_p95_s",
    "ttft_p95_s",
    "tpot_p95_s",
    "goodput_rps",
    "cost_per_mtok",
    "vram_peak_mb",
    "quality",
];
/// Metrics of which more is better.
pub(super) const MORE_IS_BETTER: &[&str] = &["goodput_rps", "tok_s", "slo_share", "quality"];

/// One metric of the recommendation against the baseline.
#[derive(Debug, Serialize)]
pub(crate) struct EffectView {
    pub(crate) metric: String,
    pub(crate) baseline: String,
    pub(crate) recommended: String,
    pub(crate) delta: String,
    /// `better`, `worse`, or `no difference shown`.
    pub(crate) verdict: String,
    pub(crate) seeds: String,
}

/// The effects as numbers, for the summary.
pub(crate) fn numbers(params: &Params, inputs: &Inputs) -> Vec<Effect> {
    let (Some(baseline), Some(first)) = (inputs.baseline(), inputs.recommended().first().copied())
    else {
        return Vec::new();
    };
    let goals = params
        .goals
        .minimize
        .iter()
        .chain(&params.goals.maximize)
        .map(String::as_str);
    let mut metrics: Vec<&str> = Vec::new();
    for metric in goals.chain(ALWAYS.iter().copied()) {
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    let effect = |metric: &&str| {
        let before = inputs.stability_of(&baseline.config_id, metric)?;
        let after = inputs.stability_of(&first.config_id, metric)?;
        effect(metric, before, after)
    };
    metrics.iter().filter_map(effect).collect()
}

/// None where no draw has both values: there is no difference to show then.
fn effect(metric: &str, before: &StabilityRow, after: &StabilityRow) -> Option<Effect> {
    let delta = after.delta?;
    let bounds = after.delta_lo.zip(after.delta_hi);
    let certain = bounds.is_some_and(|(lo, hi)| lo > 0.0 || hi < 0.0);
    let more_is_better = MORE_IS_BETTER.contains(&metric);
    Some(Effect {
        metric: metric.to_owned(),
        baseline: before.mean,
        recommended: after.mean,
        delta,
        delta_lo: after.delta_lo,
        delta_hi: after.delta_hi,
        better: certain.then_some((delta > 0.0) == more_is_better),
        n_seeds: after.n_seeds,
    })
}

pub(crate) fn effects(params: &Params, inputs: &Inputs) -> Vec<EffectView> {
    let views = numbers(params, inputs)
        .into_iter()
        .map(|effect| EffectView {
            baseline: format::metric(&effect.metric, effect.baseline),
            recommended: format::metric(&effect.metric, effect.recommended),
            delta: format::delta(effect.delta, effect.delta_lo, effect.delta_hi),
            verdict: match effect.better {
                Some(true) => "better",
                Some(false) => "worse",
                None => "no difference shown",
            }
            .to_owned(),
            seeds: match effect.n_seeds {
                0 => "inferred".to_owned(),
                n => n.to_string(),
            },
            metric: effect.metric,
        });
    views.collect()
}
