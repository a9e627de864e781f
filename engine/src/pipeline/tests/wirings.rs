use std::time::Duration;

use insta::assert_snapshot;

use super::fakes::{pipeline, wires};
use crate::CachePolicy;

#[test]
fn outputs_are_chosen_by_table_and_by_name() {
    let text = r#"
[stages.search]
uses = "search"
inputs = { workload = "a", baseline = "b" }
with.sampler = "tpe"
[stages.report]
uses = "report"
inputs = { candidates = ["search", "search2.candidates"], trials = "b.trials", extra = "b.requests" }
[stages.a]
uses = "source"
[stages.b]
uses = "measure"
inputs.workload = "a"
[stages.search2]
uses = "search"
inputs.workload = "a"
with.sampler = "random"
"#;
    let plan = pipeline(text).plan();
    let order: Vec<&str> = plan.stages.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(order, ["a", "b", "search", "search2", "report"]);
    assert_eq!(wires(&plan, "search", "baseline"), ["b.trials"]);
    let candidates = wires(&plan, "report", "candidates");
    assert_eq!(candidates, ["search.candidates", "search2.candidates"]);
    assert_eq!(wires(&plan, "report", "extra"), ["b.requests"]);
}

#[test]
fn wrong_wires_are_told_apart() {
    let text = r#"
[stages.a]
uses = "source"
[stages.b]
uses = "measure"
inputs.workload = "a"
[stages.nothing]
uses = "measure"
[stages.empty]
uses = "measure"
inputs.workload = []
[stages.table]
uses = "search"
inputs = { workload = "a", baseline = "b.requests" }
with.sampler = "tpe"
[stages.output]
uses = "search"
inputs = { workload = "a", baseline = "b.trial" }
with.sampler = "tpe"
[stages.several]
uses = "report"
inputs = { candidates = "table", extra = "b" }
[stages.folder]
uses = "report"
inputs = { candidates = "table", extra = "several" }
[stages.twice]
uses = "report"
inputs = { candidates = ["table2", "table2.candidates"] }
[stages.table2]
uses = "search"
inputs.workload = "a"
with.sampler = "tpe"
[stages.self]
uses = "measure"
inputs.workload = "self"
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn a_cycle_is_shown_with_all_its_wires() {
    let text = r#"
[stages.c]
uses = "search"
inputs = { workload = "a", baseline = "b" }
with.sampler = "tpe"
[stages.b]
uses = "measure"
inputs.workload = "c"
[stages.a]
uses = "source"
"#;
    assert_snapshot!(pipeline(text).errors());
}

#[test]
fn settings_are_read() {
    let text = r#"
[stages.a]
uses = "source"
timeout = "1h30m"
retries = "${params.retries}"
cache = { max_age = "7d" }
[stages.b]
uses = "source"
cache = false
[params]
retries = 3
"#;
    let plan = pipeline(text).plan();
    let a = &plan.stages[0];
    assert_eq!(a.timeout, Some(Duration::from_secs(5400)));
    assert_eq!(a.retries, 3);
    assert_eq!(a.cache, CachePolicy::MaxAge(Duration::from_secs(7 * 86400)));
    assert_eq!(plan.stages[1].cache, CachePolicy::Off);
}

#[test]
fn wrong_settings_are_errors() {
    let text = r#"
[stages.a]
uses = "source"
timeout = 30
retries = -1
cache = "sometimes"
when = "maybe"
inputs = { x = 1 }
"#;
    assert_snapshot!(pipeline(text).errors());
}
