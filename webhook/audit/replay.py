"""A log of the API server's audit through the gate: what it would have done at the time.

Reads audit.k8s.io/v1 events, one JSON object a line, of level Request or RequestResponse
(kubernetes.io/docs/tasks/debug/debug-cluster/audit). Knows nothing of reports.

What a log cannot tell is said and not guessed: an update whose object was not seen before is
judged as if all of it were new, and marked; a patch without the object it led to is counted only.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from policies.labels import NAME_LABEL
from policies.model import CREATE, UPDATE, Request, User
from policies.resources import BUILT_IN, Resource, by_resource, custom
from webhook.admission.cluster import Offline
from webhook.admission.gate import END_OF_TIME, Gate, Review
from webhook.admission.ruleset import Ruleset
from webhook.admission.verdict import Finding, in_order
from webhook.audit.check import found
from webhook.audit.findings import Asker, Report, Result, Unreadable, status_of
from webhook.exemptions.claim import ending
from webhook.exemptions.standing import Trust

MOST_REMEMBERED = 256 << 20
"""Bytes of objects that later updates are compared with; those longest untouched go first."""
_OPERATIONS = {"create": CREATE, "update": UPDATE, "patch": UPDATE}
_DONE = range(200, 300)


class _ObjectRef(msgspec.Struct):
    apiGroup: str = ""
    apiVersion: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class _Status(msgspec.Struct):
    code: int = 0


_ABSENT = msgspec.Raw()


class _Event(msgspec.Struct):
    kind: str = ""
    stage: str = ""
    verb: str = ""
    requestURI: str = ""
    user: User = User()
    impersonatedUser: User | None = None
    objectRef: _ObjectRef | None = None
    responseStatus: _Status | None = None
    requestObject: msgspec.Raw = _ABSENT
    responseObject: msgspec.Raw = _ABSENT
    requestReceivedTimestamp: str = ""


class _Metadata(msgspec.Struct):
    name: str = ""
    labels: dict[str, str] | None = None


class _Named(msgspec.Struct):
    kind: str = ""
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class NothingJudgedError(Exception):
    """A file without one event that could be judged, which is no clean result."""


class Key(NamedTuple):
    group: str
    resource: str
    namespace: str
    name: str


class _Memory:
    """The last version of every object, as far as there is room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._bodies: OrderedDict[Key, bytes] = OrderedDict()

    def get(self, key: Key) -> bytes | None:
        return self._bodies.get(key)

    def forget(self, key: Key) -> None:
        self._size -= len(self._bodies.pop(key, b""))

    def keep(self, key: Key, body: bytes) -> None:
        self.forget(key)
        self._bodies[key] = body
        self._size += len(body)
        while self._size > self._most:
            self._size -= len(self._bodies.popitem(last=False)[1])


class _Namespaces(Offline):
    """The namespaces that the log has shown."""

    def __init__(self) -> None:
        self.labels: dict[str, Mapping[str, str]] = {}

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return self.labels.get(namespace)


def replay(
    lines: Iterable[bytes], ruleset: Ruleset, file: str, *, most: int = MOST_REMEMBERED
) -> Report:
    """The verdict on every write in the log that was done; what is clean is counted, not listed.

    most: bytes of objects to remember. Raises NothingJudgedError.
    """
    return _Replay(ruleset, file, most).run(lines)


