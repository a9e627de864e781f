use std::collections::BTreeSet;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::fakes::pipeline;
use crate::{Graph, Plan, Selection};

const DIAMOND: &str = r#"
name = "diamond"
[stages.report]
uses = "report"
inputs = { candidates = "search", trials = "base" }
[stages.workload]
uses = "source"
[stages.base]
uses = "measure"
inputs.workload = "workload"
[stages.search]
uses = "search"
matrix.sampler = ["random", "tpe"]
inputs = { workload = "workload", baseline = "base" }
with.sampler = "${matrix.sampler}"
when = "${matrix.sampler} != tpe"
[stages.other]
uses = "source"
"#;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

fn select(plan: &Plan, selection: &Selection) -> Vec<String> {
    let selected = Graph::new(plan).select(selection).unwrap();
    let ids = selected.into_iter().map(|i| plan.stages[i].id.clone());
    ids.collect()
}

#[test]
fn parts_are_selected_by_name_and_id() {
    let plan = pipeline(DIAMOND).plan();
    let all = select(&plan, &Selection::default());
    assert_eq!(
        all,
        [
            "workload",
            "base",
            "search[sampler=random]",
            "search[sampler=tpe]",
            "report",
            "other"
        ]
    );
    let only = Selection {
        only: names(&["search", "other"]),
        ..Selection::default()
    };
    assert_eq!(
        select(&plan, &only),
        ["search[sampler=random]", "search[sampler=tpe]", "other"]
    );
    let from = Selection {
        from: names(&["search[sampler=random]"]),
        ..Selection::default()
    };
    assert_eq!(select(&plan, &from), ["search[sampler=random]", "report"]);
    let until = Selection {
        until: names(&["base", "other"]),
        ..Selection::default()
    };
    assert_eq!(select(&plan, &until), ["workload", "base", "other"]);
    let between = Selection {
        from: names(&["base"]),
        until: names(&["search[sampler=random]"]),
        ..Selection::default()
    };
    assert_eq!(select(&plan, &between), ["base", "search[sampler=random]"]);
    let unknown = Selection {
        until: names(&["serch"]),
        ..Selection::default()
    };
    let error = Graph::new(&plan).select(&unknown).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no stage is named `serch`; did you mean `search`?"
    );
}

#[test]
fn neighbours_are_direct_and_transitive() {
    let plan = pipeline(DIAMOND).plan();
    let graph = Graph::new(&plan);
    assert_eq!(graph.dependants(0), BTreeSet::from([1, 2, 3]));
    assert_eq!(graph.dependencies(4), BTreeSet::from([1, 2]));
    assert_eq!(graph.all_dependants(1), BTreeSet::from([2, 3, 4]));
}

#[test]
fn a_graph_is_drawn_as_text_dot_and_mermaid() {
    let plan = pipeline(DIAMOND).plan();
    let graph = Graph::new(&plan);
    assert_snapshot!([graph.text(), graph.dot(), graph.mermaid()].join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A pipeline of stages that each read the one before in a shuffled file.
    #[test]
    fn every_stage_comes_after_what_it_reads(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let stage = |i: usize| match i {
            0 => "[stages.s0]\nuses = \"source\"\n".to_owned(),
            1 => "[stages.s1]\nuses = \"measure\"\ninputs.workload = \"s0\"\n".to_owned(),
            _ => format!("[stages.s{i}]\nuses = \"report\"\ninputs = {{ candidates = \"c\", trials = \"s1\" }}\n"),
        };
        let mut text = "[stages.c]\nuses = \"search\"\ninputs = { workload = \"s0\", baseline = \"s1\" }\nwith.sampler = \"tpe\"\n".to_owned();
        text.extend(order.iter().map(|&i| stage(i)));
        let plan = pipeline(&text).plan();
        prop_assert_eq!(plan.stages.len(), 13);
        for (i, stage) in plan.stages.iter().enumerate() {
            prop_assert!(stage.inputs.values().flatten().all(|wire| wire.stage < i));
        }
    }
}
