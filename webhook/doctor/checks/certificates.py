"""Will the API server accept what our servers serve, today and for a while?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509

from certs.check import Fault, problems
from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, Kind, error, info, moment, warning
from webhook.doctor.seen import Hook, Seen

BAD = error("certificate-bad", "The API server refuses the certificate, so the webhook fails.")
NOT_THERE = error("certificate-missing", "Servers without a certificate are not ready.")
EXPIRING = warning(
    "certificate-expiring",
    "It is renewed after two thirds of its lifetime: now it is late, and nobody has renewed it.",
)
SERVED_BAD = error("served-certificate-bad", "This server fails whenever the API server asks it.")
BEHIND = info("served-certificate-old", "A kubelet takes about a minute to bring a new one.")
ELSEWHERE = info(
    "servers-not-reachable",
    "From outside of the cluster nobody sees what the servers serve; the Secret was looked at.",
)
NO_BUNDLE = error(
    "ca-bundle-missing", "Without it the API server trusts the authorities of its own system only."
)
BUNDLE_BAD = error("ca-bundle-bad", "The API server cannot verify the webhook by it.")
BUNDLE_EXPIRING = warning("ca-bundle-expiring", "When its last authority expires, calls fail.")
NO_AUTHORITY = warning(
    "ca-bundle-not-authorities",
    "A bundle of leaves fits one server only, and not the next certificate.",
)
LATE = 1 / 4
"""What is left of a lifetime: renewal at two thirds leaves a third."""
AUTHORITY_SOON = timedelta(days=30)


def run(seen: Seen) -> Iterator[Finding]:
    for hook in seen.judged:
        yield from _bundle(hook, seen.now)
    if seen.ours and not seen.elsewhere:
        yield from _secret(seen)
        yield from _served(seen)


def _bundle(hook: Hook, now: datetime) -> Iterator[Finding]:
    pem = hook.webhook.clientConfig.caBundle
    if not pem:
        if hook.service:
            yield NO_BUNDLE.found(hook.title, "has no caBundle", _repair(hook))
        return
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        yield BUNDLE_BAD.found(hook.title, "its caBundle is no PEM", _repair(hook))
        return
    until = max(one.not_valid_after_utc for one in found)
    if until < now:
        text = f"every certificate of its caBundle has expired, the last one at {moment(until)}"
        yield BUNDLE_BAD.found(hook.title, text, _repair(hook))
    elif until < now + AUTHORITY_SOON and hook.ours:
        yield BUNDLE_EXPIRING.found(
            hook.title, f"its caBundle ends at {moment(until)}", _repair(hook)
        )
    if hook.ours and not all(map(_is_authority, found)):
        text = "its caBundle has certificates that are no authorities"
        yield NO_AUTHORITY.found(hook.title, text, _repair(hook))


def _is_authority(one: x509.Certificate) -> bool:
    try:
        return bool(one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (ValueError, x509.ExtensionNotFound):
        return False


def _repair(hook: Hook) -> str:
    if hook.ours:
        return f"kubectl logs deployment/{names.CONTROL}: the controller writes it, if it runs"
    return f"kubectl edit {hook.resource}, or restart what writes its caBundle"


def _secret(seen: Seen) -> Iterator[Finding]:
    if seen.certificate is None:
        return
    where = f"Secret {seen.namespace}/{names.CERTIFICATE}"
    remedy = (
        f"kubectl logs -n {seen.namespace} deployment/{names.CONTROL}: the controller renews it"
    )
    if not seen.certificate:
        yield NOT_THERE.found(where, "is missing or has no tls.crt", remedy)
        return
    yield from _faults(BAD, where, seen.certificate, remedy, seen)
    yield from _expiring(where, seen.certificate, remedy, seen.now)


def _faults(kind: Kind, where: str, pem: bytes, remedy: str, seen: Seen) -> Iterator[Finding]:
    """By every bundle that is published."""
    name = f"{names.SERVICE}.{seen.namespace}.svc"
    found: dict[str, None] = {}
    for bundle in dict.fromkeys(one.webhook.clientConfig.caBundle for one in seen.ours):
        wrong = problems(pem, None, at=seen.now, name=name, authorities=bundle or None)
        for one in wrong:
            text = "is not issued by an authority of the caBundle"
            found[text if one.fault is Fault.CHAIN else one.text] = None
    for text in found:
        yield kind.found(where, text, remedy)


def _expiring(where: str, pem: bytes, remedy: str, now: datetime) -> Iterator[Finding]:
    try:
        leaf = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return  # told already
    until = leaf.not_valid_after_utc
    if now < until < now + (until - leaf.not_valid_before_utc) * LATE:
        yield EXPIRING.found(where, f"expires at {moment(until)} and was not renewed", remedy)


def _served(seen: Seen) -> Iterator[Finding]:
    remedy = f"kubectl rollout restart -n {seen.namespace} deployment/{names.SERVE}"
    away = [one for one in seen.leaves if not one.pem or not _is_ours(one.pem, seen)]
    for one in seen.leaves:
        if one in away:
            continue
        yield from _faults(SERVED_BAD, f"server {one.server}", one.pem, remedy, seen)
        if seen.certificate and _serial(one.pem) != _serial(seen.certificate):
            text = f"serves another certificate than the Secret {names.CERTIFICATE} holds"
            yield BEHIND.found(f"server {one.server}", text, f"wait a minute, then {remedy}")
    if away:
        text = f"{len(away)} of {len(seen.leaves)} servers cannot be reached from here"
        where = f"Service {seen.namespace}/{names.SERVICE}"
        yield ELSEWHERE.found(where, text, "run the doctor in a pod to see them", (
            f"{one.server}: {one.message or 'somebody else answers there'}" for one in away
        ))  # fmt: skip


def _is_ours(pem: bytes, seen: Seen) -> bool:
    """Whether it could be meant for our Service: outside, its address is somebody else's."""
    name = f"{names.SERVICE}.{seen.namespace}.svc"
    wrong = problems(pem, None, at=seen.now, name=name)
    return not any(one.fault in (Fault.NAME, Fault.UNREADABLE) for one in wrong)


def _serial(pem: bytes) -> int:
    try:
        return x509.load_pem_x509_certificate(pem).serial_number
    except ValueError:
        return 0


CHECK = Check(
    id="certificates",
    title="certificates are valid, for the right names, and verified by the caBundle",
    kinds=(BAD, NOT_THERE, EXPIRING, SERVED_BAD, BEHIND, ELSEWHERE, NO_BUNDLE, BUNDLE_BAD,
           BUNDLE_EXPIRING, NO_AUTHORITY),
    run=run,
    needs=("hooks", "endpoints", "certificate"),
    about="any webhook",
)  # fmt: skip
