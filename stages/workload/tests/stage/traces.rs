use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sbt_schemas::WorkloadRow;

use crate::harness::{failure, fixtures, rows, run, run_in};

fn lengths(rows: &[WorkloadRow]) -> Vec<(u64, u64)> {
    rows.iter()
        .map(|r| (r.prompt_tokens, r.output_tokens))
        .collect()
}

fn arrivals(rows: &[WorkloadRow]) -> Vec<f64> {
    rows.iter().filter_map(|r| r.arrival_s).collect()
}

#[test]
fn azure_is_told_from_its_header_and_starts_at_zero() {
    let rows = rows("trace = \"azure.csv\"\nrequests = 4\ndraws = 1");
    assert_eq!(lengths(&rows), [(374, 44), (396, 109), (879, 55), (91, 16)]);
    assert_eq!(arrivals(&rows), [0.0, 4.314_579, 4.541_877, 4.710_427]);
    assert_eq!(rows[0].category, "azure");
}

#[test]
fn azure_of_2024_with_offsets_is_read() {
    let rows = rows("trace = \"azure_2024.csv\"\nrequests = 2\ndraws = 1");
    assert_eq!(arrivals(&rows), [0.0, 0.007_405]);
}

#[test]
fn mooncake_keeps_its_blocks_and_equal_times() {
    let rows = rows("trace = \"mooncake.jsonl\"\nrequests = 4\ndraws = 1");
    assert_eq!(arrivals(&rows), [0.0, 0.0, 3.0, 6.0]);
    assert_eq!(rows[0].prefix_block_ids, [0, 1, 2]);
    assert_eq!(rows[2].prefix_block_ids, [0, 3]);
    assert!(rows.iter().all(|r| r.prefix_block_tokens == 512));
}

#[test]
fn mooncake_with_another_block_size_says_which_parameter_to_set() {
    let message =
        failure("trace = \"mooncake.jsonl\"\nrequests = 4\ndraws = 1\nblock_tokens = 1024");
    assert_eq!(
        message,
        "mooncake.jsonl, line 1: has 3 `hash_ids` for 1100 tokens, which are 2 blocks of 1024: set `block_tokens` to the block size of this trace"
    );
}

#[test]
fn burstgpt_sessions_follow_each_other_and_failures_are_left_out() {
    let ran = run("trace = \"burstgpt.csv\"\nrequests = 4\ndraws = 1").unwrap();
    assert_eq!(
        ran.warnings,
        [
            "burstgpt.csv: left out 1 requests without prompt or answer tokens (failed when recorded)"
        ]
    );
    // session a with its second turn, the API call, session b without its failed request
    assert_eq!(
        lengths(&ran.rows),
        [(472, 18), (600, 20), (100, 30), (301, 40)]
    );
    assert_eq!(
        ran.rows[1].think_s,
        Some(3.0),
        "sent at 10, and the turn before took 2 from 5"
    );
    assert_eq!(arrivals(&ran.rows), [0.0, 1.0, 7.0]);
    assert_eq!(ran.rows[2].category, "API log");
}

#[test]
fn plain_csv_is_read_by_the_names_of_its_columns() {
    let rows = rows(
        "trace = \"vidur.csv\"\nrequests = 3\ndraws = 1\n\
         columns = { arrival_s = \"arrived_at\", prompt_tokens = \"num_prefill_tokens\", output_tokens = \"num_decode_tokens\" }",
    );
    assert_eq!(lengths(&rows), [(374, 44), (396, 109), (879, 55)]);
    assert_eq!(arrivals(&rows), [0.0, 4.314_579, 4.541_877]);
}

#[test]
fn plain_csv_without_named_columns_says_what_it_has() {
    assert_eq!(
        failure("trace = \"vidur.csv\"\nrequests = 3\ndraws = 1"),
        "vidur.csv: has no column `prompt_tokens`; its columns are `arrived_at`, `num_prefill_tokens`, `num_decode_tokens`; say which one it is by `columns = { prompt_tokens = \"…\" }`"
    );
}

