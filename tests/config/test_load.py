"""Loading a configuration: what it means."""

from __future__ import annotations

from textwrap import dedent

import pytest

from policies.model import Action
from policies.namespaces.system import SYSTEM_NAMESPACES
from tests.config.given import HEAD
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.config import GateConfig, load, ruleset


def rules(text: str = "") -> Ruleset:
    return ruleset(load(HEAD + dedent(text)))


def step(found: Ruleset, policy: str) -> Step:
    return next(one for one in found.steps if one.policy.id == policy)


def setting(text: str, policy: str) -> Setting:
    return step(rules(text), policy).setting


def test_the_example_of_the_documentation_means_what_it_says() -> None:
    found = rules(
        """
        profile: standard
        policies:
          node-port: {action: Warn, params: {allowedPorts: [30443]}}
          ndots: {params: {value: "2"}}
        overrides:
          - namespaceSelector: {matchLabels: {env: dev}}
            policies: {load-balancer: {action: Audit}}
        mesh: {kind: istio-sidecar}
        excludedNamespaces: [kube-system, monitoring]
        """
    )
    node_port = step(found, "node-port").setting
    assert (node_port.action, node_port.params.allowedPorts) == (Action.WARN, (30443,))
    balancer = step(found, "load-balancer")
    assert balancer.settings({"env": "dev"})[0].action is Action.AUDIT
    assert balancer.settings({"env": "prod"})[0].action is Action.DENY
    assert step(found, "mesh-injection").setting.params.kind == "istio-sidecar"
    assert found.excluded_namespaces == SYSTEM_NAMESPACES | {"monitoring"}
    assert {"kube-system", "kube-flannel", "openshift-dns", "netreeve"} <= SYSTEM_NAMESPACES


@pytest.mark.parametrize(
    ("profile", "actions"),
    [
        ("audit", {"host-network": "Audit", "probe-host": "Audit", "ndots": "Off"}),
        ("standard", {"host-network": "Deny", "probe-host": "Warn", "ndots": "Mutate"}),
        ("strict", {"host-network": "Deny", "external-name": "Deny", "ndots": "Mutate"}),
    ],
)
def test_a_profile_is_a_set_of_actions(profile: str, actions: dict[str, str]) -> None:
    found = rules(f"profile: {profile}")
    assert {name: step(found, name).setting.action.value for name in actions} == actions


@pytest.mark.parametrize(
    ("stage", "actions"),
    [
        ("audit", {"host-network": "Audit", "probe-host": "Audit", "ndots": "Off"}),
        ("warn", {"host-network": "Warn", "probe-host": "Warn", "ndots": "Off"}),
        ("enforce", {"host-network": "Deny", "probe-host": "Warn", "ndots": "Mutate"}),
    ],
)
def test_a_stage_limits_every_action(stage: str, actions: dict[str, str]) -> None:
    found = rules(f"stage: {stage}")
    assert {name: step(found, name).setting.action.value for name in actions} == actions


@pytest.mark.parametrize("profile", ["audit", "standard", "strict"])
@pytest.mark.parametrize(("stage", "most"), [("audit", Action.AUDIT), ("warn", Action.WARN)])
def test_before_enforce_no_policy_denies_or_changes(profile: str, stage: str, most: Action) -> None:
    """Whatever the file says of single policies and namespaces."""
    found = rules(
        f"""
        stage: {stage}
        profile: {profile}
        mesh: {{kind: linkerd}}
        policies: {{probe-host: {{action: Deny}}, ndots: {{action: Mutate}}}}
        overrides:
          - namespaceSelector: {{}}
            policies: {{host-port: {{action: Deny}}, ndots: {{action: Mutate}}}}
        """
    )
    for one in found.steps:
        settings = (one.setting, *(setting for _, setting in one.overrides))
        for action in (setting.action for setting in settings):
            assert action is not Action.MUTATE, one.policy.id
            assert action.strength <= most.strength, one.policy.id


