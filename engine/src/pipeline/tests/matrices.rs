use insta::assert_snapshot;
use serde_json::json;

use super::fakes::{pipeline, wires};

const MATRIX: &str = r#"
params.samplers = ["random", "tpe"]
[stages.report]
uses = "report"
inputs = { candidates = "search" }
[stages.workload]
uses = "source"
[stages.base]
uses = "measure"
matrix = { seed = [1, 2] }
inputs.workload = "workload"
with.seeds = ["${matrix.seed}"]
[stages.search]
uses = "search"
matrix = { seed = [1, 2], sampler = "${params.samplers}" }
inputs = { workload = "workload", baseline = "base" }
with.sampler = "${matrix.sampler}"
"#;

#[test]
fn a_matrix_is_unfolded_matched_and_collected() {
    let plan = pipeline(MATRIX).plan();
    let ids: Vec<&str> = plan.stages.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "workload",
            "base[seed=1]",
            "base[seed=2]",
            "search[sampler=random,seed=1]",
            "search[sampler=random,seed=2]",
            "search[sampler=tpe,seed=1]",
            "search[sampler=tpe,seed=2]",
            "report",
        ]
    );
    let baseline = wires(&plan, "search[sampler=tpe,seed=2]", "baseline");
    assert_eq!(baseline, ["base[seed=2].trials"]);
    assert_eq!(wires(&plan, "report", "candidates").len(), 4);
    let search = &plan.stages[5];
    assert_eq!(search.axes["sampler"], json!("tpe"));
    assert_eq!(search.with, json!({ "sampler": "tpe" }));
}

#[test]
fn one_instance_is_read_by_its_id() {
    let text = MATRIX.replace(
        "\"search\" }",
        "\"search[sampler=tpe,seed=2].candidates\" }",
    );
    let plan = pipeline(&text).plan();
    let read = wires(&plan, "report", "candidates");
    assert_eq!(read, ["search[sampler=tpe,seed=2].candidates"]);
}

#[test]
fn instances_that_do_not_meet_are_an_error() {
    let text = MATRIX.replace("{ seed = [1, 2], sampler", "{ seed = [2, 3], sampler");
    assert_snapshot!(pipeline(&text).errors());
}

#[test]
fn wrong_axes_are_errors() {
    let text = r#"
[stages.a]
uses = "source"
matrix = { x = [], y = "one", z = [1, { a = 1 }], w = [1, 2, "1"], v = ["${matrix.x}"] }
[stages.b]
uses = "source"
matrix = ["x"]
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn a_wrong_axis_value_is_shown_on_the_axis() {
    let text = MATRIX.replace("\"tpe\"]", "\"tpee\"]");
    let errors = pipeline(&text).errors();
    assert!(errors.contains("p.toml:2:30"), "{errors}");
}

#[test]
fn an_axis_may_pick_a_parameter() {
    let text = format!(
        "params.names = {{ random = \"nsga2\", tpe = \"random\" }}\n{}",
        MATRIX.replace(
            "with.sampler = \"${matrix.sampler}\"",
            "with.sampler = \"${params.names.${matrix.sampler}}\"",
        )
    );
    let plan = pipeline(&text).plan();
    assert_eq!(plan.stages[3].with, json!({ "sampler": "nsga2" }));
    assert_eq!(plan.stages[5].with, json!({ "sampler": "random" }));
    let errors = pipeline(&text.replace("tpe = \"random\"", "tpee = \"random\"")).errors();
    assert!(errors.contains("names.tpe"), "{errors}");
}

#[test]
fn a_condition_leaves_out_an_instance_and_what_needs_it() {
    let text = MATRIX.replace(
        "with.sampler = \"${matrix.sampler}\"",
        "with.sampler = \"${matrix.sampler}\"\nwhen = \"${matrix.sampler} != tpe\"",
    );
    let plan = pipeline(&text).plan();
    let enabled =
        |plan: &crate::Plan| -> Vec<bool> { plan.stages.iter().map(|s| s.enabled).collect() };
    assert_eq!(
        enabled(&plan),
        [true, true, true, true, true, false, false, true]
    );
    assert_eq!(wires(&plan, "report", "candidates").len(), 2);
    let none = text.replace("${matrix.sampler} != tpe", "false");
    assert_eq!(enabled(&pipeline(&none).plan())[3..], [false; 5]);
    let no_base = MATRIX.replace("with.seeds", "when = false\nwith.seeds");
    let plan = pipeline(&no_base).plan();
    let search = "search[sampler=tpe,seed=2]";
    assert!(wires(&plan, search, "baseline").is_empty());
    assert!(plan.stages.last().unwrap().enabled);
}

#[test]
fn a_wrong_matrix_makes_no_noise_for_readers_of_its_instances() {
    let text = MATRIX
        .replace("\"search\" }", "\"search[sampler=tpe,seed=2]\" }")
        .replace("sampler = \"${params.samplers}\" }", "sampler = [] }");
    let errors = pipeline(&text).errors();
    assert_eq!(errors.matches("error[").count(), 1, "{errors}");
}
