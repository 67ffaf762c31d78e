"""How long things take at most, and what others do with a Lease."""

import json
import time
from collections.abc import Callable
from typing import Any

from kubernetes.client import CoordinationV1Api

from tests.cluster.election.candidates import NAMESPACE, TIMING, Candidate
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

SOON = 2.5
"""Until something that is free is taken, on a busy machine; shorter than a Lease lasts."""
LATEST = TIMING.lease + SOON
EARLIER = "2026-01-01T00:00:00.000000Z"

Make = Callable[..., Candidate]


def spec(leases: CoordinationV1Api, name: str) -> dict[str, Any]:
    """What the API server has of it, as JSON says it."""
    found = leases.read_namespaced_lease(name, NAMESPACE)
    result: dict[str, Any] = leases.api_client.sanitize_for_serialization(found)["spec"]
    return result


def hold(plane: ControlPlane, name: str, renewed: str = EARLIER, duration: int = 3) -> None:
    """Take or renew it as somebody who is no candidate of ours."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "holderIdentity": "stranger",
            "leaseDurationSeconds": duration,
            "renewTime": renewed,
            "leaseTransitions": 7,
        },
    }
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(body))


def exists(leases: CoordinationV1Api, name: str) -> bool:
    field = f"metadata.name={name}"
    return bool(leases.list_namespaced_lease(NAMESPACE, field_selector=field).items)


def never(act: Callable[[], bool], seconds: float, what: str) -> None:
    """Call `act` for so long; fails when it is ever true."""
    end = time.monotonic() + seconds

    def over() -> bool:
        assert not act(), what
        return time.monotonic() > end

    wait_for(over, seconds + 5, "the end")
