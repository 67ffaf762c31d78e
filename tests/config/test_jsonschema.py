"""The published schema is the one of this version, and agrees with what the loader does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from webhook.config import ConfigError, load
from webhook.config.jsonschema import schema, text
from webhook.config.yamltext import documents

DOCS = Path(__file__).parents[2] / "docs"
HEAD = {"apiVersion": "netreeve.io/v1alpha1", "kind": "GateConfig"}
VALIDATOR = jsonschema.Draft202012Validator(schema())


def examples() -> list[str]:
    """Every YAML block in the documentation of the configuration."""
    blocks = (DOCS / "configuration.md").read_text().split("```yaml\n")[1:]
    return [block.partition("```")[0] for block in blocks]


def test_the_schema_in_the_documentation_is_current() -> None:
    published = (DOCS / "config.schema.json").read_text()
    assert published == text(), "python -m webhook.config.jsonschema > docs/config.schema.json"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_there_are_examples() -> None:
    assert len(examples()) >= 3


@pytest.mark.parametrize("example", examples())
def test_examples_of_the_documentation_are_accepted_by_both(example: str) -> None:
    load(example)
    (document,) = documents(example)
    VALIDATOR.validate(document.value)


@pytest.mark.parametrize(
    "config",
    [
        {"profile": "strict"},
        {"policies": {"ndots": {"action": "Mutate", "params": {"value": "3"}}}},
        {"policies": {"host-port": {"params": {"allowedPorts": [8080]}}}},
        {"overrides": [{"namespaceSelector": {}, "policies": {"host-port": {"action": "Off"}}}]},
        {"mesh": {"kind": "istio-revision", "revision": "canary"}},
        {"mesh": None},
    ],
)
def test_what_the_loader_accepts_the_schema_accepts(config: dict[str, Any]) -> None:
    load(json.dumps({**HEAD, **config}))
    VALIDATOR.validate({**HEAD, **config})


@pytest.mark.parametrize(
    "config",
    [
        {"profile": "Strict"},
        {"kind": "Gate"},
        {"profil": "strict"},
        {"policies": {"node-prt": {}}},
        {"policies": {"ndots": {"action": "Deny"}}},
        {"policies": {"host-port": {"action": "Mutate"}}},
        {"policies": {"host-port": {"params": {"allowedPorts": [70000]}}}},
        {"policies": {"host-port": {"params": {"ports": []}}}},
        {"overrides": [{"policies": {}}]},
        {"overrides": [{"namespaceSelector": {}, "policies": {"x": {}}}]},
        {"mesh": {"kind": "osm"}},
        {"excludedNamespaces": ["team-*"]},
        {"workloads": [{"group": "a.io", "resource": "b", "kind": "C"}]},
    ],
)
def test_what_the_schema_refuses_the_loader_refuses(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        load(json.dumps({**HEAD, **config}))
    assert not VALIDATOR.is_valid({**HEAD, **config})


def test_a_file_without_api_version_is_refused_by_both() -> None:
    with pytest.raises(ConfigError):
        load("profile: strict")
    assert not VALIDATOR.is_valid({"profile": "strict"})
