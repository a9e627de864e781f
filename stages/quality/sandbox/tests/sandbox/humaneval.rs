//! HumanEval's own solutions pass in the sandbox, in every form that a model answers in, and
//! broken ones do not.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sbt_sandbox::{Ending, Sandbox};
use sbt_scorers::{PASSED, Scorer};
use serde_json::Value;

use crate::{isolated, run};

fn problems() -> Option<Vec<Value>> {
    let base = std::env::var_os("SBT_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data"),
        PathBuf::from,
    );
    let path = base.join("quality/HumanEval.jsonl.gz");
    let Ok(file) = File::open(&path) else {
        println!("skipped: {} is not on this machine", path.display());
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect(),
    )
}

fn passes(sandbox: &Sandbox, problem: &Value, answer: &str) -> bool {
    let text = |name: &str| problem[name].as_str().unwrap().to_owned();
    let scorer = Scorer::Code {
        prompt: text("prompt"),
        tests: text("test"),
        entry_point: text("entry_point"),
    };
    run(sandbox, &scorer.program(answer).unwrap()).how == Ending::Exit(PASSED)
}

#[test]
fn canonical_solutions_pass_and_broken_ones_fail() {
    let (Some(sandbox), Some(problems)) = (isolated(), problems()) else {
        return;
    };
    assert_eq!(problems.len(), 164);
    for (n, problem) in problems.iter().enumerate() {
        let (name, solution) = (
            &problem["task_id"],
            problem["canonical_solution"].as_str().unwrap(),
        );
        let prompt = problem["prompt"].as_str().unwrap();
        let right = match n % 4 {
            0 => solution.to_owned(),
            1 => format!("{solution}\n\nprint('and so on')\ndef other():\n    pass\n"),
            2 => format!("Here you are:\n```python\n{prompt}{solution}```\nThis works because..."),
            _ => format!("```python\n{solution}\n```"),
        };
        assert!(
            passes(&sandbox, problem, &right),
            "{name} does not pass: {right}"
        );
        let wrong = match n % 3 {
            0 => "    return None\n",
            1 => "    raise SystemExit(0)\n",
            _ => "I cannot help with that.",
        };
        assert!(!passes(&sandbox, problem, wrong), "{name} passes: {wrong}");
    }
}
