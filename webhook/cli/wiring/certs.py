"""Reads what an installation stores of its certificates, and asks for a rotation."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from webhook.cluster.apply import Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig
from webhook.cluster.errors import ClusterError, NotFoundError, ProtocolError
from webhook.controller.certificates.configurations import Stored
from webhook.controller.certificates.secrets import (
    CA,
    ROTATE,
    STAMP,
    TLS,
    Held,
    StoredSecret,
    held,
    is_managed,
)
from webhook.controller.certificates.standing import Standing, Webhooks, standing
from webhook.controller.certificates.wanted import API_VERSION, RESOURCES
from webhook.doctor.names import CONFIGURATION
from webhook.jsontext import indented

USER_AGENT = "netreeve-certs"
SHORT = 12
"""Digits of a fingerprint that are enough to tell one from another."""
_SECRETS = {"certificate": TLS, "CA": CA, "stamp key": STAMP}


class Asked(NamedTuple):
    """namespace: of the installation. kubeconfig: None for the service account of the pod."""

    namespace: str
    kubeconfig: str | None
    context: str


async def show(asked: Asked, output: str) -> int:
    """The exit code. Raises ClusterError."""
    async with _connected(asked) as connection:
        secrets = {
            name: found
            for name in (CA, TLS, STAMP)
            if (found := await _secret(connection, asked, name))
        }
        live = {one: await _webhooks(connection, one) for one in RESOURCES.values()}
    if not secrets:
        raise ClusterError(_absent(asked, TLS))
    stands = standing(secrets, live, datetime.now(UTC))
    if output == "json":
        sys.stdout.write(indented(stands))
    else:
        _print(stands)
    return 1 if stands.problems else 0


async def rotate(asked: Asked, what: str) -> int:
    """The exit code. Raises ClusterError."""
    name = _SECRETS[what]
    async with _connected(asked) as connection:
        if await _secret(connection, asked, name) is None:
            raise ClusterError(_absent(asked, name))
        if what != "stamp key" and not is_managed(await _secret(connection, asked, CA)):
            raise ClusterError(
                f"the certificates in {asked.namespace} are not Netreeve's: replace them where "
                "they come from (--cert-source of netreeve control)"
            )
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        where = path("v1", "secrets", asked.namespace, name)
        await Writer(connection, manager="netreeve").merge_patch(
            where, {"metadata": {"annotations": {ROTATE: stamp}}}
        )
    print(f"A new {what} is asked for; netreeve certs show -n {asked.namespace} says how far it is")
    return 0


def _absent(asked: Asked, name: str) -> str:
    return (
        f"there is no Secret {asked.namespace}/{name}, which netreeve control makes: does one run "
        "there? If Netreeve is installed in another namespace, name it with --namespace"
    )


@asynccontextmanager
async def _connected(asked: Asked) -> AsyncIterator[Connection]:
    source = Kubeconfig(asked.kubeconfig, asked.context) if asked.kubeconfig else InCluster()
    async with Connection(source, user_agent=USER_AGENT) as connection:
        yield connection


async def _secret(connection: Connection, asked: Asked, name: str) -> Held | None:
    try:
        answer = await connection.read(path("v1", "secrets", asked.namespace, name))
        return held(msgspec.json.decode(answer, type=StoredSecret))
    except NotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the Secret {name} cannot be read: {error}") from error


async def _webhooks(connection: Connection, resource: str) -> Webhooks | None:
    try:
        answer = await connection.read(path(API_VERSION, resource, name=CONFIGURATION))
        return msgspec.json.decode(answer, type=Stored).webhooks or []
    except NotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{resource} cannot be read: {error}") from error


def _print(found: Standing) -> None:
    _table(
        ("CERTIFICATE", "FINGERPRINT", "RENEWAL", "EXPIRES", "STATE"),
        *(
            (one.what, one.fingerprint[:SHORT], one.renews, one.expires, one.state)
            for one in found.certificates
        ),
    )
    print()
    _table(
        ("CONFIGURATION", "STATE", "CARRIES"),
        *(
            (one.resource, one.state, ", ".join(carried[:SHORT] for carried in one.carries))
            for one in found.configurations
        ),
    )
    print(f"\nStamp keys that are accepted: {found.stampKeys}")
    for text in found.rotating:
        print(f"Rotation: {text}")
    for text in found.problems:
        print(f"Problem: {text}", file=sys.stderr)


def _table(*rows: Sequence[str]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
