//! How a program ends is told.

use sbt_sandbox::{Ending, Error, Guard, Helper, Limits, Python};

use crate::{isolated, run, sandbox};

#[test]
fn program_that_works_is_told_apart_from_one_that_fails() {
    let Some(sandbox) = isolated() else { return };
    let good = run(
        &sandbox,
        "import math, collections, typing, hashlib, random, threading\nprint('é', math.pi)",
    );
    assert_eq!(
        (good.how, good.stdout.text.as_str()),
        (Ending::Exit(0), "é 3.141592653589793\n")
    );
    let wrong = run(&sandbox, "assert 1 + 1 == 3, 'sum'");
    assert_eq!(wrong.how, Ending::Exit(1));
    assert!(
        wrong.stderr.text.ends_with("AssertionError: sum\n"),
        "{wrong:?}"
    );
    assert_eq!(
        run(&sandbox, "import sys; sys.exit(7)").how,
        Ending::Exit(7)
    );
    assert_eq!(
        run(&sandbox, "import os; os.abort()").how,
        Ending::Signal(6)
    );
    assert_eq!(run(&sandbox, "this is not Python").how, Ending::Exit(1));
}

#[test]
fn threads_files_and_children_work_inside() {
    let Some(sandbox) = isolated() else { return };
    let program = "
import asyncio, os, subprocess, sys, tempfile, threading
t = threading.Thread(target=lambda: print('thread', flush=True)); t.start(); t.join()
with tempfile.TemporaryFile('w+') as f:
    f.write('file'); f.seek(0); print(f.read(), flush=True)
print(subprocess.run([sys.executable, '-I', '-S', '-c', 'print(6*7)'], capture_output=True, text=True).stdout, end='')
async def main():
    await asyncio.sleep(0.01); print('loop')
asyncio.run(main())
print(os.getcwd(), dict(os.environ).keys() - {'LC_CTYPE'})
";
    let finished = run(&sandbox, program);
    assert_eq!(
        finished.stdout.text, "thread\nfile\n42\nloop\n/tmp set()\n",
        "{finished:?}"
    );
}

#[test]
fn endless_loop_is_ended_by_its_processor_time() {
    let Some(sandbox) = isolated() else { return };
    let limits = Limits {
        cpu_s: 1,
        wall_s: 120.0,
        ..Limits::default()
    };
    assert_eq!(
        sandbox.run("while True: pass", &limits).unwrap().how,
        Ending::CpuTime
    );
    let deaf = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass";
    assert_eq!(sandbox.run(deaf, &limits).unwrap().how, Ending::Signal(9));
}

#[test]
fn sleeper_is_ended_by_the_clock_and_what_it_said_is_kept() {
    let Some(sandbox) = isolated() else { return };
    let limits = Limits {
        wall_s: 0.5,
        ..Limits::default()
    };
    let program = "import time\nprint('before', flush=True)\ntime.sleep(1000)";
    let finished = sandbox.run(program, &limits).unwrap();
    assert_eq!(
        (finished.how, finished.stdout.text.as_str()),
        (Ending::WallTime, "before\n")
    );
}

#[test]
fn limits_alone_end_a_program_and_keep_its_environment_empty() {
    let sandbox = sandbox(Guard::LimitsOnly);
    let limits = Limits {
        wall_s: 0.5,
        ..Limits::default()
    };
    let sleeps = sandbox
        .run("import time\ntime.sleep(1000)", &limits)
        .unwrap();
    assert_eq!(sleeps.how, Ending::WallTime);
    let daemon = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\ntime.sleep(3)";
    assert_eq!(run(&sandbox, daemon).how, Ending::Exit(0));
    let environment = run(
        &sandbox,
        "import os; print(os.environ.keys() - {'LC_CTYPE'})",
    );
    assert_eq!(environment.stdout.text, "set()\n", "{environment:?}");
}

#[test]
fn helper_that_is_none_and_python_that_is_none_are_errors() {
    let mut sandbox = sandbox(Guard::Full);
    sandbox.helper = Helper {
        executable: "/nonexistent".into(),
        arguments: Vec::new(),
    };
    assert!(matches!(
        sandbox.run("", &Limits::default()),
        Err(Error::Helper { .. })
    ));
    sandbox.helper = Helper {
        executable: "/bin/true".into(),
        arguments: Vec::new(),
    };
    // The second job is more than a socket holds: the helper hangs up while it is sent.
    for program in ["", &" ".repeat(1 << 20)] {
        let silent = sandbox.run(program, &Limits::default());
        assert!(matches!(silent, Err(Error::Step { .. })), "{silent:?}");
    }
    assert!(matches!(
        Python::locate("/bin/false".as_ref()),
        Err(Error::Python { .. })
    ));
}
