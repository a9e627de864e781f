//! `study_statistics`: whether the figures can be trusted.

use crate::decision::{SMALL, small_decision};

const PIPELINE: &str = "pipelines/study_statistics.toml";

/// The study at a budget that a test can afford. What it finds must hold within what so few draws
/// can tell: 40 intervals of a true 95 % hold it 33 times or fewer once in 300 times.
#[test]
fn study_of_statistics_covers_shrinks_and_reruns_from_the_cache() {
    let sandbox = small_decision();
    let small = [
        "run",
        PIPELINE,
        "--profile",
        "ci",
        "--set",
        "params.loads=[0.5]",
        "--set",
        "params.studies=[1,2]",
        "--set",
        "params.budget=8",
        "--set",
        "params.true_draws=30",
        "--set",
        "params.long_requests=1400",
        "--set",
        "params.long_draws=4",
    ];
    let outcome = sandbox.ok(&small);
    let rows = sandbox.table("study_statistics:coverage.study_coverage");
    let found = |interval: &str, metric: &str, draws: u64| {
        let row = rows.iter().find(|row| {
            row["interval"] == interval && row["metric"] == metric && row["draws"] == draws
        });
        row.unwrap_or_else(|| panic!("{interval} {metric}\n{outcome}"))
    };
    for (interval, metric) in [
        ("median", "e2e_p95_s"),
        ("median", "goodput_rps"),
        ("change", "ttft_p95_s"),
    ] {
        let row = found(interval, metric, 5);
        assert_eq!((&row["n"], &row["defined"]), (&40.into(), &1.0.into()));
        assert!(row["coverage"].as_f64().unwrap() > 0.82, "{row}");
    }
    let tail = found("trial", "ttft_p99_s", 1);
    assert_eq!(tail["defined"], 0.0, "400 requests bound no such tail");
    assert!(tail["coverage"].is_null());
    let shrinkage = sandbox.table("study_statistics:shrinkage.study_shrinkage");
    assert_eq!(shrinkage.len(), 4);
    for row in &shrinkage {
        assert_eq!(
            (&row["n_studies"], &row["candidates"]),
            (&2.into(), &8.0.into())
        );
        let (searched, printed) = (row["search_error"].as_f64(), row["printed_error"].as_f64());
        assert!(
            searched.unwrap().abs() < 0.9 && printed.unwrap().abs() < 0.9,
            "{row}"
        );
    }
    let again = sandbox.ok(&small);
    assert!(again.stderr.contains("up to date"), "{again}");
}

#[test]
fn report_claims_by_adjusted_p_values_and_plans_with_bounds() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    let rows = sandbox.table("agent_like:stability.stability");
    let claims = rows.iter().filter(|row| !row["p_adjusted"].is_null());
    let claims: Vec<_> = claims.collect();
    assert!(!claims.is_empty());
    for row in claims {
        assert!(row["p_adjusted"].as_f64() >= row["p"].as_f64(), "{row}");
    }
    for row in sandbox.table("agent_like:stability.candidates") {
        let (feasible, on_front) = (row["p_feasible"].as_f64(), row["p_on_front"].as_f64());
        assert!(on_front.unwrap() <= feasible.unwrap(), "{row}");
    }
    let plan = sandbox.table("agent_like:plan.plan");
    for row in plan.iter().filter(|row| !row["max_rps"].is_null()) {
        assert!(row["miss_ucb"].as_f64().unwrap() <= 0.05, "{row}");
        assert!(row["max_rps"].as_f64() <= row["searched_rps"].as_f64().map(|rps| rps * 1.1));
    }
    let sustained = plan.iter().filter(|row| !row["max_rps"].is_null()).count();
    let demands = sandbox.table("agent_like:plan.plan_sensitivity");
    assert_eq!(demands.len(), 4 * sustained);
    let rates = sandbox.table("agent_like:plan.rate_curve");
    assert_eq!(rates.len(), 8 * sustained);
    let report = sandbox.read("results/agent_like/report.html");
    assert!(report.contains("P(on front)") && report.contains("Holm"));
    assert_eq!(sustained > 0, report.contains("id=\"rate-curve"));
}
