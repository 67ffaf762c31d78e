"""From a GateConfig to the Ruleset of the gate: actions and parameters of every policy.

Order of precedence: defaults of the policy, its profile, ``policies``, the override.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from policies import catalogue
from policies.model import Action, Policy
from policies.resources import BUILT_IN
from policies.selectors import LabelSelector
from policies.workloads import CustomWorkload
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.config.convert import BROKEN, Converter, suggestion
from webhook.config.positions import key_path
from webhook.config.schema import ALWAYS_EXCLUDED, SECTIONS, GateConfig, PolicyConfig, Stage
from webhook.exemptions.claim import STAR

MESH_POLICY = "mesh-injection"
"""The policy that is off until the section ``mesh`` names one."""

AnyPolicy = Policy[Any, Any]
_UNCHANGED = PolicyConfig()


_JUDGES = Literal["Deny", "Warn", "Audit", "Off"]
_CHANGES = Literal["Mutate", "Off"]


def actions(policy: AnyPolicy) -> tuple[str, ...]:
    """The actions a policy can have: one that changes objects can only do so or not."""
    return get_args(_CHANGES if policy.mutate else _JUDGES)


def resolve(config: GateConfig, converter: Converter) -> Ruleset:
    """The Ruleset; what is wrong goes to ``converter.problems`` and makes the result useless."""
    known = {policy.id: policy for policy in catalogue()}
    _check_policies(config.policies, known, "policies", converter)
    for at, override in enumerate(config.overrides):
        _check_policies(override.policies, known, f"overrides[{at}].policies", converter)
    _check_workloads(config.workloads, converter)
    _check_exemptions(config, known, converter)
    return Ruleset(
        tuple(_step(policy, config, converter) for policy in known.values()),
        config.workloads,
        ALWAYS_EXCLUDED | set(config.excludedNamespaces),
        config.exemptions,
    )


def _step(policy: AnyPolicy, config: GateConfig, converter: Converter) -> Step:
    action = _action(policy, config)
    given = _implied(policy, config) | _of(config.policies, policy).params
    params = _params(policy, config, given, "policies", converter)
    setting = Setting(_staged(action, policy, config.stage), params)
    overrides: list[tuple[LabelSelector, Setting]] = []
    for at, override in enumerate(config.overrides):
        other = override.policies.get(policy.id)
        if other is not None and setting.params is not BROKEN:
            path = f"overrides[{at}].policies"
            changed = _params(policy, config, given | other.params, path, converter)
            own = action if other.action is None else _as_action(other.action)
            chosen = _staged(own, policy, config.stage)
            overrides.append((override.namespaceSelector, Setting(chosen, changed)))
    return Step(policy, setting, tuple(overrides))


def _params(
    policy: AnyPolicy, config: GateConfig, given: dict[str, Any], path: str, converter: Converter
) -> Any:
    path = f"{key_path(path, policy.id)}.params"
    if section := SECTIONS.get(policy.params):
        if given:
            converter.problem(path, f"must be given in the section `{section}`")
        return getattr(config, section) or policy.params()
    before = len(converter.problems)
    defaults = policy.strict_params if config.profile == "strict" else {}
    found = converter.convert({**defaults, **given}, policy.params, path)
    return found if len(converter.problems) == before else BROKEN


def _implied(policy: AnyPolicy, config: GateConfig) -> dict[str, Any]:
    """What the mesh says about other policies: its own init containers may have capabilities."""
    if policy.id == "net-capabilities" and config.mesh and config.mesh.kind:
        return {"meshes": [config.mesh.kind.partition("-")[0]]}
    return {}


def _action(policy: AnyPolicy, config: GateConfig) -> Action:
    chosen = _of(config.policies, policy)
    if chosen.action is not None:
        return _as_action(chosen.action)
    if policy.id == MESH_POLICY and not (config.mesh and config.mesh.kind):
        return Action.OFF  # there is no mesh to join
    return policy.action(config.profile)


_MOST: Mapping[Stage, Action] = {"audit": Action.AUDIT, "warn": Action.WARN}


def _staged(action: Action, policy: AnyPolicy, stage: Stage) -> Action:
    """What a stage leaves of an action: before ``enforce`` nothing is denied or changed."""
    most = _MOST.get(stage)
    if most is None:
        return action
    if policy.mutate:
        return Action.OFF
    return most if most.strength < action.strength else action


def _as_action(word: Any) -> Action:
    """What was written, or Off for a word that is none, which has a problem of its own."""
    return next((one for one in Action if one.value == word), Action.OFF)


def _of(policies: Mapping[str, PolicyConfig], policy: AnyPolicy) -> PolicyConfig:
    return policies.get(policy.id, _UNCHANGED)


def _check_policies(
    policies: Mapping[str, PolicyConfig],
    known: Mapping[str, AnyPolicy],
    path: str,
    converter: Converter,
) -> None:
    for name, chosen in policies.items():
        at = key_path(path, name)
        if name not in known:
            converter.problem(at, f"is no policy{suggestion(name, known)}")
        elif chosen.action is not None:
            what = _CHANGES if known[name].mutate else _JUDGES
            converter.leaf(chosen.action, what, f"{at}.action")


_BUILT_IN = frozenset((one.group, one.resource) for one in BUILT_IN)


def _check_workloads(workloads: tuple[CustomWorkload, ...], converter: Converter) -> None:
    seen: set[tuple[str, str]] = set()
    for at, workload in enumerate(workloads):
        key = (workload.group, workload.resource)
        if key in _BUILT_IN:
            converter.problem(f"workloads[{at}]", "is built in and must not be configured")
        elif key in seen:
            converter.problem(f"workloads[{at}]", "is configured twice")
        seen.add(key)


def _check_exemptions(
    config: GateConfig, known: Mapping[str, AnyPolicy], converter: Converter
) -> None:
    """What names policies and kinds that are configured elsewhere."""
    exemptable = {name for name, one in known.items() if one.validate and one.exemptable}
    for at, grant in enumerate(config.exemptions.granted):
        for index, policy in enumerate(grant.policies):
            path = f"exemptions.granted[{at}].policies[{index}]"
            if policy == STAR and not config.exemptions.allowStar:
                converter.problem(path, "must not be * without allowStar")
            elif policy in known and policy not in exemptable:
                converter.problem(path, "is a policy from which nothing is exempt")
            elif policy != STAR and policy not in known:
                converter.problem(path, f"is no policy{suggestion(policy, exemptable)}")
    stamped = {f"{one.kind}.{one.group}" for one in config.workloads}
    for at, controller in enumerate(config.exemptions.controllers):
        for index, kind in enumerate(controller.owners):
            if kind not in stamped:
                path = f"exemptions.controllers[{at}].owners[{index}]"
                converter.problem(path, "must be in the section workloads, to be judged itself")
