"""Random objects, configurations, exemptions and times.

What is drawn is a Scene; nothing is judged here but to know what an exemption could be about.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any, Literal, NamedTuple

from hypothesis import assume
from hypothesis import strategies as st

from policies import catalogue
from policies.model import NOTHING_KNOWN, Action, ClusterFacts
from policies.network_policies.managed import MANAGED_BY
from policies.resources import BUILT_IN, Resource
from policies.workloads import CustomWorkload
from tests import cases_format
from tests.audit.ways import Around, Json, audited
from tests.exemptions.world import KEY, KUBE, NOW, OLD_KEY
from tests.test_properties import SHAPES, is_readable, spoilt
from webhook.admission.ruleset import Ruleset
from webhook.audit.judge import namespace_labels
from webhook.audit.kinds import find as kind_of
from webhook.audit.kinds import kinds
from webhook.config import load, ruleset
from webhook.exemptions.claim import DAY, EXEMPT, REASON, TICKET, UNTIL
from webhook.exemptions.stamp import Keys

ROLLOUT = CustomWorkload("argoproj.io", "rollouts", "Rollout", "spec.template")
KINDS = kinds([ROLLOUT])
BY_ID = {one.id: one for one in catalogue()}
JUDGING = sorted(one.id for one in catalogue() if one.validate)
EARLY = frozenset(one.id for one in catalogue() if one.early)
ANNA, MAKER = "anna", f"{KUBE}replicaset-controller"
KEYS = Keys(KEY, previous=OLD_KEY)

State = Literal["none", "granted", "previous", "foreign", "elsewhere", "another", "altered", "bare"]
"""How an exemption stands. granted, previous: stamped, by the current key or the one before.
foreign: by another cluster's key. elsewhere, another: for another namespace, or workload. altered:
names other policies than were granted. bare: without a stamp."""
STATES: st.SearchStrategy[State] = st.sampled_from(
    ["granted", "foreign", "granted", "elsewhere", "granted", "another", "previous", "altered",
     "bare", "previous", "none"]
)  # fmt: skip
COUNTING = frozenset[State](["granted", "previous"])


class Claimed(NamedTuple):
    """An exemption: its annotations, and how it stands."""

    annotations: dict[str, str]
    state: State


class Scene(NamedTuple):
    """What is judged, at `now`. resource, obj: without its exemption; made: by a controller, for a
    template that has it.

    around: its namespace, None for one that nobody knows, and what is exempt in all of it.
    may: whether who writes may exempt, where no exemption is claimed.
    """

    config: str
    resource: Resource
    obj: Json
    claimed: Claimed
    made: bool
    namespace: Json | None
    lifted: Claimed
    policies: tuple[Json, ...]
    facts: ClusterFacts
    now: float
    may: bool


# --- what is drawn

ACTIONS = st.sampled_from(["Deny", "Deny", "Warn", "Audit", "Off"])
SELECTORS = st.sampled_from(
    [{"matchLabels": {"env": "dev"}}, {"matchLabels": {"kubernetes.io/metadata.name": "prod"}},
     {"matchExpressions": [{"key": "netreeve.io/baseline", "operator": "Exists"}]}, {}]
)  # fmt: skip


@st.composite
def configs(draw: st.DrawFn, violated: list[str]) -> str:
    """Settings are mostly of policies that the object violates."""
    ids = st.sampled_from([*violated * 2, *JUDGING])
    settings = st.dictionaries(ids, ACTIONS.map(lambda action: {"action": action}), max_size=4)
    override = st.fixed_dictionaries({"namespaceSelector": SELECTORS, "policies": settings})
    exemptable = st.sampled_from(
        [one for one in [*violated * 4, *JUDGING] if BY_ID[one].exemptable]
    )
    granted = st.fixed_dictionaries(
        {
            "policies": st.lists(exemptable, min_size=1, max_size=2, unique=True),
            "namespaces": st.sampled_from([["prod"], ["dev", "shop"]]),
            "reason": st.just("It was there first."),
            "until": st.sampled_from(["never", "2026-11-30"]),
        }
    )
    nothing: Json = {}
    ends = st.sampled_from([nothing, nothing, {"openEnded": True}, {"maxDays": 30}])
    exemptions = {
        "allowStar": draw(st.sampled_from([True, True, False])),
        "ticketRequired": draw(st.sampled_from([False, False, True])),
        "granted": draw(st.lists(granted, max_size=1)),
        **draw(ends),
    }
    more = st.fixed_dictionaries(
        {},
        optional={
            "policies": settings,
            "overrides": st.lists(override, min_size=1, max_size=2),
            "mesh": st.just({"kind": "linkerd"}),
            "baseline": st.just({"enabled": False}),
            "excludedNamespaces": st.just(["legacy"]),
        },
    )
    profile = draw(st.sampled_from(["strict", "strict", "standard", "strict", "audit"]))
    return json.dumps({"profile": profile, "exemptions": exemptions, **draw(more)})


SPACES = st.sampled_from(["dev"] * 4 + ["prod", "shop", "legacy", "kube-system"])
LABELS = st.sampled_from([{}, {"env": "dev"}, {"env": "dev"}])
DATES = st.sampled_from(["2026-12-05"] * 6 + ["2027-06-30"] * 4 + ["2026-11-22", None, "soon"])


def _usable(case: cases_format.Case) -> bool:
    """Of objects that anybody may write as they are, in a kind of the configuration here."""
    meta = case.spec.object and case.spec.object.get("metadata")
    return (
        isinstance(meta, dict)
        and case.operation == "CREATE"
        and MANAGED_BY not in (meta.get("labels") or {})
        and kind_of(KINDS, case.subject["apiVersion"], case.subject["kind"]) is not None
        and is_readable(case.resource, case.spec.object)
    )


CASES = [one for one in cases_format.cases() if _usable(one)]
WRONG = [one for one in CASES if one.expected in (Action.DENY, Action.WARN)]
AMONG_OTHERS = [one for one in WRONG if one.spec.otherPolicies or one.spec.cluster]


def _any_of(cases: list[cases_format.Case]) -> st.SearchStrategy[cases_format.Case]:
    """No policy more often than the others."""
    by_policy: dict[str, list[cases_format.Case]] = {}
    for one in cases:
        by_policy.setdefault(one.policy.id, []).append(one)
    return st.sampled_from(sorted(by_policy)).flatmap(lambda one: st.sampled_from(by_policy[one]))


class Drawn(NamedTuple):
    """An object, with the NetworkPolicies beside it and what is known of nodes."""

    resource: Resource
    obj: Json
    policies: tuple[Json, ...] = ()
    facts: ClusterFacts = NOTHING_KNOWN


def _bounded(value: Any) -> Any:
    """With numbers as the API server takes them."""
    if isinstance(value, dict):
        return {key: _bounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_bounded(one) for one in value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return max(-(2**31), min(value, 2**31 - 1)) if is_number else value


@st.composite
def objects(draw: st.DrawFn) -> Drawn:
    """A case of a policy, or a random shape that the API server would take."""
    how = draw(st.sampled_from(["case"] * 6 + ["shape", "spoilt"]))
    if how == "shape":
        any_kind = draw(st.sampled_from(BUILT_IN))
        obj = _bounded(draw(SHAPES[any_kind]))
        assume(isinstance(obj, dict) and is_readable(any_kind, obj))
        version = f"{any_kind.group}/v1".lstrip("/")
        return Drawn(any_kind, {**obj, "apiVersion": version, "kind": any_kind.kind})
    case = draw(st.one_of(*map(_any_of, (WRONG, WRONG, CASES, AMONG_OTHERS))))
    obj, resource = copy.deepcopy(case.subject), case.resource
    spec = obj.get("spec", {})
    if not isinstance(spec, dict) or not isinstance(template := spec.get("template"), dict):
        facts = case.spec.cluster or NOTHING_KNOWN
        beside = copy.deepcopy(case.spec.otherPolicies)
        return Drawn(resource, obj, beside, draw(st.sampled_from([facts, NOTHING_KNOWN])))
    if how == "spoilt":  # of a custom kind the API server may know no schema, and takes anything
        spec = spoilt(spec, draw(st.integers(1, 20)), draw(st.sampled_from([3, [], "x", None])))
        rollout = {**obj, "apiVersion": "argoproj.io/v1", "kind": "Rollout", "spec": spec}
        return Drawn(KINDS["argoproj.io", "Rollout"], rollout)
    if draw(st.booleans()):
        return Drawn(KINDS["", "Pod"], {**template, "apiVersion": "v1", "kind": "Pod"})
    return Drawn(resource, obj)


@st.composite
def claims(draw: st.DrawFn, policies: list[str]) -> Claimed:
    """An exemption from some of the policies, and others."""
    state = draw(STATES)
    if state == "none":
        return Claimed({}, state)
    ids = st.sampled_from([*policies * 5, "host-network", "node-port", "baseline-guard", "*"])
    named = draw(st.lists(ids, min_size=1, max_size=2))
    texts: dict[str, str | None] = {
        EXEMPT: ",".join(named),
        REASON: draw(st.sampled_from(["It counts the packets."] * 9 + [None])),
        UNTIL: draw(DATES),
        TICKET: draw(st.sampled_from(["OPS-1", "OPS-1", "OPS-1", None])),
    }
    return Claimed({name: text for name, text in texts.items() if text is not None}, state)


def _named(obj: Json, name: str, namespace: str) -> Json:
    meta = obj.get("metadata")
    kept = {key: one for key, one in (meta or {}).items() if key in ("labels", "annotations")}
    annotations = {
        key: text for key, text in (kept.pop("annotations", None) or {}).items()
        if not key.startswith(EXEMPT)
    }  # fmt: skip
    where = {"namespace": namespace} if namespace else {}
    return {**obj, "metadata": {**kept, "annotations": annotations, "name": name, **where}}


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    resource, obj, beside, facts = draw(objects())
    space = draw(SPACES)
    is_space = resource.resource == "namespaces"
    obj = _named(obj, space if is_space else "web", "" if is_space else space)
    if is_space:
        obj["metadata"]["labels"] = namespace_labels(obj)
    assume(is_readable(resource, obj) or resource.kind == "Rollout")
    violated = _violated(resource, obj, facts)
    known = not is_space and draw(st.sampled_from([True, True, False]))
    meta = {"name": space, "labels": draw(LABELS)}
    return Scene(
        config=draw(configs(violated)),
        resource=resource,
        obj=obj,
        claimed=draw(claims(violated)),
        made=resource.resource == "pods" and draw(st.booleans()),
        namespace={"apiVersion": "v1", "kind": "Namespace", "metadata": meta} if known else None,
        lifted=draw(claims(violated)) if known else Claimed({}, "none"),
        policies=tuple(_named(one, f"other-{at}", space) for at, one in enumerate(beside)),
        facts=facts,
        now=NOW + draw(st.sampled_from([3.0, 20.0, 3.0, 200.0, 0.0, 10.0, 400.0])) * DAY,
        may=draw(st.booleans()),
    )


@cache
def rules_of(config: str) -> Ruleset:
    head = {"apiVersion": "netreeve.io/v1alpha1", "kind": "GateConfig"}
    workload = {
        "group": "argoproj.io",
        "resource": "rollouts",
        "kind": "Rollout",
        "path": "spec.template",
    }
    return ruleset(load(json.dumps({**head, "workloads": [workload], **json.loads(config)})))


def _violated(resource: Resource, obj: Json, facts: ClusterFacts) -> list[str]:
    """The policies that an exemption of this object could be about."""
    around = Around(facts=facts)
    found = audited(rules_of('{"profile": "strict"}'), around, KEYS, NOW, resource, obj)
    known = (one.policy for one in found if one.policy in BY_ID and BY_ID[one.policy].exemptable)
    return sorted(set(known)) or ["host-network"]
