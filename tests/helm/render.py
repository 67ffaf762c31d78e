"""The chart as Helm renders it, without a cluster."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.helm.build import CHART, run

Object = dict[str, Any]
NAMESPACE = "netreeve"
NO_VALUES: Mapping[str, Any] = {}


class RenderError(Exception):
    """Helm refused; the text is what it said."""


def template(
    values: Mapping[str, Any] = NO_VALUES, *, namespace: str = NAMESPACE, chart: Path = CHART
) -> str:
    """What ``helm template netreeve`` prints. Raises RenderError."""
    return _template(json.dumps(values), namespace, chart)


@cache  # many tests look at the same few renderings
def _template(values: str, namespace: str, chart: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="helm-") as home:
        arguments = ("template", "netreeve", chart, "--namespace", namespace, "--values", "-")
        done = run(*arguments, stdin=values, home=Path(home))
    if done.returncode:
        raise RenderError(done.stderr.strip())
    return done.stdout


def parse(text: str) -> list[Object]:
    """The documents of a manifest, without empty ones."""
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]


def objects(values: Mapping[str, Any] = NO_VALUES, *, namespace: str = NAMESPACE) -> list[Object]:
    """The same as objects, in Helm's order. Raises RenderError."""
    return parse(template(values, namespace=namespace))


def in_order(found: list[Object]) -> list[Object]:
    """By kind and name."""
    return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"]))


def only(found: list[Object], kind: str, name: str) -> Object:
    """The one object of a kind and name."""
    (one,) = (one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return one


def webhooks(found: list[Object], path: str) -> Object:
    """The configuration that the controller applies; path: ``mutating`` or ``validating``."""
    text = only(found, "ConfigMap", "netreeve-webhooks")["data"][f"{path}.yaml"]
    (configuration,) = parse(text)
    return configuration
