"""What the benchmark sends and what must be answered to it.

Owns the scenarios and their verdicts. Knows neither servers nor load generators.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import payloads
from tests.bench.payloads import UID
from tests.bench.pods import Json

Expectation = Callable[[Json], bool]
"""Whether the ``response`` of an AdmissionReview is the right one."""


@dataclass(frozen=True)
class Scenario:
    """One kind of request.

    path: /validate or /mutate. body: the AdmissionReview for the uid UID.
    expect: Netreeve's verdict; the handlers it is compared with allow everything.
    """

    name: str
    title: str
    path: str
    body: bytes
    expect: Expectation


def scenarios() -> dict[str, Scenario]:
    """Every kind of request that is measured, by name."""
    pod, service = payloads.pod_create(), payloads.service_create()
    update = payloads.deployment_update()
    found = (
        Scenario("pod", "Pod CREATE, allowed", "/validate", pod, allowed),
        Scenario("service", "NodePort Service CREATE, denied", "/validate", service, _denied),
        Scenario("deployment", "Deployment UPDATE, allowed", "/validate", update, allowed),
        Scenario("ndots", "Pod CREATE, ndots added", "/mutate", pod, _ndots_added),
    )
    return {scenario.name: scenario for scenario in found}


def with_uid(body: bytes, uid: str) -> bytes:
    """The same review for another uid, of the same length."""
    assert len(uid) == len(UID)
    return body.replace(UID.encode(), uid.encode(), 1)


def allowed(response: Json) -> bool:
    """Allowed without a word."""
    return response.keys() == {"uid", "allowed"} and response["allowed"] is True


def _denied(response: Json) -> bool:
    status = response.get("status", {})
    return (
        response["allowed"] is False
        and status.get("code") == 403
        and "- node-port: spec.type:" in status["message"]
    )


def _ndots_added(response: Json) -> bool:
    option = {"name": "ndots", "value": "2"}
    wanted = [{"op": "add", "path": "/spec/dnsConfig", "value": {"options": [option]}}]
    return (
        response["allowed"] is True
        and response.get("patchType") == "JSONPatch"
        and json.loads(base64.b64decode(response["patch"])) == wanted
    )
