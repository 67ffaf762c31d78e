"""Loading a configuration: what it means, and every error in it at once."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

from policies.model import Action
from policies.namespaces.system import SYSTEM_NAMESPACES
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.config import ConfigError, GateConfig, Problem, load, ruleset
from webhook.config.schema import PolicyConfig

HEAD = "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\n"


def rules(text: str = "") -> Ruleset:
    return ruleset(load(HEAD + dedent(text)))


def step(found: Ruleset, policy: str) -> Step:
    return next(one for one in found.steps if one.policy.id == policy)


def setting(text: str, policy: str) -> Setting:
    return step(rules(text), policy).setting


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(text, "gate.yaml")
    return str(raised.value).splitlines()


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
