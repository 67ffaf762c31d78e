"""The health port: plain HTTP for the kubelet and Prometheus, apart from the reviews.

Trouble with TLS or too many reviews must not make the kubelet restart us.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

Check = Callable[[], bool]
Obstacle = Callable[[], str]


class Readiness:
    """What must hold for this replica to get requests: conditions by the words that name them.

    No condition may depend on the API server answering right now: when it does not, every
    replica would leave the Service at once.
    """

    def __init__(self) -> None:
        self._conditions: dict[str, Check] = {}
        self._obstacles: dict[str, Obstacle] = {}

    def require(self, condition: str, holds: Check) -> None:
        self._conditions[condition] = holds

    def require_none(self, condition: str, obstacle: Obstacle) -> None:
        """obstacle: says what stands in the way of the condition, "" for nothing."""
        self._obstacles[condition] = obstacle

    def missing(self) -> list[str]:
        """The conditions that do not hold, with the reason where it changes."""
        missing = [condition for condition, holds in self._conditions.items() if not holds()]
        named = ((condition, obstacle()) for condition, obstacle in self._obstacles.items())
        return missing + [f"{condition}: {reason}" for condition, reason in named if reason]


def health(readiness: Readiness, scrape: Callable[[], tuple[bytes, str]]) -> Starlette:
    """GET /livez, /readyz and /metrics. scrape: -> (body, content type)."""

    async def livez(request: Request) -> Response:
        """That the event loop comes to answer is all that it can say."""
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        missing = readiness.missing()
        if missing:
            return PlainTextResponse("".join(f"not {one}\n" for one in missing), 503)
        return PlainTextResponse("ok\n")

    async def metrics(request: Request) -> Response:
        body, content_type = scrape()
        return Response(body, headers={"content-type": content_type})

    return Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    )
