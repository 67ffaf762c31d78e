"""Many costly reviews at once, each below every limit, beside one of everybody else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import pytest

from tests.admission.test_costly_objects import COSTLY
from tests.controlplane.wait import wait_for
from tests.server.clients import TIMEOUT, Client, review
from tests.server.running import Running, running
from webhook.server.limits import Limits

POLICIES = {"group": "networking.k8s.io", "version": "v1", "resource": "networkpolicies"}
KIND = {"group": "networking.k8s.io", "version": "v1", "kind": "NetworkPolicy"}
SLOW = COSTLY["blocks of DNS"][1]()
COSTS = review(SLOW, oldObject=SLOW, operation="UPDATE", resource=POLICIES, kind=KIND)
"""A tenth of a second, as NetworkPolicies of a tenant can be."""
PEERS = 12


@pytest.mark.slow
def test_others_are_answered_between_costly_ones(directory: Path) -> None:
    answered: list[str] = []
    ended = threading.Event()

    def ask(server: Running, what: str, body: bytes) -> None:
        client = Client(server.reviews, server.ca)
        try:
            assert client.ask("/validate", body).status == 200
            answered.append(what)
        finally:
            client.close()

    def ask_on(server: Running) -> None:
        client = Client(server.reviews, server.ca)
        try:
            while not ended.is_set():
                assert client.ask("/validate", review()).status == 200
                answered.append("small")
        finally:
            client.close()

    limits = Limits(patience=10 * TIMEOUT)
    with running(directory, limits=limits) as server, ThreadPoolExecutor(PEERS + 1) as pool:
        others = pool.submit(ask_on, server)
        wait_for(lambda: answered, TIMEOUT, "the first answer")
        try:
            for one in [pool.submit(ask, server, "costly", COSTS) for _ in range(PEERS)]:
                one.result()
        finally:
            ended.set()
        others.result()
    assert answered.count("costly") == PEERS
    assert max(len([*run]) for what, run in groupby(answered) if what == "costly") == 1


def test_one_that_waits_too_long_is_sent_elsewhere(directory: Path) -> None:
    with (
        running(directory, limits=Limits(patience=0.0)) as server,
        ThreadPoolExecutor(PEERS) as pool,
    ):
        clients = [Client(server.reviews, server.ca) for _ in range(PEERS)]
        answers = list(pool.map(lambda one: one.ask("/validate", COSTS), clients))
        for one in clients:
            one.close()
    statuses = {one.status for one in answers}
    assert statuses == {200, 503}
    assert all(one.headers["retry-after"] == "1" for one in answers if one.status == 503)
