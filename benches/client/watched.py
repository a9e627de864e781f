"""Runs a command and says what its whole process tree cost."""

import ctypes
import os
import resource
import subprocess
import threading
import time
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_S = 0.05


@dataclass
class Cost:
    """CPU is user plus system of every process of the tree; RSS is the peak of their sum, so that
    pages shared between them count more than once."""

    code: int
    wall_s: float
    cpu_s: float
    rss_mib: float


def adopt_orphans():
    """Processes whose parent has gone are waited for here, so that their CPU is counted too."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(command, log, env=None, timeout_s=600):
    """Runs it to its end, output to the file `log`; past the time limit its group is killed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with open(log, "wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 env=env, start_new_session=True)
    peak = Peak(child.pid)
    limit = threading.Timer(timeout_s, os.killpg, (child.pid, 9))
    limit.start()
    code = child.wait()
    limit.cancel()
    wall_s = time.monotonic() - start
    peak.stop()
    wait_for_orphans(child.pid)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Cost(code, wall_s, cpu_s, peak.kib / 1024)


def wait_for_orphans(session):
    """What the command left behind ends now and is waited for. The server under test, a child of
    ours as well, is in a session of its own."""
    for pid in pids_of(session):
        try:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


class Peak(threading.Thread):
    """Samples the sum of RSS over a session."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session, self.kib, self.done = session, 0, threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(SAMPLE_S):
            self.kib = max(self.kib, sum(map(rss_kib, pids_of(self.session))))

    def stop(self):
        self.done.set()
        self.join()


def pids_of(session):
    """Processes of a session."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if session_of(pid) == session]


def session_of(pid):
    try:
        return os.getsid(pid)
    except OSError:
        return None


def rss_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            lines = [line for line in status if line.startswith("VmRSS:")]
    except OSError:
        return 0
    return int(lines[0].split()[1]) if lines else 0
