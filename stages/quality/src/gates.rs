use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_schemas::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;

/// Limits on quality, by task family; `overall` is all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gates {
    /// Least share of the reference's score that a variant must keep.
    pub(crate) relative: BTreeMap<String, f64>,
    /// Least score, 0 to 1. It applies only where a score is known.
    pub(crate) absolute: BTreeMap<String, f64>,
}

/// What a gate makes of a family that nothing is published about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unknown {
    /// The evidence does not decide.
    #[default]
    Inconclusive,
    /// No evidence, no permission.
    Fail,
}

impl Unknown {
    fn verdict(self) -> Verdict {
        match self {
            Self::Inconclusive => Verdict::Inconclusive,
            Self::Fail => Verdict::Fail,
        }
    }
}

impl Gates {
    /// Everything that is wrong with the limits, with `path` leading to them.
    pub(crate) fn problems(&self, path: &str) -> Vec<ParamError> {
        let parts = [("relative", &self.relative), ("absolute", &self.absolute)];
        let limits = parts
            .into_iter()
            .flat_map(|(part, limits)| limits.iter().map(move |limit| (part, limit)));
        let wrong = limits.filter(|(_, (_, limit))| !(0.0..=1.0).contains(*limit));
        wrong
            .map(|(part, (family, limit))| {
                let message = format!("is {limit}, expected a share from 0 to 1");
                ParamError::at(&[path, part, family], message)
            })
            .collect()
    }
}

/// Whether a family keeps its relative limit: by the interval where there is one. Without one, a
/// value beyond the limit fails and any other decides nothing. What was seen on other models only
/// never passes.
pub(crate) fn relative_verdict(
    estimate: Option<Estimate>,
    same_model: bool,
    limit: Option<f64>,
    unknown: Unknown,
) -> Verdict {
    let Some(limit) = limit else {
        return Verdict::Pass;
    };
    let Some(estimate) = estimate else {
        return unknown.verdict();
    };
    match estimate.bounds() {
        Some((low, _)) if low >= limit && same_model => Verdict::Pass,
        Some((_, high)) if high < limit => Verdict::Fail,
        None if estimate.relative < limit => Verdict::Fail,
        Some(_) | None => Verdict::Inconclusive,
    }
}

/// Whether a family keeps its absolute limit.
pub(crate) fn absolute_verdict(
    score: Option<f64>,
    limit: Option<f64>,
    unknown: Unknown,
) -> Verdict {
    match (limit, score) {
        (None, _) => Verdict::Pass,
        (Some(_), None) => unknown.verdict(),
        (Some(limit), Some(score)) if score >= limit => Verdict::Pass,
        (Some(_), Some(_)) => Verdict::Fail,
    }
}

/// The graver of two verdicts.
pub(crate) fn graver(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
        (Verdict::Pass, Verdict::Pass) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(relative: f64, variance: Option<f64>, same_model: bool) -> Verdict {
        let estimate = Some(Estimate { relative, variance });
        relative_verdict(estimate, same_model, Some(0.98), Unknown::Inconclusive)
    }

    #[test]
    fn interval_decides_where_there_is_one() {
        assert_eq!(judge(0.999, Some(1e-6), true), Verdict::Pass);
        assert_eq!(judge(0.999, Some(1e-3), true), Verdict::Inconclusive);
        assert_eq!(judge(0.975, Some(1e-3), true), Verdict::Inconclusive);
        assert_eq!(judge(0.95, Some(1e-5), true), Verdict::Fail);
    }

    #[test]
    fn without_an_interval_only_a_breach_decides() {
        assert_eq!(judge(0.97, None, true), Verdict::Fail);
        assert_eq!(judge(0.99, None, true), Verdict::Inconclusive);
    }

    #[test]
    fn other_models_can_fail_a_variant_and_not_pass_it() {
        assert_eq!(judge(0.999, Some(1e-6), false), Verdict::Inconclusive);
        assert_eq!(judge(0.95, Some(1e-5), false), Verdict::Fail);
    }

    #[test]
    fn unknown_is_what_the_user_says() {
        let of = |unknown| relative_verdict(None, true, Some(0.98), unknown);
        assert_eq!(of(Unknown::Inconclusive), Verdict::Inconclusive);
        assert_eq!(of(Unknown::Fail), Verdict::Fail);
        assert_eq!(
            absolute_verdict(None, Some(0.98), Unknown::Inconclusive),
            Verdict::Inconclusive
        );
        assert_eq!(
            absolute_verdict(Some(0.97), Some(0.98), Unknown::Fail),
            Verdict::Fail
        );
        assert_eq!(
            relative_verdict(None, true, None, Unknown::Fail),
            Verdict::Pass
        );
    }
}
