"""What a fix changes in the text of a manifest: the remedy, and not one byte more."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.model import Remedy
from policies.services.balancers import PROVIDERS
from tests.audit.given import parsed
from webhook.audit.check import check
from webhook.audit.findings import Report
from webhook.audit.fix.edits import CannotError, edit
from webhook.audit.fix.plan import Plan, plan
from webhook.config import load, ruleset

CONFIG = """\
apiVersion: netreeve.io/v1alpha1
kind: GateConfig
policies: {load-balancer: {params: {provider: %s}}}
"""
INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"


def judged(data: bytes, provider: str = "azure") -> Report:
    return check(parsed(data), ruleset(load(CONFIG % provider)))


def planned(data: bytes, provider: str = "azure") -> Plan:
    return plan("m.yaml", data, judged(data, provider).results)


def fixed(text: str, provider: str = "azure") -> str:
    return planned(text.encode(), provider).after.decode()


SERVICE = """\
# what it is
apiVersion: v1
kind: Service
metadata:
  name: web  # the name
spec:
  type: LoadBalancer
  ports: [{port: 80}]   # one
"""
FIXED_SERVICE = f"""\
# what it is
apiVersion: v1
kind: Service
metadata:
  annotations:
    {INTERNAL}: "true"
  name: web  # the name
spec:
  type: LoadBalancer
  ports: [{{port: 80}}]   # one
