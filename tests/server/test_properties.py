"""Whatever is made of a review on its way: a 4xx, or an AdmissionReview for the same uid."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

import jsonpatch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.clients import HOST_NETWORK_POD, UID, Answer, Client, connected, head, review
from tests.server.running import Running

SERVICE = {"group": "", "version": "v1", "resource": "services"}
DEPLOYMENT = {"group": "apps", "version": "v1", "resource": "deployments"}
SEEDS = (
    review(),
    review(HOST_NETWORK_POD, oldObject=HOST_NETWORK_POD, operation="UPDATE"),
    review({"spec": {"type": "NodePort", "ports": [{"port": 80}]}}, resource=SERVICE),
    review({"spec": {"template": HOST_NETWORK_POD}}, resource=DEPLOYMENT),
)
PATHS = st.sampled_from(("/validate", "/mutate"))
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@st.composite
def cut_up(draw: st.DrawFn) -> bytes:
    """A review with bytes changed, lost, repeated or inserted."""
    body = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        to = draw(st.integers(at, min(len(body), at + 20)))
        body[at:to] = draw(st.binary(max_size=4) | st.just(bytes(body[at:to]) * 2))
    return bytes(body)


@st.composite
def rearranged(draw: st.DrawFn) -> bytes:
    """A review with some of its values replaced by others."""
    whole = json.loads(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        node, places = whole, list(_places(whole))
        *parents, last = draw(st.sampled_from(places))
        for step in parents:
            node = node[step]
        node[last] = draw(values)
    return json.dumps(whole).encode()


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value below ``node``."""
    if path:
        yield path
    steps: Iterable[Any] = ()
    if isinstance(node, dict | list):
        steps = node if isinstance(node, dict) else range(len(node))
    for step in steps:
        yield from _places(node[step], (*path, step))


def uid_in(body: bytes) -> Any:
    """What an independent reader takes for the uid; the one that was sent where it cannot read."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        return UID
    request = whole.get("request") if isinstance(whole, dict) else None
    return request.get("uid") if isinstance(request, dict) else None


def check(body: bytes, answer: Answer) -> None:
    if answer.status != 200:
        assert 400 <= answer.status < 500
        assert answer.body.startswith(b"netreeve: ")
        return
    response = answer.review
    assert response["uid"] == uid_in(body) or body.find(response["uid"].encode()) > 0
    if not response["allowed"]:
        assert response["status"]["message"]
        assert response["status"]["code"] == 403
        return
    asked = json.loads(body)["request"]  # what was allowed can be read
    assert response["uid"] == asked["uid"]
    if "patch" in response:
        jsonpatch.apply_patch(asked["object"], json.loads(base64.b64decode(response["patch"])))


@FEW
@given(path=PATHS, body=cut_up())
def test_bytes_changed_at_random(server: Running, path: str, body: bytes) -> None:
    client = Client(server.reviews, server.ca)
    check(body, client.ask(path, body))
    client.close()


@FEW
@given(path=PATHS, body=rearranged())
def test_values_replaced_at_random(server: Running, path: str, body: bytes) -> None:
    client = Client(server.reviews, server.ca)
    check(body, client.ask(path, body))
    client.close()


@FEW
@given(pieces=st.lists(st.binary(max_size=40), max_size=4), cut=st.integers(0, 400))
def test_bytes_that_are_no_http(server: Running, pieces: list[bytes], cut: int) -> None:
    """After whatever came before on its own connection, the server answers the next one."""
    body = review()
    request = (head(len(body)) + body)[:cut]
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(b"".join([request, *pieces]))
    client = Client(server.reviews, server.ca)
    assert client.ask("/validate", body).review["allowed"] is True
    client.close()
