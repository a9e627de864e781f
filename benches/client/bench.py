"""See `run`."""

import argparse
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import figures
import peers
import server
import watched
from figures import median
from load import Load, write_prompts, write_tokenizer
from tools import aiperf, guidellm, inference_perf, sbt

PEERS = {tool.NAME: tool for tool in (aiperf, guidellm, inference_perf)}
FEW, MANY = 10, 300


def main():
    arguments = parse()
    watched.adopt_orphans()
    program = Path(arguments.sbt).resolve()
    with tempfile.TemporaryDirectory(prefix="sbt-bench-") as folder:
        work = Path(folder)
        write_tokenizer(work / "tokenizer")
        write_prompts(work / "prompts.jsonl", Load(), MANY)
        bench = Bench(program, work, arguments.json)
        if arguments.accuracy:
            bench.accuracy(arguments.repeats)
        elif arguments.ceiling:
            bench.ceiling(arguments.repeats)
        else:
            bench.compare([PEERS[name] for name in arguments.peers or PEERS], arguments.repeats)


def parse():
    parser = argparse.ArgumentParser(prog="benches/client/run")
    parser.add_argument("sbt", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one line a run instead of a table")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind; medians are shown")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--ceiling", action="store_true")
    parser.add_argument("peers", nargs="*", metavar="PEER", choices=[*PEERS, []])
    return parser.parse_args()


@dataclasses.dataclass
class Run:
    """One run of a tool."""

    tool: str
    requests: int
    ok: int
    cost: watched.Cost
    accuracy: figures.Accuracy
    client_cpu_s: float | None
    lag_ms: list | None
    load_average: float


@dataclasses.dataclass
class Bench:
    sbt: Path
    work: Path
    as_json: bool

    def compare(self, tools, repeats):
        programs = {sbt: self.sbt} | {tool: peers.installed(tool) for tool in tools}
        rows = []
        with server.serving(self.sbt, self.work, "0.1,0.02") as at:
            for tool, program in programs.items():
                if program:
                    few = self.runs(repeats, tool, program, at, Load(), FEW)
                    many = self.runs(repeats, tool, program, at, Load(), MANY)
                    rows.append(row(few, many))
        self.show(rows)

    def accuracy(self, repeats):
        paced = Load(streams=0, rate=200.0, output_tokens=8)
        with server.serving(self.sbt, self.work, "0.1,0.02") as at:
            rows = [
                errors("50 streams, 20 ms", self.runs(repeats, sbt, self.sbt, at, Load(), MANY)),
                errors("200 requests/s", self.runs(repeats, sbt, self.sbt, at, paced, 1000)),
            ]
        self.show(rows)

    def ceiling(self, repeats):
        full, requests = Load(streams=16, output_tokens=512), 2000
        wide = Load(streams=1000, output_tokens=32)
        with server.serving(self.sbt, self.work, "0,0", ["--events-per-write", "64"]) as at:
            fast = self.runs(repeats, sbt, self.sbt, at, full, requests)
        with server.serving(self.sbt, self.work, "1,0.2") as at:
            many = self.runs(repeats, sbt, self.sbt, at, wide, wide.streams)
        millions = requests * full.output_tokens / 1e6
        self.show([{
            "M tokens/CPU-s of the client": millions / median([run.client_cpu_s for run in fast]),
            "M tokens/CPU-s of sbt": millions / median([run.cost.cpu_s for run in fast]),
            "RSS MiB at 1,000 streams": median([run.cost.rss_mib for run in many]),
        }])

    def runs(self, repeats, *how):
        return [self.run(*how) for _ in range(repeats)]

    def run(self, tool, program, at, load, requests):
        for left in (tool.NAME, "store"):
            shutil.rmtree(self.work / left, ignore_errors=True)
        log = self.work / f"{tool.NAME}.log"
        cost = watched.run(list(map(str, tool.command(program, at, load, requests, self.work))), log)
        if cost.code != 0:
            raise SystemExit(f"{tool.NAME} failed:\n{log.read_text(errors='replace')[-4000:]}")
        seen = tool.read(self.work) if tool is not sbt else tool.read(self.work, program)
        found = figures.accuracy(seen, at.new_truth(load.output_tokens))
        run = Run(tool.NAME, requests, len(seen.ttft_s), cost, found, seen.client_cpu_s,
                  seen.lag_s and [1000 * lag for lag in seen.lag_s], os.getloadavg()[0])
        if self.as_json:
            print(json.dumps(dataclasses.asdict(run)), flush=True)
        else:
            print(f"{tool.NAME}: {requests} requests, {cost.wall_s:.1f} s", file=sys.stderr)
        return run

    def show(self, rows):
        if not self.as_json:
            print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians")
            print(table(rows))


def row(few, many):
    """CPU is the slope between few and many requests: what starting costs is in the runs of few."""
    cpu = lambda runs: median([run.cost.cpu_s for run in runs])
    return {
        "tool": many[0].tool,
        "ok": min(run.ok for run in many),
        "CPU-s/1,000": (cpu(many) - cpu(few)) / (MANY - FEW) * 1000,
        f"CPU-s of {FEW}": cpu(few),
        f"wall s of {FEW}": median([run.cost.wall_s for run in few]),
        "RSS MiB": median([run.cost.rss_mib for run in many]),
        **accuracies(many),
    }


def accuracies(runs):
    of = lambda name: median([getattr(run.accuracy, name) for run in runs])
    return {
        "TTFT p50/p99 ms": f"{of('ttft_p50'):.2f} / {of('ttft_p99'):.2f}",
        "bias p50/p99 ms": f"{of('bias_p50'):+.2f} / {of('bias_p99'):+.2f}",
        "ITL error p50/p99 ms": f"{of('itl_error_p50'):.3f} / {of('itl_error_p99'):.3f}",
        "by": "request" if runs[0].accuracy.matched else "quantile",
    }


def errors(name, runs):
    lag = [median([run.lag_ms[place] for run in runs]) for place in (0, 1)]
    return {"load": name, **accuracies(runs), "lag p50/p99 ms": f"{lag[0]:.3f} / {lag[1]:.3f}"}


def table(rows):
    """In Markdown, each figure with its ratio to the first row's where there are several tools."""
    first = rows[0]
    lines = [list(first), ["---"] * len(first)]
    for one in rows:
        lines.append([cell(value, first[name] if one is not first else None)
                      for name, value in one.items()])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value, ours):
    if not isinstance(value, float):
        return str(value)
    ratio = f" ({value / ours:.0f} x)" if isinstance(ours, float) and ours > 0 else ""
    return f"{value:.3g}{ratio}" if value < 100 else f"{value:.0f}{ratio}"


if __name__ == "__main__":
    main()
