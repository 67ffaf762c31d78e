"""The Recorder of the program: turns what the server says into metrics, log lines and spans."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import field

from webhook.admission.review import AdmissionRequest
from webhook.admission.verdict import Finding, Verdict
from webhook.telemetry.durations import Durations
from webhook.telemetry.logs import Line, Log, cut
from webhook.telemetry.metrics import Metrics
from webhook.telemetry.spans import Spans

_UID = "request.uid"
"""What the API server calls it in its own logs and traces is the ``uid`` of the request."""

Counts = Counter[tuple[str, ...]]


class Telemetry:
    """Implements `recorder.Recorder`. spans: None for none.

    Labels of counters are words of ours, policy ids or actions: never what a peer wrote.
    """

    def __init__(self, metrics: Metrics, log: Log, spans: Spans | None = None) -> None:
        self._metrics, self._log, self._spans = metrics, log, spans
        self._durations = Durations(metrics)
        self._findings: Counts = Counter()
        self._exempted: Counts = Counter()
        self._patches: Counts = Counter()
        self._errors: Counts = Counter()
        self._shed: Counts = Counter({(): 0})
        self._configs: Counts = Counter()
        self._certificates: Counts = Counter()
        self._config_at: float | None = None
        self._not_after: float | None = None
        self._export_counters(metrics)
        self._export_gauges(metrics)

    def reviewed(
        self,
        webhook: str,
        asked: AdmissionRequest,
        verdict: Verdict,
        started: float,
        traceparent: bytes,
    ) -> None:
        seconds = time.perf_counter() - started
        denied = verdict.denied if verdict.findings else ()
        self._durations.record(webhook, asked, not denied, seconds)
        trace = ""
        if self._spans is not None:
            words = {name: value for name, value in _words(asked).items() if value}
            attributes = {"review.webhook": webhook, "review.allowed": not denied, **words}
            trace = self._spans.record(f"review {webhook}", seconds, attributes, traceparent)
        if verdict.findings or verdict.patch:
            self._count(webhook, asked, verdict)
            self._tell(webhook, asked, verdict, denied, seconds=seconds, trace=trace)

    def refused(self, error: str, detail: str, uid: str = "") -> None:
        self._errors[(error,)] += 1
        self._log.write("warning", "refused", error=error, detail=detail, **{_UID: uid})

    def failed(self, error: Exception, uid: str) -> None:
        self._errors[("internal",)] += 1
        self._log.traceback("failed", error, **{_UID: uid})

    def shed(self) -> None:
        self._shed[()] += 1

    def knows(self, resources: Iterable[tuple[str, str]]) -> None:
        self._durations.knows(resources)

    def config_loaded(self, *, ok: bool, at: datetime) -> None:
        self._configs[(_result(ok),)] += 1
        if ok:
            self._config_at = at.timestamp()

    def certificate_loaded(self, *, ok: bool, not_after: datetime | None) -> None:
        self._certificates[(_result(ok),)] += 1
        if ok and not_after is not None:
            self._not_after = not_after.timestamp()

    def close(self) -> None:
        """Send the spans that wait; the writer of the log is closed by whoever made it."""
        if self._spans is not None:
            self._spans.close()
        self._metrics.close()

    def _count(self, webhook: str, asked: AdmissionRequest, verdict: Verdict) -> None:
        for finding in verdict.findings:
            self._findings[finding.policy, finding.action.word] += 1
            if finding.exempt is not None and finding.exempt.granted and webhook == "validate":
                self._exempted[(finding.policy,)] += 1
        if verdict.patch:
            self._patches[(webhook,)] += 1
        for error in verdict.errors:
            self._errors[("policy",)] += 1
            self._log.traceback("policy failed", error, **{_UID: asked.uid})

    def _tell(
        self,
        webhook: str,
        asked: AdmissionRequest,
        verdict: Verdict,
        denied: tuple[Finding, ...],
        *,
        seconds: float,
        trace: str,
    ) -> None:
        """Denials, patches, exemptions; what is only warned of is in the API server's audit."""
        policies = list(dict.fromkeys([finding.policy for finding in denied]))
        exempted = _exempted(verdict) if webhook == "validate" else []
        if not policies and not verdict.patch and not exempted:
            return
        self._log.put(
            _Judged(  # not by name: that takes a microsecond longer
                self._log.time(),
                "info",
                "denied" if policies else "patched" if verdict.patch else "exempted",
                webhook,
                asked.uid,
                asked.operation,
                _resource(asked),
                asked.subResource or None,
                asked.namespace or None,
                asked.name or None,
                asked.userInfo.username or None,
                asked.dryRun or None,
                None if asked.name else _generate_name(asked),
                policies or None,
                exempted or None,
                int(seconds * 1e6) / 1e3,  # `round` takes 15 times as long
                trace or None,
            )
        )

    def _export_counters(self, metrics: Metrics) -> None:
        metrics.counter(
            "netreeve.admission.findings",
            "Violations and their action",
            ("policy", "action"),
            self._findings,
        )
        metrics.counter(
            "netreeve.exempted", "Violations that were exempt", ("policy",), self._exempted
        )
        metrics.counter(
            "netreeve.admission.patches",
            "Answers that changed an object",
            ("webhook",),
            self._patches,
        )
        metrics.counter(
            "netreeve.admission.errors",
            "No reviews, and failures of ours",
            ("error",),
            self._errors,
        )
        metrics.counter(
            "netreeve.admission.shed", "Requests sent away under overload", (), self._shed
        )
        metrics.counter(
            "netreeve.config.reloads",
            "Times the configuration was read",
            ("result",),
            self._configs,
        )
        metrics.counter(
            "netreeve.certificate.reloads", "Certificates read", ("result",), self._certificates
        )

    def _export_gauges(self, metrics: Metrics) -> None:
        metrics.gauge(
            "netreeve.config.generation",
            "",
            "Number of the configuration in force, from 1",
            lambda: self._configs[(_result(True),)],
        )
        metrics.gauge(
            "netreeve.config.last_success.timestamp",
            "s",
            "Unix time at which the configuration in force was read",
            lambda: self._config_at,
        )
        metrics.gauge(
            "netreeve.certificate.expiry",
            "s",
            "Seconds until the certificate in use expires",
            lambda: None if self._not_after is None else self._not_after - time.time(),
        )


