"""What would become of a namespace without the policies that are left over in it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from policies.baseline.config import Baseline, BaselineConfig
from policies.network_policies.effective import Direction, Pods, side
from policies.network_policies.views import NetworkPolicy
from webhook.audit.baseline.cluster import Cluster
from webhook.audit.baseline.contacts import contacts
from webhook.audit.baseline.read import Ground, Traffic
from webhook.audit.baseline.severed import Severed, severed
from webhook.audit.baseline.standing import Standing

_OPEN = {Direction.INGRESS: "from everywhere", Direction.EGRESS: "to everywhere"}


class Opened(NamedTuple):
    """Pods that nothing isolates any more. directions: "from everywhere", "to everywhere"."""

    workload: str
    directions: tuple[str, ...]


class Going(NamedTuple):
    """A NetworkPolicy that is left over."""

    name: str
    uid: str


class Removal(NamedTuple):
    """policies: in the order of deletion. label: of a retired baseline, to be taken off.

    opened: what would be open to everybody. severed: what would be cut off, by policies that go
    while others stay.
    """

    policies: tuple[Going, ...]
    label: str | None
    opened: tuple[Opened, ...]
    severed: tuple[Severed, ...]

    @property
    def nothing(self) -> bool:
        return not self.policies and self.label is None


def removal(config: BaselineConfig, found: Standing, ground: Ground, traffic: Traffic) -> Removal:
    cluster, name = Cluster(traffic, ground.facts), found.namespace.name
    known = contacts(cluster, name, config.baseline(found.baseline) or Baseline())
    uids = {one.name: one.metadata.uid or "" for one in ground.policies}
    return Removal(
        tuple(Going(one, uids[one]) for one in found.left),
        found.label if not found.known else None,
        tuple(_opened(cluster, name, found.left)),
        severed(
            cluster,
            name,
            (),
            known,
            without=found.left,
            ip_blocks_match_pods=found.cni.ip_blocks_match_pods,
        ),
    )


def _opened(cluster: Cluster, namespace: str, left: Collection[str]) -> Iterator[Opened]:
    now = [one for one in cluster.policies if one.metadata and one.metadata.namespace == namespace]
    after = [one for one in now if one.metadata and (one.metadata.name or "") not in left]
    labels = cluster.traffic.namespaces.get(namespace, {})
    for actor in cluster.actors_by_namespace.get(namespace, ()):
        pods = Pods(namespace, labels, actor.labels)
        free = tuple(
            text for direction, text in _OPEN.items() if _frees(now, after, pods, direction)
        )
        if free and not actor.host_network:
            yield Opened(actor.title, free)


def _frees(
    now: list[NetworkPolicy], after: list[NetworkPolicy], pods: Pods, direction: Direction
) -> bool:
    return side(now, pods, direction).isolated and not side(after, pods, direction).isolated
