"""inference-perf: worker processes, aiohttp on uvloop. Random prompts of an exact length are only
sent to `/v1/completions`."""

import json

from . import Seen

NAME, PACKAGE, PYTHON = "inference-perf", "inference-perf==0.7.0", (3, 12)


def command(program, server, load, requests, work):
    length = lambda tokens: {"type": "fixed", "mean": tokens, "min": tokens, "max": tokens,
                             "std_dev": 0, "total_count": requests}
    config = {
        "api": {"type": "completion", "streaming": True},
        "server": {"type": "vllm", "model_name": server.model, "base_url": server.root,
                   "ignore_eos": True},
        "tokenizer": {"pretrained_model_name_or_path": str(work / "tokenizer")},
        "data": {"type": "random", "input_distribution": length(load.prompt_tokens),
                 "output_distribution": length(load.output_tokens)},
        "load": {"type": "concurrent",
                 "stages": [{"num_requests": requests, "concurrency_level": load.streams}]},
        "report": {"request_lifecycle": {"per_request": True, "per_request_fields": {
            "request": False, "response": False, "info": False, "computed_metrics": True}}},
        "storage": {"local_storage": {"path": str(work / "inference-perf")}},
    }
    # JSON is YAML.
    (work / "inference-perf.yml").write_text(json.dumps(config), encoding="utf-8")
    return [program, "--config_file", str(work / "inference-perf.yml")]


def read(work):
    [report] = (work / "inference-perf").rglob("*per_request*.json")
    seen = Seen()
    for number, request in enumerate(json.loads(report.read_text(encoding="utf-8"))):
        if request["error"] is None:
            metrics = request["computed_metrics"]
            seen.ttft_s[number] = metrics["time_to_first_token"]
            seen.itl_s[number] = metrics["inter_token_latencies"]
    return seen
