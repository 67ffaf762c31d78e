"""The configuration in force: a gate for it, and a new one when the file changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from webhook.admission.cluster import Cluster
from webhook.admission.exempt import NO_KEYS
from webhook.admission.gate import Gate
from webhook.admission.plan import Ruleset, lanes
from webhook.config import ConfigError
from webhook.config.reload import ConfigFile
from webhook.exemptions.stamp import KeyRing
from webhook.server.app import Webhook
from webhook.telemetry.recorder import Recorder

POLL_SECONDS = 2.0

_logger = logging.getLogger(__name__)


def make_gate(
    ruleset: Ruleset, cluster: Cluster | None, recorder: Recorder, keys: KeyRing = NO_KEYS
) -> Gate:
    """A gate, whose resources may from now on appear as labels."""
    recorder.knows((group, resource) for _, group, resource in lanes(ruleset))
    return Gate(ruleset, cluster, keys=keys)


class ConfigWatch:
    """Swaps the gate when the file has a new good content; a bad one is told once and ignored."""

    def __init__(
        self,
        file: ConfigFile,
        webhook: Webhook,
        recorder: Recorder,
        *,
        cluster: Cluster | None,
        now: Callable[[], datetime],
        keys: KeyRing = NO_KEYS,
    ) -> None:
        self._file = file
        self._webhook = webhook
        self._recorder = recorder
        self._cluster = cluster
        self._now = now
        self._keys = keys
        self._told: Exception | None = None

    def poll(self) -> None:
        ruleset = self._file.poll()
        error = self._file.error
        if ruleset is not None:
            gate = make_gate(ruleset, self._cluster, self._recorder, self._keys)
            self._webhook.set_gate(gate)
            self._recorder.config_loaded(ok=True, at=self._now())
            _logger.info("the configuration %s has changed and is in force", self._file.path)
        elif error is not None and error is not self._told:
            self._recorder.config_loaded(ok=False, at=self._now())
            for line in _lines(error):  # a log line of its own each, because those are cut
                _logger.error("the configuration in force is kept: %s", line)
        self._told = error

    @property
    def failing(self) -> bool:
        """The file cannot be used at present, and an older content is in force."""
        return self._file.error is not None

    async def watch(self, seconds: float = POLL_SECONDS) -> NoReturn:
        """Poll for ever."""
        while True:
            await asyncio.sleep(seconds)
            self.poll()


def _lines(error: ConfigError | OSError) -> list[str]:
    if isinstance(error, OSError):
        return [f"{error.filename}: {error.strerror}"]
    return str(error).splitlines()
