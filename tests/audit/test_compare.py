"""Which findings two runs have in common, whatever has moved between them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.model import Action
from tests.audit.given import parsed
from webhook.audit.check import check
from webhook.audit.compare import with_baseline, with_diff
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.judged import Judged
from webhook.config import GateConfig, ruleset

RULES = ruleset(GateConfig())
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: shop}
spec: {type: LoadBalancer, ports: [%s]}
"""


HERE = Judged(paths=(".",))


def service(name: str, *ports: int) -> str:
    """A public load balancer with chosen node ports: a finding for each, and one for itself."""
    opened = (f"{{port: {port}, nodePort: {30000 + port}}}" for port in ports)
    return SERVICE % (name, ", ".join(opened))


def report(*texts: str, file: str = "a.yaml") -> Report:
    found = check(parsed("---\n".join(texts), file), RULES)
    return replace(found, judged=HERE)


def both(first: Report, second: Report) -> Report:
    return Report((*first.results, *second.results), judged=HERE)


def known(old: Report, new: Report) -> list[tuple[str, bool]]:
    found = with_baseline(new, old)
    return [(one.policy, one.preexisting) for _, one in found.each() if one.policy == "node-port"]


def counts(old: Report, new: Report) -> tuple[int, int, int]:
    diff = with_diff(new, old).diff
    assert diff
    return len(diff.new), len(diff.fixed), len(diff.still)


def test_moved_reordered_and_reworded_is_known() -> None:
    old = report(service("a", 1, 2), service("b", 3))
    new = report(
        "# a comment\n" + service("b", 3), "# and more\n" + service("a", 2, 1), file="b.yaml"
    )
    assert counts(old, new) == (0, 0, len(list(new.each())))
    assert [one for _, one in known(old, new)] == [True] * 3


def test_another_port_object_or_namespace_is_new() -> None:
    old = report(service("a", 1))
    assert known(old, report(service("a", 1, 2))) == [("node-port", True), ("node-port", False)]
    assert known(old, report(service("b", 1))) == [("node-port", False)]
    other = service("a", 1).replace("shop", "web")
    assert known(old, report(other)) == [("node-port", False)]


def test_one_more_file_with_the_same_object_is_new_there() -> None:
    old = report(service("a", 1), file="b.yaml")
    new = both(report(service("a", 1), file="a.yaml"), report(service("a", 1), file="b.yaml"))
    assert known(old, new) == [("node-port", False), ("node-port", True)]


def test_what_is_gone_is_fixed_and_keeps_its_object() -> None:
    old, new = report(service("a", 1), service("b", 2)), report(service("b", 2))
    diff = with_diff(new, old).diff
    assert diff
    assert {change.title for change in diff.fixed} == {"Service shop/a"}
    assert {change.title for change in diff.still} == {"Service shop/b"}
    assert diff.new == ()


def not_seen(old: Report, *unreadable: str, **judged: Any) -> list[str]:
    """What a run that has found nothing has not looked at."""
    unread = tuple(Unreadable(one, None, "no") for one in unreadable)
    diff = with_diff(Report((), unread, judged=Judged(**judged)), old).diff
    assert diff
    assert {one.title for one in diff.fixed}.isdisjoint(one.title for one in diff.notSeen)
    assert len(diff.fixed) + len(diff.notSeen) == len(list(old.each()))
    return sorted({one.title for one in diff.notSeen})


@pytest.mark.parametrize(
    ("paths", "unread", "found"),
    [
        (["deploy"], [], ["out", "piped"]),
        (
            ["deploy/"],
            ["deploy/a.yaml"],
            ["in", "out", "piped"],
        ),
        (["."], [], ["piped"]),
        (["-", "deploy"], ["./deploy"], ["in", "out"]),
        (["dep"], [], ["in", "out", "piped"]),
    ],
)
def test_what_is_in_other_files_or_unreadable_ones_is_not_fixed(
    paths: list[str], unread: list[str], found: list[str]
) -> None:
    old = both(
        both(
            report(service("in", 1), file="deploy/a.yaml"), report(service("out", 1), file="b.yaml")
        ),
        report("# Source: deploy/a.yaml\n" + service("piped", 1), file="-"),
    )
    names = [f"Service shop/{name}" for name in found]
    assert not_seen(old, *unread, paths=tuple(paths)) == names


def stored(kind: str, version: str, namespace: str, name: str) -> Result:
    finding = Found("node-port", Action.DENY, "spec.type", "must not be", "go", id=f"{kind}{name}")
    return Result("", 0, version, kind, namespace, name, "denied", (finding,))


STORED = Report(
    (
        stored("Namespace", "v1", "", "shop"),
        stored("Service", "v1", "shop", "web"),
        stored("Deployment", "apps/v1", "shop", "web"),
        stored("Pod", "v1", "pay", "web"),
        stored("Rollout", "argoproj.io/v1alpha1", "pay", "web"),
    ),
    judged=Judged("cluster"),
)


@pytest.mark.parametrize(
    ("namespace", "unread", "found"),
    [
        ("", [], []),
        ("shop", [], ["Pod pay/web", "Rollout pay/web"]),
        ("pay", [], ["Deployment shop/web", "Namespace shop", "Service shop/web"]),
        ("", ["deployments.apps", "pods"], ["Deployment shop/web", "Pod pay/web"]),
        ("", ["rollouts.argoproj.io"], ["Rollout pay/web"]),
    ],
)
def test_what_is_in_other_namespaces_or_may_not_be_read_is_not_fixed(
    namespace: str, unread: list[str], found: list[str]
) -> None:
    assert not_seen(STORED, *unread, source="cluster", namespace=namespace) == found
    assert len(not_seen(STORED, source="manifests", paths=(".",))) == len(STORED.results)


def test_only_new_findings_fail() -> None:
    old = report(service("a", 1))
    assert old.exit_code == 1
    assert with_baseline(old, old).exit_code == 0
    assert with_baseline(report(service("a", 1, 2)), old).exit_code == 1


SOME = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2]), st.sampled_from(["x", "y"])),
    max_size=6,
)


@given(SOME, SOME)
@settings(max_examples=100, deadline=None)
def test_every_finding_is_on_one_side_or_on_both(
    before: list[tuple[str, int, str]], after: list[tuple[str, int, str]]
) -> None:
    old, new = (
        Report(
            tuple(
                one
                for name, port, file in side
                for one in report(service(name, port), file=file).results
            ),
            judged=HERE,
        )
        for side in (before, after)
    )
    fresh, fixed, still = counts(old, new)
    assert fresh + still == len(list(new.each()))
    assert fixed + still == len(list(old.each()))
    assert sum(one.preexisting for _, one in with_baseline(new, old).each()) == still
    assert counts(new, old) == (fixed, fresh, still)
