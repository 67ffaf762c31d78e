"""The keys of exemption stamps as the Secret has them, for those who read it by the API.

Needs get on that one Secret. The server does not read it so: it is mounted there.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

import msgspec

from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import ProtocolError
from webhook.cluster.lists import Lists
from webhook.exemptions.stamp import Keys

STAMP_SECRET = "netreeve-stamp"  # noqa: S105 - a name
"""Its name, in the namespace of the gate."""


class _Data(msgspec.Struct):
    current: str = ""
    previous: str = ""


class _Secret(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


class Found(NamedTuple):
    """missing: why there are no keys, in a clause; "" where there are."""

    keys: Keys | None
    missing: str = ""


async def stamp_keys(connection: Connection, namespace: str, name: str) -> Found:
    """Raises ClusterError, but not for a Secret that is not there or may not be read."""
    where = path("v1", "secrets", namespace, name)
    lists = Lists(connection)
    secret = await lists.one(where, _Secret)
    if secret is None:
        there_is_none = f"there is no Secret {namespace}/{name}"
        return Found(None, lists.unread[0].message if lists.unread else there_is_none)
    try:
        current, previous = map(base64.b64decode, (secret.data.current, secret.data.previous))
        return Found(Keys(current, previous or None))
    except binascii.Error as error:
        raise ProtocolError(f"{where}: not what an API server answers: {error}") from error
    except ValueError:  # keys that are too short count for nothing
        return Found(None, f"the Secret {namespace}/{name} has no keys")
