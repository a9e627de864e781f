"""Runs ours and the peers on the same problems; one measure for all fronts."""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "client"))
import peers  # noqa: E402

HERE = Path(__file__).resolve().parent
PACKAGES = {"pymoo": "pymoo==0.6.2", "optuna": "optuna==5.0.0"}
PYTHON = (3, 10)
PROBLEMS = {"nsga2": ["zdt1", "zdt2", "zdt3", "bnh", "srn", "tnk", "osy"],
            "nsga3": ["dtlz2"],
            "tpe": ["bnh", "zdt1", "dtlz2", "osy", "tnk"]}
PEER = {"nsga2": "pymoo", "nsga3": "pymoo", "tpe": "optuna"}
EVALUATIONS = {"nsga2": [100 * 200], "nsga3": [92 * 200], "tpe": [50, 100, 200]}


def main():
    parser = argparse.ArgumentParser(prog="benches/optimizers/run")
    parser.add_argument("ours", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one line per run")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 1 to N")
    parser.add_argument("algorithms", nargs="*", metavar="ALGORITHM", help=" ".join(PROBLEMS))
    asked = parser.parse_args()
    unknown = set(asked.algorithms) - set(PROBLEMS)
    if unknown:
        parser.error(f"no such algorithm: {' '.join(sorted(unknown))}")
    python = environment()
    for algorithm in asked.algorithms or PROBLEMS:
        for problem in PROBLEMS[algorithm]:
            lines = solved(asked.ours, algorithm, problem, asked.seeds)
            if python:
                lines += solved_by_peer(python, algorithm, problem, asked.seeds)
            lines = measured(asked.ours, lines)
            if asked.json:
                print(*map(json.dumps, lines), sep="\n", flush=True)
            else:
                summary(algorithm, problem, lines)


def environment():
    """A Python with both peers; none, with the reason, where they cannot be had."""
    folder = peers.CACHE / "optimizers"
    installed = [any(folder.glob(f"lib/python*/site-packages/{package.replace('==', '-')}.dist-info"))
                 for package in PACKAGES.values()]
    if not all(installed):
        python = peers.interpreter(PYTHON)
        print(f"installing {' '.join(PACKAGES.values())} into {folder}", file=sys.stderr)
        try:
            peers.install(list(PACKAGES.values()), python, folder)
        except (subprocess.CalledProcessError, TypeError, OSError) as error:
            print(f"the peers are left out: they cannot be installed: {error}", file=sys.stderr)
            return None
    return folder / "bin" / "python"


def line(algorithm, problem, who, seed, evals, front, cpu_s):
    return {"problem": problem, "algorithm": algorithm, "who": who, "seed": seed, "evals": evals,
            "front": front, "cpu_s": round(cpu_s, 5)}


def solved(ours, algorithm, problem, seeds):
    """Each run is a process of its own, whose whole CPU time counts."""
    lines = []
    for seed in range(1, seeds + 1):
        for evals in EVALUATIONS[algorithm]:
            before = children_cpu_s()
            told = subprocess.run([ours, "solve", algorithm, problem, str(seed), str(evals)],
                                  check=True, capture_output=True, text=True)
            cpu_s = children_cpu_s() - before
            lines.append(line(algorithm, problem, "sbt", seed, evals, json.loads(told.stdout), cpu_s))
    return lines


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def solved_by_peer(python, algorithm, problem, seeds):
    """One process for all runs, which says itself what each took: imports do not count."""
    who = PEER[algorithm]
    evals = ",".join(map(str, EVALUATIONS[algorithm]))
    told = subprocess.run([python, "-B", HERE / f"{who}_runs.py", algorithm, problem, str(seeds), evals],
                          check=True, capture_output=True, text=True)
    runs = map(json.loads, told.stdout.splitlines())
    return [line(algorithm, problem, who, **run) for run in runs]


def measured(ours, lines):
    """The hypervolume instead of the front."""
    text = "\n".join(map(json.dumps, lines))
    told = subprocess.run([ours, "volumes"], input=text, check=True, capture_output=True, text=True)
    return [json.loads(text) for text in told.stdout.splitlines()]


def summary(algorithm, problem, lines):
    for evals in EVALUATIONS[algorithm]:
        parts = []
        cpu_s = {}
        for who in ("sbt", PEER[algorithm]):
            runs = [run for run in lines if run["who"] == who and run["evals"] == evals]
            if not runs:
                continue
            volumes = [run["hypervolume"] for run in runs]
            cpu_s[who] = statistics.mean(run["cpu_s"] for run in runs)
            sd = statistics.stdev(volumes) if len(volumes) > 1 else 0.0
            parts.append(f"{who} {statistics.mean(volumes):.6g} ±{sd:.2g} in {cpu_s[who]:.3f} s")
        ratio = f"CPU {cpu_s[PEER[algorithm]] / cpu_s['sbt']:.0f} x" if len(cpu_s) == 2 else ""
        print(f"{algorithm:6} {problem:6} {evals:6}", *parts, ratio, sep="   ", flush=True)


if __name__ == "__main__":
    main()
