"""What time it is at the API server, by the Date of its answers (RFC 9110 6.6.1, whole seconds)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webhook.cluster.connection import Connection
from webhook.cluster.errors import ProtocolError

PATH = "/version"


async def clock(connection: Connection) -> tuple[float, datetime]:
    """Seconds that this machine is ahead of it, and its time. Raises ClusterError."""
    before = datetime.now(UTC)
    headers = await connection.headers(PATH)
    here = before + (datetime.now(UTC) - before) / 2
    try:
        there = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError as error:
        raise ProtocolError(f"{PATH}: an answer without a date") from error
    return (here - there).total_seconds(), there
