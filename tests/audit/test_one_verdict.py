"""One verdict: admission, the audits of what is stored, and the command line say the same.

For random objects, configurations, exemptions and times. What is the same exactly, the tests say.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import UNSET

from policies.model import NOTHING_KNOWN, Action
from policies.resources import Resource
from tests.audit.granting import granted_as, made_of, place_of
from tests.audit.scenes import ANNA, EARLY, KEYS, KINDS, MAKER, Scene, rules_of, scenes
from tests.audit.ways import Admission, Admitted, Around, Json, audited, checked
from tests.exemptions.world import NOW
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import EXEMPTION, Finding
from webhook.audit.findings import Result
from webhook.audit.judge import namespace_labels
from webhook.exemptions.claim import EXEMPT, STAMP
from webhook.exemptions.standing import Trust

pytestmark = pytest.mark.slow
EXAMPLES = 5000 if os.environ.get("NETREEVE_SCALE") == "full" else 600


class Played(NamedTuple):
    """A scene in a cluster. obj: as it is written; granted, lifted: whether its exemption is, and
    that of its namespace; None for none. namespace: as it is written."""

    rules: Ruleset
    around: Around
    obj: Json
    granted: bool | None
    lifted: bool | None
    namespace: Json | None
    admitted: Admitted


def play(scene: Scene) -> Played:
    """The scene, as far as the API server's admission of its object."""
    rules = rules_of(scene.config)
    namespaces = KINDS["", "Namespace"]
    written, lifted = scene.namespace, False
    there: tuple[Json, ...] = ()
    if written is not None:
        written, lifted = granted_as(rules, namespaces, written, scene.lifted)
        labelled = copy.deepcopy(written)
        labelled["metadata"]["labels"] = namespace_labels(labelled)
        left = Admission(rules, Around(), KEYS, NOW, may=False).create(namespaces, labelled, ANNA)
        labels = left.object["metadata"]["labels"]
        there = ({**written, "metadata": {**written["metadata"], "labels": labels}},)
    around = Around(there, scene.policies, scene.facts)
    if scene.made:
        obj, granted = made_of(rules, scene.obj, scene.claimed)
    else:
        obj, granted = granted_as(rules, scene.resource, scene.obj, scene.claimed)
    claims = scene.claimed.state != "none"
    may = granted if claims else scene.may
    admission = Admission(rules, around, KEYS, scene.now, may=may)
    admitted = admission.create(scene.resource, obj, MAKER if scene.made else ANNA)
    return Played(
        rules=rules,
        around=around,
        obj=obj,
        granted=granted if claims else None,
        lifted=lifted if scene.lifted.state != "none" else None,
        namespace=written,
        admitted=admitted,
    )


# --- what is compared


class Said(NamedTuple):
    """One finding. exempt: whether an exemption counts for it."""

    policy: str
    action: Action
    field: str
    message: str
    exempt: bool


def said(findings: Iterable[Finding]) -> set[Said]:
    return {
        Said(one.policy, one.action, one.violation.field, one.violation.message,
             one.exempt is not None and one.exempt.granted)
        for one in findings
    }  # fmt: skip


def written(result: Result) -> set[Said]:
    return {
        Said(one.policy, one.action, one.field, one.message,
             one.exempt is not UNSET and one.exempt.granted)
        for one in result.findings
    }  # fmt: skip


def without_refusals(found: set[Said]) -> set[Said]:
    return {one for one in found if one.policy != EXEMPTION}


def denials(found: set[Said]) -> set[Said]:
    return {one for one in found if one.action is Action.DENY}


def stored(resource: Resource, played: Played) -> Json:
    """What an audit finds: the object that was written, as policies have changed it, with the
    stamp that it came with."""
    found = copy.deepcopy(played.admitted.object)
    came, left = place_of(resource, copy.deepcopy(played.obj)), place_of(resource, found)
    if came is not None and left is not None and EXEMPT in (left.get("annotations") or {}):
        left["annotations"].pop(STAMP, None)
        if STAMP in came["annotations"]:
            left["annotations"][STAMP] = came["annotations"][STAMP]
    return found


@given(scenes())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
def test_three_ways_to_one_verdict(scene: Scene) -> None:
    """What is the same, and for whom, says each of the two comparisons."""
    played = play(scene)
    audit_says_what_admission_says(scene, played)
    told = {played.granted, played.lifted} - {None}
    if scene.facts is NOTHING_KNOWN and len(told) < 2:
        check_says_what_admission_says(scene, played, trusting=True in told)


def audit_says_what_admission_says(scene: Scene, played: Played) -> None:
    """The audit of what is stored, live and in the background, finds what the validating webhook
    would find if the object were created now by whoever granted its exemption, who still may: the
    same policies, actions, fields and words, and the same exemption with its grantor and its end.
    Where it was not granted, for this object and by a key of this cluster, the writer may not.

    Left out are refusals of the exemption as such, a denial of whoever writes it now: an audit
    says only what it does not lift. What only the mutating webhook sees (a node port was chosen,
    not allocated) is denied before anything is stored.
    """
    obj = stored(scene.resource, played)
    found = audited(played.rules, played.around, KEYS, scene.now, scene.resource, obj)
    late = [one for one in played.admitted.late.findings if one.policy != EXEMPTION]
    assert without_refusals(said(found)) == said(late)
    assert {one.exempt for one in found} == {one.exempt for one in late}


def check_says_what_admission_says(scene: Scene, played: Played, *, trusting: bool) -> None:
    """With --trust-exemptions: what somebody gets who may exempt, in a namespace whose exemption
    is granted; without it, what somebody gets who may not, in one whose exemption is not.

    Namespace and NetworkPolicies around the object are among the manifests, or known to nobody;
    nothing is known of nodes. Where the first webhook denies, a client learns of its denials only:
    they are the denials of the command line. Otherwise all findings are the same, but for mere
    warnings of policies that judge in the first pass as well: what was chosen there and what is
    allocated have different words. Refusals of an exemption are compared where the command line
    takes it for granted.
    """
    around = (*([played.namespace] if played.namespace else []), *scene.policies)
    trust = Trust.ACCEPT if trusting else Trust.SHOW
    result = checked(played.rules, [*around, played.obj], "default", scene.now, trust)
    early, late = said(played.admitted.early.findings), said(played.admitted.late.findings)
    here = written(result)
    if not (trusting and played.granted) or scene.made:
        early, late, here = map(without_refusals, (early, late, here))
    if played.admitted.early.allowed:
        assert without_mere_warnings(here) == without_mere_warnings(late)
    else:
        assert denials(here) == early


def without_mere_warnings(found: set[Said]) -> set[Said]:
    return {one for one in found if one.action is Action.DENY or one.policy not in EARLY}
