use serde_json::{Value, json};

use super::*;

fn row<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn error(
    source: &str,
    metric: &str,
    statistic: &str,
    simulated: f64,
    measured: f64,
) -> FidelityRow {
    row(json!({
        "config_id": "id", "config_name": "vLLM <0.19>", "metric": metric, "statistic": statistic,
        "source": source, "simulated": simulated, "measured": measured,
        "error": simulated / measured - 1.0, "n": 270,
    }))
}

fn prediction(source: &str, request: u64, ttft_s: f64) -> PredictionRow {
    row(json!({
        "source": source, "request_id": request, "calibrated_on": false, "ttft_s": ttft_s,
        "measured_ttft_s": 0.2, "e2e_s": ttft_s + 1.0, "measured_e2e_s": 1.3,
    }))
}

fn tables() -> Tables {
    Tables {
        fidelity: vec![
            error("analytic", "ttft", "mean", 0.18, 0.2),
            error("calibrated", "ttft", "mean", 0.21, 0.2),
            error("calibrated", "ttft", "coverage_90", 0.9, 0.87),
        ],
        predictions: vec![
            prediction("analytic", 0, 0.1),
            prediction("analytic", 1, 0.3),
            prediction("calibrated", 0, 0.2),
            prediction("calibrated", 1, 0.25),
        ],
        calibration: vec![row(json!({
            "term": "linear", "coefficient": 1.1, "log_mean": 0.0953, "log_sd": 0.02,
            "prior_log_sd": 0.1, "identified": true, "log_covariance": [0.0004], "n": 30, "method": "requests",
            "ttft_log_sd": 0.05, "tpot_log_sd": 0.02, "e2e_log_sd": 0.02,
        }))],
    }
}

fn texts() -> BTreeMap<String, String> {
    let files = files("fidelity", None, &tables()).unwrap().into_iter();
    files
        .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap()))
        .collect()
}

#[test]
fn report_shows_every_source_beside_what_was_measured() {
    let texts = texts();
    let page = &texts["report.html"];
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(page.contains("SIMULATED AGAINST MEASURED") && page.contains("vLLM &lt;0.19&gt;"));
    let text = &texts["report.md"];
    assert!(
        text.contains("| TTFT mean | 0.200 s | 0.180 s | -10.0 % | 0.210 s | +5.0 % |"),
        "{text}"
    );
    assert!(
        text.contains("| calibrated | TTFT | 90.00 % | 87.00 % | 270 |"),
        "{text}"
    );
    assert!(
        text.contains("| linear | 1.10 | 1.06 to 1.14 | yes |"),
        "{text}"
    );
    assert!(text.contains("without the first 30"), "{text}");
}

#[test]
fn summary_has_the_errors_of_each_source() {
    let summary: Summary = serde_json::from_str(&texts()["summary.json"]).unwrap();
    let [analytic, calibrated] = &summary.fidelity[..] else {
        panic!("{summary:?}")
    };
    assert!((analytic.mean_errors[0].unwrap() + 0.1).abs() < 1e-9);
    assert_eq!(
        (calibrated.ttft_coverage_90, calibrated.n),
        (Some(0.87), 270)
    );
    assert_eq!(calibrated.e2e_mape, None);
}
