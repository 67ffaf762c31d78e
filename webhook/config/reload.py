"""A configuration file that may change while the gate runs; the last good one is kept.

Compares content and not times: a mounted ConfigMap changes by swapping a symbolic link.
"""

from __future__ import annotations

from pathlib import Path

from webhook.admission.plan import Ruleset
from webhook.config.load import ConfigError, load, ruleset
from webhook.config.schema import GateConfig


class ConfigFile:
    """The file at ``path``, read whenever `poll` is called; the caller decides how often.

    error: why the file as it is now cannot be used, None while it can. Until it is corrected
        the ruleset that `poll` returned last stays the one to use.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.error: ConfigError | OSError | None = None
        self._seen: bytes | None = None

    def read(self) -> Ruleset:
        """The ruleset in the file now. Raises ConfigError or OSError: for the start."""
        return ruleset(self.read_config())

    def read_config(self) -> GateConfig:
        """As `read`, for those that need more than the gate does."""
        content = self.path.read_bytes()
        found = load(content, str(self.path))
        self._seen, self.error = content, None
        return found

    def poll(self) -> Ruleset | None:
        """The ruleset of a file that has changed; None if it has not or cannot be used.

        ``error`` tells the two apart: it is a new object for each content that cannot be used.
        """
        found = self.poll_config()
        return None if found is None else ruleset(found)

    def poll_config(self) -> GateConfig | None:
        """As `poll`, for those that need more than the gate does."""
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
