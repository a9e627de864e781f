//! The DAG, its cache and its selection, on small pipelines of commands.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// a -> (b, c) -> d; each run of a stage adds a line to `ran`.
pub(crate) const DIAMOND: &str = r#"
name = "diamond"
[params]
word = "one"
[stages.a]
uses = "command"
with = { run = ["sh", "-c", "echo a >> $LOG; echo ${params.word} > $SBT_OUTPUT_OUT"], outputs = { out = "out.txt" }, pass_env = ["LOG"] }
[stages.b]
uses = "command"
inputs = { a = "a" }
with = { run = ["sh", "-c", "echo b >> $LOG; wc -c < $SBT_INPUT_A > $SBT_OUTPUT_OUT"], outputs = { out = "out.txt" }, pass_env = ["LOG"] }
[stages.c]
uses = "command"
inputs = { a = "a" }
with = { run = ["sh", "-c", "echo c >> $LOG; cat $SBT_INPUT_A > $SBT_OUTPUT_OUT"], outputs = { out = "out.txt" }, pass_env = ["LOG"] }
[stages.d]
uses = "command"
inputs = { b = "b", c = "c" }
with = { run = ["sh", "-c", "echo d >> $LOG; cat $SBT_INPUT_B $SBT_INPUT_C > $SBT_OUTPUT_OUT"], outputs = { out = "out.txt" }, pass_env = ["LOG"] }
"#;

pub(crate) fn diamond() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("p.toml", DIAMOND);
    sandbox.write("ran", "");
    sandbox
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> crate::sandbox::Outcome {
    let mut command = sandbox.command(&[&["run", "p.toml"], arguments].concat());
    command.env("LOG", sandbox.path("ran"));
    crate::sandbox::Outcome::of(command.output().unwrap())
}

fn ran(sandbox: &Sandbox) -> String {
    let mut lines: Vec<_> = sandbox.read("ran").lines().map(str::to_owned).collect();
    sandbox.write("ran", "");
    lines.sort();
    lines.concat()
}

#[test]
fn second_run_does_nothing_and_says_so() {
    let sandbox = diamond();
    assert_eq!(run(&sandbox, &[]).code, Some(0));
    assert_eq!(ran(&sandbox), "abcd");
    let again = run(&sandbox, &[]);
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(ran(&sandbox), "");
    assert!(again.stderr.contains("up to date"), "{again}");
}

#[test]
fn same_bytes_from_a_changed_stage_leave_its_readers_valid() {
    let sandbox = diamond();
    run(&sandbox, &[]);
    ran(&sandbox);
    // `two` is as long as `one`: b counts the same characters, c does not.
    assert_eq!(run(&sandbox, &["--set", "params.word=two"]).code, Some(0));
    assert_eq!(ran(&sandbox), "abcd");
    let text = DIAMOND.replace("wc -c < $SBT_INPUT_A", "wc -c  < $SBT_INPUT_A");
    sandbox.write("p.toml", &text);
    assert_eq!(run(&sandbox, &["--set", "params.word=two"]).code, Some(0));
    assert_eq!(
        ran(&sandbox),
        "b",
        "b ran again with the same result, so d stays valid"
    );
}

#[test]
fn comments_and_key_order_leave_keys_alone() {
    let sandbox = diamond();
    run(&sandbox, &[]);
    ran(&sandbox);
    let text = DIAMOND.replace(
        "uses = \"command\"\ninputs = { a = \"a\" }",
        "# why\ninputs = { a = \"a\" }\nuses = \"command\"",
    );
    sandbox.write("p.toml", &text);
    assert_eq!(run(&sandbox, &[]).code, Some(0));
    assert_eq!(ran(&sandbox), "");
}

#[test]
fn failed_stage_stops_what_needs_it_and_nothing_else() {
    let sandbox = diamond();
    sandbox.write(
        "p.toml",
        &DIAMOND.replace(
            "echo b >> $LOG;",
            "echo b >> $LOG; echo no luck >&2; exit 7;",
        ),
    );
    let outcome = run(&sandbox, &[]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert_eq!(ran(&sandbox), "abc");
    assert!(outcome.stderr.contains("no luck"), "{outcome}");
    assert!(!sandbox.path("results/diamond").exists());
    let last = outcome.stderr.trim_end().lines().last().unwrap();
    assert!(
        last.contains("sbt run p.toml"),
        "the last line says how to go on: {last}"
    );
}

#[test]
fn selection_runs_what_it_names() {
    let sandbox = diamond();
    assert_eq!(run(&sandbox, &["--until", "b"]).code, Some(0));
    assert_eq!(ran(&sandbox), "ab");
    assert_eq!(run(&sandbox, &["--from", "c"]).code, Some(0));
    assert_eq!(ran(&sandbox), "cd");
    assert_eq!(run(&sandbox, &["--refresh", "b"]).code, Some(0));
    assert_eq!(ran(&sandbox), "b");
    let outcome = run(&sandbox, &["--only", "e"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    let dry = run(&sandbox, &["--set", "params.word=three", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry}");
    assert_eq!(ran(&sandbox), "");
    assert!(dry.stdout.contains("would run"), "{dry}");
}

#[test]
fn lock_tells_what_changed() {
    let sandbox = diamond();
    assert_eq!(run(&sandbox, &["--lock"]).code, Some(0));
    assert!(sandbox.path("p.lock").exists());
    assert_eq!(run(&sandbox, &["--locked"]).code, Some(0));
    let outcome = run(&sandbox, &["--locked", "--set", "params.word=four"]);
    assert_eq!(outcome.code, Some(4), "{outcome}");
    assert!(
        outcome.stderr.contains('a') && outcome.stderr.contains("four"),
        "{outcome}"
    );
}

#[test]
fn json_prints_events_and_nothing_else() {
    let sandbox = diamond();
    let outcome = run(&sandbox, &["--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let events: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "run_done");
    assert_eq!(
        events.iter().filter(|e| e["event"] == "stage_done").count(),
        4
    );
}

#[test]
fn timeout_ends_the_whole_process_group() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "p.toml",
        r#"
name = "slow"
[stages.a]
uses = "command"
timeout = "1s"
with = { run = ["sh", "-c", "sleep 600 & echo $! > $PID; wait"], outputs = { out = "o" }, pass_env = ["PID"] }
"#,
    );
    let mut command = sandbox.command(&["run", "p.toml"]);
    let outcome =
        crate::sandbox::Outcome::of(command.env("PID", sandbox.path("pid")).output().unwrap());
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains("1s") || outcome.stderr.contains("1 s"),
        "{outcome}"
    );
    let pid: i32 = sandbox.read("pid").trim().parse().unwrap();
    let alive = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!alive, "the child's child still runs");
}

#[test]
fn explain_names_the_value_that_changed() {
    let sandbox = diamond();
    run(&sandbox, &[]);
    let outcome = sandbox.ok(&["explain", "p.toml", "a", "--set", "params.word=five"]);
    assert!(
        outcome.stdout.contains("one") && outcome.stdout.contains("five"),
        "{outcome}"
    );
}
