"""The server that all tools are measured against: `sbt serve` with constant times and a truth log."""

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Truth:
    """Of one request: from its receipt to the write of its first token, and between writes."""

    ttft_s: float
    itl_s: list

    @classmethod
    def of(cls, record):
        writes = [at_s for at_s, _ in record["token_writes"]]
        gaps = [later - earlier for earlier, later in zip(writes, writes[1:])]
        return cls(writes[0] - record["received_s"], gaps)


@dataclass
class Server:
    url: str
    model: str
    truth_file: Path
    read_to: int = 0

    @property
    def root(self):
        """Where `/v1/…` is below."""
        return self.url.removesuffix("/v1")

    def new_truth(self, tokens):
        """What it did for the requests of so many tokens that ended since the last call, by name."""
        with self.truth_file.open(encoding="utf-8") as log:
            log.seek(self.read_to)
            records = [json.loads(line) for line in log.readlines()]
            self.read_to = log.tell()
        return {record["request_id"]: Truth.of(record) for record in records
                if sum(count for _, count in record["token_writes"]) == tokens}


@contextmanager
def serving(sbt, work, times, more=()):
    """A server that ends with the block; `times` is `TTFT,ITL` in seconds."""
    model, truth_file = "llama-3.1-8b", work / "truth.jsonl"
    command = [sbt, "serve", "--json", "--model", model, "--port", "0", "--fixed", times,
               "--truth", str(truth_file), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server did not start: {' '.join(map(str, command))}")
        yield Server(json.loads(line)["url"], model, truth_file)
    finally:
        process.terminate()
        process.wait()
