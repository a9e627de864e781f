//! JSON documents against schemas.

use sbt_scorers::{NotScored, Scorer};
use serde_json::{Value, json};

use crate::figures;
use crate::rules::answer;

const CASES: &str = include_str!("../reference/schemas.json");

#[test]
fn documents_are_valid_where_the_reference_validator_says_so() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let verdicts = figures("schema");
    assert_eq!(cases.len(), verdicts.len());
    for (case, verdicts) in cases.iter().zip(verdicts) {
        let scorer = Scorer::Json {
            schema: case["schema"].clone(),
            fields: Vec::new(),
        };
        let documents = case["documents"].as_array().unwrap();
        for (document, valid) in documents.iter().zip(verdicts.as_array().unwrap()) {
            let mut forms = vec![document.to_string()];
            if document.is_object() || document.is_array() {
                forms.extend(["prose", "fenced"].map(|rule| answer(rule, &document.to_string())));
            }
            for form in forms {
                let score = scorer.score(&form, None).unwrap();
                assert_eq!(
                    score.value == 1.0,
                    valid.as_bool().unwrap(),
                    "{form}: {score:?}"
                );
            }
        }
    }
}

#[test]
fn fields_count_by_their_share_and_only_in_a_valid_document() {
    let scorer = Scorer::Json {
        schema: json!({"type": "object", "required": ["city"]}),
        fields: vec!["/city".to_owned(), "/when/day".to_owned()],
    };
    let reference = Some(r#"{"city": "Oslo", "when": {"day": 3}}"#);
    let value = |answer: &str| scorer.score(answer, reference).unwrap().value;
    assert_eq!(
        value(r#"{"city": "Oslo", "when": {"day": 3.0, "hour": 1}}"#),
        1.0
    );
    assert_eq!(value(r#"It is {"city": "Oslo"}."#), 0.5);
    assert_eq!(value(r#"{"when": {"day": 3}}"#), 0.0);
    assert_eq!(value("Oslo, on the third"), 0.0);
    assert_eq!(scorer.score("{}", None), Err(NotScored::NoReference));
    assert!(matches!(
        scorer.score("{}", Some("no")),
        Err(NotScored::Reference(_))
    ));
}

#[test]
fn schema_that_is_none_or_lies_elsewhere_is_the_items_fault() {
    for schema in [
        json!({"type": "strnig"}),
        json!({"$ref": "https://example.org/schema.json"}),
    ] {
        let scorer = Scorer::Json {
            schema,
            fields: Vec::new(),
        };
        assert!(matches!(
            scorer.score("{}", None),
            Err(NotScored::Schema(_))
        ));
    }
}
