"""Reviews that wait for the answer to a question about rights."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection

from policies.model import Right, User
from policies.network_policies.managed import BASELINE
from tests.server.clients import review
from webhook.admission.ratchet import Answers


class Unhurried:
    """Whom to ask for rights; answers when told to."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = asyncio.Event()

    async def allowed(self, user: User, rights: Collection[Right]) -> Answers:
        self.asked.set()
        await self.answer.wait()
        return {}


ASKING = review(
    {"metadata": {"name": "shop"}},
    oldObject={"metadata": {"name": "shop", "labels": {BASELINE: "default"}}},
    operation="UPDATE",
    resource={"group": "", "version": "v1", "resource": "namespaces"},
    kind={"group": "", "version": "v1", "kind": "Namespace"},
    namespace="shop",
)
