"""Whether a webhook is called: our answer beside that of a real API server, for the same table.

One webhook for each row, all in one configuration; one request calls those that match.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.doctor.matching import (
    ADMIN,
    ANYTHING,
    BOTH,
    CONDITIONS,
    MARKER,
    POD,
    REQUESTS,
    RULES,
    Row,
    create,
)
from tests.doctor.recorder import Recorder
from webhook.doctor.matching import Served, match
from webhook.doctor.requests import Request
from webhook.doctor.views import Webhook

pytestmark = pytest.mark.cluster


def webhook(name: str, fields: Mapping[str, Any], recorder: Recorder, fail: str) -> dict[str, Any]:
    return {
        "name": f"{name}.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": fail,
        "matchPolicy": "Equivalent",
        "timeoutSeconds": 30,
        "rules": [ANYTHING],
        "clientConfig": {
            "url": f"{recorder.url}/{name}",
            "caBundle": base64.b64encode(recorder.authority).decode(),
        },
        **fields,
    }


class Server:
    """The API server with the webhooks of a table in front of it."""

    def __init__(self, plane: ControlPlane, recorder: Recorder) -> None:
        self._plane = plane
        self._recorder = recorder
        self.kubectl = plane.kubectl

    @contextmanager
    def registered(self, rows: list[Row], fail: str = "Ignore") -> Iterator[dict[str, Webhook]]:
        """The webhooks by name, while the API server knows them."""
        marker = f"{MARKER}-{uuid.uuid4().hex[:6]}"
        wanted = [webhook(name, fields, self._recorder, fail) for name, fields in rows]
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "doctor-table"},
            "webhooks": [*wanted, webhook(marker, {"rules": [
                {**ANYTHING, "resources": ["configmaps"]}]}, self._recorder, "Ignore")],
        }  # fmt: skip
        self.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
        try:
            wait_for(lambda: marker in self.called("create", "configmap", "x"), 20, "the webhooks")
            stored = self.kubectl(
                "get", "validatingwebhookconfiguration", "doctor-table", "-o", "json"
            )
            found = msgspec.convert(json.loads(stored.stdout)["webhooks"], list[Webhook])
            yield {one.name.partition(".")[0]: one for one in found[:-1]}
        finally:
            self.kubectl("delete", "validatingwebhookconfiguration", "doctor-table")

    def called(self, *arguments: str, stdin: str | None = None) -> set[str]:
        """Who was called for a dry run of kubectl in the namespace default."""
        self._recorder.called.clear()
        self.kubectl(*arguments, "--dry-run=server", "-n", "default", stdin=stdin, check=False)
        return set(self._recorder.called)


@pytest.fixture(scope="module")
def server(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    recorder = Recorder(tmp_path_factory.mktemp("recorder"))
    with recorder.running():
        control_plane.kubectl("label", "namespace", "default", "gate=off", "--overwrite")
        yield Server(control_plane, recorder)
        control_plane.kubectl("label", "namespace", "default", "gate-")


SERVED = Served(
    {"default": {"kubernetes.io/metadata.name": "default", "gate": "off"}},
    {
        ("", "events"): ("v1",),
        ("events.k8s.io", "events"): ("v1",),
        ("autoscaling", "horizontalpodautoscalers"): ("v2", "v1"),
    },
    (1, 36),
)


def expected(webhooks: Mapping[str, Webhook], request: Request) -> set[str]:
    return {name for name, one in webhooks.items() if match(one, request, SERVED).state == "called"}


def test_rules_and_selectors_match_what_the_api_server_sends(server: Server) -> None:
    with server.registered(RULES) as webhooks:
        for request in REQUESTS:
            sent = server.called("create", "-f", "-", stdin=json.dumps(request.object))
            assert expected(webhooks, request) == sent, request.title


def test_match_conditions_evaluate_as_in_the_api_server(server: Server) -> None:
    # The API server counts a dry run as one, so we ask about the same; defaults are part of it.
    stored = server.kubectl(
        "create", "-f", "-", "--dry-run=server", "-n", "default", "-o", "json",
        stdin=json.dumps(POD),
    )  # fmt: skip
    request = create(json.loads(stored.stdout), "pods", namespace="default", dry_run=True)
    for start in range(0, len(CONDITIONS), 60):
        with server.registered([*CONDITIONS[start : start + 60], *BOTH]) as webhooks:
            sent = server.called("create", "-f", "-", stdin=json.dumps(POD))
            ours = expected(webhooks, request)
            wrong = {name: webhooks[name].matchConditions for name in ours ^ sent}
            assert not wrong


def test_updates_deletions_and_subresources_match_as_well(server: Server) -> None:
    old = {**POD, "metadata": {"name": "living", "labels": {"app": "web"}}}
    server.kubectl("apply", "--server-side", "-n", "default", "-f", "-", stdin=json.dumps(old))
    stored = json.loads(
        server.kubectl("get", "pod", "living", "-n", "default", "-o", "json").stdout
    )
    new = {**stored, "metadata": {**stored["metadata"], "labels": {"tier": "back"}}}
    change = json.dumps({"metadata": {"labels": {"app": None, "tier": "back"}}})
    patch = ("patch", "pod", "living", "--type=merge", "-p", change)
    pod = partial(Request, group="", version="v1", resource="pods", kind="Pod", name="living",
                  namespace="default", user=ADMIN, old=stored)  # fmt: skip
    requests: list[tuple[Request, tuple[str, ...]]] = [
        (pod(operation="UPDATE", object=new), patch),
        (pod(operation="UPDATE", subresource="status", object=new),
         (*patch, "--subresource=status")),
        (pod(operation="DELETE"), ("delete", "pod", "living", "--grace-period=0", "--force")),
    ]  # fmt: skip
    try:
        with server.registered(RULES) as webhooks:
            for request, arguments in requests:
                assert expected(webhooks, request) == server.called(*arguments), request.title
    finally:
        server.kubectl("delete", "pod", "living", "-n", "default", "--grace-period=0", "--force")


@pytest.mark.parametrize("expression", [
    "object.metadata.labels['missing'] == 'x'",
    "request.subResource == ''",
    "int(object.metadata.name) == 1",
])  # fmt: skip
def test_a_condition_that_fails_refuses_what_fails_closed(server: Server, expression: str) -> None:
    row = ("failing", {"matchConditions": [{"name": "it", "expression": expression}],
                       "rules": [{**ANYTHING, "resources": ["pods"]}]})  # fmt: skip
    with server.registered([row], fail="Fail") as webhooks:
        found = match(webhooks["failing"], REQUESTS[0], SERVED)
        assert found.state == "refused"
        said = server.kubectl(
            "create", "-f", "-", "--dry-run=server", "-n", "default",
            stdin=json.dumps(POD), check=False,
        )  # fmt: skip
        assert "forbidden" in said.stderr
        assert "resulted in error" in said.stderr


@pytest.mark.parametrize("expression", [
    "authorizer.group('').resource('pods').namespace('default').check('create').allowed()",
    "quantity('1Mi').isGreaterThan(quantity('1Ki'))",
    "object.metadata.name.find('w+') == 'w'",
])  # fmt: skip
def test_what_only_the_api_server_knows_is_never_guessed(server: Server, expression: str) -> None:
    with server.registered([("it", {"matchConditions": [
        {"name": "it", "expression": expression}]})]) as webhooks:  # fmt: skip
        assert "it" in server.called("create", "-f", "-", stdin=json.dumps(POD))
        found = match(webhooks["it"], REQUESTS[0], SERVED)
    assert found.state == "unknown"
    assert found.reason.startswith("matchCondition it: undeclared reference to")
