use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use sbt_scorers::Scorer;

use super::*;
use crate::suite::Family;

/// A file of the data sets, where they are.
fn data(name: &str) -> Option<String> {
    let root = std::env::var_os("SBT_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join("quality").join(name);
    let Ok(bytes) = fs::read(&path) else {
        println!("skipped: {} is absent", path.display());
        return None;
    };
    let mut text = String::new();
    match name.ends_with(".gz") {
        true => flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text),
        false => bytes.as_slice().read_to_string(&mut text),
    }
    .unwrap();
    Some(text)
}

/// Scores of the items' own references; none for programs, and where there is no reference.
fn own_scores(items: &[Item]) -> Vec<f64> {
    let scored = items.iter().filter_map(|item| {
        let reference = item.reference.as_deref()?;
        item.scorer.score(reference, Some(reference)).ok()
    });
    scored.map(|score| score.value).collect()
}

#[test]
fn gsm8k_items_are_right_with_their_own_answers() {
    let Some(text) = data("gsm8k_test.jsonl") else {
        return;
    };
    let items = read(Format::Gsm8k, &text).unwrap();
    assert_eq!(items.len(), 1319);
    assert_eq!(own_scores(&items), vec![1.0; 1319]);
}

#[test]
fn bbh_tasks_are_right_with_their_own_targets() {
    for (task, kind) in [
        ("date_understanding", "choice"),
        ("boolean_expressions", "words"),
        ("dyck_languages", "words"),
        ("word_sorting", "words"),
    ] {
        let Some(text) = data(&format!("bbh/{task}.json")) else {
            return;
        };
        let items = read(Format::Bbh, &text).unwrap();
        assert!(items.len() >= 100, "{task}");
        let letters = matches!(items[0].scorer, Scorer::Choice { .. });
        assert_eq!(letters, kind == "choice", "{task}");
        assert!(
            own_scores(&items).iter().all(|score| *score == 1.0),
            "{task}"
        );
    }
}

#[test]
fn humaneval_items_hold_a_program_each() {
    let Some(text) = data("HumanEval.jsonl.gz") else {
        return;
    };
    let items = read(Format::Humaneval, &text).unwrap();
    assert_eq!(items.len(), 164);
    for item in items {
        let solution = item.reference.clone().unwrap();
        let program = item.scorer.program(&solution).unwrap();
        assert!(program.contains("check("), "{}", item.id);
    }
}

#[test]
fn ifeval_items_are_known_instructions() {
    let Some(text) = data("ifeval_input_data.jsonl") else {
        return;
    };
    let items = read(Format::Ifeval, &text).unwrap();
    assert_eq!(items.len(), 541);
    assert!(items.iter().all(|item| item.family == Family::Instruction));
    let silence = items[0].scorer.score("", None).unwrap();
    assert_eq!(silence.value, 0.0);
}

#[test]
fn qmsum_items_are_one_for_each_query() {
    let Some(text) = data("qmsum_product_test.jsonl") else {
        return;
    };
    let items = read(Format::Qmsum, &text).unwrap();
    assert!(items.len() > 100, "{}", items.len());
    assert!(own_scores(&items).iter().all(|score| *score > 0.999));
}

#[test]
fn schemas_are_items_of_fields() {
    let text = r#"{"prompt": "A person", "schema": {"type": "object"}, "reference": {"a/b": 1}}"#;
    let items = read(Format::JsonSchema, text).unwrap();
    assert_eq!(items[0].id, "json-0001");
    let score = |answer: &str| {
        let reference = items[0].reference.as_deref();
        items[0].scorer.score(answer, reference).unwrap().value
    };
    assert_eq!((score(r#"{"a/b": 1}"#), score(r#"{"a/b": 2}"#)), (1.0, 0.0));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let cases = [
        (Format::Items, "\n{}", "line 2: missing field `id`"),
        (
            Format::Gsm8k,
            r#"{"question": "", "answer": "4"}"#,
            "line 1: `answer` has no `####`",
        ),
        (Format::Bbh, "{}", "missing field `examples`"),
        (
            Format::Ifeval,
            r#"{"key": 1, "prompt": "", "instruction_id_list": ["a"], "kwargs": []}"#,
            "line 1: 1 instructions and 0 `kwargs`",
        ),
        (Format::Items, "", "it has no items"),
    ];
    for (format, text, problem) in cases {
        let error = read(format, text).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}
