use sbt_schemas::{Provenance, QualityItemRow, QualityRow, Verdict};

use super::divergence::{Divergence, divergence};
use super::judged::{Finding, Judged};
use super::trial::{Response, Trial};
use crate::gates::{Unknown, graver};
use crate::params::Params;
use crate::score::Scoring;
use crate::suite::Family;

/// A row for each answer of a trial.
pub(super) fn items(
    variant: &str,
    run: &str,
    trial: &Trial,
    reference: Option<&Trial>,
) -> Vec<QualityItemRow> {
    let mut rows = Vec::new();
    for (family, responses) in &trial.responses {
        let others = reference.map_or(&[][..], |reference| reference.of(*family));
        let rows_of_family = responses.iter().enumerate();
        rows.extend(rows_of_family.map(|(place, response)| {
            let mut row = item(variant, run, response);
            if let Some(other) = others.get(place) {
                against(&mut row, response, other);
            }
            row
        }));
    }
    rows
}

fn item(variant: &str, run: &str, response: &Response) -> QualityItemRow {
    let Response {
        item,
        answer,
        scored,
        ..
    } = response;
    QualityItemRow {
        variant: variant.to_owned(),
        run: run.to_owned(),
        item: item.id.clone(),
        family: item.family.to_string(),
        tags: item.tags.join(","),
        score: scored.value,
        reference_score: None,
        flip: None,
        answer: answer.text.clone(),
        detail: scored.detail.clone(),
        finish: answer.finish.clone(),
        tokens: answer.tokens,
        identical: None,
        likeness: None,
        first_divergence: None,
        kl_mean: None,
        kl_max: None,
        top1_agreement: None,
    }
}

fn against(row: &mut QualityItemRow, response: &Response, other: &Response) {
    row.reference_score = response.against.or(other.scored.value);
    row.flip = match (row.reference_score, response.scored.value) {
        (Some(1.0), Some(0.0)) => Some("lost".to_owned()),
        (Some(0.0), Some(1.0)) => Some("gained".to_owned()),
        _ => None,
    };
    row.identical = Some(response.answer.text == other.answer.text);
    row.likeness = Some(Scoring::likeness(&response.answer.text, &other.answer.text));
    let Divergence {
        first,
        kl_mean,
        kl_max,
        top1_agreement,
    } = divergence(&other.answer, &response.answer);
    row.first_divergence = first;
    row.kl_mean = kl_mean;
    row.kl_max = kl_max;
    row.top1_agreement = top1_agreement;
}

/// Rows of the reference itself.
pub(super) fn of_reference(variant: &str, reference: &Trial, source: &str) -> Vec<QualityRow> {
    let scores = reference.responses.iter().map(|(family, responses)| {
        let scores: Vec<f64> = responses.iter().filter_map(|r| r.scored.value).collect();
        (family.to_string(), mean(scores))
    });
    let scores: Vec<(String, Option<f64>)> = scores.collect();
    let overall = mean(scores.iter().filter_map(|(_, score)| *score));
    let all = scores
        .into_iter()
        .chain([(QualityRow::OVERALL.to_owned(), overall)]);
    all.map(|(family, score)| QualityRow {
        score,
        reference_score: score,
        relative: score.map(|_| 1.0),
        relative_lo: score.map(|_| 1.0),
        verdict: Verdict::Pass,
        ..empty(variant, &family, format!("the reference itself; {source}"))
    })
    .collect()
}

/// Rows of a variant: one for each family, and one for all.
pub(super) fn of_variant(
    variant: &str,
    judged: &Judged,
    items: &[QualityItemRow],
    params: &Params,
    source: &str,
) -> Vec<QualityRow> {
    let rows = judged.findings.iter().map(|(family, finding)| {
        let of_family = items.iter().filter(|item| item.family == family.word());
        let of_family: Vec<&QualityItemRow> = of_family.collect();
        let source = sentence(finding, judged, source);
        let row = empty(variant, family.word(), source);
        let row = of_finding(row, *family, finding, params);
        QualityRow {
            identical_share: mean(of_family.iter().filter_map(|i| i.identical.map(f64::from))),
            kl_mean: mean(of_family.iter().filter_map(|i| i.kl_mean)),
            top1_agreement: mean(of_family.iter().filter_map(|i| i.top1_agreement)),
            ..row
        }
    });
    let mut rows: Vec<QualityRow> = rows.collect();
    rows.push(overall(variant, &rows));
    rows
}

fn of_finding(row: QualityRow, family: Family, finding: &Finding, params: &Params) -> QualityRow {
    let margin = params.margin(family);
    let verdict = match (finding.verdict, params.unknown) {
        (Verdict::Inconclusive, Unknown::Fail) => Verdict::Fail,
        (verdict, _) => verdict,
    };
    let row = QualityRow {
        margin: Some(margin),
        p_worse: Some(finding.p_worse),
        verdict,
        ..row
    };
    let Some(found) = &finding.comparison else {
        return row;
    };
    let share = |score: f64| (found.reference > 0.0).then(|| score / found.reference);
    QualityRow {
        score: Some(found.variant),
        reference_score: Some(found.reference),
        relative: share(found.variant),
        relative_lo: share(found.reference + found.inference.lo),
        relative_limit: share(found.reference - margin),
        n: Some(found.n),
        difference: Some(found.difference),
        difference_lo: Some(found.inference.lo),
        difference_hi: Some(found.inference.hi),
        n_to_decide: Some(match verdict {
            Verdict::Inconclusive => found.n_to_decide(margin).max(found.n + 1),
            Verdict::Pass | Verdict::Fail => found.n_to_decide(margin),
        }),
        flips: found.flips,
        ..row
    }
}

/// All families, each with the same weight: as good as its worst one.
fn overall(variant: &str, rows: &[QualityRow]) -> QualityRow {
    let of_all = |of: fn(&QualityRow) -> Option<f64>| mean(rows.iter().filter_map(of));
    let sum = |of: fn(&QualityRow) -> Option<u64>| {
        let values: Vec<u64> = rows.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.into_iter().sum())
    };
    let (score, reference) = (of_all(|r| r.score), of_all(|r| r.reference_score));
    let relative = score
        .zip(reference)
        .filter(|(_, reference)| *reference > 0.0);
    let verdicts = rows.iter().map(|row| row.verdict);
    QualityRow {
        score,
        reference_score: reference,
        relative: relative.map(|(score, reference)| score / reference),
        n: sum(|r| r.n),
        difference: of_all(|r| r.difference),
        flips: sum(|r| r.flips),
        identical_share: of_all(|r| r.identical_share),
        kl_mean: of_all(|r| r.kl_mean),
        top1_agreement: of_all(|r| r.top1_agreement),
        verdict: verdicts.fold(Verdict::Pass, graver),
        ..empty(
            variant,
            QualityRow::OVERALL,
            "the families with equal weights, judged as the worst of them".to_owned(),
        )
    }
}

fn sentence(finding: &Finding, judged: &Judged, source: &str) -> String {
    let asked = finding.comparison.map_or(0, |c| c.n);
    let mut text = match asked == finding.planned {
        true => format!("{asked} items; {source}"),
        false => format!("{asked} of {} items; {source}", finding.planned),
    };
    if let Some(why) = &judged.trial.unavailable {
        text = format!("{text}; it answered no further: {why}");
    }
    if finding.noisy {
        text = format!("{text}; nothing counts as worse: the reference differs from itself");
    }
    text
}

fn empty(variant: &str, family: &str, source: String) -> QualityRow {
    QualityRow::unknown(variant, family, Provenance::Measured, source)
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
