//! IFEval's instructions, strict and loose.

use std::collections::BTreeMap;

use sbt_scorers::{Instruction, Scorer, Strictness};
use serde_json::Value;

use crate::rules::{RULES, answer};
use crate::{data, figures, own_texts};

const OWN: &str = include_str!("../reference/instructions.json");

/// How many verdicts there were by kind of instruction, and those that differed.
#[derive(Default)]
struct Tally {
    kinds: BTreeMap<String, (usize, Vec<String>)>,
}

impl Tally {
    /// Compares the verdicts on one answer: `theirs` has a sign for each instruction.
    fn add(&mut self, instructions: &[Instruction], answer: &str, form: Strictness, theirs: &str) {
        assert_eq!(instructions.len(), theirs.len());
        let verdicts = instructions.iter().zip(theirs.chars());
        for (instruction, theirs) in verdicts.filter(|(instruction, _)| !is_random(instruction)) {
            let scorer = Scorer::Ifeval {
                instructions: vec![instruction.clone()],
                strictness: form,
            };
            let ours = scorer.score(answer, None).unwrap().value;
            let (all, differing) = self.kinds.entry(instruction.id()).or_default();
            *all += 1;
            if (ours == 1.0) != (theirs == '1') {
                differing.push(format!(
                    "{instruction:?} {form:?} is {theirs} for {answer:?}"
                ));
            }
        }
    }

    /// Every kind agrees, but the two that rest on a learned model there, which agree in the share
    /// `approximate` of the verdicts.
    fn check(&self, approximate: &[(&str, f64)]) {
        let mut failed = Vec::new();
        for (kind, (all, differing)) in &self.kinds {
            let agreeing = 1.0 - differing.len() as f64 / *all as f64;
            println!("{kind}: {agreeing:.4} of {all}");
            let least = approximate
                .iter()
                .find(|(name, _)| name == kind)
                .map_or(1.0, |(_, least)| *least);
            if agreeing < least {
                failed.push((kind, &differing[..differing.len().min(12)]));
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
    }
}

/// The reference counts a letter by chance when it is asked for a sign.
fn is_random(instruction: &Instruction) -> bool {
    matches!(instruction, Instruction::LetterFrequency { letter, .. } if !letter.is_ascii_alphabetic())
}

/// How many of the texts are English.
const ENGLISH: usize = 24;

const FORMS: [Strictness; 2] = [Strictness::Strict, Strictness::Loose];

#[test]
fn own_instructions_are_judged_as_ifeval_judges_them() {
    let instructions: Vec<Instruction> = serde_json::from_str(OWN).unwrap();
    let mut tally = Tally::default();
    let texts = own_texts();
    for (n, (rule, verdicts)) in RULES.iter().zip(figures("instructions")).enumerate() {
        // Every third text; those in other languages come last, and under a few rules alone.
        let texts = texts.iter().skip(n % 3).step_by(3);
        for (text, verdicts) in texts.zip(verdicts.as_array().unwrap()) {
            for (place, form) in FORMS.into_iter().enumerate() {
                let theirs = verdicts[place].as_str().unwrap();
                tally.add(&instructions, &answer(rule, text), form, theirs);
            }
        }
    }
    assert_eq!(tally.kinds.len(), 25, "a kind has no instruction");
    tally.check(&[
        ("language:response_language", 0.99),
        ("length_constraints:number_sentences", 0.99),
        ("change_case:english_capital", 0.99),
        ("change_case:english_lowercase", 0.99),
    ]);
}

#[test]
fn published_instructions_are_judged_as_ifeval_judges_them() {
    let Some(items) = data("ifeval_input_data.jsonl") else {
        return;
    };
    let (texts, rows) = (own_texts(), figures("ifeval"));
    assert_eq!(items.len(), rows.len());
    let mut tally = Tally::default();
    for (n, (item, row)) in items.iter().zip(rows).enumerate() {
        let prompt = item["prompt"].as_str().unwrap();
        let instructions = instructions_of(item);
        let bases = [
            texts[n % texts.len()].clone(),
            prompt.to_owned(),
            format!("{prompt}\n\n{}", texts[n % ENGLISH]),
        ];
        let answers = bases
            .iter()
            .flat_map(|base| RULES.map(|rule| answer(rule, base)));
        let answers = answers.skip(n % 7).step_by(7);
        for (answer, verdicts) in answers.zip(row.as_array().unwrap()) {
            let (strict, loose) = verdicts.as_str().unwrap().split_once('/').unwrap();
            tally.add(&instructions, &answer, Strictness::Strict, strict);
            tally.add(&instructions, &answer, Strictness::Loose, loose);
        }
    }
    tally.check(&[
        ("language:response_language", 0.99),
        ("length_constraints:number_sentences", 0.99),
        ("change_case:english_capital", 0.99),
        ("change_case:english_lowercase", 0.99),
    ]);
}

fn instructions_of(item: &Value) -> Vec<Instruction> {
    let ids = item["instruction_id_list"].as_array().unwrap();
    let arguments = item["kwargs"].as_array().unwrap();
    let pairs = ids.iter().zip(arguments);
    pairs
        .map(|(id, arguments)| {
            Instruction::from_ifeval(id.as_str().unwrap(), arguments.as_object().unwrap()).unwrap()
        })
        .collect()
}
