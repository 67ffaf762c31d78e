"""Reports to look at: a handful of objects, and more than anybody wants to read."""

from __future__ import annotations

from msgspec.structs import replace

from policies.model import Action
from tests.audit.reports.given import compared
from webhook.audit.exposure.model import Behind, ExposureMap, Isolation, Pair, Way, Workload
from webhook.audit.findings import Found, Report, Result

NAMESPACES = 200
FINDINGS = 10_000
OPEN = Behind("Deployment team-000/web", "TCP 8080", "allowed")
SHUT = Behind("Deployment team-001/db", "TCP 5432", "blocked", ("team-001/deny",))
DENIED: tuple[tuple[bool, tuple[str, ...]], ...] = ((True, ("deny",)), (False, ()))


def small() -> Report:
    """Something of everything; see tests.audit.reports.given."""
    return replace(compared(), exposure=exposure(3))


def large() -> Report:
    """10,000 findings of 5,000 objects."""
    policies = ("node-port", "host-port", "load-balancer", "host-network", "probe-host")
    actions = (Action.DENY, Action.WARN, Action.AUDIT)

    def found(at: int) -> Found:
        policy = policies[at % len(policies)]
        field = f"spec.template.spec.containers[{at % 3}].ports[0].hostPort"
        return Found(
            policy, actions[at % 3], field, f"must not be set (number {at})",
            "remove it and reach the pod through a Service", id=f"{at:016x}",
        )  # fmt: skip

    results = tuple(
        Result(
            "", 0, "apps/v1", "Deployment", namespace(at % NAMESPACES), f"service-{at}", "denied",
            (found(2 * at), found(2 * at + 1)),
        )
        for at in range(FINDINGS // 2)
    )  # fmt: skip
    return Report(results, exposure=exposure(NAMESPACES))


def namespace(at: int) -> str:
    return f"team-{at:03}"


def exposure(number: int) -> ExposureMap:
    """Two namespaces of each ten talk to all of their ten, the others on one port or not at all."""
    names = tuple(map(namespace, range(number)))
    ways = tuple(map(_way, range(number), names))
    workloads = tuple(
        Workload(name, "Deployment", kind, False, Isolation(*DENIED[at % 2]), Isolation(False))
        for at, name in enumerate(names)
        for kind in ("web", "db")
    )
    pairs = tuple(
        _pair(source, target, one, other)
        for one, source in enumerate(names)
        for other, target in enumerate(names)
    )
    return ExposureMap(ways, workloads, names, pairs)


def _way(at: int, name: str) -> Way:
    behind = (OPEN, SHUT) if at % 2 else (OPEN,)
    addresses = (f"203.0.113.{at % 250}",)
    service = f"Service {name}/web"
    return Way("load balancer", service, name, "public", ("TCP 443",), addresses, behind=behind)


def _pair(source: str, target: str, one: int, other: int) -> Pair:
    if one // 10 == other // 10:
        if one % 10 < 2:
            return Pair(source, target, "all", ("any",), 2, 2)
        return Pair(source, target, "some", ("TCP 8080",), 1, 2)
    return Pair(source, target, "nothing", (), 0, 2)
