//! Files for a roll-out, read by the tools that they are for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::decision::{SMALL, small_decision};
use crate::sandbox::root;

/// Runs a command that must succeed.
fn expect(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

/// Words of the last line of a script, without `exec` and what the caller adds.
fn command_of(script: &Path) -> Vec<String> {
    let text = fs::read_to_string(script).unwrap();
    let line = text.lines().last().unwrap();
    let line = line
        .strip_prefix("exec ")
        .unwrap()
        .strip_suffix(" \"$@\"")
        .unwrap();
    assert!(!line.contains('\''), "words without quotes: {line}");
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn files_hold_to_the_schemas_of_their_tools() {
    let sandbox = small_decision();
    sandbox.ok(SMALL);
    let folder = sandbox.path("results/agent_like/deploy");
    for file in [
        "kserve.yaml",
        "production-stack.yaml",
        "alerts.yaml",
        "vllm.service",
    ] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    let check = root().join("tests/cli/deploy_check.py");
    match std::env::var_os("SBT_CHECKS") {
        Some(python) => {
            expect(Command::new(python).arg(check).arg(&folder));
        }
        None => println!("skipped: SBT_CHECKS is not set"),
    }
    let unit = folder.join("vllm.service");
    match Command::new("systemd-analyze").arg("--version").output() {
        Ok(_) => {
            expect(Command::new("systemd-analyze").arg("verify").arg(unit));
        }
        Err(_) => println!("skipped: systemd-analyze is not on this machine"),
    }
    let words = command_of(&folder.join("vllm-serve.sh"));
    let Some(vllm) = std::env::var_os("SBT_VLLM") else {
        println!("skipped: SBT_VLLM is not set");
        return;
    };
    let python = Path::new(&vllm).with_file_name("python");
    let parse = "import sys; from vllm.entrypoints.launchers.cli_args import make_arg_parser; \
                 from vllm.utils.argparse_utils import FlexibleArgumentParser as P; \
                 print(make_arg_parser(P()).parse_args(sys.argv[1:]).model_tag)";
    let said = expect(Command::new(python).args(["-c", parse]).args(&words[2..]));
    assert!(said.contains(&words[2]), "{said}");
}
