"""A real `netreeve control` process, which can be stopped, killed, frozen and asked."""

import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.controlplane.process import Process, Spawner, free_port
from tests.controlplane.wait import wait_for

USER = "system:serviceaccount:netreeve:netreeve-control"
AGENT = "netreeve-control"
GRACE = 20.0
ANSWER_SECONDS = 5


class Control:
    """One controller for an API server; not running at first."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        stack: ExitStack,
        *,
        config: Path | None = None,
        lease: str = "netreeve/netreeve-control",
    ) -> None:
        self.health = free_port()
        self.log = folder / f"control-{self.health}.log"
        configured = ("--config", str(config)) if config else ()
        self._process = Process(
            "netreeve control",
            (
                sys.executable, "-m", "webhook", "control",
                "--health-listen", f"127.0.0.1:{self.health}",
                "--kubeconfig", str(kubeconfig),
                "--lease", lease,
                *configured,
            ),
            self.log,
        )  # fmt: skip
        self._spawner = Spawner()
        stack.callback(self._spawner.close)
        stack.callback(self.stop)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process.running

    def start(self) -> None:
        """Start it and wait until it knows the cluster; another one may lead."""
        self._process.start(self._spawner)
        wait_for(self._ready, 60, f"the controller to be ready (see {self.log})")

    def stop(self) -> None:
        """An orderly end; safe to repeat."""
        self._process.stop(GRACE)

    def kill(self) -> None:
        """An end without a goodbye: the Lease is not released."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.stop(GRACE)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block the process gets no time; connections stay open."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within the block there is no process; afterwards another one."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @property
    def peak(self) -> int:
        """The most memory that it has used so far, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)
        assert found
        return int(found[1]) * 1024

    def leads(self) -> bool:
        return self.metrics().get("netreeve_controller_leading") == 1.0

    def metrics(self) -> dict[str, float]:
        """By name with labels, as Prometheus reads them; empty while it does not answer."""
        text = self.scrape()
        lines = (line.rpartition(" ") for line in text.splitlines() if line[:1] not in "# ")
        return {name: float(value) for name, _, value in lines}

    def scrape(self) -> str:
        """The text of /metrics; empty while it does not answer."""
        return self._get("/metrics") or ""

    def _ready(self) -> bool:
        self._process.check()
        return self._get("/readyz") is not None

    def _get(self, path: str) -> str | None:
        url = f"http://127.0.0.1:{self.health}{path}"
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
                body: bytes = answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None
        return body.decode()