"""
DIRECT = "service.beta.kubernetes.io/aws-load-balancer-type: nlb-ip"


@pytest.mark.parametrize("change", [
    lambda text: text,
    lambda text: text.replace("\n", "\r\n"),
    lambda text: "\ufeff" + text,
    lambda text: text.rstrip("\n"),
    lambda text: f"kind: ConfigMap\napiVersion: v1\ndata: {{a: 'é'}}\n---\n{text}---\n# end",
    lambda text: f"a: [\n--- # broken\n{text}",
])  # fmt: skip
def test_a_service_is_told_to_be_internal(change: Any) -> None:
    assert fixed(change(SERVICE)) == change(FIXED_SERVICE)


DNS = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: dns}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {}}]
    ports:
    %s
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- {port: 53, protocol: UDP}", None),
        ("-   port: 53\n        protocol: UDP # x", None),
        ("  [{port: 53, protocol: UDP}]",
         '  [{"protocol": "TCP", "port": 53}, {port: 53, protocol: UDP}]'),
        ("- port: 53", "- protocol: UDP\n      port: 53\n    - port: 53"),
        ("- port: 9\n    - port: 53\n      protocol: UDP",
         "- port: 9\n    - protocol: TCP\n      port: 53\n    - port: 53\n      protocol: UDP"),
    ],
)  # fmt: skip
def test_dns_gets_the_other_protocol_beside_it(before: str, after: str | None) -> None:
    after = f"- protocol: TCP\n      port: 53\n    {before}" if after is None else after
    assert fixed(DNS % before) == DNS % after


def test_a_comment_stays_with_what_it_is_about() -> None:
    text = SERVICE.replace("  name:", f"  annotations: {{{DIRECT}}}\n  name:")
    text = text.replace("  type:", "# of the file\n\n  # of the type\n  # and more\n  type:")
    wanted = "\n\n  allocateLoadBalancerNodePorts: false\n  # of the type\n  # and more\n  type:"
    assert wanted in fixed(text, "aws")
    ports = "# dns\n    - port: 53"
    assert fixed(DNS % ports) == DNS % f"- protocol: UDP\n      port: 53\n    {ports}"


def test_an_annotation_of_the_wrong_value_is_corrected_where_it_stands() -> None:
    noted = SERVICE.replace("  name:", f"  annotations: {{{INTERNAL}: 'yes'}} # !\n  name:")
    assert f'  annotations: {{{INTERNAL}: "true"}} # !\n  name:' in fixed(noted)


def test_items_of_lists_and_json_are_fixed_where_they_are() -> None:
    service = {"metadata": {"name": "a"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 1}]}}
    listed = {"apiVersion": "v1", "kind": "ServiceList", "items": [service, service]}
    text = json.dumps(listed, indent=1)
    after = json.loads(fixed(text))
    for item in after["items"]:
        assert item["metadata"].pop("annotations") == {INTERNAL: "true"}
    assert after == listed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            SERVICE.replace("metadata:\n  name: web", "x: &m\n  name: web\nmetadata: *m"),
            "an anchor",
        ),
        (SERVICE.replace("metadata:\n", "metadata: &m\n") + "other: *m\n", "something else"),
        (SERVICE.replace("  name: web", "  name: web\n  annotations:"), "is no mapping"),
        ("---\n" + json.dumps({**yaml.safe_load(SERVICE), "x": "\U0001f600"}), "YAML document"),
    ],
)
def test_what_would_change_more_is_left_alone_and_said(text: str, reason: str) -> None:
    found = planned(text.encode())
    assert INTERNAL not in found.after.decode()
    assert any(reason in one for one in found.refused), found.refused


def test_an_unknown_provider_gets_no_guess() -> None:
    report = check(parsed(SERVICE), ruleset(load(CONFIG.replace("%s", "null"))))
    assert {one.policy: one.remedy for _, one in report.each()} == {
        "load-balancer": None,
        "node-port": None,
    }


@pytest.mark.parametrize("text", ["a: |\n  x\n", "a: 'x\n  y'\n", "a: [1]\n", "a:\n"])
def test_only_a_value_on_one_line_is_replaced(text: str) -> None:
    with pytest.raises(CannotError):
        edit(text, (), Remedy(("a",), True))


PORTS = st.lists(st.sampled_from([80, 443, 6379]), min_size=1, max_size=3, unique=True)
STYLES = st.sampled_from([None, False, True])
NOTED = st.sampled_from([
    {}, {"annotations": {}}, {"annotations": {"a": "b: c"}},
    {"annotations": yaml.safe_load(DIRECT)},
])  # fmt: skip
PROVIDER = st.sampled_from(sorted(PROVIDERS))
RULE = st.lists(
    st.sampled_from([
        {"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}, {"port": 53}, {"port": 9},
    ]),
    min_size=1, max_size=3,
)  # fmt: skip


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """Services and NetworkPolicies in several styles of YAML, with comments, as one file."""
    documents: list[Any] = []
    for index, ports in enumerate(draw(st.lists(PORTS, max_size=2))):
        noted: Any = draw(NOTED)
        balancer = {"type": "LoadBalancer", "ports": [{"port": port} for port in ports]}
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"a{index}", **noted},
        }
        documents.append({**service, "spec": balancer})
    for rules in draw(st.lists(st.lists(RULE, max_size=3), max_size=2)):
        spec = {"podSelector": {}, "egress": [{"ports": ports} for ports in rules]}
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        documents.append({**policy, "metadata": {"name": "b"}, "spec": spec})
    texts = [
        yaml.dump(
            json.loads(json.dumps(one)),  # the same object twice would be an anchor
            default_flow_style=draw(STYLES),
            sort_keys=draw(st.booleans()),
            indent=draw(st.sampled_from([2, 4])),
        )
        for one in draw(st.permutations(documents))
    ]
    text = "--- # é\n".join(["# first\n", *texts])
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()


def is_in(part: bytes, whole: bytes) -> bool:
    """Whether only something was put in: every byte is there, in its order."""
    rest = iter(whole)
    return all(byte in rest for byte in part)


@given(manifests(), PROVIDER)
@settings(max_examples=40, deadline=None)
def test_after_a_fix_the_findings_are_gone_and_the_rest_is_as_it_was(
    data: bytes, provider: str
) -> None:
    before, found = judged(data, provider), planned(data, provider)
    assert found.refused == ()
    assert is_in(data, found.after)
    after = judged(found.after, provider)
    left = {one.id for _, one in after.each()}
    remedied = [one for _, one in before.each() if one.remedy]
    assert (found.after != data) == bool(remedied)
    assert not left & {one.id for one in remedied}
    assert not any(one.remedy for _, one in after.each())
    assert left <= {one.id for _, one in before.each()}, "a fix brings nothing new"
    assert planned(found.after, provider).after == found.after
