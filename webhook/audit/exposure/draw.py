"""What was read -> the map, a pure function."""

from __future__ import annotations

from collections.abc import Mapping

from policies.baseline.facts import Facts
from policies.labels import NAME_LABEL
from policies.model import ClusterFacts
from policies.services.reach import Declared
from webhook.audit.baseline.cluster import Actor, Cluster
from webhook.audit.baseline.read import Traffic
from webhook.audit.exposure.matrix import reachable
from webhook.audit.exposure.model import ExposureMap, Isolation, Unread, Workload
from webhook.audit.exposure.sides import Sides
from webhook.audit.exposure.ways import Ways

"""The label that the API server sets on every namespace."""


def expose(
    traffic: Traffic,
    facts: ClusterFacts,
    declared: Declared,
    unread: tuple[Unread, ...] = (),
) -> ExposureMap:
    """facts: of the nodes. declared: what the configuration says of load balancers."""
    traffic = traffic._replace(namespaces=_labelled(traffic))
    cluster = Cluster(traffic, Facts())
    sides = Sides(cluster.policies)
    return ExposureMap(
        ways=tuple(Ways(cluster, sides, facts, declared).all()),
        workloads=tuple(sorted((_workload(one, sides) for one in cluster.actors), key=_place)),
        namespaces=tuple(sorted(traffic.namespaces)),
        pairs=tuple(reachable(cluster.actors, traffic.namespaces, sides)),
        unread=(*unread, *(Unread(one.resource, one.message) for one in traffic.unread)),
    )


def _labelled(traffic: Traffic) -> Mapping[str, Mapping[str, str]]:
    """Every namespace in which something is, with the label that it has for sure."""
    names = {one.namespace for _, one in traffic.pods} | traffic.namespaces.keys()
    known = traffic.namespaces
    return {name: {**known.get(name, {}), NAME_LABEL: name} for name in sorted(names) if name}


def _workload(actor: Actor, sides: Sides) -> Workload:
    if actor.host_network:
        return Workload(actor.namespace, actor.kind, actor.name, True, None, None)
    found = sides.of(actor.namespace, actor.labels)
    return Workload(
        actor.namespace,
        actor.kind,
        actor.name,
        False,
        Isolation(found.ingress.isolated, found.ingress_policies),
        Isolation(found.egress.isolated, found.egress_policies),
    )


def _place(one: Workload) -> tuple[str, str, str]:
    return one.namespace, one.name, one.kind
