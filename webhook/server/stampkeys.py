"""The keys of exemption stamps, from a mounted Secret, and their exchange while the server runs.

Content is compared, not times: a mounted Secret changes by swapping a symbolic link. What cannot
be used takes nothing away: the keys in force stay until there are better ones.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import NoReturn

from webhook.exemptions.stamp import KeyRing, Keys

CURRENT, PREVIOUS = "current", "previous"
"""File names in the directory; the second is there during a rotation only."""
POLL_SECONDS = 2.0

log = logging.getLogger(__name__)


class StampKeys:
    """Fills a ring from a directory. missing: why there are no keys yet, "" when there are."""

    def __init__(self, directory: Path, ring: KeyRing) -> None:
        self._directory = directory
        self._ring = ring
        self._complaint = ""

    @property
    def missing(self) -> str:
        return "" if self._ring.keys else self._complaint or "not read yet"

    def poll(self) -> None:
        """Take changed keys into use if they are good; else keep those in use and say so once."""
        try:
            found = _read(self._directory)
        except (OSError, ValueError) as error:
            complaint = f"{self._directory}: {getattr(error, 'strerror', None) or error}"
            if complaint != self._complaint:
                self._complaint = complaint
                kept = "the keys in use are kept" if self._ring.keys else "no stamp keys yet"
                log.error("%s: %s", kept, complaint)
            return
        self._complaint = ""
        if found != self._ring.keys:
            self._ring.keys = found
            more = "" if found.previous is None else "; stamps by the previous one count too"
            log.info("a new key for stamps of exemptions is in use%s", more)

    async def watch(self, seconds: float = POLL_SECONDS) -> NoReturn:
        """Poll for ever."""
        while True:
            self.poll()
            await asyncio.sleep(seconds)


def _read(directory: Path) -> Keys:
    """Raises OSError, ValueError."""
    current, previous = directory / CURRENT, directory / PREVIOUS
    return Keys(current.read_bytes(), (previous.exists() and previous.read_bytes()) or None)
