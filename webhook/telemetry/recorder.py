"""The seam between the server and telemetry: what the server says happened, in one Protocol."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from webhook.admission.review import AdmissionRequest
from webhook.admission.verdict import Verdict


class Recorder(Protocol):
    """Told after the fact, on the event loop: every method must be cheap and never block."""

    def reviewed(
        self,
        webhook: str,
        asked: AdmissionRequest,
        verdict: Verdict,
        started: float,
        traceparent: bytes,
    ) -> None:
        """A review was judged.

        webhook: ``validate`` or ``mutate``. started: time.perf_counter() when the request came.
        traceparent: the peer's header, b"" for none; the peer is not authenticated.
        """

    def refused(self, error: str, detail: str, uid: str = "") -> None:
        """A request was no review: ``error`` is one of a fixed set of words, ``detail`` is text."""

    def failed(self, error: Exception, uid: str) -> None:
        """Our own code raised; the review was denied."""

    def shed(self) -> None:
        """A request was sent away because too many are under way."""

    def knows(self, resources: Iterable[tuple[str, str]]) -> None:
        """(group, ``resource`` or ``resource/subresource``) that may appear as labels."""

    def config_loaded(self, *, ok: bool, at: datetime) -> None:
        """The configuration was read; ``ok`` false: the last good one stays."""

    def certificate_loaded(self, *, ok: bool, not_after: datetime | None) -> None:
        """The certificate was read; ``ok`` false: the last good one stays in use."""
