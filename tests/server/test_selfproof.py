"""A server that proves itself: what it takes, and what it survives."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certs.issue import authority, leaf
from tests.server.clients import Client
from tests.server.running import Running, now, running
from webhook.admission import proof
from webhook.probe import BusyError, NotProvenError, Peer, prove, served
from webhook.server.limits import Limits
from webhook.server.selfproof import MOST_FAILURES, SelfProof

DAY = dt.timedelta(days=1)
NAME = "localhost"


def peer(server: Running, name: str = NAME) -> Peer:
    return Peer(*server.reviews, name)


def bundle(server: Running) -> bytes:
    return server.ca.read_bytes()


def test_what_is_known_to_be_bad_is_denied(server: Running) -> None:
    asyncio.run(prove(peer(server), bundle(server)))


def test_the_proof_is_no_review_of_anybody(server: Running) -> None:
    """It leaves no trace in metrics and log: they are asked for all the time."""
    before = server.metrics.render()[0].count(b"proof")
    asyncio.run(prove(peer(server), bundle(server)))
    assert server.metrics.render()[0].count(b"proof") == before
    assert not [line for line in server.log() if line.get("request.resource") == proof.RESOURCE]


def test_it_is_denied_in_words(client: Client) -> None:
    answer = client.ask("/validate", proof.REVIEW).review
    assert answer["allowed"] is False
    assert "- proof: good: must be true" in answer["status"]["message"]


def test_the_certificate_that_is_served_is_seen(server: Running) -> None:
    seen = asyncio.run(served(peer(server, "any.name")))
    assert seen.split() == (server.directory / "tls.crt").read_bytes().split()


def test_another_bundle_proves_nothing(server: Running) -> None:
    other = authority("other", now=now(), life=DAY).certificate
    with pytest.raises(NotProvenError, match="certificate is not trusted"):
        asyncio.run(prove(peer(server), other))
    asyncio.run(prove(peer(server), other + bundle(server)))


def test_another_name_proves_nothing(server: Running) -> None:
    with pytest.raises(NotProvenError, match=r"netreeve-serve\.netreeve\.svc"):
        asyncio.run(prove(peer(server, "netreeve-serve.netreeve.svc"), bundle(server)))


@pytest.mark.parametrize("garbage", [b"", b"no PEM", b"\xff", b"-----BEGIN CERTIFICATE-----\nAA"])
def test_a_bundle_that_is_none_proves_nothing(server: Running, garbage: bytes) -> None:
    with pytest.raises(NotProvenError, match="CA bundle cannot be used"):
        asyncio.run(prove(peer(server), garbage))


def test_an_overloaded_server_is_no_wrong_one(directory: Path) -> None:
    with running(directory, limits=Limits(in_flight=0)) as server, pytest.raises(BusyError):
        asyncio.run(prove(peer(server), bundle(server)))


@contextmanager
def proving(server: Running) -> Iterator[SelfProof]:
    yield SelfProof(peer(server), server.directory, lambda: server.certificates.missing)


def attempts(one: SelfProof, count: int = 1) -> str:
    async def attempt_all() -> None:
        for _ in range(count):
            await one.attempt()

    asyncio.run(attempt_all())
    return one.obstacle


def test_a_good_server_is_ready_after_the_first_proof(server: Running) -> None:
    with proving(server) as one:
        assert one.obstacle == "not yet"
        assert attempts(one) == ""


def test_a_moment_without_an_answer_is_survived_and_more_is_not(directory: Path) -> None:
    with running(directory) as server, proving(server) as one:
        attempts(one)
        trusted = server.ca.read_bytes()
        server.ca.write_bytes(authority("other", now=now(), life=DAY).certificate)
        assert attempts(one, MOST_FAILURES - 1) == ""
        assert "not trusted" in attempts(one)
        server.ca.write_bytes(trusted)
        assert attempts(one) == ""


def test_without_a_bundle_it_says_what_is_missing(directory: Path) -> None:
    with running(directory) as server, proving(server) as one:
        server.ca.unlink()
        assert "ca.crt: No such file" in attempts(one)


def test_a_server_that_expires_is_not_ready_any_more(directory: Path) -> None:
    with running(directory) as server, proving(server) as one:
        attempts(one)
        ca = authority("CA", now=now() - 3 * DAY, life=10 * DAY)
        soon = leaf(ca, [NAME], now=now() - DAY, life=DAY + dt.timedelta(seconds=1.5))
        server.ca.write_bytes(ca.certificate)
        (server.directory / "tls.crt").write_bytes(soon.certificate)
        (server.directory / "tls.key").write_bytes(soon.key)
        server.certificates.poll()

        async def until_expired() -> None:
            async with asyncio.timeout(10):
                while not one.obstacle:
                    await one.attempt()

        asyncio.run(until_expired())
        assert "certificate has expired" in one.obstacle
