"""The configuration in force: a gate for it, and the new one whenever the file changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from webhook.admission.cluster import Cluster
from webhook.admission.exempt import NO_KEYS
from webhook.admission.gate import Gate
from webhook.admission.lanes import lanes
from webhook.admission.ruleset import Ruleset
from webhook.config import ConfigError, GateConfig
from webhook.config.reload import ConfigFile
from webhook.exemptions.stamp import KeyRing
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.recorder import Recorder

POLL_SECONDS = 2.0

log = logging.getLogger(__name__)


def make_gate(
    ruleset: Ruleset, cluster: Cluster | None, recorder: Recorder, keys: KeyRing = NO_KEYS
) -> Gate:
    """A gate, whose resources may from now on appear as labels of metrics."""
    recorder.knows((group, resource) for _, group, resource in lanes(ruleset))
    return Gate(ruleset, cluster, keys=keys)


class ConfigWatch:
    """Hands over every new good content of the file; a bad one is logged once and ignored.

    take: called with the configuration that is in force from now on.
    """

    def __init__(
        self,
        file: ConfigFile,
        take: Callable[[GateConfig], None],
        recorder: Recorder,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._file = file
        self._take = take
        self._recorder = recorder
        self._now = now
        self._told: Exception | None = None

    def poll(self) -> None:
        config = self._file.poll()
        error = self._file.error
        if config is not None:
            self._take(config)
            self._recorder.config_loaded(ok=True, at=self._now())
            log.info("the configuration %s has changed and is in force", self._file.path)
        elif error is not None and error is not self._told:
            self._recorder.config_loaded(ok=False, at=self._now())
            for line in _lines(error):  # a log line of its own each, because those are cut
                log.error("the configuration in force is kept: %s", line)
        self._told = error

    def observe(self, metrics: Metrics) -> None:
        """netreeve_config_failing."""
        metrics.gauge(
            "netreeve.config.failing",
            "",
            "1 while the file cannot be used and an older content is in force",
            lambda: float(self._file.error is not None),
        )

    async def watch(self, seconds: float = POLL_SECONDS) -> NoReturn:
        """Poll for ever."""
        while True:
            await asyncio.sleep(seconds)
            self.poll()


def _lines(error: ConfigError | OSError) -> list[str]:
    if isinstance(error, OSError):
        return [f"{error.filename}: {error.strerror}"]
    return str(error).splitlines()
