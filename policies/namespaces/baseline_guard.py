"""baseline-guard: what protects a namespace changes by configuration only.

Fields: spec, owners and Netreeve's labels of the NetworkPolicies that the controller wrote, on
CREATE, UPDATE and DELETE; metadata.name of anybody's new NetworkPolicy in a namespace
under a baseline, where the controller writes one of that name, and the spec of one that stands for
the controller's;
metadata.labels[netreeve.io/baseline] of a Namespace; metadata.name of a new one that baseline-label
would leave without. Allowed: everything by the controller; the deletion by the namespace
controller, so that a namespace can end; a configured baseline for a namespace that has none; and
with the right to exempt from ``baseline``, another label or none, a name that gets none, and the
deletion of policies that may be left over: of a namespace that has changed its baseline or left it,
of a baseline that is not configured any more, and all that is neither the default-deny nor DNS.
(What is still wanted of those, the controller writes again at once.)
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.baseline import meshes, presets
from policies.baseline.config import DEFAULT, BaselineConfig
from policies.model import (
    CREATE,
    DELETE,
    UPDATE,
    Action,
    Baseline,
    Policy,
    Request,
    Right,
    Rule,
    Violation,
)
from policies.namespaces.baseline_label import gets_none
from policies.namespaces.meshes import name_so_far
from policies.network_policies.managed import (
    ALLOW_DNS,
    BASELINE,
    DEFAULT_DENY,
    MANAGED_BY,
    OUR_LABELS,
    denies_everything,
    is_managed,
)
from policies.network_policies.views import NetworkPolicy
from policies.objects import Labels, Namespace, Object, ObjectMeta, OwnerReference
from policies.services.requesters import home

NAMESPACE_CONTROLLERS = frozenset({
    "system:serviceaccount:kube-system:namespace-controller",
    # without --use-service-account-credentials, for all that it does
    "system:kube-controller-manager",
})  # fmt: skip
NAMESPACE_LABEL = f"metadata.labels[{BASELINE}]"
HOW_TO_CHANGE = (
    "change the configuration of the baseline, or add a NetworkPolicy of your own beside it, "
    "under another name"
)

LEFT_OVER = (
    "where the baseline does not have it any more, ask someone who may exempt "
    "policies.netreeve.io/baseline for netreeve baseline remove"
)
ESSENTIAL = (ALLOW_DNS, DEFAULT_DENY)


def validate(
    subject: Namespace | NetworkPolicy, request: Request, config: BaselineConfig
) -> Iterator[Violation]:
    if request.user.username in config.controllers:
        return
    if isinstance(subject, Namespace):
        yield from _namespace(subject, request, config)
    elif request.operation == DELETE:
        yield from _deletion(subject, request, config)
    elif request.operation == UPDATE:
        yield from _change(subject, request, config)
    elif is_managed(subject):
        yield _forged()
    else:
        yield from _own(subject, request, config)


def _own(policy: NetworkPolicy, request: Request, config: BaselineConfig) -> Iterator[Violation]:
    """A user's own that the controller would find in its place, and wait.

    Not one that denies everything by the name of ours: it stands for ours (docs/adr/0003).
    """
    name = (policy.metadata and policy.metadata.name) or ""
    baseline = (request.namespaceLabels or {}).get(BASELINE)
    if not config.enabled or baseline is None or name not in _names(baseline, config):
        return
    if name == DEFAULT_DENY and denies_everything(policy.spec):
        return
    yield Violation(
        "metadata.name",
        f"must not be {name}: the name belongs to the namespace's baseline",
        "use another name: what a NetworkPolicy of your own allows is added to the baseline",
    )


def _names(name: str, config: BaselineConfig) -> frozenset[str]:
    """Of what the controller writes under this baseline; a namespace may join a mesh any time."""
    baseline = config.baseline(name)
    if baseline is None:
        return frozenset(ESSENTIAL)
    return meshes.NAMES.union(ESSENTIAL, presets.names(baseline.allow), baseline.policies)


def _deletion(
    policy: NetworkPolicy, request: Request, config: BaselineConfig
) -> Iterator[Violation]:
    if not is_managed(policy) or request.user.username in NAMESPACE_CONTROLLERS:
        return
    left_over = _may_be_left_over(policy, request, config)
    yield Violation(
        "metadata.name",
        "must not be deleted: it is part of the namespace's baseline",
        LEFT_OVER if left_over else HOW_TO_CHANGE,
        unless=Right("baseline", request.namespace) if left_over else None,
    )


def _may_be_left_over(policy: NetworkPolicy, request: Request, config: BaselineConfig) -> bool:
    if (policy.metadata and policy.metadata.name) not in ESSENTIAL:
        return True
    baseline = _labels(policy).get(BASELINE, "")
    left = request.namespaceLabels is not None and request.namespaceLabels.get(BASELINE) != baseline
    return left or config.baseline(baseline) is None


def _change(policy: NetworkPolicy, request: Request, config: BaselineConfig) -> Iterator[Violation]:
    old = request.old
    if not isinstance(old, NetworkPolicy) or not is_managed(old):
        if is_managed(policy):
            yield _forged()
        elif isinstance(old, NetworkPolicy) and _stands_in(old, request, config):
            yield from _stand_in(policy)
        return
    if policy.spec != old.spec:
        yield Violation("spec", "must not be changed: the baseline manages it", HOW_TO_CHANGE)
    if _owners(policy) and _owners(policy) != _owners(old):
        yield Violation(
            "metadata.ownerReferences",
            "must not be set: the policy would be deleted with its owner",
            "remove them: what protects a namespace ends with the namespace",
        )
    for label in OUR_LABELS:
        if _labels(policy).get(label) != _labels(old).get(label):
            yield Violation(
                f"metadata.labels[{label}]",
                "must not be changed: the baseline is found by it",
                HOW_TO_CHANGE,
            )


def _stands_in(policy: NetworkPolicy, request: Request, config: BaselineConfig) -> bool:
    """Whether it is a user's own that pods were let run behind, in place of the baseline's."""
    named = (policy.metadata and policy.metadata.name) == DEFAULT_DENY
    under = BASELINE in (request.namespaceLabels or {})
    return config.enabled and named and under and denies_everything(policy.spec)


def _stand_in(policy: NetworkPolicy) -> Iterator[Violation]:
    if not denies_everything(policy.spec):
        yield Violation(
            "spec",
            "must go on to deny everything: it stands for the baseline's",
            "delete it, and the baseline's takes its place; allow more in one of another name",
        )


def _forged() -> Violation:
    return Violation(
        f"metadata.labels[{MANAGED_BY}]",
        "must not be netreeve: only the controller writes policies of a baseline",
        "remove the label; set netreeve.io/baseline on the namespace to get a baseline",
    )


def _namespace(
    namespace: Namespace, request: Request, config: BaselineConfig
) -> Iterator[Violation]:
    was = _labels(request.old).get(BASELINE) if request.old is not None else None
    is_now = _labels(namespace).get(BASELINE)
    if not config.enabled:
        return
    if is_now is None and request.operation == CREATE:
        yield from _without(namespace, request, config)
    elif is_now == was:
        return
    elif is_now is not None and config.baseline(is_now) is None:
        known = ", ".join(sorted({DEFAULT, *config.baselines}))
        yield Violation(NAMESPACE_LABEL, f"must be one of {known}", "correct it, or leave it out")
    elif was is not None:
        yield Violation(
            NAMESPACE_LABEL,
            f"must stay {was}: pods of the namespace would lose their baseline",
            "ask someone who may exempt policies.netreeve.io/baseline",
            unless=Right("baseline"),
        )


def _without(namespace: Namespace, request: Request, config: BaselineConfig) -> Iterator[Violation]:
    """A new namespace whose name alone keeps it out of every baseline.

    Not what is stored already: somebody created it. Nor where there is no cluster, and so nobody
    who could have the right: the manifest of a mesh's own namespace is as good as any.
    """
    user, name = request.user, name_so_far(namespace.metadata or ObjectMeta())
    if request.baseline in (None, Baseline.INACTIVE) or not gets_none(name, config):
        return
    if not user.username or gets_none(home(user), config):
        return
    yield Violation(
        "metadata.name",
        f"must not be {name}: a namespace of this name gets no baseline",
        f"use another name, set the label {BASELINE}, or ask someone who may exempt "
        "policies.netreeve.io/baseline",
        unless=Right("baseline"),
    )


def _owners(policy: NetworkPolicy) -> list[OwnerReference]:
    return (policy.metadata and policy.metadata.ownerReferences) or []


def _labels(obj: Object) -> Labels:
    return (obj.metadata and obj.metadata.labels) or {}


POLICY = Policy(
    id="baseline-guard",
    title="A namespace keeps its baseline",
    why=(
        "A baseline protects only while nobody deletes or edits it, by mistake or to get a "
        "connection through. A NetworkPolicy of one's own adds to what is allowed and needs no "
        "change to the baseline. Namespaces of the system, of meshes and of CNI plugins get none "
        "by their names, so creating another of such a name takes the same right as taking the "
        "label off. A namespace that is being deleted is never held up."
    ),
    fix=(
        "Add a NetworkPolicy of your own beside the baseline; change what all namespaces get in "
        "the configuration; or let someone who may exempt policies.netreeve.io/baseline relabel "
        "the namespace, or create one of a name that gets none."
    ),
    rules=(
        Rule("networking.k8s.io", "networkpolicies", frozenset({CREATE, UPDATE, DELETE})),
        Rule("", "namespaces", frozenset({CREATE, UPDATE})),
    ),
    standard=Action.DENY,
    strict=Action.DENY,
    params=BaselineConfig,
    compares=True,
    exemptable=False,
    validate=validate,
)