def test_what_is_off_stays_off_in_every_stage() -> None:
    text = "stage: warn\npolicies: {node-port: {action: Off}}"
    assert setting(text, "node-port").action is Action.OFF


def test_without_a_configuration_the_standard_profile_holds() -> None:
    assert ruleset(GateConfig()) == rules("profile: standard")


def test_parameters_of_the_file_win_over_those_of_the_strict_profile() -> None:
    assert setting("", "node-port").params.allocatedNodePorts == "Warn"
    assert setting("profile: strict", "node-port").params.allocatedNodePorts == "Deny"
    text = "profile: strict\npolicies: {node-port: {params: {allocatedNodePorts: Audit}}}"
    assert setting(text, "node-port").params.allocatedNodePorts == "Audit"


def test_an_override_keeps_what_it_does_not_change() -> None:
    found = step(
        rules(
            """
            policies: {node-port: {action: Warn, params: {allowedPorts: [30443]}}}
            overrides:
              - namespaceSelector: {matchLabels: {env: dev}}
                policies: {node-port: {params: {allowedNamespaces: [web]}}}
              - namespaceSelector: {}
                policies: {node-port: {action: "Off"}}
            """
        ),
        "node-port",
    )
    dev, other = found.settings({"env": "dev"})[0], found.settings({})[0]
    assert (dev.action, dev.params.allowedPorts) == (Action.WARN, (30443,))
    assert dev.params.allowedNamespaces == {"web"}
    assert other.action is Action.OFF


@pytest.mark.parametrize(
    ("namespace", "actions"),
    [
        ("lab", [Action.AUDIT, Action.WARN]),
        ("edge", [Action.DENY, Action.WARN, Action.OFF]),
        ("other", [Action.DENY, Action.WARN]),
        ("", [Action.DENY, Action.WARN, Action.AUDIT, Action.OFF]),
    ],
)
def test_without_labels_what_the_name_decides_is_decided(
    namespace: str, actions: list[Action]
) -> None:
    found = step(
        rules(
            """
            overrides:
              - namespaceSelector: {matchLabels: {env: dev}}
                policies: {node-port: {action: Warn}}
              - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lab}}
                policies: {node-port: {action: Audit}}
              - namespaceSelector:
                  matchLabels: {env: test}
                  matchExpressions:
                    - {key: kubernetes.io/metadata.name, operator: In, values: [edge]}
                policies: {node-port: {action: "Off"}}
            """
        ),
        "node-port",
    )
    assert [one.action for one in found.settings(None, namespace)] == actions


def test_a_selector_of_every_namespace_needs_no_labels() -> None:
    text = "overrides: [{namespaceSelector: {}, policies: {host-port: {action: Warn}}}]"
    settings = step(rules(text), "host-port").settings(None)
    assert [one.action for one in settings] == [Action.WARN]


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("", Action.OFF),
        ("mesh: {kind: linkerd}", Action.MUTATE),
        ("profile: strict\nmesh: {kind: linkerd}", Action.MUTATE),
        ("profile: audit\nmesh: {kind: linkerd}", Action.OFF),
        ("mesh: {kind: linkerd}\npolicies: {mesh-injection: {action: 'Off'}}", Action.OFF),
        ("profile: audit\npolicies: {ndots: {action: Mutate}}", Action.OFF),
    ],
)
def test_namespaces_join_a_mesh_only_where_one_is_configured(text: str, action: Action) -> None:
    assert setting(text, "mesh-injection").action is action


@pytest.mark.parametrize("word", ["Off", '"Off"', "off"])
def test_off_needs_no_quotes(word: str) -> None:
    """Without them it is a boolean to YAML 1.1, and what was meant is plain."""
    text = f"policies: {{host-port: {{action: {word}}}}}"
    assert setting(text, "host-port").action is Action.OFF


def test_custom_workloads_are_judged() -> None:
    text = "workloads: [{group: a.io, resource: rollouts, kind: Rollout, path: spec.template}]"
    assert [one.kind for one in rules(text).workloads] == ["Rollout"]
