"""What people write in the property of exemptions, and what somebody may have granted for it."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.exemptions.world import NOW, claim, spec
from webhook.exemptions.claim import DAY, EXEMPT, STAMP, UNTIL

DATES = {
    "2026-11-25": NOW + 4.5 * DAY,
    "2026-12-31": NOW + 40.5 * DAY,
    "2027-06-30": NOW + 221.5 * DAY,
}
Fact = tuple[str, int]
"""A policy and what violates it: a port, or 0 for the node's network."""
Place = tuple[str, str, str]


class Grant(NamedTuple):
    """policies that are lifted, the violations that somebody has looked at, and the end."""

    policies: frozenset[str] = frozenset()
    facts: frozenset[Fact] = frozenset()
    until: float = 0.0


NONE = Grant()
NAMES, SPACES = st.sampled_from(["web", "api"]), st.sampled_from(["dev", "prod"])
BOTH = ("host-network", "host-port")
POLICIES = st.sampled_from([BOTH[:1], BOTH[1:], BOTH, ("*",)])
SPECS = st.sampled_from(
    [spec(host_network=False), spec(), spec(host_network=False, host_port=22),
     spec(host_network=False, host_port=9100)]
)  # fmt: skip
GOOD: st.SearchStrategy[dict[str, str]] = st.builds(
    lambda policies, until: claim(*policies, until=until),
    st.sampled_from([BOTH[:1], BOTH[1:], BOTH]),
    st.sampled_from([*DATES]),
)
BAD: st.SearchStrategy[dict[str, str]] = st.builds(
    lambda policies, until, reason: claim(*policies, until=until, reason=reason),
    POLICIES,
    st.sampled_from([*DATES, None, "soon"]),
    st.sampled_from(["It counts nothing at all.", None]),
)
CLAIMS: st.SearchStrategy[dict[str, str]] = st.one_of(GOOD, GOOD, BAD, st.just({}))
KINDS = st.sampled_from(["deployments", "replicasets", "statefulsets", "pods"])
WRITERS = st.sampled_from(["jane", "jane", "jane", "anna", "root"])
"""Anna may exempt in dev, root everywhere, Jane nowhere."""


def facts(pod: dict[str, Any]) -> frozenset[Fact]:
    if pod.get("hostNetwork"):
        return frozenset({("host-network", 0)})
    ports = [port for one in pod["containers"] for port in one.get("ports", ())]
    return frozenset({("host-port", port["hostPort"]) for port in ports})


def made_of(
    kind: str, name: str, annotations: dict[str, str], pod: dict[str, Any]
) -> dict[str, Any]:
    meta, body = {"annotations": dict(annotations)}, copy.deepcopy(pod)
    if kind == "pods":
        return {"metadata": {**meta, "name": name}, "spec": body}
    return {"metadata": {"name": name}, "spec": {"template": {"metadata": meta, "spec": body}}}


def carrier(obj: dict[str, Any]) -> dict[str, Any]:
    """Where metadata and spec of the pod are."""
    found: dict[str, Any] = obj["spec"].get("template", obj)
    return found


def claims(annotations: dict[str, str]) -> tuple[frozenset[str], float]:
    """The policies that annotations name, and the end in the table of this test."""
    named = annotations.get(EXEMPT, "")
    return frozenset(named.split(",")) - {""}, DATES.get(annotations.get(UNTIL, ""), 0.0)


def told(annotations: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in annotations.items() if name.startswith(EXEMPT)}


def words(annotations: dict[str, str]) -> dict[str, str]:
    """All but the stamp."""
    return {name: text for name, text in told(annotations).items() if name != STAMP}
