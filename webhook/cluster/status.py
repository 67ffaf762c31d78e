"""How the API server says no: a Status (meta/v1), as an answer or within a watch.

Turns it into our errors; knows nothing of connections.
"""

from __future__ import annotations

import msgspec

from webhook.cluster.errors import ConflictError, ExpiredError, NotFoundError, RefusedError

_KINDS = {404: NotFoundError, 409: ConflictError, 410: ExpiredError}


class Cause(msgspec.Struct):
    reason: str = ""


class Details(msgspec.Struct):
    causes: list[Cause] | None = None


class ListMeta(msgspec.Struct):
    following: str = msgspec.field(default="", name="continue")


class Status(msgspec.Struct):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None

    @property
    def reasons(self) -> frozenset[str]:
        """Its own reason and those of its causes."""
        causes = (self.details and self.details.causes) or ()
        return frozenset({self.reason, *(cause.reason for cause in causes)} - {""})


def read_status(body: bytes) -> Status:
    """An empty one for a body that is none, as load balancers and proxies send."""
    try:
        return msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Status()


def refused(
    text: str,
    status: int,
    retry_after: float = 0.0,
    reasons: frozenset[str] = frozenset(),
    following: str = "",
) -> RefusedError:
    """The error for an HTTP status, or for the code of a Status in a watch."""
    return _KINDS.get(status, RefusedError)(text, status, retry_after, reasons, following)
