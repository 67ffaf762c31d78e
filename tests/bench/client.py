"""Asks a webhook single reviews over a verified TLS connection, and checks the answers.

The load generators only count answers; what is in them is checked here: before,
during and after a run.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.pods import Json
from tests.bench.scenarios import Expectation, Scenario, with_uid

TIMEOUT_SECONDS = 10.0
SAMPLE_SECONDS = 0.5
"""Each check interrupts the server on its core, all connections wait: ten a second of a server with
7,000 requests a second would be what its p99 shows."""


class VerdictError(Exception):
    """A server answered something else than it must."""


class Client:
    """One keep-alive connection to one server. Not for two threads at once."""

    def __init__(self, address: str, ca: Path) -> None:
        split = urlsplit(address)
        context = ssl.create_default_context(cafile=str(ca))
        assert split.hostname is not None
        self._connection = http.client.HTTPSConnection(
            split.hostname, split.port, timeout=TIMEOUT_SECONDS, context=context
        )

    def check(self, scenario: Scenario, expect: Expectation) -> None:
        """Send the review under a uid of its own. Raises VerdictError, with the answer."""
        uid, path = str(uuid.uuid4()), scenario.path
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", path, with_uid(scenario.body, uid), headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise VerdictError(f"{path}: HTTP {answer.status}: {content[:200]!r}")
        response: Json = json.loads(content)["response"]
        if response["uid"] != uid or not expect(response):
            raise VerdictError(f"{path}: not the expected answer to uid {uid}: {content!r}")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def checked(address: str, ca: Path, scenario: Scenario, expect: Expectation) -> Iterator[None]:
    """Check the answers before, twice a second during, and after what is done inside.

    Raises VerdictError at the end where one of them was wrong.
    """
    errors: list[Exception] = []
    done = threading.Event()

    def sample() -> None:
        try:
            while not done.wait(SAMPLE_SECONDS):
                client.check(scenario, expect)
            client.check(scenario, expect)
        except Exception as error:  # raised again in the thread that waits for it
            errors.append(error)

    with closing(Client(address, ca)) as client:
        client.check(scenario, expect)
        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            yield
        finally:
            done.set()
            sampler.join()
    if errors:
        raise errors[0]
