"""Ours, run as a user would: the whole of `sbt run pipelines/measure.toml`, report included."""

import json
import subprocess

from . import Seen

NAME = "sbt"
PIPELINE = "pipelines/measure.toml"


def command(program, server, load, requests, work):
    sets = {
        "url": server.url, "model": server.model, "requests": requests,
        "concurrency": load.streams, "input_tokens": load.prompt_tokens,
        "output_tokens": load.output_tokens, "rate": load.rate,
    }
    settings = [word for name, value in sets.items() for word in ("--set", f"params.{name}={value}")]
    return [program, "run", PIPELINE, *settings, "--refresh", "measure",
            "--store", str(work / "store"), "--out", str(work / "sbt")]


def read(work, program):
    [trial] = table(program, work, "trials")
    requests = [request for request in table(program, work, "requests") if request["status"] == "ok"]
    return Seen(
        ttft_s={request["server_request_id"]: request["ttft_s"] for request in requests},
        itl_s={request["server_request_id"]: request["itl_s"] for request in requests},
        named=True,
        client_cpu_s=trial["client_cpu"] * max(request["end_s"] for request in requests),
        lag_s=(trial["lag_p50_s"], trial["lag_p99_s"]),
    )


def table(program, work, name):
    told = subprocess.run([program, "table", f"measure:measure.{name}", "--format", "json",
                           "--store", work / "store"], check=True, capture_output=True, text=True)
    return list(map(json.loads, told.stdout.splitlines()))
