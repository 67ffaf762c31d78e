"""What was asked of the API server, as its own audit log tells it."""

from datetime import datetime
from typing import NamedTuple

from tests.controlplane.cluster import ControlPlane


class Asked(NamedTuple):
    """One request; `code` is None while it is being answered."""

    at: datetime
    verb: str
    uri: str
    code: int | None


def asked(plane: ControlPlane, agent: str, start: int = 0) -> list[Asked]:
    """Every request of this user agent since byte `start` of the log, in order."""
    events = {
        event["auditID"]: event
        for event in plane.audit_events(start)
        if event.get("userAgent") == agent
    }
    return sorted(
        Asked(
            datetime.fromisoformat(event["requestReceivedTimestamp"]),
            event["verb"],
            event["requestURI"],
            event.get("responseStatus", {}).get("code"),
        )
        for event in events.values()
    )


def verbs(requests: list[Asked]) -> dict[str, int]:
    """How often each verb occurs."""
    found = [request.verb for request in requests]
    return {verb: found.count(verb) for verb in sorted(set(found))}
