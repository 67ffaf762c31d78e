"""Policies that are written out, in the form in which the API server gives them back."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.baseline.verbatim import defaulted
from policies.network_policies.effective import Flow, Party, allowed
from tests.policies.network_policies.given import (
    OUTSIDE,
    PODS,
    PORTS,
    PROTOCOLS,
    party,
    policy,
    specs,
    view,
)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ({}, {"podSelector": {}, "policyTypes": ["Ingress"]}),
        ({"egress": []}, {"podSelector": {}, "policyTypes": ["Ingress"]}),
        (
            {"egress": [{}]},
            {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]},
        ),
        (
            {"policyTypes": ["Egress", "Ingress"], "ingress": None},
            {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        ),
        (
            {"ingress": [{"from": [], "ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}]},
            {
                "podSelector": {},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}
                ],
            },
        ),
        (
            {
                "podSelector": {"matchLabels": {}, "matchExpressions": None},
                "ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {}}]}],
            },
            {
                "podSelector": {},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {}}, {"namespaceSelector": {}}]}],
            },
        ),
    ],
)
def test_form(written: dict[str, Any], form: dict[str, Any]) -> None:
    before = copy.deepcopy(written)
    assert defaulted(written) == form
    assert written == before


_ends = st.sampled_from([*PODS, *OUTSIDE]).map(party)


@settings(max_examples=200, deadline=None)
@given(specs, _ends, _ends, st.sampled_from(PROTOCOLS), st.sampled_from(PORTS))
def test_the_form_has_no_other_form_and_means_the_same(
    spec: dict[str, Any], source: Party, target: Party, protocol: str, port: int
) -> None:
    form = defaulted(spec)
    assert defaulted(form) == form
    flow = Flow(source, target, protocol, port)
    assert allowed([view(policy(form))], flow) == allowed([view(policy(spec))], flow)
