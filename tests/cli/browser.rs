//! The report in headless Chromium.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::decision::{SMALL, small_decision};
use crate::sandbox::{Outcome, Sandbox};

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=2000",
];

/// A measurement: trials that are reported, and nothing to decide. Some run out of time.
const MEASUREMENT: &str = r#"
name = "seen"

[params.backend]
kind = "simulator"
server = "vllm"
model = "llama-3.1-8b"
gpu = "l40s"
gpus = 1

[params.protocol]
warmup_requests = 20
client = { timeout_s = 8.5 }
slo = { ttft_p95_s = 1.0 }

[params.profile]
category = "chat"
arrival = { kind = "poisson", rps = 14.0 }
prompt_tokens = { kind = "fixed", value = 512.0 }
output_tokens = { kind = "lognormal", mean = 128.0, p95 = 300.0 }

[stages.workload]
uses = "workload"
with = { profile = "${params.profile}", requests = 240, draws = 1, seed = 7 }

[stages.measure]
uses = "trials"
inputs = { workload = "workload" }
[stages.measure.with]
backend = "${params.backend}"
protocol = "${params.protocol}"
configs = [{ name = "endpoint" }]

[stages.report]
uses = "render"
[stages.report.inputs]
workload = "workload"
trials = "measure.trials"
requests = "measure.requests"
candidates = "measure.candidates"
attribution = "measure.attribution"
[stages.report.with]
backend = "${params.backend}"
protocol = "${params.protocol}"
"#;

pub(crate) fn measurement() -> (Sandbox, Outcome) {
    let sandbox = Sandbox::new();
    sandbox.write("seen.toml", MEASUREMENT);
    let outcome = sandbox.run(&["run", "seen.toml"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    (sandbox, outcome)
}

/// Loads a pipeline's report at a width and returns its document after a script has measured it.
fn measured(sandbox: &Sandbox, pipeline: &str, width: u32) -> Option<String> {
    let report = sandbox.read(&format!("results/{pipeline}/report.html"));
    let probe = "<script>const d=document.documentElement;\
        d.dataset.wide=d.scrollWidth>d.clientWidth;\
        d.dataset.loads=performance.getEntriesByType('resource').length;\
        d.dataset.plots=[...document.querySelectorAll('svg')].filter(s=>s.getBoundingClientRect().height>50).length;\
        </script></body>";
    opened(sandbox, &report.replace("</body>", probe), width)
}

/// Document of a page after its scripts have run; none on a machine without a browser.
pub(crate) fn opened(sandbox: &Sandbox, page: &str, width: u32) -> Option<String> {
    let page = sandbox.write("probe.html", page);
    let profile = sandbox.path(&format!("chromium-{width}"));
    let output = Command::new("chromium")
        .args(FLAGS)
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output();
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            println!("skipped: no chromium on this machine ({error})");
            None
        }
    }
}

/// Opens a report on a phone and on a desk.
fn assert_fits_and_loads_nothing(sandbox: &Sandbox, pipeline: &str, plots: usize, drawn: &str) {
    for width in [500, 1200] {
        let Some(document) = measured(sandbox, pipeline, width) else {
            return;
        };
        assert!(
            document.contains("data-wide=\"false\""),
            "scrolls sideways at {width}"
        );
        assert!(document.contains("data-loads=\"0\""), "loads something");
        assert!(
            document.contains(&format!("data-plots=\"{plots}\"")),
            "{drawn} are drawn at {width}"
        );
    }
}

#[test]
fn report_in_chromium_fits_phone_and_desk_and_loads_nothing() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    let drawn = "front, search, tail and rate curve";
    assert_fits_and_loads_nothing(&sandbox, "agent_like", 4, drawn);
}

#[test]
fn measurement_in_chromium_fits_phone_and_desk_and_loads_nothing() {
    let (sandbox, _) = measurement();
    let drawn = "latency over time, its distribution and its parts";
    assert_fits_and_loads_nothing(&sandbox, "seen", 3, drawn);
}

#[test]
fn measurement_is_told_without_a_decision() {
    let (sandbox, outcome) = measurement();
    for word in [
        "simulated",
        "timeout_total",
        "TTFT",
        "ms [",
        "> ",
        "requests/s",
        "report.html",
    ] {
        assert!(
            outcome.stdout.contains(word),
            "`{word}` is missing\n{outcome}"
        );
    }
    assert!(!outcome.stdout.contains("deploy"), "{outcome}");
    let report = sandbox.read("results/seen/report.md");
    assert!(report.contains("| timeout_total |"), "{report}");
    assert!(!report.contains("baseline"), "{report}");
    for absent in [
        "comparison.md",
        "stability.md",
        "capacity_plan.md",
        "plots/pareto.svg",
    ] {
        let path = sandbox.path(&format!("results/seen/{absent}"));
        assert!(!path.exists(), "{absent} has no content here");
    }
    let summary: Value = serde_json::from_str(&sandbox.read("results/seen/summary.json")).unwrap();
    let only = &summary["measurements"][0];
    assert_eq!(only["n"], 220);
    assert!(only["e2e"]["p99"]["value_s"].is_null(), "failures reach it");
    assert!(only["e2e"]["p99"]["finished_s"].is_number());
}

#[test]
fn report_on_nothing_says_what_to_wire() {
    let sandbox = Sandbox::new();
    let (head, _) = MEASUREMENT
        .split_once("trials = \"measure.trials\"")
        .unwrap();
    let (_, tail) = MEASUREMENT.split_once("[stages.report.with]").unwrap();
    sandbox.write("seen.toml", &format!("{head}[stages.report.with]{tail}"));
    let outcome = sandbox.run(&["run", "seen.toml"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains("`trials` for a measurement"),
        "{outcome}"
    );
}

#[test]
fn report_prints_to_paper() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    let pdf = sandbox.path("report.pdf");
    let status = Command::new("chromium")
        .args(FLAGS)
        .arg(format!(
            "--user-data-dir={}",
            sandbox.path("chromium").display()
        ))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!(
            "file://{}",
            sandbox.path("results/agent_like/report.html").display()
        ))
        .output();
    if let Err(error) = status {
        println!("skipped: no chromium on this machine ({error})");
        return;
    }
    assert!(fs::metadata(&pdf).is_ok_and(|file| file.len() > 10_000));
}