#[test]
fn lengths_without_times_need_an_arrival_process() {
    let with = "trace = \"lengths_only.csv\"\nrequests = 3\ndraws = 1";
    let message = failure(with);
    assert!(
        message.starts_with("lengths_only.csv does not say when requests came"),
        "{message}"
    );
    let rows = rows(&format!(
        "{with}\narrival = {{ kind = \"constant\", rps = 2.0 }}"
    ));
    assert_eq!(arrivals(&rows), [0.5, 1.0, 1.5]);
    assert_eq!(lengths(&rows), [(3772, 54), (2015, 156), (3858, 133)]);
    assert_eq!(rows[2].category, "trace");
}

#[test]
fn parquet_reads_like_csv() {
    let folder = tempfile::tempdir().unwrap();
    let source = rows("trace = \"azure.csv\"\nrequests = 4\ndraws = 1");
    let bytes = sbt_engine::Table::from_rows(&source)
        .unwrap()
        .to_parquet()
        .unwrap();
    std::fs::write(folder.path().join("t.parquet"), bytes).unwrap();
    let read = run_in(
        folder.path(),
        "trace = \"t.parquet\"\nrequests = 4\ndraws = 1\ncolumns = { session = \"request_id\" }",
    );
    assert_eq!(read.unwrap().rows, source);
}

#[test]
fn gzip_is_told_from_the_content() {
    let folder = tempfile::tempdir().unwrap();
    let plain = std::fs::read(fixtures().join("azure.csv")).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&plain).unwrap();
    std::fs::write(folder.path().join("trace"), encoder.finish().unwrap()).unwrap();
    let read = run_in(folder.path(), "trace = \"trace\"\nrequests = 4\ndraws = 1").unwrap();
    assert_eq!(
        read.rows,
        rows("trace = \"azure.csv\"\nrequests = 4\ndraws = 1")
    );
}

#[test]
fn malformed_rows_are_named_by_file_line_and_expectation() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        let with = format!("trace = \"{name}\"\nrequests = 1\ndraws = 1");
        run_in(folder.path(), &with)
            .err()
            .expect("it ran")
            .to_string()
    };
    let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,2\n";
    assert_eq!(
        fails("a.csv", &format!("{header}2023-11-16 18:15:47,many,2\n")),
        "a.csv, line 3: column `ContextTokens` holds `many`; expected a whole number of 0 or more"
    );
    assert_eq!(
        fails("b.csv", &format!("{header}yesterday,1,2\n")),
        "b.csv, line 3: column `TIMESTAMP` holds `yesterday`; expected a time such as `2023-11-16 18:15:46.6805900`"
    );
    assert_eq!(
        fails("c.csv", &format!("{header}2023-11-16 18:15:47,1\n")),
        "c.csv, line 3: has 2 fields; expected 3, as in the header"
    );
    let message = fails("d.jsonl", "{\"timestamp\": 0, \"input_length\": 5}\n");
    assert!(
        message.starts_with("d.jsonl, line 1: missing field `output_length`"),
        "{message}"
    );
}

#[test]
fn draws_are_consecutive_stretches_that_start_at_zero() {
    let rows = rows("trace = \"azure.csv\"\nrequests = 2\ndraws = 2");
    assert_eq!(lengths(&rows), [(374, 44), (396, 109), (879, 55), (91, 16)]);
    assert_eq!(arrivals(&rows), [0.0, 4.314_579, 0.0, 0.168_55]);
}

#[test]
fn zero_requests_are_all_of_a_trace_and_an_empty_one_is_refused() {
    let all = rows("trace = \"azure.csv\"\nrequests = 0\ndraws = 1");
    assert_eq!(all.len(), 4);
    let none = "trace = \"azure.csv\"\nrequests = 0\ndraws = 1\nmax_prompt_tokens = 1";
    assert!(
        failure(none).contains("has 0 requests"),
        "{}",
        failure(none)
    );
}

#[test]
fn trace_that_is_too_short_says_how_much_there_is_and_what_to_set() {
    assert_eq!(
        failure("trace = \"azure.csv\"\nrequests = 2\ndraws = 3"),
        "azure.csv: `draws` × `requests` is 3 × 2 = 6, but the chosen part of the trace has 4 requests: set `requests` to 1 or less, or set `draws` to 2 or less, or widen `window`, `sample` or the token limits"
    );
}

