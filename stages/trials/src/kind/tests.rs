use sbt_engine::{ParamError, StageContext, StageKind, Table};
use sbt_schemas::{
    AttributionRow, CalibrationRow, CandidateRow, IntervalRow, RequestRow, TrialRow,
};
use sbt_simulator::Term;
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
        32
    );
}

/// What was calibrated, each coefficient as sure as the others.
fn calibration(log_sd: f64) -> Vec<CalibrationRow> {
    let row = |(at, term): (usize, Term)| CalibrationRow {
        term: term.name().to_owned(),
        coefficient: 1.0,
        log_mean: 0.0,
        log_sd,
        prior_log_sd: 0.5,
        identified: true,
        log_covariance: (0..Term::ALL.len())
            .map(|other| if other == at { log_sd * log_sd } else { 0.0 })
            .collect(),
        n: 30,
        method: "steps".to_owned(),
        ttft_log_sd: 0.02,
        tpot_log_sd: 0.02,
        e2e_log_sd: 0.02,
    };
    Term::ALL.into_iter().enumerate().map(row).collect()
}

#[test]
fn intervals_are_as_wide_as_the_calibration_is_unsure() {
    let width = |log_sd: f64| {
        let dir = tempfile::tempdir().unwrap();
        let mut ctx = StageContext::for_test(dir.path());
        let workload = Table::from_rows(&workload(2, 60)).unwrap();
        ctx.tables.insert("workload".to_owned(), workload);
        let calibration = Table::from_rows(&calibration(log_sd)).unwrap();
        ctx.tables.insert("calibration".to_owned(), calibration);
        let mut with = example();
        with["posterior_draws"] = json!(20);
        TrialsKind.plan(&with).unwrap().run(&ctx).unwrap();
        let rows: Vec<IntervalRow> = ctx.written_rows("intervals").unwrap();
        let tpot = rows.iter().find(|row| row.metric == "tpot_mean_s").unwrap();
        assert_eq!((tpot.posterior_draws, tpot.trials), (20, 40));
        let (lo, hi) = (tpot.lo.unwrap(), tpot.hi.unwrap());
        assert!(lo <= hi && lo <= 1.1 * tpot.predicted.unwrap());
        (hi / lo).ln()
    };
    let (sure, unsure) = (width(1e-6), width(0.2));
    // Two draws of the workload differ a little under the same coefficients.
    assert!(
        sure < 0.1 && unsure > 2.0 * sure.max(0.05),
        "{sure} {unsure}"
    );
}

#[test]
fn no_interval_is_told_without_a_calibration_or_of_a_real_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut ctx = StageContext::for_test(dir.path());
    let table = Table::from_rows(&workload(2, 60)).unwrap();
    ctx.tables.insert("workload".to_owned(), table);
    let mut with = example();
    with["posterior_draws"] = json!(20);
    TrialsKind.plan(&with).unwrap().run(&ctx).unwrap();
    assert_eq!(ctx.written_rows::<IntervalRow>("intervals").unwrap(), []);
    with["backend"] = json!({ "kind": "endpoint", "url": "http://localhost:1", "model": "m" });
    let errors = plan_errors(&with);
    assert!(errors.iter().any(|(path, _)| path == "posterior_draws"));
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
