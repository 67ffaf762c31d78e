"""Rights to exempt, and what comes of asking for them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from policies.model import Right, User
from webhook.cluster.access import Access
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig

HERE = Right("baseline", "team-a")
ELSEWHERE = Right("baseline", "team-b")
ANOTHER = Right("host-network", "team-a")
EVERYWHERE = Right("baseline")
ALL = (HERE, ELSEWHERE, ANOTHER, EVERYWHERE)
ALICE = User("alice")

T = TypeVar("T")


def with_access(
    kubeconfig: Path, act: Callable[[Access], Awaitable[T]], agent: str = "asker", **options: Any
) -> T:
    """What comes of an act in a process that may ask."""

    async def main() -> T:
        async with Connection(Kubeconfig(str(kubeconfig)), user_agent=agent) as connection:
            return await act(Access(connection, **options))

    return asyncio.run(main())
