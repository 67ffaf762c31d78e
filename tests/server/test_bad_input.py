"""What is no review: a clear 4xx, or a denial where there is a uid to answer. Never an allow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.server.clients import (
    HOST_NETWORK_POD,
    JSON,
    POD,
    UID,
    Client,
    connected,
    head,
    is_closed,
    read_answer,
    review,
)
from tests.server.running import Running
from webhook.server.limits import MIB

DEEP = 50_000


def without(*names: str) -> bytes:
    outer = json.loads(review())
    for name in names:
        del outer["request"][name]
    return json.dumps(outer).encode()


def wrapped(request: Any, **outer: Any) -> bytes:
    found = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", **outer}
    return json.dumps({**found, "request": request}).encode()


def nested(opening: bytes, closing: bytes) -> bytes:
    return review(HOST_NETWORK_POD | {"x": "~"}).replace(
        b'"~"', opening * DEEP + b"1" + closing * DEEP
    )


REQUEST = json.loads(review())["request"]

NO_REVIEW = {
    "empty": b"",
    "no JSON": b"hello",
    "cut short": review()[:-40].replace(b'"uid"', b'"id"'),
    "null": b"null",
    "array": b"[]",
    "number": b"7",
    "not UTF-8": b"\xff\xfe",
    "no request": b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}',
    "request null": wrapped(None),
    "request array": wrapped([REQUEST]),
    "no uid": without("uid"),
    "uid empty": review(uid=""),
    "uid null": review(uid=None),
    "uid number": review(uid=7),
    "uid endless": review(uid="u" * 1_000_000),
    "deep outside": b"[" * DEEP,
    "deep around": b'{"request":' * DEEP,
}

ANSWERABLE = {
    "v1beta1": wrapped(REQUEST, apiVersion="admission.k8s.io/v1beta1"),
    "another version": wrapped(REQUEST, apiVersion="admission.k8s.io/v2"),
    "another kind": wrapped(REQUEST, kind="Review"),
    "cut short": review()[:-1],
    "trailing": review() + b"x",
    "object absent": without("object"),
    "object null": review(None),
    "object array": review([POD]),
    "object string": review("pod"),
    "object not UTF-8": review(POD | {"x": "~"}).replace(b"~", b"\xff"),
    "object no JSON": review(POD | {"x": "~"}).replace(b'"~"', b"NaN"),
    "nothing judges it, but": review([], resource={"group": "x", "version": "v", "resource": "y"}),
    "oldObject array": review(oldObject=[]),
    "old object missing": review(operation="UPDATE"),
    "deleted object missing": review(None, operation="DELETE"),
    "spec array": review({"spec": []}),
    "containers object": review({"spec": {"containers": {}}}),
    "container string": review({"spec": {"containers": ["a"]}}),
    "hostNetwork string": review({"spec": {"hostNetwork": "false"}}),
    "operation unknown": review(operation="create"),
    "operation null": review(operation=None),
    "resource array": review(resource=["pods"]),
    "resource string": review(resource="pods"),
    "kind array": review(kind=[]),
    "namespace number": review(namespace=1),
    "groups object": review(userInfo={"groups": {"a": "b"}}),
    "deep objects": nested(b'{"a":', b"}"),
    "deep arrays": nested(b"[", b"]"),
}


@pytest.mark.parametrize("path", ["/validate", "/mutate"])
@pytest.mark.parametrize("name", NO_REVIEW)
def test_without_a_uid_it_is_a_bad_request(client: Client, name: str, path: str) -> None:
    answer = client.ask(path, NO_REVIEW[name])
    assert answer.status == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.startswith(b"netreeve: ")
    assert len(answer.body) < 300


@pytest.mark.parametrize("path", ["/validate", "/mutate"])
@pytest.mark.parametrize("name", ANSWERABLE)
def test_with_a_uid_it_is_denied(client: Client, name: str, path: str) -> None:
    response = client.ask(path, ANSWERABLE[name]).review
    assert (response["uid"], response["allowed"]) == (UID, False)
    assert response["status"]["code"] == 403
    assert len(response["status"]["message"]) > 20


def test_a_beta_review_is_answered_in_its_own_version(client: Client) -> None:
    answer = client.ask("/validate", ANSWERABLE["v1beta1"])
    assert json.loads(answer.body)["apiVersion"] == "admission.k8s.io/v1beta1"


def test_a_refused_review_is_logged_with_its_uid(server: Running, client: Client) -> None:
    client.ask("/validate", review(uid="logged-uid", operation="create"))
    line = server.logged(request_uid="logged-uid")
    assert (line["message"], line["error"]) == ("refused", "review")
    assert "CREATE, UPDATE, DELETE or CONNECT" in line["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])
def test_another_method_is_told_which_one(client: Client, method: str) -> None:
    answer = client.ask("/validate", None, method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/yaml"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": ""},
        {},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
def test_another_content_type_is_refused(client: Client, headers: Mapping[str, str]) -> None:
    answer = client.ask("/validate", review(), headers)
    assert answer.status == 415
    assert b"must" in answer.body


@pytest.mark.parametrize(
    "value", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
def test_json_is_json_with_parameters(client: Client, value: str) -> None:
    assert client.ask("/validate", review(), {"Content-Type": value}).review["allowed"] is True


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/validate/",
        "/validate/v1",
        "//validate",
        "/VALIDATE",
        "/../validate",
        "/%2e%2e/validate",
        "/validate%00",
        "*",
        "/livez",
        "/metrics",
        "/" + "a" * 15_000,
        "/%0d%0aSet-Cookie:%20a",
    ],
)
def test_another_path_is_not_found(client: Client, path: str) -> None:
    answer = client.ask(path, review())
    assert answer.status == 404
    assert b"/validate and /mutate" in answer.body
    assert answer.headers.keys() == {"content-type", "content-length", "connection"}


@pytest.mark.parametrize("length", [8 * MIB, 10**18])
def test_a_declared_length_is_refused_before_the_body(server: Running, length: int) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(length))
        answer = read_answer(connection)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert b"7340032 bytes" in answer.body


def test_a_body_of_8_mib_gets_to_read_why_it_is_refused(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(8 * MIB))
        connection.sendall(b" " * (8 * MIB))
        assert read_answer(connection).status == 413
        assert is_closed(connection)


def test_a_chunked_body_of_8_mib_is_refused(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(None))
        for _ in range(8):
            connection.sendall(b"%x\r\n%s\r\n" % (MIB, b" " * MIB))
        connection.sendall(b"0\r\n\r\n")
        assert read_answer(connection).status == 413
        assert is_closed(connection)


def test_7_mib_are_read(client: Client) -> None:
    assert client.ask("/validate", review() + b" " * (7 * MIB - len(review()))).review["allowed"]


def padded(size: int) -> bytes:
    return head(0, "X-Padding: " + "p" * size)


def test_headers_of_100_kib_are_refused(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(padded(100 * 1024))
        answer = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (431, "close")
        assert b"16384 bytes" in answer.body
        assert is_closed(connection)


def test_headers_of_15_kib_are_read(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(padded(15 * 1024))
        assert read_answer(connection).status == 400  # there is no review in no body


def test_headers_without_end_are_refused(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(0)[:-2])
        try:
            for number in range(10_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"v" * 1000))
        except (ConnectionError, TimeoutError):
            pass  # it was told already
        assert read_answer(connection).status == 431


@pytest.mark.parametrize("end", ["\r\n", ""], ids=["whole", "unfinished"])
def test_many_short_headers_are_refused(server: Running, end: str) -> None:
    """16 KiB of them would take 350 KB of memory, for each of 2048 peers."""
    short = "a:b\r\n" * 150
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(f"POST /validate HTTP/1.1\r\nHost: x\r\n{short}{end}".encode())
        answer = read_answer(connection)
        assert answer.status == 431
        assert b"100 in number" in answer.body
        assert is_closed(connection)


def test_a_single_header_without_end_is_refused(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nX: ")
        for _ in range(20):
            connection.sendall(b"v" * 10_000)
        assert read_answer(connection).status == 431


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"POST /validate HTTP/3.7\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v\xc3\xa4lidate HTTP/1.1\r\nHost: x\r\n\r\n",
        head(-1),
        head(10**40),
        head(3, "Content-Length: 4") + b"abcd",
        head(3, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head(None, "Transfer-Encoding: gzip") + b"x",
        head(None) + b"zz\r\n",
        head(None) + b"0\r\nX-Trailer: a\r\n\r\n",
        head(0, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        head(3, "Connection: Upgrade", "Upgrade: h2c") + b"abc",
        head(0, "X\x00: a"),
        head(0, "X: a\x00b"),
        head(0, " folded: a"),
    ],
)
def test_what_is_no_http_1_1_request_is_refused(server: Running, request_: bytes) -> None:
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(request_)
        answer = read_answer(connection)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert is_closed(connection)


def test_http_1_0_is_answered_and_closed(server: Running) -> None:
    body = review()
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(len(body)).replace(b"HTTP/1.1", b"HTTP/1.0") + body)
        assert read_answer(connection).review["allowed"] is True
        assert is_closed(connection)


def test_an_absolute_url_is_the_same_path(server: Running) -> None:
    body = review()
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(
            head(len(body), path="https://webhook.svc:443/validate?timeout=1s") + body
        )
        assert read_answer(connection).review["allowed"] is True


def test_after_a_refusal_the_connection_ends(server: Running) -> None:
    good, bad = review(), b"{"
    with connected(server.reviews, server.ca) as connection:
        for body, status in ((good, 200), (good, 200), (bad, 400)):
            connection.sendall(head(len(body)) + body)
            assert read_answer(connection).status == status
        assert is_closed(connection)
