"""docs/operations.md lists every metric with its type and labels, and no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.telemetry.documented import Exported, documented

SOURCE = Path(__file__).parents[2] / "webhook"
TYPES = {"counter": "counter", "total": "counter", "gauge": "gauge", "gauges": "gauge"}
UNITS = {"s": "_seconds"}


def instruments() -> Iterator[ast.Call]:
    """Every call in the source that makes an instrument of ours."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and is_name(node.args[0]):
                yield node


def is_name(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("netreeve.")
        and "/" not in node.value
    )


def test_what_the_source_exports_is_what_is_documented() -> None:
    exported = dict(map(read, instruments()))
    assert len(exported) > 30
    listed = documented()
    assert sorted(exported) == sorted(listed)
    for name, found in exported.items():
        assert listed[name].type == found.type, name
        if found.type != "histogram":  # whose labels come with its series
            assert listed[name].labels == found.labels, name


def read(call: ast.Call) -> tuple[str, Exported]:
    assert isinstance(call.func, ast.Attribute), ast.unparse(call)
    made, (first, *rest) = call.func.attr, call.args
    name = ast.literal_eval(first).replace(".", "_")
    labels: tuple[str, ...] = ast.literal_eval(rest[1]) if made in ("counter", "gauges") else ()
    if made in ("gauge", "histogram"):
        name += UNITS.get(ast.literal_eval(rest[0]), "")
    kind = TYPES.get(made, made)
    return name + ("_total" if kind == "counter" else ""), Exported(kind, frozenset(labels))
