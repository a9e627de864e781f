"""The load that every tool is given: prompts, and a tokenizer that needs no download."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

WORDS = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book "
    "eye job word business issue side kind head house service friend father power hour game line "
    "end member law car city community name president team minute idea body information back"
).split()


@dataclass
class Load:
    """Closed loop of as many streams, or open loop at a rate of requests a second."""

    streams: int = 50
    rate: float = 0.0
    prompt_tokens: int = 200
    output_tokens: int = 128


def write_prompts(path: Path, load: Load, count: int):
    """One JSON object a line: `text`, as many words as tokens are asked for; no two alike."""
    draw = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            text = " ".join(draw.choices(WORDS, k=load.prompt_tokens))
            file.write(json.dumps({"text": text, "prompt": text}) + "\n")


def write_tokenizer(folder: Path):
    """A word is a token, in the format of Hugging Face."""
    folder.mkdir(exist_ok=True)
    vocabulary = {"[UNK]": 0} | {word: 1 + i for i, word in enumerate(dict.fromkeys(WORDS))}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
