"""The wire format: every answer obeys VerifyAdmissionResponse of the API server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from policies.model import Action, Request, Violation
from webhook.admission.review import (
    InvalidReviewError,
    decode,
    encode,
    encode_refusal,
    to_review,
)
from webhook.admission.verdict import ALLOWED, Finding, Verdict

REQUEST = Request(operation="CREATE", group="", resource="services", kind="Service",
                  namespace="dev", name="shop")  # fmt: skip
FULL = {
    "uid": "0b4c9f5e-3a77-4b0c-9d3c-1d8f6f0e7a11",
    "kind": {"group": "", "version": "v1", "kind": "Service"},
    "resource": {"group": "", "version": "v1", "resource": "services"},
    "subResource": "status",
    "name": "shop",
    "namespace": "dev",
    "operation": "UPDATE",
    "userInfo": {
        "username": "jane",
        "uid": "7",
        "groups": ["dev"],
        "extra": {"scopes": ["a", "b"], "none": None},
    },
    "object": {"spec": 1},
    "oldObject": {"spec": 2},
    "options": {"kind": "UpdateOptions"},
    "dryRun": True,
}


def body(request: Any, version: str = "v1", **outer: Any) -> bytes:
    review = {
        "kind": "AdmissionReview",
        "apiVersion": f"admission.k8s.io/{version}",
        "request": request,
        **outer,
    }
    return json.dumps(review).encode()


def finding(action: Action, field: str = "spec.type", **more: Any) -> Finding:
    return Finding("node-port", action, Violation(field, "must not be set", "remove it"), **more)


def answer(verdict: Verdict) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(encode("u-1", REQUEST, verdict))
    assert answered["apiVersion"] == "admission.k8s.io/v1"
    assert answered["kind"] == "AdmissionReview"
    response: dict[str, Any] = answered["response"]
    assert response["uid"] == "u-1"
    return response


def test_a_full_request_becomes_the_words_of_the_gate() -> None:
    asked = decode(body(FULL))
    review = to_review(asked)
    assert asked.uid == FULL["uid"]
    assert asked.dryRun is True
    request = review.request
    assert (request.operation, request.group, request.resource, request.subresource) == (
        "UPDATE",
        "",
        "services",
        "status",
    )
    assert (request.kind, request.namespace, request.name) == ("Service", "dev", "shop")
    assert request.user.username == "jane"
    assert request.user.groups == ("dev",)
    assert request.user.extra == {"scopes": ("a", "b"), "none": None}
    assert bytes(review.object or b"") == b'{"spec": 1}'
    assert bytes(review.old or b"") == b'{"spec": 2}'


def test_null_and_absent_objects_are_none() -> None:
    for fields in ({"object": None, "oldObject": None}, {}):
        request = {key: value for key, value in FULL.items() if key not in ("object", "oldObject")}
        review = to_review(decode(body({**request, **fields, "operation": "CONNECT"})))
        assert (review.object, review.old) == (None, None)


@pytest.mark.parametrize(
    ("given", "uid"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"null", ""),
        (b'{"request": {"uid": "u", "operation": 1}}', "u"),
        (body(None), ""),
        (body([]), ""),
        (body({**FULL, "uid": ""}), ""),
        (body({**FULL, "uid": 7}), ""),
        (body({**FULL, "operation": None}), FULL["uid"]),
        (body({**FULL, "resource": []}), FULL["uid"]),
        (body({**FULL, "userInfo": {"groups": [1]}}), FULL["uid"]),
        (body(FULL, version="v1beta1"), FULL["uid"]),
        (body(FULL, kind="Review"), FULL["uid"]),
        (body({**FULL, "name": "~"}).replace(b"~", b"\xff"), FULL["uid"]),
        (body({**FULL, "object": "~"}).replace(b'"~"', b"[" * 50_000), FULL["uid"]),
        (body({**FULL, "object": {"a": "~"}}).replace(b"~", b"\xff"), FULL["uid"]),
        (body({**FULL, "uid": "u" * 129}), ""),
        (body({**FULL, "operation": "create"}), FULL["uid"]),
        (body({**FULL, "object": None}), FULL["uid"]),
        (body({**FULL, "object": []}), FULL["uid"]),
        (body({**FULL, "oldObject": None}), FULL["uid"]),
        (body({**FULL, "operation": "CREATE", "oldObject": "pod"}), FULL["uid"]),
        (body({**FULL, "operation": "DELETE", "oldObject": None}), FULL["uid"]),
    ],
)
def test_what_is_no_review_is_refused_with_the_uid_where_there_is_one(
    given: bytes, uid: str
) -> None:
    with pytest.raises(InvalidReviewError) as caught:
        decode(given)
    assert caught.value.uid == uid
    if caught.value.uid:
        refusal = json.loads(encode_refusal(caught.value))
        assert refusal["response"]["uid"] == caught.value.uid
        assert refusal["response"]["allowed"] is False
        assert refusal["response"]["status"]["code"] == 403
        assert str(caught.value) in refusal["response"]["status"]["message"]


def test_a_beta_review_is_refused_in_its_own_version() -> None:
    with pytest.raises(InvalidReviewError) as caught:
        decode(body(FULL, version="v1beta1"))
    assert json.loads(encode_refusal(caught.value))["apiVersion"] == "admission.k8s.io/v1beta1"


def test_an_allowed_request_has_nothing_but_its_uid() -> None:
    assert answer(ALLOWED) == {"uid": "u-1", "allowed": True}


def test_a_uid_is_quoted() -> None:
    assert json.loads(encode('a"\\', REQUEST, ALLOWED))["response"]["uid"] == 'a"\\'


def test_a_denial_is_forbidden_and_has_no_patch() -> None:
    response = answer(Verdict((finding(Action.DENY),), ({"op": "add", "path": "/a", "value": 1},)))
    assert response["allowed"] is False
    assert response["status"]["code"] == 403
    assert response["status"]["reason"] == "Forbidden"
    assert "patch" not in response
    assert "patchType" not in response


def test_a_patch_has_its_type() -> None:
    operations = ({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},)
    response = answer(Verdict((), operations))
    assert response["allowed"] is True
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == list(operations)
    assert "warnings" not in response


def test_warnings_and_annotations_go_with_both_outcomes() -> None:
    for verdict in (
        Verdict((finding(Action.WARN), finding(Action.AUDIT))),
        Verdict((finding(Action.DENY), finding(Action.WARN))),
    ):
        response = answer(verdict)
        assert response["allowed"] is verdict.allowed
        assert len(response["warnings"]) == 1
        assert response["auditAnnotations"]["warn"] == "node-port: spec.type: must not be set"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"operation": "DELETE", "oldObject": {"metadata": {"name": "web"}}}, "web"),
        ({"operation": "DELETE", "name": "x", "oldObject": {"metadata": {"name": "web"}}}, "x"),
        ({"operation": "DELETE", "oldObject": {"metadata": {"name": 7}}}, ""),
        ({"operation": "DELETE", "oldObject": {}}, ""),
        ({"operation": "CREATE", "object": {"metadata": {"generateName": "web-"}}}, ""),
    ],
)
def test_what_deletecollection_deletes_has_the_name_of_the_object(
    request_: dict[str, Any], expected: str
) -> None:
    """The API server sends such a request for each object, and the name of none."""
    resource = {"group": "networking.k8s.io", "version": "v1", "resource": "networkpolicies"}
    asked = decode(body({"uid": "u-1", "resource": resource, **request_}))
    assert to_review(asked).request.name == expected
