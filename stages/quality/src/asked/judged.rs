use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::StageError;
use sbt_schemas::Verdict;

use super::ALPHA;
use super::arbiter::Arbiter;
use super::asker::{Addressee, Asker};
use super::reading::Questions;
use super::trial::Trial;
use crate::decision::{Comparison, Pair, compare, holm, judge};
use crate::params::Params;
use crate::score::{Scored, Scoring};
use crate::suite::Family;

/// A variant with what was found out about it.
pub(super) struct Judged {
    pub(super) trial: Trial,
    pub(super) findings: BTreeMap<Family, Finding>,
}

/// What was found out about one family.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// None when no item was scored on both sides.
    pub(super) comparison: Option<Comparison>,
    /// Corrected over the families.
    pub(super) p_worse: f64,
    pub(super) verdict: Verdict,
    /// Loss that is tolerated.
    pub(super) margin: f64,
    /// Items that were to be asked.
    pub(super) planned: u64,
    /// Whether the reference differs from itself as much, so that nothing counts as worse.
    pub(super) noisy: bool,
}

/// What judging depends on.
pub(super) struct Judge<'a> {
    pub(super) params: &'a Params,
    pub(super) questions: &'a Questions,
    pub(super) reference: &'a Trial,
    pub(super) scoring: &'a Scoring,
    /// Who compares the answers of some families.
    pub(super) arbiter: Option<&'a Arbiter<'a>>,
    /// Families in which the gate fired on the reference itself.
    pub(super) noisy: BTreeSet<Family>,
}

impl Judge<'_> {
    /// Asks a variant, look by look, until it is decided.
    pub(super) fn variant(
        &self,
        asker: &Asker<'_>,
        to: &Addressee<'_>,
    ) -> Result<Judged, StageError> {
        let looks = self.looks();
        let mut judged = Judged {
            trial: Trial::default(),
            findings: BTreeMap::new(),
        };
        for look in 0..looks {
            for (family, items) in &self.questions.families {
                let open = judged.findings.get(family);
                if open.is_some_and(|f| f.verdict != Verdict::Inconclusive) {
                    continue;
                }
                let n = items.len();
                let part = &items[n * look / looks..n * (look + 1) / looks];
                if !judged.trial.ask(asker, to, part, self.scoring)? {
                    break;
                }
                self.arbitrate(*family, &mut judged.trial)?;
            }
            self.look(&mut judged);
            let verdicts = || judged.findings.values().map(|finding| finding.verdict);
            let is_decided = verdicts().all(|verdict| verdict != Verdict::Inconclusive)
                || verdicts().any(|verdict| verdict == Verdict::Fail);
            if is_decided || judged.trial.unavailable.is_some() {
                break;
            }
        }
        Ok(judged)
    }

    /// The reference, asked again, as if it were a variant.
    pub(super) fn again(&self, mut trial: Trial) -> Result<Judged, StageError> {
        for (family, _) in &self.questions.families {
            self.arbitrate(*family, &mut trial)?;
        }
        let mut judged = Judged {
            trial,
            findings: BTreeMap::new(),
        };
        self.look(&mut judged);
        Ok(judged)
    }

    /// Scores what was answered in a family against the reference, where a judge does that.
    fn arbitrate(&self, family: Family, trial: &mut Trial) -> Result<(), StageError> {
        let Some(arbiter) = self.arbiter.filter(|arbiter| arbiter.judges(family)) else {
            return Ok(());
        };
        let pairs = self.reference.of(family).iter().zip(trial.of(family));
        let scores = arbiter.scores(&pairs.collect::<Vec<_>>())?;
        let responses = trial.responses.get_mut(&family).into_iter().flatten();
        for (response, score) in responses.zip(scores) {
            response.against = Some(1.0 - score);
            response.scored = Scored {
                value: Some(score),
                detail: Some("compared with the reference's answer by the judge".to_owned()),
            };
        }
        Ok(())
    }

    /// Judges the families that are not decided, by what was answered so far.
    fn look(&self, judged: &mut Judged) {
        let alpha = ALPHA / self.looks() as f64;
        for (family, items) in &self.questions.families {
            let open = judged.findings.get(family);
            if open.is_some_and(|f| f.verdict != Verdict::Inconclusive) {
                continue;
            }
            let comparison = self.compare(*family, &judged.trial, alpha);
            judged.findings.insert(
                *family,
                Finding {
                    comparison,
                    p_worse: comparison.map_or(1.0, |c| c.inference.p_worse),
                    verdict: Verdict::Inconclusive,
                    margin: self.params.margin(*family),
                    planned: items.len() as u64,
                    noisy: self.noisy.contains(family),
                },
            );
        }
        // a family of which nothing was scored is no test
        let tested = judged.findings.values_mut();
        let tested = tested.filter_map(|f| Some((f.comparison?, f)));
        let (found, findings): (Vec<Comparison>, Vec<&mut Finding>) = tested.unzip();
        let raw: Vec<f64> = found.iter().map(|c| c.inference.p_worse).collect();
        for ((finding, found), p_worse) in findings.into_iter().zip(found).zip(holm(&raw)) {
            if finding.verdict != Verdict::Inconclusive {
                continue;
            }
            finding.p_worse = p_worse;
            finding.verdict = judge(&found.inference, p_worse, finding.margin, alpha);
            if finding.noisy && finding.verdict == Verdict::Fail {
                finding.verdict = Verdict::Inconclusive;
            }
        }
    }

    fn compare(&self, family: Family, trial: &Trial, alpha: f64) -> Option<Comparison> {
        let both = self.reference.of(family).iter().zip(trial.of(family));
        let pairs = both.filter_map(|(reference, variant)| {
            Some(Pair {
                reference: variant.against.or(reference.scored.value)?,
                variant: variant.scored.value?,
            })
        });
        let pairs: Vec<Pair> = pairs.collect();
        compare(&pairs, alpha, self.params.seed)
    }

    fn looks(&self) -> usize {
        usize::try_from(self.params.looks).unwrap_or(1).max(1)
    }
}

impl Judged {
    /// Families that are called worse.
    pub(super) fn fired(&self) -> BTreeSet<Family> {
        let worse = self.findings.iter();
        let worse = worse.filter(|(_, finding)| finding.verdict == Verdict::Fail);
        worse.map(|(family, _)| *family).collect()
    }
}