#[test]
fn window_sample_and_limits_choose_a_part() {
    let window = rows(
        "trace = \"azure.csv\"\nrequests = 2\ndraws = 1\nwindow = { start_s = 4.0, length_s = 0.6 }",
    );
    assert_eq!(lengths(&window), [(396, 109), (879, 55)]);
    let every = rows("trace = \"azure.csv\"\nrequests = 2\ndraws = 1\nsample = { every = 2 }");
    assert_eq!(lengths(&every), [(374, 44), (879, 55)]);
    let ran =
        run("trace = \"azure.csv\"\nrequests = 3\ndraws = 1\nmax_prompt_tokens = 400").unwrap();
    assert_eq!(lengths(&ran.rows), [(374, 44), (396, 109), (91, 16)]);
    assert_eq!(
        ran.warnings,
        ["azure.csv: left out 1 requests longer than `max_prompt_tokens` or `max_output_tokens`"]
    );
}

#[test]
fn sampled_sessions_stay_whole() {
    let rows = rows("trace = \"burstgpt.csv\"\nrequests = 3\ndraws = 1\nsample = { every = 2 }");
    assert_eq!(lengths(&rows), [(472, 18), (600, 20), (301, 40)]);
}

#[test]
fn replayed_rate_can_be_scaled_or_set() {
    let with = "trace = \"azure.csv\"\nrequests = 4\ndraws = 1\n";
    let doubled = rows(&format!("{with}rate_scale = 2.0"));
    assert_eq!(doubled[1].arrival_s, Some(2.157_29));
    let set = rows(&format!("{with}target_rps = 8.0"));
    assert_eq!(set[3].arrival_s, Some(0.5), "4 requests in half a second");
}

#[test]
fn arrival_of_a_trace_can_be_replaced() {
    let rows = rows(
        "trace = \"azure.csv\"\nrequests = 4\ndraws = 1\narrival = { kind = \"closed_loop\", users = 2 }",
    );
    assert_eq!(arrivals(&rows), [0.0, 1.0]);
    assert_eq!(lengths(&rows), [(374, 44), (879, 55), (396, 109), (91, 16)]);
}

const SERVEGEN: &str = "trace = \"servegen_trace.csv\"\nlengths = \"servegen_lengths.csv\"\nlengths_category = \"chat\"\n";

#[test]
fn servegen_draws_requests_at_the_counted_rates() {
    let window = "window = { start_s = 600 }\nrequests = 1200\ndraws = 2";
    let rows = rows(&format!("{SERVEGEN}{window}"));
    assert_eq!(rows.len(), 2400);
    let end = rows[1199].arrival_s.unwrap();
    assert!(
        (1200.0 / end / 2.5 - 1.0).abs() < 0.1,
        "1500 requests in 600 s: {end}"
    );
    assert!(
        rows.iter()
            .all(|r| [100, 200].contains(&r.prompt_tokens) && r.output_tokens == 10)
    );
    assert_ne!(
        rows[0].arrival_s.zip(rows[1].arrival_s),
        rows[1200].arrival_s.zip(rows[1201].arrival_s)
    );
    assert_ne!(
        rows[1].arrival_s, rows[1201].arrival_s,
        "each draw is a realisation of its own"
    );
}

#[test]
fn servegen_of_an_unknown_category_lists_those_that_there_are() {
    let with = SERVEGEN.replace("\"chat\"", "\"\"");
    assert_eq!(
        failure(&format!("{with}requests = 4\ndraws = 1")),
        "servegen_lengths.csv: has no category ``: set `lengths_category` to one of `chat`, `code`"
    );
}

#[test]
fn servegen_without_lengths_says_so() {
    let message = failure("trace = \"servegen_trace.csv\"\nrequests = 4\ndraws = 1");
    assert!(
        message.contains("name the file of its length distributions as `lengths`"),
        "{message}"
    );
}