class _Replay:
    def __init__(self, ruleset: Ruleset, file: str, most: int) -> None:
        self._file = file
        self._namespaces = _Namespaces()
        self._gate = Gate(ruleset, self._namespaces, trust=Trust.SHOW)
        self._known = by_resource((*BUILT_IN, *map(custom, ruleset.workloads)))
        self._memory = _Memory(most)
        self._results: list[Result] = []
        self._unreadable: list[Unreadable] = []
        self._counts: Counter[str] = Counter()

    def run(self, lines: Iterable[bytes]) -> Report:
        decode = msgspec.json.Decoder(_Event).decode
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                event = decode(line)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                self._unreadable.append(Unreadable(self._file, number, f"is no event: {error}"))
                continue
            if event.kind != "Event":
                message = f"is no audit event but {event.kind or 'without a kind'}"
                self._unreadable.append(Unreadable(self._file, number, message))
                continue
            self._counts["events"] += 1
            if event.stage == "ResponseComplete" and event.objectRef:
                self._event(event, event.objectRef, number)
        if not (self._results or self._counts["passed"]):
            raise NothingJudgedError(f"{self._file}: {self._read()}")
        return Report(
            tuple(self._results),
            tuple(self._unreadable),
            passed=self._counts["passed"],
            unseen=self._counts["unseen"],
        )

    def _read(self) -> str:
        """What is in a log of which nothing could be judged."""
        events, wrong = self._counts["events"], self._unreadable
        if events:
            number = "1 event" if events == 1 else f"{events} events"
            return (
                f"holds {number} and none that can be judged, which takes a write that was done "
                "(stage ResponseComplete, status 2xx) of a kind that policies judge, with its "
                "object (level RequestResponse, or Request)"
            )
        if wrong:
            return (
                "is no audit log of kube-apiserver, which has one JSON object of kind Event a "
                f"line: {len(wrong)} without, the first of which is line {wrong[0].line}, which "
                f"{wrong[0].message}"
            )
        return "is empty"

    def _event(self, event: _Event, ref: _ObjectRef, line: int) -> None:
        resource = self._known.get((ref.apiGroup, ref.resource))
        code = event.responseStatus.code if event.responseStatus else 0
        if resource is None or code not in _DONE or "dryRun=" in event.requestURI:
            return
        if event.verb == "delete" and not ref.subresource:
            self._memory.forget(Key(ref.apiGroup, ref.resource, ref.namespace, ref.name))
        if event.verb not in _OPERATIONS:
            return
        body = _stored(event, resource)
        if body is not None:
            self._write(event, ref, resource, body, line)
        elif not ref.subresource:  # a Scale, a Binding: no policy judges those
            self._counts["unseen"] += 1

    def _write(
        self, event: _Event, ref: _ObjectRef, resource: Resource, body: bytes, line: int
    ) -> None:
        name = ref.name or _metadata(body).name
        key = Key(ref.apiGroup, ref.resource, ref.namespace, name)
        request = _request(event, ref, resource, name)
        old = self._memory.get(key)
        judged = self._gate.concerns(request)
        findings = self._judged(event, request, body, old) if judged else ()
        if resource.resource == "namespaces":
            labels = _metadata(body).labels or {}
            self._namespaces.labels[name] = {**labels, NAME_LABEL: name}
        self._memory.keep(key, body)
        if not findings:
            self._counts["passed"] += judged
            return
        version = f"{ref.apiGroup}/{ref.apiVersion}".lstrip("/")
        namespace = request.namespace if resource.namespaced else ""
        of = (version, resource.kind, namespace, name)
        self._results.append(
            Result(
                file=self._file,
                line=line,
                apiVersion=version,
                kind=resource.kind,
                namespace=namespace,
                name=name,
                status=status_of(findings),
                findings=tuple(found(one, of) for one in findings),
                asked=Asker(
                    user=request.user.username,
                    verb=event.verb,
                    at=event.requestReceivedTimestamp,
                    uncertain=request.operation == UPDATE and old is None,
                ),
            )
        )

    def _judged(
        self, event: _Event, request: Request, body: bytes, old: bytes | None
    ) -> tuple[Finding, ...]:
        """As the API server asks: before it fills in what it allocates, where the log has that."""
        now = _moment(event.requestReceivedTimestamp)
        findings = self._gate.validate(Review(request, body, old, now)).findings
        if event.verb != "patch" and bytes(event.requestObject):
            early = self._gate.mutate(Review(request, bytes(event.requestObject), old, now))
            findings = in_order((*early.findings, *findings))
        return findings


def _moment(text: str) -> float:
    """Unix time of a write; what has none is taken for late, when every exemption has ended."""
    return ending(text) or END_OF_TIME


def _request(event: _Event, ref: _ObjectRef, resource: Resource, name: str) -> Request:
    return Request(
        operation=_OPERATIONS[event.verb],
        group=ref.apiGroup,
        resource=ref.resource,
        subresource=ref.subresource,
        kind=resource.kind,
        namespace=ref.namespace if resource.namespaced else name,
        name=name,
        user=event.impersonatedUser or event.user,
    )


def _stored(event: _Event, resource: Resource) -> bytes | None:
    """The object as it was stored, else as it was sent; None for a patch without its outcome."""
    for body in (event.responseObject, event.requestObject if event.verb != "patch" else _ABSENT):
        if bytes(body) and _kind(body) == resource.kind:
            return bytes(body)
    return None


def _kind(body: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(body, type=_Named).kind
    except (msgspec.DecodeError, RecursionError):
        return ""


def _metadata(body: bytes) -> _Metadata:
    try:
        return msgspec.json.decode(body, type=_Named).metadata
    except (msgspec.DecodeError, RecursionError):
        return _Metadata()
