"""How an exemption of a scene comes about: where it is written, and by whom it was granted."""

from __future__ import annotations

import copy
import json

from policies.resources import Resource
from tests.audit.scenes import ANNA, BY_ID, COUNTING, JUDGING, KEYS, KINDS, Claimed
from tests.audit.ways import Admission, Around, Json
from tests.exemptions.world import NOW, OLD_KEY, OTHER_KEY
from tests.test_properties import is_readable
from webhook.admission.claiming import metadata_path
from webhook.admission.ruleset import Ruleset
from webhook.exemptions.claim import EXEMPT, STAMP
from webhook.exemptions.stamp import Keys

# --- exemptions as they come about


def place_of(resource: Resource, obj: Json) -> Json | None:
    """The metadata that the annotations of an exemption belong into."""
    if not is_readable(resource, obj):
        return None
    subjects = resource.subjects(resource.decode(json.dumps(obj).encode()))
    found = obj
    for step in metadata_path(subjects[0]).split(".") if subjects else ("metadata",):
        if not isinstance(found.get(step), dict):
            found[step] = {}
        found = found[step]
    return found


def _claiming(resource: Resource, obj: Json, annotations: dict[str, str]) -> Json:
    found = copy.deepcopy(obj)
    if annotations and (place := place_of(resource, found)) is not None:
        place["annotations"] = {**(place.get("annotations") or {}), **annotations}
    return found


def granted_as(
    rules: Ruleset, resource: Resource, obj: Json, claimed: Claimed
) -> tuple[Json, bool]:
    """The object with an exemption that stands as it is told, and whether that is granted.

    It was written by somebody who may, at NOW, so that the gate itself has stamped it; where the
    gate refuses, it is as good as bare.
    """
    asked = _claiming(resource, obj, claimed.annotations)
    if claimed.state in ("none", "bare"):
        return asked, False
    there = copy.deepcopy(asked)
    if claimed.state == "elsewhere" and resource.namespaced:
        there["metadata"]["namespace"] = "staging"
    elif claimed.state in ("elsewhere", "another"):
        there["metadata"]["name"] = "other"
    keys = {"foreign": Keys(OTHER_KEY), "previous": Keys(OLD_KEY)}.get(claimed.state, KEYS)
    stored = Admission(rules, Around(), keys, NOW, may=True).create(resource, there, ANNA).object
    place = place_of(resource, stored)
    stamp = ((place or {}).get("annotations") or {}).get(STAMP)
    if stamp is None:
        return asked, False
    annotations = {**claimed.annotations, STAMP: stamp}
    if claimed.state == "altered":
        annotations[EXEMPT] = _others_than(annotations[EXEMPT])
    return _claiming(resource, obj, annotations), claimed.state in COUNTING


def _others_than(named: str) -> str:
    """All the policies but one that are named already; of one that is alone, all the others."""
    every = [one for one in JUDGING if BY_ID[one].exemptable]
    return ",".join(every if named != ",".join(every) else every[1:])


def made_of(rules: Ruleset, pod: Json, claimed: Claimed) -> tuple[Json, bool]:
    """The pod as the controllers make it of a Deployment that has the exemption."""
    meta = pod["metadata"]
    template = {"metadata": {"annotations": meta["annotations"]}, "spec": pod.get("spec")}
    owner: Json = {
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template},
        "metadata": {"name": "web", "namespace": meta["namespace"]},
    }  # fmt: skip
    owner, granted = granted_as(rules, KINDS["apps", "Deployment"], owner, claimed)
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6",
                 "uid": "1", "controller": True}  # fmt: skip
    annotations = owner["spec"]["template"]["metadata"]["annotations"]
    name = "web-6d4cf56db6-x7k2p"
    return {
        **pod,
        "metadata": {
            **meta,
            "annotations": annotations,
            "name": name,
            "ownerReferences": [reference],
        },
    }, granted
