"""What is tried instead of read: what the authorizer would say, and what the gate does.

Nothing is changed by it: reviews are answers, and the known-bad object is created as a dry run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import RefusedError
from webhook.cluster.lists import Unread, decode
from webhook.doctor import rescue, views
from webhook.doctor.matching import Served, match
from webhook.doctor.requests import KNOWN_BAD, Request
from webhook.doctor.rights import Right
from webhook.doctor.seen import Hook, Proof

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
AT_ONCE = 16
DRY_RUN = {"dryRun": "All", "fieldManager": "netreeve-doctor"}


async def try_rights(
    connection: Connection, namespace: str, wanted: Iterable[Right]
) -> tuple[dict[Right, bool], tuple[Unread, ...]]:
    """Which of them the accounts of Netreeve have, in their order, and what may not be asked."""
    wanted = tuple(wanted)
    slots = asyncio.Semaphore(AT_ONCE)
    answers: dict[Right, bool] = {}
    refused: list[Unread] = []

    async def ask(right: Right) -> None:
        async with slots:
            try:
                answers[right] = await _has(connection, namespace, right)
            except RefusedError as error:
                refused.append(Unread(REVIEWS, str(error)))

    await asyncio.gather(*map(ask, wanted))
    return {right: answers[right] for right in wanted if right in answers}, tuple(refused)


async def _has(connection: Connection, namespace: str, right: Right) -> bool:
    user = rescue.account(namespace, right.account)
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb, "group": right.group, "resource": resource,
        "subresource": subresource, "namespace": right.namespace, "name": right.name,
    }  # fmt: skip
    spec = {"user": user.username, "groups": user.groups, "resourceAttributes": attributes}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = await connection.write("POST", REVIEWS, msgspec.json.encode(body))
    return decode(REVIEWS, answer, views.Review).status.allowed


async def try_bad(connection: Connection, hooks: Iterable[Hook], api: Served) -> Proof | None:
    """Send what is known to be bad where a webhook of ours is called for it."""
    namespace = _judged_namespace([one for one in hooks if one.ours], api)
    if namespace is None:
        return None
    where = path("apps/v1", "deployments", namespace)
    body = msgspec.json.encode(KNOWN_BAD)
    try:
        await connection.write("POST", where, body, params=DRY_RUN)
    except RefusedError as error:
        return Proof(namespace, error.status, str(error).partition(": ")[2])
    return Proof(namespace, 201)


def _judged_namespace(ours: list[Hook], api: Served) -> str | None:
    """Where the known-bad object is judged: default, or the first that is."""
    for namespace in sorted(api.namespaces, key=lambda one: (one != "default", one)):
        request = Request("CREATE", "apps", "v1", "deployments", "Deployment",
                          namespace=namespace, name="netreeve-doctor",
                          object=KNOWN_BAD)  # fmt: skip
        if any(match(one.webhook, request, api).state == "called" for one in ours):
            return namespace
    return None
