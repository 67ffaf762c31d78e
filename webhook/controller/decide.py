"""What is to be done about one namespace: from what is wanted and what was observed. Pure.

Never asks for a deletion: a policy that a baseline no longer has is reported and left in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from policies.baseline.objects import (
    DENY_SPEC,
    Environment,
    Generated,
    Namespace,
    Observed,
    Plan,
    is_as_wanted,
    is_covered,
    plan,
)
from policies.network_policies.managed import BASELINE, DEFAULT_DENY
from webhook.controller.views import is_ours
from webhook.controller.written import NEVER, NOTHING, Covered, State, Status, Written

COVERED = Status("covered", "Covered", "the NetworkPolicies of the baseline are in place")
PENDING = Status("pending", "Pending", "the NetworkPolicies of the baseline are being written")


class Decision(NamedTuple):
    """What is to be done about a namespace.

    missing: policies to be written, in this order. ours: names of the policies that are ours to
        change; those of them in ``missing`` exist, but not as they should be.
    recreated: names in ``ours`` under which somebody else has made a policy in the place of ours.
    release: whether the pods that wait may go.
    status: what the annotation is to say; None where there is no baseline.
    covered: what the annotation is to remember.
    left: names of policies of ours that no baseline asks for.
    baseline: the one that the label names; "" without a label.
    relabel: the baseline to put the namespace under again; nothing else is to be done then.
    """

    missing: tuple[Generated, ...] = ()
    ours: frozenset[str] = frozenset()
    recreated: frozenset[str] = frozenset()
    release: bool = False
    status: Status | None = None
    covered: Covered = NEVER
    left: tuple[str, ...] = ()
    baseline: str = ""
    relabel: str = ""


def decide(
    environment: Environment,
    namespace: Namespace,
    observed: Mapping[str, Observed],
    before: Written = NOTHING,
) -> Decision:
    """observed: all NetworkPolicies of the namespace, by name. before: its status as it is."""
    config, name = environment.config, namespace.labels.get(BASELINE)
    lost = before.lost_by(namespace)
    if lost and config.enabled and config.baseline(lost) is not None:
        return Decision(relabel=lost)
    ours = frozenset(one.name for one in observed.values() if is_ours(one, namespace))
    if name is None:
        return Decision(release=True, left=tuple(sorted(ours)))
    baseline = config.baseline(name)
    if config.enabled and baseline is not None:
        wanted = plan(environment, baseline, namespace)
        return _under_baseline(
            namespace, wanted, observed, ours=ours, before=before, pods=config.pods
        )
    covered = is_covered(namespace, observed.values())
    return Decision(
        release=not config.enabled or config.pods == "off" or covered,
        status=_retired(name, covered) if config.enabled else None,
        covered=before.covered,
        left=tuple(sorted(ours)) if config.enabled else (),
        baseline=name,
    )


def _under_baseline(
    namespace: Namespace,
    wanted: Plan,
    observed: Mapping[str, Observed],
    *,
    ours: frozenset[str],
    before: Written,
    pods: str,
) -> Decision:
    """Of a namespace whose baseline is configured. pods: the setting of the configuration."""
    name = namespace.labels[BASELINE]
    names = frozenset(one.name for one in wanted.generated)
    # Only past the gate can ours have been deleted; what has come in its place is not respected.
    recreated = (before.policies_of(namespace) & names & observed.keys()) - ours
    ours |= recreated
    taken = sorted(names & observed.keys() - ours)
    missing = tuple(
        one
        for one in wanted.generated
        if one.name not in taken and not _is_there(observed, one, namespace, name)
    )
    left = () if wanted.hold else tuple(sorted(ours - names))
    covered = is_covered(namespace, observed.values())
    status = _status(wanted, missing, taken, left, covered=covered)
    complete = status.state == "covered" and not wanted.hold and not missing
    denies = covered or _denies(observed, ours)
    return Decision(
        missing,
        ours,
        recreated,
        release=pods == "off" or (denies and not missing),
        status=status,
        covered=Covered(namespace.uid, name, tuple(sorted(names))) if complete else before.covered,
        left=left,
        baseline=name,
    )


def _is_there(
    observed: Mapping[str, Observed], wanted: Generated, namespace: Namespace, baseline: str
) -> bool:
    one = observed.get(wanted.name)
    return one is not None and is_as_wanted(one, wanted, namespace, baseline)


def _denies(observed: Mapping[str, Observed], ours: frozenset[str]) -> bool:
    """Whether a user's own policy of that name does what ours would do."""
    one = observed.get(DEFAULT_DENY)
    return one is not None and one.name not in ours and one.spec == DENY_SPEC


def _status(
    wanted: Plan,
    missing: tuple[Generated, ...],
    taken: list[str],
    left: tuple[str, ...],
    *,
    covered: bool,
) -> Status:
    problems = [(one.reason, one.message) for one in wanted.problems]
    if taken:
        text = f"somebody's own NetworkPolicy has the name of the baseline's: {', '.join(taken)}"
        problems.insert(0, ("NameTaken", f"{text}; rename it, or take the baseline off"))
    if left:
        text = f"not part of the baseline any more and left in place: {', '.join(left)}"
        problems.append(("LeftInPlace", f"{text}; {REMOVAL}"))
    state: State = "covered"
    if taken:
        state = "failing"
    elif missing or not covered:
        state = "pending"
    if not problems:
        return PENDING if missing else COVERED
    return Status(state, problems[0][0], "; ".join(text for _, text in problems))


def _retired(name: str, covered: bool) -> Status:
    text = f"no baseline is named {name!r} any more"
    rest = "; its NetworkPolicies are left in place" if covered else " and nothing was generated"
    return Status(
        "failing", "BaselineUnknown", f"{text}{rest}: set {BASELINE} to one that is, or {REMOVAL}"
    )


REMOVAL = "netreeve baseline remove deletes what is left over"
