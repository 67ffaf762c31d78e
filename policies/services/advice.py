"""What to do about a public Service, in words: advice that works for this very one.

An existing load balancer keeps its class (Kubernetes API, spec.loadBalancerClass), and of some
providers (`Controller.fixed`) its reach: such advice is for a new Service. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.objects import ServicePort
from policies.services.balancers import PROVIDERS, Controller, Marker, addressed
from policies.services.ports import known_behind

PRIVATE = "use ClusterIP behind an Ingress or Gateway"
"""For ports that nothing is known of; `private` says it for a known one."""
EXPLAIN = "netreeve explain load-balancer"
_NEW = "make a new Service with"


def private(port: ServicePort | None) -> str:
    """How a port stays inside. An Ingress carries HTTP, and makes it public in turn."""
    if port is not None and port.protocol not in (None, "TCP"):
        return "use ClusterIP behind a Gateway"
    if port is not None and known_behind(port):
        return "use ClusterIP and kubectl port-forward"
    return PRIVATE


def make_internal(controller: Controller, *, existing: bool) -> str:
    """How its load balancer becomes internal. existing: it has been made already."""
    if controller.markers:
        return set_marker(controller, controller.markers[0], existing=existing)
    for one in siblings(controller):
        if one.default == "internal" and one.classes:
            return f"{take(existing=existing)} the class {one.classes[0]}"
    return "let an administrator declare internal ones (internalClasses, internalAnnotations)"


def for_anyone(annotations: Mapping[str, str], *, existing: bool) -> str:
    """The same where nobody knows who makes it; the Service may tell whom it is written for."""
    if meant := addressed(annotations):
        return make_internal(meant, existing=existing)
    return f"set your provider's annotation for internal ones ({EXPLAIN})"


def set_marker(controller: Controller, marker: Marker, *, existing: bool) -> str:
    verb = _NEW if controller.fixed and existing else "set"
    return f"{verb} the annotation {marker.example}"


def take(*, existing: bool) -> str:
    """The verb for a class."""
    return _NEW if existing else "use"


def siblings(controller: Controller) -> tuple[Controller, ...]:
    """All controllers of the same provider."""
    return next(one.controllers for one in PROVIDERS.values() if controller in one.controllers)
