use sbt_schemas::{Effect, StabilityRow};
use serde::Serialize;

use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;

/// Metrics of which more is better.
pub(super) const MORE_IS_BETTER: &[&str] = &["goodput_rps", "tok_s", "slo_share", "quality"];

/// Adjusted p-value below which a difference is claimed.
const SIGNIFICANT: f64 = 0.05;
/// Difference that matters to nobody. Chosen: as large as the drift of a server between two days.
const IRRELEVANT: f64 = 0.05;

/// One metric of the recommendation against the baseline.
#[derive(Debug, Serialize)]
pub(crate) struct EffectView {
    pub(crate) metric: String,
    pub(crate) baseline: String,
    pub(crate) recommended: String,
    pub(crate) delta: String,
    /// Adjusted for the several claims of the report.
    pub(crate) p: String,
    /// `better`, `worse`, `no difference larger than …`, or `no difference shown`.
    pub(crate) verdict: String,
    pub(crate) seeds: String,
}

/// The effects as numbers, for the summary.
pub(crate) fn numbers(params: &Params, inputs: &Inputs) -> Vec<Effect> {
    let (Some(baseline), Some(first)) = (inputs.baseline(), inputs.recommended().first().copied())
    else {
        return Vec::new();
    };
    let effect = |metric: &&str| {
        let before = inputs.stability_of(&baseline.config_id, metric)?;
        let after = inputs.stability_of(&first.config_id, metric)?;
        effect(metric, before, after)
    };
    params.goals.compared().iter().filter_map(effect).collect()
}

/// None where no draw has both values: there is no difference to show then.
fn effect(metric: &str, before: &StabilityRow, after: &StabilityRow) -> Option<Effect> {
    let delta = after.delta?;
    let certain = after.p_adjusted.is_some_and(|p| p < SIGNIFICANT);
    let more_is_better = MORE_IS_BETTER.contains(&metric);
    Some(Effect {
        metric: metric.to_owned(),
        baseline: before.value,
        recommended: after.value,
        delta,
        delta_lo: after.delta_lo,
        delta_hi: after.delta_hi,
        p_adjusted: after.p_adjusted,
        no_larger_than: after.no_larger_than,
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
            p: effect
                .p_adjusted
                .map_or(format::NOTHING.to_owned(), p_value),
            verdict: verdict(&effect),
            seeds: match effect.n_seeds {
                0 => "inferred".to_owned(),
                n => n.to_string(),
            },
            metric: effect.metric,
        });
    views.collect()
}

/// The p-value decides; where it shows nothing, the interval may still say how little there is.
fn verdict(effect: &Effect) -> String {
    match (effect.better, effect.no_larger_than) {
        (Some(true), _) => "better".to_owned(),
        (Some(false), _) => "worse".to_owned(),
        (None, Some(most)) if most <= IRRELEVANT => {
            format!("no difference larger than {:.1} %", most * 100.0)
        }
        (None, _) => "no difference shown".to_owned(),
    }
}

fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(better: Option<bool>, no_larger_than: Option<f64>) -> String {
        verdict(&Effect {
            metric: "e2e_p95_s".to_owned(),
            baseline: 1.0,
            recommended: 1.0,
            delta: 0.0,
            delta_lo: None,
            delta_hi: None,
            p_adjusted: None,
            better,
            no_larger_than,
            n_seeds: 5,
        })
    }

    #[test]
    fn small_difference_is_bounded_and_a_vague_one_is_not_shown() {
        assert_eq!(found(Some(true), Some(0.3)), "better");
        assert_eq!(found(None, Some(0.012)), "no difference larger than 1.2 %");
        assert_eq!(found(None, Some(0.4)), "no difference shown");
        assert_eq!(found(None, None), "no difference shown");
    }
}
