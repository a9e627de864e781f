use std::path::Path;

use sbt_engine::{ParamError, StageContext, StageKind, Table};
use sbt_schemas::{CandidateRow, Outcome, QualityRow, TraceRow, TrialRow, WorkloadRow};
use serde_json::{Value, json};

use super::SearchKind;

fn example(sampler: &str, budget: u64) -> Value {
    let mut with: Value = toml::from_str(SearchKind.example()).unwrap();
    with["sampler"] = json!(sampler);
    with["budget"] = json!(budget);
    with["population"] = json!(4);
    with
}

fn workload() -> Vec<WorkloadRow> {
    let rows = (0..80).map(|id| WorkloadRow {
        draw: 0,
        request_id: id,
        session: id,
        turn: 0,
        arrival_s: Some(id as f64 * 0.25),
        think_s: None,
        continues: false,
        prompt_tokens: 200 + id % 7,
        output_tokens: 20 + id % 5,
        prefix_block_ids: Vec::new(),
        prefix_block_tokens: 16,
        category: "chat".to_owned(),
        prompt: None,
    });
    rows.collect()
}

fn context(dir: &Path) -> StageContext {
    let mut ctx = StageContext::for_test(dir);
    let table = Table::from_rows(&workload()).unwrap();
    ctx.tables.insert("workload".to_owned(), table);
    ctx
}

fn candidates(ctx: &StageContext, with: &Value) -> Vec<CandidateRow> {
    SearchKind.plan(with).unwrap().run(ctx).unwrap();
    ctx.written_rows("candidates").unwrap()
}

fn plan_errors(with: &Value) -> Vec<String> {
    let errors = SearchKind.plan(with).err().unwrap();
    errors
        .iter()
        .map(|error: &ParamError| error.path.join("."))
        .collect()
}

#[test]
fn samplers_fill_every_table_up_to_the_budget() {
    for sampler in ["random", "sobol", "nsga2", "nsga3", "tpe"] {
        let dir = tempfile::tempdir().unwrap();
        let ctx = context(dir.path());
        let rows = candidates(&ctx, &example(sampler, 10));
        assert_eq!(rows.len(), 10);
        assert_eq!(rows[9].config_name, format!("{sampler}-009"));
        assert!(
            rows.iter()
                .any(|row| row.feasible && row.recommended == Some(1))
        );
        assert_eq!(ctx.written_rows::<TraceRow>("trace").unwrap().len(), 10);
        assert_eq!(ctx.written_rows::<TrialRow>("trials").unwrap().len(), 10);
    }
}

#[test]
fn the_same_seed_gives_the_same_candidates() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = dirs.map(|dir| candidates(&context(dir.path()), &example("nsga2", 12)));
    assert_eq!(first, second);
}

/// A transfer from a simulator that believes the GPU to be faster.
fn transfer(budget: u64) -> Value {
    let mut with = example("transfer", budget);
    let mut simulated = with["backend"].clone();
    simulated["gpu"] = json!("h200-sxm");
    with["transfer"] = json!({ "simulated": simulated, "simulations": 40 });
    with
}

fn with_baseline(ctx: &mut StageContext) {
    let baseline: CandidateRow = serde_json::from_value(json!({
        "sampler": "baseline", "evaluation": 0, "config_id": "c", "config_name": "baseline",
        "config": "{}", "n_trials": 1, "outcome": "ok", "provenance": "simulated", "gpus": 1,
        "e2e_p95_s": 2.0, "cost_per_mtok": 20.0, "feasible": true, "rank": 0, "on_front": true,
    }))
    .unwrap();
    let table = Table::from_rows(&[baseline]).unwrap();
    ctx.tables.insert("baseline".to_owned(), table);
}

#[test]
fn transfer_asks_the_same_whatever_the_memo_knows_and_simulates_no_row_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut ctx = context(dir.path());
    with_baseline(&mut ctx);
    let first = candidates(&ctx, &transfer(7));
    assert_eq!(ctx.written_rows::<TrialRow>("trials").unwrap().len(), 7);
    assert_eq!(candidates(&ctx, &transfer(7)), first);
    let longer = candidates(&ctx, &transfer(9));
    let ids = |rows: &[CandidateRow]| -> Vec<String> {
        rows.iter().map(|row| row.config_id.clone()).collect()
    };
    assert_eq!(ids(&longer)[..7], ids(&first));
    let asked: std::collections::BTreeSet<String> = ids(&longer).into_iter().collect();
    assert_eq!(asked.len(), 9);
}

#[test]
fn transfer_needs_a_simulator() {
    assert_eq!(plan_errors(&example("transfer", 5)), ["transfer"]);
    let mut with = transfer(5);
    with["stop"] = json!({ "usd": 0.0 });
    assert_eq!(plan_errors(&with), ["stop.usd"]);
}

#[test]
fn a_search_that_only_fails_ends_with_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    let mut with = example("random", 40);
    with["space"] = json!({
        "max_num_seqs": { "kind": "int", "min": 16, "max": 256 },
        "gpu_memory_utilization": { "kind": "float", "min": 0.05, "max": 0.15 },
    });
    with["population"] = json!(2);
    with["stop_after_failures"] = json!(3);
    let error = SearchKind.plan(&with).unwrap().run(&ctx).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the last 4 trials failed"), "{text}");
    assert!(text.contains("`oom`"), "{text}");
}

