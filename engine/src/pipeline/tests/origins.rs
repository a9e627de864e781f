use insta::assert_snapshot;

use super::fakes::{Project, REGISTRY};
use crate::resolved;

#[test]
fn every_value_says_where_it_was_written() {
    let main = r#"
name = "shown"
include = ["parts/base.toml"]
[params]
seed = 1
gpus = 2
budget = 5
[stages.search]
inputs.baseline = "base"
retries = 2
with = { sampler = "${matrix.sampler}", backend = "${params.backend}" }
matrix.sampler = ["random", "tpe"]
[profile.ci.params]
budget = 20
"#;
    let base = r#"
[params]
backend = { kind = "x", gpus = "${params.gpus}" }
[stages.workload]
uses = "source"
with = { label = "seed ${params.seed}" }
[stages.base]
uses = "measure"
inputs.workload = "workload"
[stages.search]
uses = "search"
inputs.workload = "workload"
with = { budget = "${params.budget}" }
"#;
    let project = Project::of(&[("p.toml", main), ("parts/base.toml", base)])
        .profile("ci")
        .env("SBT_PARAMS__SEED", "7")
        .set("stages.base.timeout=30m");
    let values = resolved(&project.options, REGISTRY).unwrap();
    let lines = values
        .iter()
        .map(|v| format!("{} = {}  # {}", v.path, v.value, v.origin));
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_snapshot!(project.without_folder(&text));
}
