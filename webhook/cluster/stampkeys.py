"""The keys of exemption stamps as the Secret has them, for those who read it by the API.

Needs get on that one Secret. The server does not read it so: it is mounted there.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from webhook.cluster.apply import path
from webhook.cluster.connection import Connection
from webhook.cluster.errors import NotFoundError, ProtocolError, RefusedError
from webhook.exemptions.stamp import Keys

STAMP_SECRET = "netreeve-stamp"  # noqa: S105 - a name
"""Its name, in the namespace of the gate."""


class _Data(msgspec.Struct):
    current: str = ""
    previous: str = ""


class _Secret(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


async def stamp_keys(connection: Connection, namespace: str, name: str) -> Keys | None:
    """None where the Secret is not there, has no keys, or may not be read. Raises ClusterError."""
    where = path("v1", "secrets", namespace, name)
    try:
        body = await connection.read(where)
        data = msgspec.json.decode(body, type=_Secret).data
        current, previous = (base64.b64decode(one) for one in (data.current, data.previous))
        return Keys(current, previous or None)
    except NotFoundError:
        return None
    except RefusedError as error:
        if error.status != 403:
            raise
        return None
    except (msgspec.DecodeError, binascii.Error) as error:
        raise ProtocolError(f"{where}: not what an API server answers: {error}") from error
    except ValueError:  # keys that are too short count for nothing
        return None
