"""A configuration file that may change while the process runs; the last good one is kept.

Compares content and not times: a mounted ConfigMap changes by swapping a symbolic link.
"""

from __future__ import annotations

from pathlib import Path

from webhook.config.load import ConfigError, load
from webhook.config.schema import GateConfig


class ConfigFile:
    """The file at ``path``, read whenever `poll` is called; the caller decides how often.

    error: why the file as it is now cannot be used, None while it can. Until it is corrected
        the configuration that was returned last stays the one to use.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.error: ConfigError | OSError | None = None
        self._seen: bytes | None = None

    def read(self) -> GateConfig:
        """The configuration in the file now. Raises ConfigError or OSError: for the start."""
        content = self.path.read_bytes()
        found = load(content, str(self.path))
        self._seen, self.error = content, None
        return found

    def poll(self) -> GateConfig | None:
        """The configuration in a file that has changed; None if it has not or cannot be used.

        ``error`` tells the two apart: it is a new object for each content that cannot be used.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            if self._seen is not None or self.error is None:
                self._seen, self.error = None, error
            return None
        if content == self._seen:
            return None
        self._seen = content
        try:
            found = load(content, str(self.path))
        except ConfigError as error:
            self.error = error
            return None
        self.error = None
        return found
