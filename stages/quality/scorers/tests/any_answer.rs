//! Whatever a model says, it gets a score.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use proptest::prelude::*;
use sbt_scorers::{Instruction, Scorer, Strictness};
use serde_json::json;

fn scorers() -> Vec<(Scorer, Option<&'static str>)> {
    let instructions: Vec<Instruction> =
        serde_json::from_str(include_str!("reference/instructions.json")).unwrap();
    let ifeval = |strictness| {
        instructions.iter().map(move |instruction| Scorer::Ifeval {
            instructions: vec![instruction.clone()],
            strictness,
        })
    };
    let others = [
        json!({"kind": "exact_match", "answer_is": true}),
        json!({"kind": "exact_match", "compare": "verbatim"}),
        json!({"kind": "f1"}),
        json!({"kind": "rouge"}),
        json!({"kind": "rouge", "measure": "rouge_lsum"}),
        json!({"kind": "json", "schema": {"type": "object"}, "fields": ["/a", "no pointer"]}),
        json!({"kind": "number"}),
        json!({"kind": "choice", "letters": "ABC"}),
    ];
    let references = ["{\"a\": 1}", "#### 3", "(B)"];
    let references = [0, 0, 0, 0, 0, 0, 1, 2].map(|place| references[place]);
    let others = others.map(|scorer| serde_json::from_value(scorer).unwrap());
    others
        .into_iter()
        .zip(references.map(Some))
        .chain(ifeval(Strictness::Loose).map(|scorer| (scorer, None)))
        .collect()
}

/// Text in which the signs that scorers look for are frequent.
fn answers() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[\\PC\n]{0,8}",
        "(answer is|####|\\*\\*|\\(|```|\\{|\\[|\"|\\. |[A-D]|[0-9.,$-]{1,6}|\n\n|\\*\\*\\*|<<|>>|P\\.S\\.|'){1,4}",
    ];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_answer_scores_between_0_and_1(answer in answers()) {
        for (scorer, reference) in scorers() {
            let score = scorer.score(&answer, reference).unwrap();
            prop_assert!((0.0..=1.0).contains(&score.value), "{score:?}");
        }
    }

    #[test]
    fn any_answer_makes_a_program(answer in answers()) {
        let scorer = Scorer::Code {
            prompt: "def f():\n".to_owned(),
            tests: "def check(candidate): pass".to_owned(),
            entry_point: "f".to_owned(),
        };
        prop_assert!(scorer.program(&answer).unwrap().contains("check(f)"));
    }
}
