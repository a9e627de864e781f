use sbt_engine::{ParamError, StageContext, StageKind, Table};
use sbt_schemas::{AttributionRow, CandidateRow, RequestRow, TrialRow};
use serde_json::{Value, json};

use super::TrialsKind;
use crate::runner::tests::workload;

fn example() -> Value {
    toml::from_str(TrialsKind.example()).unwrap()
}

fn plan_errors(with: &Value) -> Vec<(String, String)> {
    let errors = TrialsKind.plan(with).err().unwrap();
    let text = |e: &ParamError| (e.path.join("."), e.message.clone());
    errors.iter().map(text).collect()
}

#[test]
fn example_runs_and_writes_every_table() {
    let dir = tempfile::tempdir().unwrap();
    let mut ctx = StageContext::for_test(dir.path());
    let table = Table::from_rows(&workload(2, 100)).unwrap();
    ctx.tables.insert("workload".to_owned(), table);
    let stage = TrialsKind.plan(&example()).unwrap();
    stage.run(&ctx).unwrap();
    let trials: Vec<TrialRow> = ctx.written_rows("trials").unwrap();
    let names: Vec<(&str, u64)> = trials.iter().map(|t| (&*t.config_name, t.draw)).collect();
    assert_eq!(
        names,
        [("baseline", 0), ("baseline", 1), ("wide", 0), ("wide", 1)]
    );
    assert_eq!(
        ctx.written_rows::<RequestRow>("requests").unwrap().len(),
        800
    );
    let candidates: Vec<CandidateRow> = ctx.written_rows("candidates").unwrap();
    let of = |c: &CandidateRow| (c.sampler.clone(), c.evaluation, c.n_trials, c.feasible);
    assert_eq!(
        candidates.iter().map(of).collect::<Vec<_>>(),
        [
            ("baseline".to_owned(), 0, 2, true),
            ("manual".to_owned(), 0, 2, true)
        ]
    );
    assert_eq!(
        ctx.written_rows::<AttributionRow>("attribution")
            .unwrap()
            .len(),
        20
    );
}

#[test]
fn key_follows_knobs_and_not_their_order() {
    let stage = |with: &Value| TrialsKind.plan(with).unwrap();
    let key = |with: &Value| sbt_engine::canonical_json(&stage(with).key_params());
    let mut reordered = example();
    reordered["configs"][0] =
        json!({ "max_num_batched_tokens": 16384, "name": "baseline", "max_num_seqs": 96 });
    assert_eq!(key(&example()), key(&reordered));
    reordered["configs"][0]["max_num_seqs"] = json!(97);
    assert_ne!(key(&example()), key(&reordered));
    let identity = stage(&example()).identity();
    assert_eq!(identity.len(), 4);
}

#[test]
fn every_mistake_is_reported_where_it_stands() {
    let mut with = example();
    with["backend"]["model"] = json!("llama-3.1-8");
    with["backend"]["gpus"] = json!(0);
    with["configs"] = json!([
        { "name": "a", "max_num_seq": 96 },
        { "name": "b", "gpu_memory_utilization": 1.5, "performance_mode": "throughput" },
        { "name": "c" },
        { "name": "d" },
    ]);
    with["draws"] = json!([0, 0]);
    with["rate_scale"] = json!(0);
    let errors = plan_errors(&with);
    let paths: Vec<&str> = errors.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "backend.model",
            "backend.gpus",
            "configs.0.max_num_seq",
            "configs.1.gpu_memory_utilization",
            "configs.1.performance_mode",
            "configs.3",
            "draws",
            "rate_scale",
        ]
    );
    assert!(errors[0].1.contains("llama-3.1-8b"), "{}", errors[0].1);
    assert_eq!(
        errors[4].1,
        "the simulator does not model `performance_mode` = throughput"
    );
}

#[test]
fn schema_describes_every_parameter() {
    let schema = TrialsKind.params();
    let properties = schema.get("properties").unwrap().as_object().unwrap();
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}
