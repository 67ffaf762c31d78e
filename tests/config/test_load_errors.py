"""What is wrong with a configuration: every error at once, each once, with its place."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from tests.config.given import HEAD
from webhook.config import ConfigError, GateConfig, Problem, load, ruleset
from webhook.config.schema import PolicyConfig


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(text, "gate.yaml")
    return str(raised.value).splitlines()


def test_every_error_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = """\
        apiVersion: netreeve.io/v1
        kind: GateConfig
        profil: strict
        profile: Strict
        policies:
          node-prt: {action: Warn}
          host-network: {action: Block, parms: {}, params: {a: 1}}
          node-port: {action: Mutate, params: {allowedPorts: [0, x]}}
          ndots: {}
          ndots: {action: Deny, params: {value: 2}}
        overrides:
          - namespaceSelector: {matchLabels: {env: 3}}
            policies: {load-balancer: {action: Mutate}}
          - policies: []
        mesh: {kind: istio-sidecar, revision: canary}
        excludedNamespaces: ["team-*"]
        workloads:
          - {group: apps, resource: deployments, kind: Deployment, path: spec.template}
    """
    found = [line.removeprefix("gate.yaml: ") for line in problems(dedent(text))]
    assert found[:5] == [
        "line 1: apiVersion: must be netreeve.io/v1alpha1, not 'netreeve.io/v1'",
        "line 3: profil: is no known field; did you mean profile?",
        "line 4: profile: must be audit, standard or strict, not 'Strict'",
        "line 6: policies.node-prt: is no policy; did you mean node-port?",
        "line 7: policies.host-network.action: must be Deny, Warn, Audit or Off, not 'Block'",
    ]
    rest = {line.partition(": ")[2].partition(": ")[0]: line for line in found[5:]}
    assert sorted(rest) == sorted(
        [
            "policies.host-network.params.a",
            "policies.host-network.parms",
            "policies.node-port.action",
            "policies.node-port.params",
            "policies.ndots.action",
            "policies.ndots.params.value",
            "policies.ndots",
            "overrides[0].namespaceSelector.matchLabels.env",
            "overrides[0].policies.load-balancer.action",
            "overrides[1].namespaceSelector",
            "overrides[1].policies",
            "mesh",
            "excludedNamespaces[0]",
            "workloads[0]",
        ]
    )
    assert rest["policies.ndots.action"].endswith("must be Mutate or Off, not 'Deny'")
    assert rest["policies.node-port.action"].endswith(
        "must be Deny, Warn, Audit or Off, not 'Mutate'"
    )
    assert rest["mesh"].startswith("line 15: mesh: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gate.yaml: is empty"),
        ("# nothing\n", "gate.yaml: is empty"),
        ("null\n", "gate.yaml: line 1: must be a mapping, not null"),
        ("- a\n", "gate.yaml: line 1: must be a mapping, not a list"),
        (HEAD + "---\n" + HEAD, "gate.yaml: line 4: must hold one document"),
        (HEAD + "policies: [\n", "gate.yaml: line 3: while parsing a flow node"),
        (HEAD + "profile:\n", "gate.yaml: line 3: profile: must be"),
        (HEAD + "policies: {host-port: [x]}", "gate.yaml: line 3: policies.host-port: must be a"),
        (HEAD + "overrides: [x]", "gate.yaml: line 3: overrides[0]: must be a mapping, not text"),
        (HEAD + "mesh: {}\nmesh: {}", "gate.yaml: line 4: mesh: is set twice"),
        (HEAD + "mesh: linkerd", "gate.yaml: line 3: mesh: must be a mapping"),
        (
            HEAD + "mesh: {kind: kuma}\npolicies: {mesh-injection: {params: {kind: kuma}}}",
            "gate.yaml: line 4: policies.mesh-injection.params: must be given in the section"
            " `mesh`",
        ),
        (
            HEAD + "workloads: [{group: a, resource: b, kind: C, path: x},"
            "{group: a, resource: b, kind: C, path: z}]",
            "gate.yaml: line 3: workloads[1]: is configured twice",
        ),
        (
            HEAD + "workloads: [{group: a, resource: b, kind: C, path: 'a..b'}]",
            "gate.yaml: line 3: workloads[0]: path must lead to a pod template, as spec.template, "
            "not 'a..b'",
        ),
    ],
)
def test_one_error_is_reported_once(text: str, message: str) -> None:
    (found,) = problems(text)
    assert found.startswith(message)


def test_a_file_must_say_what_it_is() -> None:
    assert problems("profile: strict\n") == [
        "gate.yaml: line 1: apiVersion: is required: netreeve.io/v1alpha1",
        "gate.yaml: line 1: kind: is required: GateConfig",
    ]


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^configuration: is not UTF-8 text$"):
        load(b"\xff")


def test_a_wrong_base_parameter_is_not_repeated_for_each_override() -> None:
    override = "  - namespaceSelector: {}\n    policies: {host-port: {action: Warn}}\n"
    text = f"{HEAD}policies: {{host-port: {{params: {{x: 1}}}}}}\noverrides:\n{override * 3}"
    (found,) = problems(text)
    assert found.startswith("gate.yaml: line 3: policies.host-port.params.x: is no known field")


def test_a_configuration_built_in_code_is_checked_as_well() -> None:
    with pytest.raises(ConfigError, match="no-such-policy: is no policy"):
        ruleset(GateConfig(policies={"no-such-policy": PolicyConfig()}))


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [[]], [{}], {"a": {}}, True, 1.5])
@pytest.mark.parametrize(
    "field",
    ["profile", "policies", "overrides", "mesh", "baseline", "excludedNamespaces", "workloads"],
)
def test_a_value_of_any_shape_is_an_error_and_never_a_crash(field: str, value: Any) -> None:
    text = HEAD + f"{field}: {'null' if value is None else value!r}\n"
    try:
        load(text)
        problems: tuple[Problem, ...] = ()
    except ConfigError as error:
        problems = error.problems
    assert all(one.path.startswith(field) and one.line == 3 for one in problems)
