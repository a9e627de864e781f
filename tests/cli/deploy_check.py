"""Checks the files for a roll-out in a folder as the tools that read them would."""

import importlib.resources
import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import promql_parser
import yaml

folder = pathlib.Path(sys.argv[1])


def documents(name):
    return list(yaml.safe_load_all((folder / name).read_text()))


kinds = []
for document in documents("kubernetes.yaml"):
    kubernetes_validate.validate(document, "1.37", strict=True)
    kinds.append(document["kind"])
assert kinds == ["Deployment", "Service"], kinds

schema = importlib.resources.files("compose") / "config" / "compose_spec.json"
jsonschema.validate(documents("compose.yaml")[0], json.loads(schema.read_text()))

if (folder / "alerts.yaml").exists():
    for group in documents("alerts.yaml")[0]["groups"]:
        for rule in group["rules"]:
            promql_parser.parse(rule["expr"])
            assert rule["annotations"]["summary"] and rule["labels"]["severity"], rule
