"""The JSON Schema of the configuration file, for editors: ``python -m webhook.config.jsonschema``.

Made from the structs that read the file, so that it accepts and refuses the same fields.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from policies import catalogue
from policies.model import Policy
from webhook.config.parameters import field_texts, structs_in
from webhook.config.resolve import actions
from webhook.config.schema import SECTIONS, GateConfig
from webhook.jsontext import indented

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema of a GateConfig, with the parameters of every policy."""
    policies = catalogue()
    roots: list[type[msgspec.Struct]] = [GateConfig, *(policy.params for policy in policies)]
    structs = list(dict.fromkeys(one for root in roots for one in structs_in(root)))
    references, components = described(structs)
    settings = _settings({policy.id: references[policy.params] for policy in policies})
    for name in ("GateConfig", "Override"):
        components[name]["properties"]["policies"] |= settings
    top = components.pop("GateConfig")
    components.pop("PolicyConfig")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **top,
        "required": ["apiVersion", "kind"],
        "$defs": dict(sorted(components.items())),
    }


def _settings(params: dict[str, Schema]) -> Schema:
    """A mapping from policy id to its action and parameters; no other id."""
    return {
        "additionalProperties": False,
        "properties": {policy.id: _setting(policy, params[policy.id]) for policy in catalogue()},
    }


def _setting(policy: Policy[Any, Any], params: Schema) -> Schema:
    own = {} if policy.params in SECTIONS else {"params": params}
    return {
        "type": "object",
        "description": f"{policy.title}.",
        "additionalProperties": False,
        "properties": {"action": {"enum": [*actions(policy), None]}, **own},
    }


def described(
    structs: Sequence[type[msgspec.Struct]],
) -> tuple[dict[type[msgspec.Struct], Schema], dict[str, Schema]]:
    """A reference to each of the structs, and by name the schemas of these and of all in them."""
    found, components = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    for component in components.values():  # docstrings are indented before Python 3.13
        if text := component.get("description"):
            component["description"] = inspect.cleandoc(text)
    references = dict(zip(structs, found, strict=True))
    for struct, reference in references.items():
        _describe(components[_name(reference)], struct)
    return references, components


def _describe(schema: Schema, struct: type[msgspec.Struct]) -> None:
    """Gives each property its own sentence; the struct keeps the first paragraph.

    Defaults that are sets get an order, so that the schema is the same every time.
    """
    schema["description"] = inspect.cleandoc(struct.__doc__ or "").partition("\n\n")[0]
    for name, text in field_texts(struct).items():
        schema["properties"][name]["description"] = text
    for one in schema["properties"].values():
        if one.get("uniqueItems") and "default" in one:
            one["default"] = sorted(one["default"])


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def text() -> str:
    """The schema as it stands in docs/config.schema.json."""
    return indented(schema())


if __name__ == "__main__":
    sys.stdout.write(text())
