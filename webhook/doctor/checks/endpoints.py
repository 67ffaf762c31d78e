"""Does somebody answer behind the Services of webhooks?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from webhook.doctor import names, views
from webhook.doctor.finding import Check, Finding, error, warning
from webhook.doctor.seen import Hook, Seen

NO_SERVICE = error("no-service", "The API server looks for the webhook by this Service.")
NO_PORT = error("no-service-port", "The API server calls the Service at a port it does not have.")
NONE = error(
    "no-endpoints",
    "Nobody answers: a webhook that fails closed denies everything, another one nothing.",
)
FEW = warning(
    "few-endpoints", "With one server less than planned, the next failure may be an outage."
)
SINGLE = warning("single-endpoint", "One server alone means an outage in every restart of it.")


def run(seen: Seen) -> Iterator[Finding]:
    told: set[object] = set()
    for hook in seen.judged:
        for finding in _of(hook, seen):
            key = (finding.kind.id, hook.service)
            if key not in told:
                told.add(key)
                yield finding
    if seen.ours:
        yield from _count(seen)


def _of(hook: Hook, seen: Seen) -> Iterator[Finding]:
    place, asked = hook.service, hook.webhook.clientConfig.service
    if place is None or asked is None:
        return
    where, text = f"Service {'/'.join(place)}", f"which {hook.title} is called by"
    service = (seen.services or {}).get(place)
    if service is None:
        remedy = f"restore the Service, or kubectl delete {hook.resource}"
        yield NO_SERVICE.found(where, f"is missing, {text}", remedy)
        return
    port = asked.port or 443
    if port not in {one.port for one in service.spec.ports or ()}:
        remedy = f"kubectl edit service -n {place[0]} {place[1]}"
        yield NO_PORT.found(where, f"has no port {port}, {text}", remedy)
    if not ready((seen.endpoints or {}).get(place, ())):
        remedy = f"kubectl get pods -n {place[0]}; kubectl describe service -n {' '.join(place)}"
        if hook.ours and hook.webhook.fails_closed:
            remedy += f"; until then, if nothing may wait for it: {names.REMOVE}"
        yield NONE.found(where, f"has no endpoint that is ready, {text}", remedy)


def ready(slices: Iterable[views.Slice]) -> int:
    """How many endpoints are ready; one that does not say is."""
    endpoints = (one for some in slices for one in some.endpoints or ())
    return sum(one.conditions.ready is not False for one in endpoints)


def _count(seen: Seen) -> Iterator[Finding]:
    place = (seen.namespace, names.SERVICE)
    found, deployment = ready((seen.endpoints or {}).get(place, ())), seen.deployment(names.SERVE)
    if deployment is None:
        return  # told elsewhere
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    where = f"Deployment {seen.namespace}/{names.SERVE}"
    if 0 < found < wanted:
        remedy = f"kubectl get pods -n {seen.namespace}"
        yield FEW.found(where, f"{found} of {wanted} servers are ready", remedy)
    if wanted < 2:
        remedy = f"kubectl scale -n {seen.namespace} deployment/{names.SERVE} --replicas=3"
        yield SINGLE.found(where, f"has {wanted or 'no'} replica", remedy)


CHECK = Check(
    id="endpoints",
    title="servers are ready behind the Service of every webhook",
    kinds=(NO_SERVICE, NO_PORT, NONE, FEW, SINGLE),
    run=run,
    needs=("hooks", "services", "endpoints", "deployments"),
    about="any webhook",
)
