use insta::assert_snapshot;
use proptest::prelude::*;

use super::fakes::{Project, pipeline};

const BROKEN: &str = r#"nmae = "agent_like"

[params]
seed = 42
backend = { kind = "simulator", gpus = "one" }
loop_a = "${params.loop_b}"
loop_b = "${params.loop_a}"

[stages.workload]
uses = "sorce"
with = { requests = 400 }

[stages.source]
uses = "source"
with = { request = 400, label = "seed ${params.sed}" }
timeout = "30 minutes"

[stages.other]
uses = "source"
with = { request = 400, rate_rps = "fast" }
retrys = 2

[stages.good]
uses = "source"

[stages.baseline]
uses = "measure"
inputs = { worklod = "good" }
with = { seeds = [1, "two", 3] }

[stages.wired]
uses = "measure"
inputs = { worklod = "good", workload = "god" }

[stages.search]
uses = "search"
matrix = { sampler = ["random", "nsga4"] }
inputs = { workload = "good", baseline = "good" }
with = { sampler = "${matrix.sampler}", backend = "${params.backend}" }

[stages.wrong]
uses = "search"
inputs = { workload = "good", baseline = "good" }
with = { sampler = "tpe", budget = -1 }

[stages.table]
uses = "search"
inputs = { workload = "measured" }
with = { sampler = "tpe" }

[stages.measured]
uses = "measure"
inputs = { workload = "measured2.requests" }

[stages.measured2]
uses = "measure"
inputs = { workload = "measured.trails" }
"#;

#[test]
fn all_errors_of_a_file_are_shown_at_once() {
    assert_snapshot!(pipeline(BROKEN).errors());
}

#[test]
fn errors_as_json_have_lines_and_columns() {
    let problems = pipeline("[stages.a]\nuses = \"sorce\"\n")
        .load()
        .err()
        .unwrap();
    let json = problems.to_json();
    let label = &json[0]["labels"][0];
    assert_eq!(json[0]["code"], "sbt::stage::kind");
    assert_eq!((&label["line"], &label["column"]), (&2.into(), &8.into()));
    assert_eq!(json[0]["help"], "did you mean `source`?");
}

#[test]
fn syntax_errors_are_shown_together_and_lead_to_no_others() {
    let text = r#"
[params]
seed = 
rate = 1.0

[stages.a]
uses = "source"
with = { requests = 1.2.3 }

[stages.b]
uses = "measur"
inputs = { workload = "a" }

[stages.c
uses = "source"

[stages.d]
uses = "measure"
inputs = { workload = "c" }
with = { backend = "${params.sed}" }
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn a_stage_that_failed_makes_no_noise_downstream() {
    let text = r#"
[stages.a]
uses = "source"
with = { request = 1 }

[stages.b]
uses = "measure"
inputs = { workload = "a.anything" }
with = { backend = 1 }

[stages.c]
uses = "search"
inputs = { workload = "b", baseline = "b.requests" }
with = { sampler = "tpe" }
"#;
    let errors = pipeline(text).errors();
    assert_eq!(errors.matches("error[").count(), 2, "{errors}");
}

#[test]
fn an_error_in_a_parameter_is_shown_where_its_value_stands() {
    let text = r#"
[params]
backend = { kind = "simulator", gpus = "one" }
[stages.a]
uses = "source"
[stages.b]
uses = "measure"
inputs = { workload = "a" }
with = { backend = "${params.backend}" }
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn an_error_from_outside_names_its_source() {
    let text =
        "[params]\nn = 1\n[stages.a]\nuses = \"source\"\nwith = { requests = \"${params.n}\" }\n";
    assert_snapshot!(pipeline(text).set("params.n=many").errors(), @r#"
    error[sbt::stage::param]: stage `a`: `requests`: invalid type: string "many", expected u32 (from --set params.n=many)
    "#);
    let errors = pipeline(text).env("SBT_PARAMS__N", "-1").errors();
    assert!(
        errors.contains("(from environment variable SBT_PARAMS__N)"),
        "{errors}"
    );
}

#[test]
fn files_that_include_each_other_are_an_error() {
    let project = Project::of(&[
        (
            "p.toml",
            "include = [\"parts/a.toml\"]\n[stages.s]\nuses = \"source\"\n",
        ),
        ("parts/a.toml", "include = [\"b.toml\"]\n"),
        (
            "parts/b.toml",
            "# back\ninclude = [\"missing.toml\", \"a.toml\"]\n",
        ),
    ]);
    assert_snapshot!(project.errors());
}

#[test]
fn a_missing_pipeline_is_one_error() {
    let mut project = pipeline("");
    project.options.path = project.path("q.toml");
    assert_snapshot!(project.errors(), @"error[sbt::file::unreadable]: cannot read q.toml: No such file or directory (os error 2)");
}

#[test]
fn an_empty_pipeline_says_so() {
    assert!(
        pipeline("name = \"x\"\n")
            .errors()
            .contains("has no stages")
    );
}

/// A pipeline with some of everything.
const WHOLE: &str = r#"
name = "whole"
[params]
seed = 7
samplers = ["random", "tpe"]
[stages.workload]
uses = "source"
with = { requests = 10, label = "seed ${params.seed}" }
[stages.base]
uses = "measure"
inputs.workload = "workload"
timeout = "30m"
[stages.search]
uses = "search"
matrix = { sampler = "${params.samplers}" }
inputs = { workload = "workload", baseline = "base" }
with.sampler = "${matrix.sampler}"
[stages.report]
uses = "report"
inputs = { candidates = "search" }
"#;

#[test]
fn one_slip_gives_one_error_at_its_line() {
    let slips = [
        (
            "inputs.workload = \"workload\"",
            "inputs.workload = \"workload",
            11,
        ),
        ("[stages.search]", "[stages.search", 13),
        ("[stages.base]", "[stages.base", 9),
        ("[stages.workload]", "[stages.]", 6),
        ("{ requests = 10,", "{ requests = 10", 8),
        ("timeout = ", "timeout ", 12),
        ("\"tpe\"]", "\"tpe\"", 5),
        ("seed = 7", "seed = seven", 4),
        ("seed = 7", "seed = 1.2.3", 4),
        ("seed = 7", "seed = 99999999999999999999", 4),
        ("[params]", "params]", 3),
        ("[params]", "[params", 3),
        ("candidates = \"search\" }", "candidates = \"search\"", 20),
        ("requests = 10", "requests = -10", 8),
        (
            "timeout = \"30m\"",
            "timeout = \"30m\"\ntimeout = \"1h\"",
            13,
        ),
        (
            "inputs.workload = \"workload\"",
            "inputs.workload = \"wrkload\"",
            11,
        ),
        ("params.seed}", "params.sed}", 8),
    ];
    for (right, wrong, line) in slips {
        let problems = pipeline(&WHOLE.replace(right, wrong)).load().err().unwrap();
        let json = problems.to_json();
        assert_eq!(problems.0.len(), 1, "{problems}");
        assert_eq!(json[0]["labels"][0]["line"], line, "{problems}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_is_reported_within_the_file(at in 0..WHOLE.len(), cut in 1..4_usize, put in "[ -~]{0,2}") {
        let end = (at + cut).min(WHOLE.len());
        let text = format!("{}{put}{}", &WHOLE[..at], &WHOLE[end..]);
        if let Err(problems) = pipeline(&text).load() {
            prop_assert!(!problems.0.is_empty());
            prop_assert!(!problems.render(true).is_empty());
            for label in problems.0.iter().flat_map(|problem| &problem.labels) {
                prop_assert!(label.place.span.end <= text.len() + 1);
            }
        }
    }
}
