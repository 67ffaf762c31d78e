"""Every case generates what its golden file says, and every golden file belongs to a case.

NETREEVE_REWRITE_GOLDEN=1 writes them anew, to be read before they are committed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.policies.baseline.given import Given, Json, names

FOLDER = Path(__file__).parent / "golden"
REWRITE = "NETREEVE_REWRITE_GOLDEN"


class _Dumper(yaml.SafeDumper):
    """Long texts on one line, several lines as a block, the same object twice written out twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _golden(given: Given) -> str:
    cni, plan = given.environment().cni, given.plan()
    summary = {
        "case": given.case.title,
        "cni": {
            "state": cni.state,
            "reason": cni.reason,
            "plugins": [msgspec.to_builtins(one) for one in map(_as_dict, cni.plugins)],
            "notes": list(cni.notes),
        },
        "problems": [_as_dict(one) for one in plan.problems],
        "hold": plan.hold,
    }
    return _dump([summary, *given.manifests_wanted()])


def _as_dict(value: Any) -> Json:
    found: Json = msgspec.to_builtins(value._asdict())
    return found


def _dump(documents: Iterable[Json]) -> str:
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, width=10_000, explicit_start=True
    )


@pytest.mark.parametrize("name", names())
def test_what_is_generated(name: str) -> None:
    path, found = FOLDER / f"{name}.yaml", _golden(Given(name))
    if os.environ.get(REWRITE):
        path.write_text(found)
    assert path.exists(), f"no golden file: {REWRITE}=1 writes it"
    assert found == path.read_text(), f"read the change, then write it with {REWRITE}=1"


def test_every_golden_file_has_a_case() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.yaml" for name in names()}
