//! What a program uses up is bounded, and the caller goes on.

use sbt_sandbox::{Ending, Limits};

use crate::{attempt, isolated, run};

#[test]
fn fork_bomb_stops_at_its_limit() {
    let Some(sandbox) = isolated() else { return };
    let bomb = "
import os, time
made = 0
try:
    while made < 10000:
        if os.fork() == 0:
            time.sleep(1000)
        made += 1
except BlockingIOError:
    print(made)
";
    let limits = Limits {
        processes: 8,
        ..Limits::default()
    };
    let made: u64 = sandbox
        .run(bomb, &limits)
        .unwrap()
        .stdout
        .text
        .trim()
        .parse()
        .unwrap();
    assert!((1..=9).contains(&made), "{made} processes");
    let endless = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n";
    let limits = Limits {
        wall_s: 1.0,
        ..limits
    };
    assert_ne!(sandbox.run(endless, &limits).unwrap().how, Ending::Exit(0));
    assert!(
        run(&sandbox, "pass").is_success(),
        "the next run is not hindered"
    );
}

#[test]
fn memory_bomb_fails_to_allocate() {
    let Some(sandbox) = isolated() else { return };
    assert_eq!(
        attempt(&sandbox, "x = bytearray(1 << 30)\nprint(len(x))"),
        "MemoryError"
    );
    let slow = run(&sandbox, "x = []\nwhile True: x.append(bytearray(1 << 20))");
    assert_ne!(slow.how, Ending::Exit(0));
    let shared = "
fd = os.memfd_create('x')
os.ftruncate(fd, 1 << 30)";
    assert_ne!(attempt(&sandbox, shared), "");
}

#[test]
fn huge_output_is_cut_and_thrown_away() {
    let Some(sandbox) = isolated() else { return };
    let limits = Limits {
        output_kb: 2,
        ..Limits::default()
    };
    let program = "
import sys
for _ in range(64):
    sys.stdout.write('x' * (1 << 20))
    sys.stderr.write('y' * (1 << 20))
";
    let finished = sandbox.run(program, &limits).unwrap();
    assert_eq!(finished.how, Ending::Exit(0));
    assert!(finished.stdout.cut && finished.stderr.cut);
    assert_eq!(
        (finished.stdout.text.len(), finished.stderr.text.len()),
        (2048, 2048)
    );
}

#[test]
fn disk_is_bounded_by_file_and_in_sum() {
    let Some(sandbox) = isolated() else { return };
    // Python ignores SIGXFSZ: the write fails.
    assert_eq!(
        attempt(
            &sandbox,
            "open('f', 'wb', 0).write(bytes(2 << 20))\nopen('f', 'ab', 0).write(b'x')"
        ),
        "OSError"
    );
    let many = "for n in range(100): open(str(n), 'wb', 0).write(bytes(1 << 19))";
    assert_eq!(attempt(&sandbox, many), "OSError");
    let inodes = "for n in range(100000): open(str(n), 'wb').close()";
    assert_eq!(attempt(&sandbox, inodes), "OSError");
}

#[test]
fn many_runs_at_once_do_not_hinder_each_other() {
    let Some(sandbox) = isolated() else { return };
    let programs = "import os, time\nchildren = [os.fork() for _ in range(2)]\nprint('ran')";
    let limits = Limits {
        processes: 8,
        wall_s: 60.0,
        ..Limits::default()
    };
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| sandbox.run(programs, &limits)))
            .collect();
        for run in runs {
            let finished = run.join().unwrap().unwrap();
            assert_eq!(finished.how, Ending::Exit(0), "{finished:?}");
        }
    });
}
