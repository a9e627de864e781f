"""AIPerf: processes over a message bus, aiohttp."""

import json

from . import Seen

NAME, PACKAGE, PYTHON = "aiperf", "aiperf==0.13.0", (3, 10)


def command(program, server, load, requests, work):
    return [
        program, "profile", "--ui", "none", "--no-gpu-telemetry", "--no-server-metrics",
        "--url", server.root, "--model", server.model, "--tokenizer", str(work / "tokenizer"),
        "--endpoint-type", "chat", "--streaming", "--use-server-token-count",
        "--concurrency", str(load.streams), "--request-count", str(requests),
        "--custom-dataset-type", "single_turn", "--input-file", str(work / "prompts.jsonl"),
        "--extra-inputs", json.dumps({"max_completion_tokens": load.output_tokens, "ignore_eos": True}),
        "--output-artifact-dir", str(work / "aiperf"),
    ]


def read(work):
    seen = Seen(named=True)
    with (work / "aiperf" / "profile_export.jsonl").open(encoding="utf-8") as records:
        for record in map(json.loads, records):
            name, metrics = record["metadata"]["x_request_id"], record["metrics"]
            seen.ttft_s[name] = metrics["time_to_first_token"]["value"] / 1000
            seen.itl_s[name] = [gap / 1000 for gap in metrics["inter_chunk_latency"]["value"]]
    return seen
