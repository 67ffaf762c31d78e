"""What people read: complete, sorted, within the limits of the API server, and harmless."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from policies.model import Action, Request, Violation
from webhook.admission import messages
from webhook.admission.verdict import Finding, Verdict, in_order

REQUEST = Request(operation="CREATE", group="", resource="services", kind="Service",
                  namespace="dev", name="shop")  # fmt: skip
ACTIONS = st.sampled_from([Action.DENY, Action.WARN, Action.AUDIT])
FINDINGS = st.builds(
    Finding,
    st.text(min_size=1, max_size=20),
    ACTIONS,
    st.builds(Violation, st.text(max_size=200), st.text(max_size=200), st.text(max_size=200)),
    st.booleans(),
)


def finding(policy: str, action: Action, field: str = "spec.type") -> Finding:
    return Finding(policy, action, Violation(field, "must not be NodePort", "use ClusterIP"))


def test_a_denial_lists_everything_and_says_where_to_read_on() -> None:
    verdict = Verdict((finding("host-port", Action.DENY), finding("node-port", Action.DENY)))
    assert messages.denial(REQUEST, verdict) == (
        "2 violations in Service dev/shop\n"
        "- host-port: spec.type: must not be NodePort; use ClusterIP\n"
        "- node-port: spec.type: must not be NodePort; use ClusterIP\n"
        "More: netreeve explain host-port"
    )


def test_warned_and_audited_violations_are_not_in_the_denial() -> None:
    verdict = Verdict((finding("a", Action.WARN), finding("b", Action.AUDIT),
                       finding("c", Action.DENY)))  # fmt: skip
    assert messages.denial(REQUEST, verdict).splitlines()[0] == "1 violation in Service dev/shop"


def test_an_object_without_a_name_yet_is_named_by_its_kind() -> None:
    namespace = Request(operation="CREATE", group="", resource="namespaces", kind="Namespace")
    denied = Verdict((finding("a", Action.DENY),))
    assert "in Namespace (name not yet generated)" in messages.denial(namespace, denied)


def test_a_thousand_violations_are_cut_and_counted() -> None:
    many = Verdict(tuple(finding("a", Action.DENY, f"f{i}") for i in range(1000)))
    text = messages.denial(REQUEST, many)
    assert text.startswith("1000 violations")
    assert "- and 950 more" in text
    warned = Verdict(tuple(finding("a", Action.WARN, f"f{i}") for i in range(1000)))
    assert messages.warnings(warned)[-1] == "netreeve: and 980 more warnings"


def test_an_old_violation_says_so_in_its_warning() -> None:
    old = Finding("a", Action.WARN, Violation("spec.type", "must not be set", "x"), True)
    assert messages.warnings(Verdict((old,))) == ["a: spec.type: must not be set (was so before)"]


@given(st.lists(FINDINGS, max_size=30))
def test_every_text_keeps_the_limits_of_the_api_server(findings: list[Finding]) -> None:
    verdict = Verdict(in_order(findings))
    warnings = messages.warnings(verdict)
    assert all(len(line) <= 120 and line.isprintable() for line in warnings)
    assert sum(map(len, warnings)) <= 4096
    for key, value in messages.audit_annotations(verdict).items():
        assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", key)
        assert len(key) <= 63
        assert value.isprintable()
    if not verdict.allowed:
        denied = messages.denial(REQUEST, verdict)
        assert all(line.isprintable() for line in denied.split("\n"))


@given(st.lists(FINDINGS, max_size=10), st.randoms())
def test_the_text_does_not_depend_on_the_order_of_discovery(
    findings: list[Finding], random: random.Random
) -> None:
    shuffled = [*findings]
    random.shuffle(shuffled)
    assert _texts(in_order(shuffled)) == _texts(in_order(findings))


def _texts(findings: tuple[Finding, ...]) -> list[tuple[str, str, str, Action]]:
    return [(f.policy, f.violation.field, f.violation.message, f.action) for f in findings]
