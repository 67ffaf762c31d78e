"""Certificates and webhook configurations as metrics of the controller that leads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509

from certs.issue import BACKDATE
from certs.plan import certificates
from webhook.controller.certificates.loop import Certificates
from webhook.telemetry.metrics import Metrics

Values = Mapping[tuple[str, ...], float]


def observe_certificates(metrics: Metrics, observed: Certificates) -> None:
    """Nothing is exported while another process leads, but that the folder cannot be used."""
    metrics.gauges(
        "netreeve.certificates.expiry_seconds",
        "Until a certificate expires: the CA's, the one the servers are given, and the first to "
        "expire of those that are served",
        ("certificate",),
        lambda: _until(observed, time.time()),
    )
    metrics.gauges(
        "netreeve.certificates.issued_timestamp_seconds",
        "Unix time at which the CA and the certificate of the servers were last replaced",
        ("certificate",),
        lambda: _issued(observed),
    )
    metrics.gauges(
        "netreeve.webhooks.match",
        "1 while a webhook configuration with its CA bundle is live as it should be; none for one "
        "that does not exist",
        ("resource",),
        lambda: {(name,): float(ok) for name, ok in observed.report.matches.items()},
    )
    metrics.gauges(
        "netreeve.certificates.servers",
        "Servers by the certificate that they serve",
        ("state",),
        lambda: _servers(observed),
    )
    metrics.gauge(
        "netreeve.webhooks.failing",
        "",
        "1 while the folder of the wanted webhook configurations cannot be used",
        lambda: float(bool(observed.configurations.complaint)),
    )


def _until(observed: Certificates, now: float) -> Values:
    served = [_leaf(one) for one in observed.report.seen.leaves.values()]
    ends = {name: one.not_valid_after_utc for name, one in _ours(observed).items()}
    if served:
        ends["served"] = min(one.not_valid_after_utc for one in served)
    return {(name,): end.timestamp() - now for name, end in ends.items()}


def _issued(observed: Certificates) -> Values:
    return {(name,): _start(one).timestamp() for name, one in _ours(observed).items()}


def _start(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_before_utc + BACKDATE


def _ours(observed: Certificates) -> dict[str, x509.Certificate]:
    found = observed.report.found
    known = {
        "authority": certificates(found.bundle)[:1],
        "server": certificates(found.pair.certificate)[:1] if found.pair else [],
    }
    return {name: one for name, (one,) in ((n, c) for n, c in known.items() if c)}


def _leaf(pem: bytes) -> x509.Certificate:
    return certificates(pem)[0]


def _servers(observed: Certificates) -> Values:
    """current: as given; other: not yet, or of somebody else; unreachable."""
    report = observed.report
    given = certificates(report.found.pair.certificate)[:1] if report.found.pair else []
    served = [_leaf(one) for one in report.seen.leaves.values()]
    current = sum(one in given for one in served)
    return {
        ("current",): current,
        ("other",): len(served) - current,
        ("unreachable",): len(report.seen.unreachable),
    }