#[test]
fn a_limit_ends_a_search_with_what_it_found() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    let mut with = example("random", 40);
    with["population"] = json!(2);
    with["stop"] = json!({ "wall_s": 30.0 });
    // Each trial simulates some 20 s.
    assert_eq!(candidates(&ctx, &with).len(), 2);
}

#[test]
fn manual_evaluates_its_list_under_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut with = example("manual", 1);
    with["configs"] = json!([
        { "name": "narrow", "max_num_seqs": 16 },
        { "name": "wide", "max_num_seqs": 128 },
    ]);
    let rows = candidates(&context(dir.path()), &with);
    let names: Vec<&str> = rows.iter().map(|row| &*row.config_name).collect();
    assert_eq!(names, ["narrow", "wide"]);
}

#[test]
fn a_failed_quality_gate_is_never_feasible_and_nothing_the_sampler_likes() {
    let dir = tempfile::tempdir().unwrap();
    let mut ctx = context(dir.path());
    let mut with = example("nsga2", 8);
    with["space"] = json!({
        "max_num_seqs": { "kind": "int", "min": 16, "max": 256 },
        "kv_cache_dtype": { "kind": "choice", "values": ["fp8"] },
    });
    let failed: QualityRow = serde_json::from_value(json!({
        "variant": r#"{"kv_cache_dtype":"fp8"}"#, "family": "overall", "score": 0.5,
        "relative": 0.99, "relative_limit": 0.98, "verdict": "fail", "provenance": "inferred",
        "source": "test",
    }))
    .unwrap();
    ctx.tables
        .insert("quality".to_owned(), Table::from_rows(&[failed]).unwrap());
    for row in candidates(&ctx, &with) {
        assert!(!row.feasible);
        assert_eq!(row.quality, Some(0.5));
        assert_eq!(row.violated.as_deref(), Some("quality gate: overall"));
        assert_eq!(row.recommended, None);
    }
}

#[test]
fn mistakes_are_reported_where_they_stand() {
    let mut with = example("random", 0);
    with["population"] = json!(1);
    with["space"]["max_num_seq"] = json!({ "kind": "int", "min": 1, "max": 8 });
    with["space"]["max_num_seqs"]["max"] = json!(8);
    with["goals"]["subject_to"] = json!(["ttft_p95 <= 1.0"]);
    let errors = plan_errors(&with);
    for path in [
        "budget",
        "population",
        "space.max_num_seq",
        "space.max_num_seqs",
    ] {
        assert!(
            errors.iter().any(|error| error == path),
            "{path}: {errors:?}"
        );
    }
    assert!(
        errors.iter().any(|error| error.starts_with("goals")),
        "{errors:?}"
    );
    assert_eq!(plan_errors(&example("manual", 5)), ["configs"]);
}

#[test]
fn spaces_of_the_pipelines_suit_the_server() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/spaces");
    for name in ["agent_like", "short_qa", "long_gen"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
        let file: Value = toml::from_str(&text).unwrap();
        let mut with = example("random", 5);
        with["space"] = file["params"]["space"].clone();
        assert!(
            SearchKind.plan(&with).is_ok(),
            "{name}: {:?}",
            plan_errors(&with)
        );
    }
}

/// 400 requests at a rate that few running at once cannot keep up with.
fn busy(dir: &Path) -> StageContext {
    let mut ctx = context(dir);
    let rows = (0..400).map(|id| WorkloadRow {
        request_id: id,
        session: id,
        arrival_s: Some(id as f64 * 0.05),
        output_tokens: 60 + id % 9,
        ..workload()[0].clone()
    });
    let table = Table::from_rows(&rows.collect::<Vec<_>>()).unwrap();
    ctx.tables.insert("workload".to_owned(), table);
    with_baseline(&mut ctx);
    ctx
}

#[test]
fn a_race_serves_less_and_finds_nearly_as_much() {
    let run = |race: Option<Value>| {
        let dir = tempfile::tempdir().unwrap();
        let ctx = busy(dir.path());
        let mut with = example("random", 40);
        with["population"] = json!(10);
        with["goals"] = json!({ "minimize": ["e2e_p95_s"] });
        if let Some(race) = race {
            with["race"] = race;
        }
        let rows = candidates(&ctx, &with);
        let trials: Vec<TrialRow> = ctx.written_rows("trials").unwrap();
        let trace: Vec<TraceRow> = ctx.written_rows("trace").unwrap();
        let volume = trace.last().unwrap().hypervolume.unwrap();
        (
            rows,
            trials.iter().map(|trial| trial.n).sum::<u64>(),
            volume,
        )
    };
    let (_, whole, best) = run(None);
    let (rows, last, found) = run(Some(json!({ "requests": [100] })));
    let aborted = rows.iter().filter(|row| row.outcome == Outcome::Aborted);
    let aborted: Vec<&CandidateRow> = aborted.collect();
    assert!(!aborted.is_empty() && aborted.len() < rows.len());
    let reason = aborted[0].reason.as_deref().unwrap();
    assert!(reason.starts_with("after 100 requests: "), "{reason}");
    assert!(aborted.iter().all(|row| !row.on_front && !row.feasible));
    assert!(last < whole, "{last} of {whole}");
    assert!(found > 0.9 * best, "{found} of {best}");
}

#[test]
fn sizes_of_a_race_rise_from_more_than_the_warm_up() {
    for wrong in [json!([]), json!([20]), json!([100, 100])] {
        let mut with = example("random", 4);
        with["race"] = json!({ "requests": wrong });
        assert_eq!(plan_errors(&with), ["race.requests"]);
    }
}
