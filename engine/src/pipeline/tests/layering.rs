use insta::assert_snapshot;
use serde_json::json;

use super::fakes::{Project, pipeline};

fn layered() -> Project {
    let main = r#"
include = ["parts/base.toml"]
[params]
file = "main"
[profile.ci.params]
profile = "ci"
"#;
    let base = r#"
include = ["../deeper.toml"]
[params]
include = "base"
file = "base"
[stages.a]
uses = "source"
with.label = "${params.deeper} ${params.include} ${params.file} ${params.profile} ${params.env} ${params.set}"
"#;
    let deeper = r#"
[params]
deeper = "deeper"
include = "deeper"
file = "deeper"
profile = "deeper"
env = "deeper"
set = "deeper"
"#;
    Project::of(&[
        ("p.toml", main),
        ("parts/base.toml", base),
        ("deeper.toml", deeper),
    ])
}

#[test]
fn layers_override_each_other_in_order() {
    let label = |project: Project| project.withs()["a"]["label"].clone();
    assert_eq!(label(layered()), "deeper base main deeper deeper deeper");
    let all = layered()
        .profile("ci")
        .env("SBT_PARAMS__ENV", "env")
        .env("SBT_PARAMS__SET", "env")
        .set("params.set=first")
        .set("params.set=last");
    assert_eq!(label(all), "deeper base main ci env last");
    let env = layered().profile("ci").env("SBT_PARAMS__PROFILE", "env");
    assert_eq!(label(env), "deeper base main env deeper deeper");
}

#[test]
fn overrides_are_toml_values_and_merge_deeply() {
    let text = r#"
[stages.a]
uses = "source"
[stages.b]
uses = "measure"
inputs.workload = "a"
with.backend = { kind = "x", gpus = 1 }
"#;
    let project = pipeline(text)
        .set("stages.b.with.seeds=[1, 2]")
        .env("SBT_STAGES__B__WITH__BACKEND__GPUS", "4");
    let expected = json!({ "backend": { "gpus": 4, "kind": "x" }, "seeds": [1, 2] });
    assert_eq!(project.withs()["b"], expected);
}

#[test]
fn other_variables_are_left_alone() {
    let text = "[stages.a]\nuses = \"source\"\n";
    let project = pipeline(text)
        .env("SBT_STORE", "/x")
        .env("SBT_PARAMSX", "1");
    assert_eq!(project.withs()["a"], json!({}));
}

#[test]
fn overrides_of_what_is_not_there_are_errors() {
    let project = layered()
        .profile("cii")
        .set("params.fiel=1")
        .set("seed")
        .set("nme=x")
        .env("SBT_STAGES__B__USES", "x");
    assert_snapshot!(project.errors());
}

#[test]
fn unchosen_profiles_are_checked_too() {
    let text = "[params]\nseed = 1\n[stages.a]\nuses = \"source\"\n\
                [profile.ci.params]\nsed = 2\n[profile.ci.stage]\n";
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn an_error_in_a_profile_is_shown_there() {
    let text = "params.n = 1\nstages.a = { uses = \"source\", with.requests = \"${params.n}\" }\n\
                profile.ci.params.n = \"many\"\n";
    let errors = pipeline(text).profile("ci").errors();
    assert!(errors.contains("p.toml:3:23"), "{errors}");
}

#[test]
fn a_file_included_twice_stays_below_both() {
    let project = Project::of(&[
        (
            "p.toml",
            "include = [\"a.toml\", \"b.toml\"]\n[stages.s]\nuses = \"source\"\nwith.label = \"${params.x}\"\n",
        ),
        ("a.toml", "include = [\"c.toml\"]\nparams.x = \"a\"\n"),
        ("b.toml", "include = [\"c.toml\"]\n"),
        ("c.toml", "params.x = \"c\"\n"),
    ]);
    assert_eq!(project.withs()["s"]["label"], "a");
}

#[test]
fn a_profile_may_have_any_name() {
    for name in ["default", "global", "Release"] {
        let text = format!(
            "params.n = 1\nstages.a = {{ uses = \"source\", with.requests = \"${{params.n}}\" }}\n\
             profile.{name}.params.n = 2\n"
        );
        assert_eq!(pipeline(&text).withs()["a"]["requests"], 1);
        let withs = pipeline(&text).profile(name).withs();
        assert_eq!(withs["a"]["requests"], 2, "{name}");
    }
}

#[test]
fn profiles_that_are_no_tables_are_errors() {
    let text = "profile.ci = 1\n[stages.a]\nuses = \"source\"\n";
    assert!(
        pipeline(text)
            .errors()
            .contains("profile `ci` must be a table")
    );
    let set = pipeline("[stages.a]\nuses = \"source\"\n").set("profile.ci.params.x=1");
    assert!(set.errors().contains("cannot override"));
}
