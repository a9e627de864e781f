//! `fidelity_aggregate`: published sweeps against the simulator.

use std::fs;

use serde_json::Value;

use crate::decision::small_decision;
use crate::sandbox::{Sandbox, data};

const PIPELINE: &str = "pipelines/fidelity_aggregate.toml";
const HEADER: &str = "id,silicon_data_source,backend,backend_version,model_path,system,mode,isl,osl,tp_size,silicon_ttft_ms,silicon_tpot_ms\n";

fn points(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.table("fidelity_aggregate:fidelity.points")
}

/// Every fifth point of vLLM, so that the test is short.
#[test]
fn sweeps_of_vllm_are_met_where_nothing_was_fitted() {
    let Some(file) = data("serving-truth/aggregate_h100_h200.csv") else {
        return;
    };
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let of_vllm = lines.filter(|line| line.contains(",vllm,"));
    let some: Vec<&str> = of_vllm.step_by(5).collect();
    let sandbox = small_decision();
    sandbox.write("some.csv", &format!("{header}\n{}\n", some.join("\n")));
    let outcome = sandbox.ok(&["run", PIPELINE, "--set", "params.points=some.csv"]);
    println!("{outcome}");
    let used = |used: &str| {
        points(&sandbox)
            .iter()
            .filter(|p| p["used"] == used)
            .count()
    };
    assert_eq!(
        used("fitted") + used("held_out") + used("skipped"),
        some.len()
    );
    assert_eq!(used("fitted"), 3);
    let rows = sandbox.table("fidelity_aggregate:fidelity.fidelity");
    let mape = rows.iter().find(|row| {
        row["metric"] == "tpot" && row["statistic"] == "mape" && row["source"] != "analytic"
    });
    let mape = mape.unwrap();
    assert_eq!(mape["n"], used("held_out"));
    assert!(mape["error"].as_f64().unwrap() < 0.06, "{mape}");
    assert!(
        sandbox
            .read("results/fidelity_aggregate/report.html")
            .contains("<circle")
    );
}

#[test]
fn points_that_cannot_be_simulated_are_rows_with_a_reason() {
    let sandbox = small_decision();
    let lines = [
        "a,silicon_concurrency=2,vllm,0.12.0,Qwen/Qwen3-0.6B,h100_sxm,agg,64,16,1,9,2",
        "b,silicon_concurrency=2,vllm,0.12.0,Nobody/Model-1B,h100_sxm,agg,64,16,1,9,2",
        "b,silicon_concurrency=2,vllm,0.12.0,Qwen/Qwen3-0.6B,mi300x,agg,64,16,1,9,2",
        "c,silicon_concurrency=2,vllm,0.12.0,Qwen/Qwen3-235B-A22B,l4,agg,64,16,1,9,2",
    ];
    sandbox.write("points.csv", &format!("{HEADER}{}\n", lines.join("\n")));
    let judged = "params.limits={ dense = 0.01 }";
    let set = ["--set", "params.points=points.csv", "--set", judged];
    let outcome = sandbox.run(&[&["run", PIPELINE], set.as_slice()].concat());
    // 3: the one point that is simulated was made up.
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let points = points(&sandbox);
    let ids: Vec<&str> = points.iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "line 4", "c"]);
    assert_eq!(points[0]["used"], "held_out");
    for (point, part) in points[1..]
        .iter()
        .zip(["Nobody/Model-1B", "mi300x", "out of memory"])
    {
        assert_eq!(point["used"], "skipped");
        let reason = point["reason"].as_str().unwrap();
        assert!(reason.contains(part), "{reason}");
        assert!(outcome.stderr.contains(part), "{outcome}");
    }
    assert!(
        sandbox
            .read("results/fidelity_aggregate/report.html")
            .contains("mi300x")
    );
}

#[test]
fn file_without_the_columns_says_which() {
    let sandbox = small_decision();
    sandbox.write("points.csv", "isl,osl\n1,2\n");
    let outcome = sandbox.run(&["run", PIPELINE, "--set", "params.points=points.csv"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains("no column `model_path`"),
        "{outcome}"
    );
}
