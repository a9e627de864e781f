//! Exact match, F1, ROUGE and numbers.

use serde_json::Value;

use sbt_scorers::{Compare, Rouge, Scorer, exact_match, rouge, token_f1};

use crate::rules::answer;
use crate::{figures, gsm8k, own_texts, qmsum};

/// The figures are rounded to nine digits.
const ROUNDED: f64 = 1e-9;

fn compare(source: &str, texts: &[String]) {
    let rows = figures("text");
    let rows: Vec<_> = rows.iter().filter(|row| row[0] == source).collect();
    assert!(rows.len() > 400, "{} rows of {source}", rows.len());
    for row in rows {
        let text = |column: usize| &texts[row[column].as_u64().unwrap() as usize];
        let (given, reference) = (answer(row[2].as_str().unwrap(), text(1)), text(3));
        let ours = [
            f64::from(u8::from(exact_match(&given, reference, Compare::Squad))),
            token_f1(&given, reference),
            rouge(&given, reference, Rouge::L),
            rouge(&given, reference, Rouge::Lsum),
        ];
        for (ours, theirs) in ours.iter().zip(&row.as_array().unwrap()[4..]) {
            let theirs = theirs.as_f64().unwrap();
            assert!(
                (ours - theirs).abs() <= ROUNDED,
                "{row}: {ours} is not {theirs}"
            );
        }
    }
}

#[test]
fn own_texts_score_as_squad_and_rouge_have_it() {
    compare("own", &own_texts());
}

#[test]
fn gsm8k_answers_score_as_squad_and_rouge_have_it() {
    let Some(texts) = gsm8k() else { return };
    compare("gsm8k", &texts);
}

#[test]
fn qmsum_summaries_score_as_squad_and_rouge_have_it() {
    let Some(texts) = qmsum() else { return };
    compare("qmsum", &texts);
}

#[test]
fn gsm8k_numbers_are_read_as_the_harness_reads_them() {
    let Some(texts) = gsm8k() else { return };
    let rows = figures("number");
    let mut differing = Vec::new();
    for row in &rows {
        let gold = &texts[row[0].as_u64().unwrap() as usize];
        let given = answer(row[1].as_str().unwrap(), gold);
        let ours = Scorer::Number {}.score(&given, Some(gold)).unwrap();
        // The harness does not take "#### $26" for a marked number.
        if ours.value != row[2].as_f64().unwrap() && !given.contains("#### $") {
            differing.push(format!("{row}: {ours:?} for {given:?}"));
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {}: {differing:#?}",
        differing.len(),
        rows.len()
    );
}

/// The score of every target in every template against every target.
fn said(name: &str, targets: &str, form: fn(&str) -> String, scorer: &Scorer) {
    let cases: Value = serde_json::from_str(include_str!("../reference/said.json")).unwrap();
    let list = |name: &str| -> Vec<String> {
        let all = cases[name].as_array().unwrap().iter();
        all.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let figures = figures("said");
    let mut rows = figures[0][name].as_array().unwrap().iter();
    for template in list("templates") {
        for target in list(targets) {
            let answer = template.replace("{}", &form(&target));
            let theirs = rows.next().unwrap().as_array().unwrap();
            for (gold, theirs) in list(targets).iter().zip(theirs) {
                let ours = scorer.score(&answer, Some(&form(gold))).unwrap();
                assert_eq!(
                    Some(ours.value),
                    theirs.as_f64(),
                    "{answer} {gold} {ours:?}"
                );
            }
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn answers_that_are_said_are_read_as_the_harness_reads_them() {
    let scorer = Scorer::ExactMatch {
        compare: Compare::Verbatim,
        answer_is: true,
    };
    said("exact", "targets", str::to_owned, &scorer);
}

#[test]
fn choices_are_read_as_the_harness_reads_them() {
    let scorer = Scorer::Choice {
        letters: "ABCDQ".to_owned(),
    };
    said(
        "choices",
        "letters",
        |letter| format!("({letter})"),
        &scorer,
    );
}
