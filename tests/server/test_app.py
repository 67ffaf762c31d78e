"""Reviews over TLS: verdicts, and what holds for every answer."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from policies.model import WRITES, Action, NoParams, Policy, Request, Rule
from policies.workloads import PodView
from tests.server.clients import HOST_NETWORK_POD, UID, Client, connected, head, read_answer, review
from tests.server.running import Running, running
from webhook.admission import proof
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.config import load, ruleset
from webhook.server.reload import make_gate


def test_an_ordinary_pod_is_allowed_without_a_word(client: Client) -> None:
    answer = client.ask("/validate", review())
    assert answer.review == {"uid": UID, "allowed": True}
    assert answer.headers["content-type"] == "application/json"


def test_a_denial_is_http_200_and_teaches(client: Client) -> None:
    response = client.ask("/validate?timeout=3s", review(HOST_NETWORK_POD)).review
    assert (response["uid"], response["allowed"]) == (UID, False)
    assert response["status"]["code"] == 403
    assert "host-network: spec.hostNetwork" in response["status"]["message"]


def test_a_mutation_is_one_patch(client: Client) -> None:
    response = client.ask("/mutate", review(), {"Content-Type": "application/json"}).review
    assert response["allowed"] is True
    patch = json.loads(base64.b64decode(response["patch"]))
    assert [operation["path"] for operation in patch] == ["/spec/dnsConfig"]


def test_nothing_to_change_is_no_patch(client: Client) -> None:
    settled = {"spec": {"hostNetwork": False, "dnsPolicy": "Default", "containers": []}}
    assert client.ask("/mutate", review(settled)).review == {"uid": UID, "allowed": True}


def test_the_connection_is_kept(server: Running) -> None:
    with connected(server.reviews, server.ca) as connection:
        for uid in ("first", "second", "third"):
            body = review(uid=uid)
            connection.sendall(head(len(body)) + body)
            answer = read_answer(connection)
            assert answer.review["uid"] == uid
            assert "connection" not in answer.headers


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    bodies = [review(uid=str(number), name="x" * number * 3000) for number in range(1, 20)]
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(b"".join(head(len(body)) + body for body in bodies))
        found = [read_answer(connection).review["uid"] for _ in bodies]
    assert found == [str(number) for number in range(1, 20)]


def test_a_body_in_many_pieces_is_one_review(server: Running) -> None:
    body = review(HOST_NETWORK_POD)
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(None) + chunks + b"0\r\n\r\n")
        assert read_answer(connection).review["allowed"] is False


def test_a_large_review_is_judged(client: Client) -> None:
    annotations = {"netreeve.io/large": "x" * 3_000_000}
    large = {**HOST_NETWORK_POD, "metadata": {"annotations": annotations}}
    body = review(large, oldObject=large, operation="UPDATE")
    assert 6_000_000 < len(body) < 7_000_000
    assert "warnings" in client.ask("/validate", body).review


def test_a_waiting_client_is_told_to_continue(server: Running) -> None:
    body = review()
    with connected(server.reviews, server.ca) as connection:
        connection.sendall(head(len(body), "Expect: 100-continue"))
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection).review["allowed"] is True


def test_another_gate_judges_from_the_next_review_on(directory: Path) -> None:
    text = "{apiVersion: netreeve.io/v1alpha1, kind: GateConfig, profile: audit}"
    with running(directory) as server:
        client = Client(server.reviews, server.ca)
        assert client.ask("/validate", review(HOST_NETWORK_POD)).review["allowed"] is False
        gate = make_gate(ruleset(load(text)), None, server.telemetry)
        server.loop.call_soon_threadsafe(server.webhook.set_gate, gate)
        response = client.ask("/validate", review(HOST_NETWORK_POD)).review
        assert response["allowed"] is True
        assert "host-network" in response["auditAnnotations"]["audit"]
        client.close()


def _broken(
    name: str, *, mutate: Any = None, validate: Any = None, action: Action = Action.DENY
) -> Ruleset:
    policy: Policy[PodView, NoParams] = Policy(
        id=name, title=name, why=name, fix=name, rules=(Rule("", "pods", WRITES),),
        standard=action, strict=action, params=NoParams, mutate=mutate, validate=validate,
    )  # fmt: skip
    return Ruleset((Step(policy, Setting(action, NoParams())),))


def test_a_policy_that_raises_denies_and_is_logged_with_the_uid(directory: Path) -> None:
    def validate(pod: PodView, request: Request, params: NoParams) -> Any:
        raise LookupError("no such thing")

    with running(directory, rules=_broken("broken", validate=validate)) as server:
        client = Client(server.reviews, server.ca)
        response = client.ask("/validate", review()).review
        client.close()
        assert response["allowed"] is False
        assert "broken: object: could not be judged" in response["status"]["message"]
        line = server.logged(message="policy failed", request_uid=UID)
        assert line["traceback"][-1] == "LookupError: no such thing"


def test_an_error_of_the_gate_itself_denies(directory: Path) -> None:
    def shrink(pod: PodView, request: Request, params: NoParams) -> None:
        pod.spec.containers = []  # forbidden to a policy: no patch can say it

    with running(directory, rules=_broken("b", mutate=shrink, action=Action.MUTATE)) as server:
        client = Client(server.reviews, server.ca)
        response = client.ask("/mutate", review()).review
        client.close()
        assert (response["uid"], response["allowed"]) == (UID, False)
        assert response["status"]["message"] == "netreeve: could not be judged: internal error"
        assert server.logged(message="failed", request_uid=UID)["level"] == "error"


def test_before_the_cluster_is_known_nobody_gets_a_verdict(directory: Path) -> None:
    """An API server may ask before the process is ready; what it is must be seen all the same."""
    known: list[str] = []
    with running(directory, knows=lambda: bool(known)) as server:
        client = Client(server.reviews, server.ca)
        for path in ("/validate", "/mutate"):
            answer = client.ask(path, review())
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert b"does not know the cluster yet" in answer.body
        assert client.ask("/validate", proof.REVIEW).review["allowed"] is False
        known.append("namespaces")
        assert client.ask("/validate", review()).review["allowed"] is True
        client.close()
        counted = 'netreeve_admission_errors_total{error="starting"} 2.0'
        assert counted in server.metrics.render()[0].decode()
