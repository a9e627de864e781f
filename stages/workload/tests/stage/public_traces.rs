//! The real traces, where they are: `SBT_DATA`, or `../shared/data` beside the repository.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::harness::{Ran, run_in};

/// Runs on a public trace; nothing, with the reason printed, when it is not there.
fn on(name: &str, with: &str) -> Option<Ran> {
    #[expect(clippy::disallowed_methods, reason = "tests find their data by it")]
    let data = std::env::var("SBT_DATA").map(PathBuf::from);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = data
        .unwrap_or_else(|_| root.join("../shared/data"))
        .join("traces");
    if !folder.join(name).is_file() {
        println!(
            "skipped: {} is not there (set SBT_DATA)",
            folder.join(name).display()
        );
        return None;
    }
    Some(run_in(&folder, &format!("trace = \"{name}\"\n{with}")).unwrap())
}

fn mean(values: impl Iterator<Item = u64>) -> f64 {
    let values: Vec<f64> = values.map(|v| v as f64).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn mooncake_conversation_has_its_published_means_and_chained_blocks() {
    let with = "requests = 12031\ndraws = 1";
    let Some(ran) = on("mooncake_conversation_trace.jsonl.gz", with) else {
        return;
    };
    assert_eq!(
        mean(ran.rows.iter().map(|r| r.prompt_tokens)).round(),
        12_035.0
    );
    assert_eq!(
        mean(ran.rows.iter().map(|r| r.output_tokens)).round(),
        343.0
    );
    let mut before: BTreeMap<u64, Option<u64>> = BTreeMap::new();
    for row in &ran.rows {
        let mut last = None;
        for &id in &row.prefix_block_ids {
            assert_eq!(*before.entry(id).or_insert(last), last);
            last = Some(id);
        }
    }
}

#[test]
fn azure_conversation_is_one_hour_of_requests() {
    let Some(ran) = on("azure_llm_2023_conv.csv.gz", "requests = 19366\ndraws = 1") else {
        return;
    };
    assert!(ran.warnings.is_empty(), "{:?}", ran.warnings);
    let end = ran.rows.last().unwrap().arrival_s.unwrap();
    assert!((3400.0..3600.0).contains(&end), "{end}");
}

#[test]
fn vidur_is_azure_by_other_columns() {
    let columns = "columns = { arrival_s = \"arrived_at\", prompt_tokens = \"num_prefill_tokens\", output_tokens = \"num_decode_tokens\" }";
    let with = format!("requests = 400\ndraws = 6\n{columns}");
    let Some(vidur) = on("vidur_splitwise_conv.csv.gz", &with) else {
        return;
    };
    let Some(azure) = on("azure_llm_2023_conv.csv.gz", "requests = 400\ndraws = 6") else {
        return;
    };
    let lengths = |ran: &Ran| -> Vec<(u64, u64)> {
        ran.rows
            .iter()
            .map(|r| (r.prompt_tokens, r.output_tokens))
            .collect()
    };
    assert_eq!(lengths(&vidur), lengths(&azure));
}

#[test]
fn servegen_reasoning_draws_long_answers() {
    let with = "lengths = \"servegen_length_distributions.csv.gz\"\nlengths_category = \"reason/deepseek-r1\"\n\
        requests = 400\ndraws = 2\nwindow = { start_s = 36000 }\ntarget_rps = 2.0";
    let Some(ran) = on("servegen_reason_deepseek-r1_trace.csv.gz", with) else {
        return;
    };
    assert_eq!(ran.rows.len(), 800);
    let end = ran.rows[399].arrival_s.unwrap();
    assert!((end - 200.0).abs() < 1.0, "400 requests at 2 rps: {end}");
    let output = mean(ran.rows.iter().map(|r| r.output_tokens));
    assert!(output > 500.0, "{output}");
}

#[test]
fn sampled_servegen_language_comes_at_its_share_of_the_rate() {
    let with = "lengths = \"servegen_length_distributions.csv.gz\"\nlengths_category = \"language/m-small\"\n\
        requests = 400\ndraws = 1\nwindow = { start_s = 36000 }\nsample = { fraction = 0.005 }";
    let Some(ran) = on("servegen_language_m-small_trace.csv.gz", with) else {
        return;
    };
    // all clients together send 1,038.56 requests a second in the window from 36,000 s
    let expected = 400.0 / (1038.56 * 0.005);
    let end = ran.rows[399].arrival_s.unwrap();
    assert!(
        (end / expected - 1.0).abs() < 0.15,
        "{end}, expected {expected}"
    );
}
