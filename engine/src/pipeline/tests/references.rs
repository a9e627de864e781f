use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::fakes::{Project, pipeline};

#[test]
fn a_whole_reference_keeps_its_type() {
    let text = r#"
[params]
n = 7
rate = 2.0
backend = { kind = "simulator", gpus = "${params.gpus}" }
gpus = 2
seeds = [1, 2]
[stages.a]
uses = "source"
with = { requests = "${params.n}", rate_rps = "${params.rate}", label = "n=${params.n} $$1 ${params.backend.kind}" }
[stages.b]
uses = "measure"
inputs = { workload = "a" }
with = { backend = "${params.backend}", seeds = "${params.seeds}" }
[stages.c]
uses = "measure"
inputs = { workload = "a" }
with = { backend.gpus = "${params.backend.gpus}", seeds = ["${params.seeds.1}"] }
"#;
    let withs = pipeline(text).withs();
    let a = json!({ "label": "n=7 $1 simulator", "rate_rps": 2.0, "requests": 7 });
    assert_eq!(withs["a"], a);
    let b = json!({ "backend": { "gpus": 2, "kind": "simulator" }, "seeds": [1, 2] });
    assert_eq!(withs["b"], b);
    assert_eq!(
        withs["c"],
        json!({ "backend": { "gpus": 2 }, "seeds": [2] })
    );
}

#[test]
fn a_reference_into_a_referenced_table_is_followed() {
    let text = r#"
[params]
alias = "${params.backend}"
backend = { kind = "x", gpus = 3 }
[stages.a]
uses = "source"
with = { requests = "${params.alias.gpus}" }
"#;
    assert_eq!(pipeline(text).withs()["a"], json!({ "requests": 3 }));
    let near = text.replace("alias.gpus", "alias.gpu");
    let errors = pipeline(&near).errors();
    assert!(
        errors.contains("did you mean `${params.alias.gpus}`?"),
        "{errors}"
    );
}

#[test]
fn bad_references_are_shown_at_their_column() {
    let text = r#"
[params]
table = { x = 1 }
a = "${params.b}"
b = "x-${params.c}"
c = "${params.a}"
[stages.a]
uses = "source"
with.label = 'in ${params.table} and ${params.tabel} and ${matrix.x}'
with.trace = "${env.TRACE_DIR}/${file:no/${params.table.x}.csv}"
[stages.b]
uses = "source"
with.label = "esc\taped ${parms.x}"
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn variables_come_from_the_options_and_enter_the_plan() {
    let text = r#"
[params]
label = "${env.LABEL:-none}"
[stages.a]
uses = "source"
with = { label = "${params.label}/${env.USER_NAME}" }
"#;
    let plan = pipeline(text).env("USER_NAME", "eve").plan();
    assert_eq!(plan.stages[0].with, json!({ "label": "none/eve" }));
    let env = &plan.stages[0].env;
    assert_eq!(
        (&env["LABEL"], env["USER_NAME"].as_deref()),
        (&None, Some("eve"))
    );
    assert!(pipeline(text).errors().contains("USER_NAME is not set"));
}

#[test]
fn a_referenced_file_is_absolute_for_the_stage_and_named_in_the_key() {
    let text = r#"
[params]
set = "big"
template = "${file:data/${params.set}.txt}"
[stages.a]
uses = "source"
with = { trace = "t.csv", label = "--use=${params.template}" }
"#;
    let files = [("p.toml", text), ("t.csv", ""), ("data/big.txt", "")];
    let (here, there) = (Project::of(&files), Project::of(&files));
    let plan = here.plan();
    let stage = &plan.stages[0];
    let big = here.path("data/big.txt");
    assert_eq!(
        stage.with["label"],
        json!(format!("--use={}", big.display()))
    );
    assert_eq!(stage.files["file:1"], big);
    assert_eq!(stage.files["trace"], here.path("t.csv"));
    assert_eq!(stage.key_params()["label"], json!("--use=file:1"));
    assert_eq!(stage.key_params(), there.plan().stages[0].key_params());
}

#[test]
fn a_missing_file_of_a_parameter_is_shown_at_its_value() {
    let text = r#"
[params]
trace = "traces/none.csv"
[stages.a]
uses = "source"
with.trace = "${params.trace}"
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn what_is_left_out_needs_nothing_of_the_machine() {
    let text = r#"
[params]
unused = "${env.NOT_SET}/${file:none.txt}"
url = "${env.URL}"
[stages.off]
uses = "source"
when = false
with = { label = "${params.url}", trace = "${file:none.csv}" }
[stages.on]
uses = "source"
"#;
    let plan = pipeline(text).plan();
    assert!(!plan.stages[0].enabled);
    assert_eq!(plan.stages[0].with["label"], "${env.URL}");
    let on = text.replace("when = false", "when = true");
    let errors = pipeline(&on).errors();
    assert!(
        errors.contains("URL is not set") && errors.contains("none.csv"),
        "{errors}"
    );
    assert!(!errors.contains("NOT_SET"), "{errors}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_text_survives_escaping(text in "[ -~]{0,20}") {
        let quoted = serde_json::to_string(&text.replace('$', "$$")).unwrap();
        let file = format!("[stages.a]\nuses = \"source\"\nwith.label = {quoted}\n");
        prop_assert_eq!(&pipeline(&file).withs()["a"]["label"], &json!(text));
    }

    #[test]
    fn any_value_comes_through_a_reference_unchanged(seeds in prop::collection::vec(any::<u64>(), 0..5)) {
        let text = "[stages.a]\nuses = \"source\"\n[stages.b]\nuses = \"measure\"\n\
                    inputs.workload = \"a\"\nwith.seeds = \"${params.seeds}\"\n";
        let file = format!("params.seeds = {seeds:?}\n{text}");
        prop_assert_eq!(&pipeline(&file).withs()["b"]["seeds"], &json!(seeds));
    }
}
