"""What is there of Netreeve, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, error, info, warning
from webhook.doctor.seen import Seen

ABSENT = info("not-installed", "Nothing is gated; everything else says whether it could be.")
ELSEWHERE = error("installed-elsewhere", "What was looked at in this namespace says nothing.")
MISSING = error("part-missing", "Netreeve is two Deployments, a Service and two configurations.")
INACTIVE = warning(
    "not-active",
    "The configurations are empty until a server has proven that it denies, so nothing is gated.",
)
CONFIG = error("config-broken", "Servers keep the last configuration that they could read.")
APPLY = "kubectl apply -f deploy/install.yaml with a file of deploy/stages"
HELM = "helm install netreeve deploy/chart -n {} --create-namespace"


def run(seen: Seen) -> Iterator[Finding]:
    if not seen.installed:
        text = f"there is no Deployment {names.SERVE} and no configuration {names.CONFIGURATION}"
        remedy = f"{HELM.format(seen.namespace)}, or {APPLY}; if it is elsewhere: -n"
        yield ABSENT.found(f"namespace {seen.namespace}", text, remedy)
        return
    if there := seen.elsewhere:
        text = f"nothing of Netreeve is here: its webhooks call a Service in {there}"
        yield ELSEWHERE.found(f"namespace {seen.namespace}", text, f"netreeve doctor -n {there}")
        return
    again = f"{names.upgrade(seen.namespace)}, or {APPLY}"
    for name in (names.SERVE, names.CONTROL):
        if seen.deployment(name) is None:
            yield MISSING.found(f"Deployment {seen.namespace}/{name}", "is missing", again)
    if (seen.namespace, names.SERVICE) not in (seen.services or {}):
        yield MISSING.found(f"Service {seen.namespace}/{names.SERVICE}", "is missing", again)
    for kind in ("Validating", "Mutating"):
        where = f"{kind}WebhookConfiguration {names.CONFIGURATION}"
        if kind not in seen.shells:
            yield MISSING.found(where, "is missing: nothing is gated", again)
        elif not any(one.kind == kind for one in seen.ours):
            remedy = f"kubectl logs -n {seen.namespace} deployment/{names.CONTROL} says why"
            yield INACTIVE.found(where, "has no webhooks yet", remedy)
    yield from _config(seen)


def _config(seen: Seen) -> Iterator[Finding]:
    where = f"ConfigMap {seen.namespace}/{names.GATE_CONFIG}"
    if seen.broken:
        edit = f"kubectl edit configmap -n {seen.namespace} {names.GATE_CONFIG}"
        remedy = (
            f"with Helm, correct the value config: {names.upgrade(seen.namespace)}; else {edit}"
        )
        text = f"cannot be used: {seen.broken.splitlines()[0]}"
        yield CONFIG.found(where, text, remedy, seen.broken.splitlines()[1:])
    elif seen.config is None and not _is_unread(seen, names.GATE_CONFIG):
        upgrade = names.upgrade(seen.namespace, "--set stage=STAGE")
        remedy = f"{upgrade}, or kubectl apply -f deploy/stages/STAGE/stage.yaml"
        yield MISSING.found(where, "is missing: no stage was installed, and pods wait", remedy)


def _is_unread(seen: Seen, name: str) -> bool:
    return any(one.path.endswith(f"/{name}") for one in seen.unread)


CHECK = Check(
    id="installation",
    title="every part of Netreeve is there, and the webhooks are active",
    kinds=(ABSENT, ELSEWHERE, MISSING, INACTIVE, CONFIG),
    run=run,
    needs=("hooks", "deployments", "services"),
)
