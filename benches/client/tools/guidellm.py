"""GuideLLM: worker processes, httpx."""

import json

from . import Seen

NAME, PACKAGE, PYTHON = "guidellm", "guidellm==0.8.1", (3, 10)


def command(program, server, load, requests, work):
    extras = json.dumps({"body": {"ignore_eos": True}})
    return [
        program, "run", "--disable-console",
        "--backend", f"kind=openai_http,target={server.root},model={server.model},"
                     f"max_tokens={load.output_tokens},http2=false,extras={extras}",
        "--tokenizer", f"kind=huggingface_auto,model={work / 'tokenizer'}",
        "--data", f"kind=json_file,path={work / 'prompts.jsonl'}",
        "--profile", f"kind=concurrent,streams={load.streams}",
        "--constraint", f"kind=max_requests,count={requests}",
        "--output", f"kind=json,path={work / 'guidellm.json'}",
    ]


def read(work):
    report = json.loads((work / "guidellm.json").read_text(encoding="utf-8"))
    seen = Seen()
    for number, request in enumerate(report["benchmarks"][0]["requests"]["successful"]):
        seen.ttft_s[number] = request["time_to_first_token_ms"] / 1000
        seen.itl_s[number] = [request["inter_token_latency_ms"] / 1000]
    return seen
