"""Which names in what a container is told count as Services and hosts, and which do not."""

from __future__ import annotations

import time

import pytest

from webhook.audit.baseline.mentions import Mention, mentions

SERVICES = {("shop", "db"), ("shop", "backend"), ("infra", "redis"), ("default", "kubernetes")}
DB, BACKEND, REDIS = ("shop", "db"), ("shop", "backend"), ("infra", "redis")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", [Mention("db", 0, DB)]),
        ("--host=db", [Mention("db", 0, DB)]),
        ("db:5432", [Mention("db", 5432, DB)]),
        ("--db=db:5432", [Mention("db", 5432, DB)]),
        ("http://backend", [Mention("backend", 80, BACKEND)]),
        ("http://backend:8080/v1?x=y", [Mention("backend", 8080, BACKEND)]),
        ("postgres://user:pass@db:5432/shop", [Mention("db", 5432, DB)]),
        ("postgres://user:pass@db/shop", [Mention("db", 0, DB)]),
        ("redis.infra", [Mention("redis.infra", 0, REDIS)]),
        ("redis.infra.svc:6379", [Mention("redis.infra.svc", 6379, REDIS)]),
        ("redis.infra.svc.cluster.local", [Mention("redis.infra.svc.cluster.local", 0, REDIS)]),
        ("db:5432,backend:8080", [Mention("db", 5432, DB), Mention("backend", 8080, BACKEND)]),
        ("https://api.example.com/v1", [Mention("api.example.com", 443, None)]),
        ("http://10.1.2.3:9000", [Mention("10.1.2.3", 9000, None)]),
        ("amqp://mq.example.com:5672", [Mention("mq.example.com", 5672, None)]),
    ],
)
def test_what_counts(text: str, expected: list[Mention]) -> None:
    assert list(mentions(text, "shop", SERVICES)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the db of the backend",
        "dbx",
        "my-db",
        "db-1",
        "redis",
        "redis.infra.example.com",
        "redis.other",
        "kubernetes",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://unknown:8080",
        "ldap://ldap.example.com",
        "example.com",
        "registry.example.com/app:1.2",
        "10.0.0.1:9090",
    ],
)
def test_what_does_not(text: str) -> None:
    assert list(mentions(text, "shop", SERVICES)) == []


@pytest.mark.parametrize("text", ["a" * 2000, "a." * 1000, "a://" * 500, "http://" + "a:" * 1000])
def test_hostile_text_takes_no_time(text: str) -> None:
    started = time.process_time()
    list(mentions(text, "shop", SERVICES))
    assert time.process_time() - started < 1
