"""The wire format: AdmissionReview bytes -> Review, Verdict -> response bytes.

Source of the rules: kubernetes/apiserver VerifyAdmissionResponse and dispatcher. Owns the limits
on texts; knows neither HTTP nor policies.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import msgspec

from policies.model import (
    CONNECT,
    CREATE,
    DELETE,
    UPDATE,
    Request,
    User,
)
from policies.objects import Object
from webhook.admission import messages
from webhook.admission.gate import END_OF_TIME, Review
from webhook.admission.verdict import Verdict

LONGEST_UID = 128
"""Characters; the API server's have 36, and every answer repeats them."""

LONGEST_MESSAGE = 16 * 1024
"""Characters of a denial; a user who reads on at this point is not helped by more."""

API_VERSION = "admission.k8s.io/v1"
_BETA = "admission.k8s.io/v1beta1"


class InvalidReviewError(Exception):
    """The bytes are no AdmissionReview of version v1.

    uid: of the request where it could be read, so that it can be denied; else "", and only an
    HTTP error can answer.
    """

    def __init__(self, message: str, uid: str = "", api_version: str = API_VERSION) -> None:
        super().__init__(message)
        self.uid = uid
        self.api_version = api_version


_ABSENT = msgspec.Raw()
_NAMED = msgspec.json.Decoder(Object)


class GroupVersionKind(msgspec.Struct):
    kind: str = ""


class GroupVersionResource(msgspec.Struct):
    group: str = ""
    version: str = ""
    resource: str = ""


class AdmissionRequest(msgspec.Struct):
    uid: str
    operation: str
    resource: GroupVersionResource
    kind: GroupVersionKind | None = None
    subResource: str | None = None
    name: str | None = None
    namespace: str | None = None
    userInfo: User = User()
    object: msgspec.Raw = _ABSENT
    oldObject: msgspec.Raw = _ABSENT
    dryRun: bool | None = None


class AdmissionReview(msgspec.Struct):
    apiVersion: str
    kind: str
    request: AdmissionRequest


_CARRIES = {
    CREATE: (True, False),
    UPDATE: (True, True),
    DELETE: (False, True),
    CONNECT: (False, False),
}
"""Whether an operation must carry object and oldObject, or there is nothing to judge."""

_BRACE = ord("{")

_decode = msgspec.json.Decoder(AdmissionReview).decode
_encode = msgspec.json.Encoder().encode

_UID = re.compile(rb'"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z_.:-]{1,128})"')
_VERSION = re.compile(rb'"apiVersion"\s*:\s*"admission\.k8s\.io/v1beta1"')


def decode(body: bytes) -> AdmissionRequest:
    """The request of an AdmissionReview. Raises InvalidReviewError, with the uid if it has one."""
    try:
        if not body.isascii():
            body.decode()  # what is skipped below would not be looked at
        review = _decode(body)
    except msgspec.DecodeError as error:
        raise _invalid(body, str(error)) from None
    except RecursionError:
        raise _invalid(body, "nested too deep") from None
    except UnicodeDecodeError:
        raise _invalid(body, "not UTF-8") from None
    request = review.request
    if not 0 < len(request.uid) <= LONGEST_UID:
        raise InvalidReviewError(f"request.uid must have 1 to {LONGEST_UID} characters")
    if review.apiVersion != API_VERSION or review.kind != "AdmissionReview":
        version = _BETA if review.apiVersion == _BETA else API_VERSION
        raise InvalidReviewError(
            f"must be an AdmissionReview of {API_VERSION}", uid=request.uid, api_version=version
        )
    if problem := _problem(request):
        raise InvalidReviewError(problem, uid=request.uid)
    return request


def _problem(request: AdmissionRequest) -> str:
    """Why there is nothing to judge, "" when there is."""
    carries = _CARRIES.get(request.operation)
    if carries is None:
        return "request.operation must be CREATE, UPDATE, DELETE or CONNECT"
    if not _is_carried(request.object, carries[0]):
        return f"request.object must be an object on {request.operation}"
    if not _is_carried(request.oldObject, carries[1]):
        return f"request.oldObject must be an object on {request.operation}"
    return ""


def _is_carried(raw: msgspec.Raw, required: bool) -> bool:
    """It is an object; or absent or null, where it is not required."""
    if len(raw) == 0:
        return not required
    return memoryview(raw)[0] == _BRACE or (not required and _present(raw) is None)


def _invalid(body: bytes, reason: str) -> InvalidReviewError:
    """An answer needs the uid; the API server writes it first, so it is in the head of the body."""
    head = body[:1024]
    found = _UID.search(head)
    return InvalidReviewError(
        f"no AdmissionReview could be read: {reason}",
        uid=found[1].decode() if found else "",
        api_version=_BETA if _VERSION.search(head) else API_VERSION,
    )


def to_review(asked: AdmissionRequest, now: float = END_OF_TIME) -> Review:
    """The gate's words for a decoded request; now: Unix time."""
    resource = asked.resource
    return Review(
        Request(
            operation=asked.operation,
            group=resource.group,
            resource=resource.resource,
            subresource=asked.subResource or "",
            kind=asked.kind.kind if asked.kind else "",
            namespace=asked.namespace or "",
            name=asked.name or _name_of(asked),
            user=asked.userInfo,
        ),
        _present(asked.object),
        _present(asked.oldObject),
        now,
    )


def _name_of(asked: AdmissionRequest) -> str:
    """Of what is deleted by deletecollection, for which the API server leaves out the name."""
    old = _present(asked.oldObject) if asked.operation == DELETE else None
    if old is None:
        return ""
    try:
        named = _NAMED.decode(old)
    except (msgspec.DecodeError, RecursionError):
        return ""  # whoever judges the object says what is wrong with it
    return (named.metadata and named.metadata.name) or ""


def _present(raw: msgspec.Raw) -> msgspec.Raw | None:
    return None if len(raw) == 0 or (len(raw) == 4 and bytes(raw) == b"null") else raw


def encode(uid: str, request: Request, verdict: Verdict) -> bytes:
    """The AdmissionReview that answers ``uid``; deterministic for equal verdicts."""
    if not verdict.findings and not verdict.patch:
        return b"%s%s%s" % (_ALLOW_HEAD, _encode(uid), _ALLOW_TAIL)
    denied = len(verdict.denied) if verdict.findings else 0
    response: dict[str, Any] = {"uid": uid, "allowed": not denied}
    if denied:
        response["status"] = _forbidden(messages.denial(request, verdict))
    elif verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(_encode(verdict.patch)).decode()
    if verdict.findings:
        response["auditAnnotations"] = messages.audit_annotations(verdict)
        if denied < len(verdict.findings) and (warnings := messages.warnings(verdict)):
            response["warnings"] = warnings
    return _answer(response, API_VERSION)


def encode_refusal(refused: InvalidReviewError) -> bytes:
    """The denial of a review that could not be read but whose uid is known."""
    response = {"uid": refused.uid, "allowed": False, "status": _forbidden(f"netreeve: {refused}")}
    return _answer(response, refused.api_version)


_ALLOW_HEAD = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":'
_ALLOW_TAIL = b',"allowed":true}}'


def _forbidden(message: str) -> dict[str, Any]:
    return {"code": 403, "reason": "Forbidden", "message": message[:LONGEST_MESSAGE]}


def _answer(response: dict[str, Any], api_version: str) -> bytes:
    return _encode({"apiVersion": api_version, "kind": "AdmissionReview", "response": response})
