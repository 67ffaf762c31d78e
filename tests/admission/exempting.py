"""People, and what they have exempted, for the tests of exemptions through the gate."""

from __future__ import annotations

import copy
from typing import Any

from tests.exemptions.world import World, claim, workload
from webhook.exemptions.claim import EXEMPT, STAMP

ANNA, JANE = "anna", "jane"
"""Anna may exempt from host-network, host-port and node-port in dev; Jane may write objects."""


def annotations_on(obj: dict[str, Any]) -> dict[str, str]:
    """Of the pod template, or of the object where it has none."""
    spec = obj.get("spec", {})
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"]["spec"]
    found: dict[str, str] = spec.get("template", obj)["metadata"]["annotations"]
    return found


def stamp_of(obj: dict[str, Any]) -> str | None:
    return annotations_on(obj).get(STAMP)


def changed(obj: dict[str, Any], **annotations: str | None) -> dict[str, Any]:
    """With other annotations on the template; None removes one."""
    found = copy.deepcopy(obj)
    on = found["spec"]["template"]["metadata"]["annotations"]
    for name, text in annotations.items():
        key = EXEMPT if name == "exempt" else f"{EXEMPT}-{name}"
        on.pop(key, None)
        if text is not None:
            on[key] = text
    return found


def granted(world: World, *policies: str, **of: Any) -> dict[str, Any]:
    """A Deployment that Anna has exempted."""
    answer = world.send(ANNA, "deployments", workload(claim(*policies), **of))
    assert answer.allowed, answer.text
    return answer.object
