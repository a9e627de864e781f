//! Server files against the installed servers: `tests/install/llama` and `tests/install/vllm` say
//! where those are.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

use std::path::PathBuf;
use std::process::Command;

use sbt_trials::ServerSpec;

/// The program that a variable names.
fn program(variable: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable).map(PathBuf::from);
    if program.is_none() {
        println!("skipped: {variable} is not set");
    }
    program
}

/// What a command prints, on both streams.
fn output(command: &[String]) -> String {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn check(server: &str, program: PathBuf, help: &[&str], version: &str) {
    let server = ServerSpec::named(server).unwrap();
    let words = server.version_command.as_ref().unwrap();
    let printed = output(&words.command(&program));
    assert!(words.find(&printed).unwrap().contains(version), "{printed}");

    let help = [&[program.to_str().unwrap()], help].concat();
    let help = output(&help.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let known: Vec<&str> = help
        .split(|c: char| c.is_whitespace() || ",=[]".contains(c))
        .collect();
    let launch = server.launch.as_ref().unwrap();
    let of_launch = launch.command.iter().chain(&launch.measured);
    let of_launch = of_launch.filter(|word| word.starts_with('-'));
    let of_knobs = server.knobs.values();
    let of_knobs = of_knobs.flat_map(|knob| [Some(&knob.flag), knob.off_flag.as_ref()]);
    let of_knobs = of_knobs.flatten().filter(|flag| flag.starts_with('-'));
    for flag in of_launch.chain(of_knobs) {
        assert!(known.contains(&flag.as_str()), "{}: {flag}", server.name);
    }
}

#[test]
fn installed_llama_server_knows_every_flag_and_tells_its_version() {
    let Some(program) = program("SBT_LLAMA_SERVER") else {
        return;
    };
    check("llamacpp", program, &["--help"], "build");
}

#[test]
fn installed_vllm_knows_every_flag_and_tells_its_version() {
    let Some(program) = program("SBT_VLLM") else {
        return;
    };
    check("vllm", program, &["serve", "--help=all"], "0.32.0");
}