def _exempted(verdict: Verdict) -> list[dict[str, Any]]:
    """Which policies are not enforced, by whom and why; until: Unix time."""
    found = {
        finding.policy: {
            "policy": finding.policy,
            "source": finding.exempt.source,
            "by": cut(finding.exempt.by),
            "until": finding.exempt.until,
            "reason": cut(finding.exempt.reason),
        }
        for finding in verdict.findings
        if finding.exempt is not None and finding.exempt.granted
    }
    return list(found.values())


def _result(ok: bool) -> str:
    return "success" if ok else "failure"


class _Judged(Line):
    """A denial, a patch or an exemption, in the words of `_words`.

    durationMs: with three decimals.
    """

    webhook: str
    uid: str = field(name=_UID)
    operation: str = field(name="request.operation")
    resource: str = field(name="request.resource")
    subresource: str | None = field(name="request.subresource", default=None)
    namespace: str | None = field(name="request.namespace", default=None)
    name: str | None = field(name="request.name", default=None)
    user: str | None = field(name="request.user", default=None)
    dryRun: bool | None = field(name="request.dryRun", default=None)
    generateName: str | None = field(name="request.generateName", default=None)
    policies: list[str] | None = None
    exempted: list[dict[str, Any]] | None = None
    durationMs: float | None = None
    traceId: str | None = None


def _resource(asked: AdmissionRequest) -> str:
    """``v1/pods``, ``apps/v1/deployments``."""
    resource = asked.resource
    return f"{resource.group}/{resource.version}/{resource.resource}".lstrip("/")


def _words(asked: AdmissionRequest) -> dict[str, Any]:
    """A request in the words that log lines and spans share; ``request.uid`` joins them.

    None or "" where there is nothing to say.
    """
    return {
        _UID: asked.uid,
        "request.operation": asked.operation,
        "request.resource": _resource(asked),
        "request.subresource": asked.subResource,
        "request.namespace": asked.namespace,
        "request.name": asked.name,
        "request.user": asked.userInfo.username,
        "request.dryRun": asked.dryRun or None,
    }


_GENERATE_NAME = re.compile(rb'"generateName":"([0-9A-Za-z.-]{1,253})"')


def _generate_name(asked: AdmissionRequest) -> str | None:
    """From the head of the object, where the API server writes it: good enough to be logged."""
    found = _GENERATE_NAME.search(bytes(memoryview(asked.object)[:1024]))
    return found[1].decode() if found else None
