use insta::assert_snapshot;

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
