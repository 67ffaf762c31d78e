"""Who may talk to whom: the union of policies, pod by pod."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.network_policies.effective import Flow, Pods, allowed
from policies.network_policies.views import NetworkPolicy
from tests.policies.network_policies.given import NAMESPACES, PODS, Json, party, policies, views
from webhook.audit.baseline.cluster import Actor
from webhook.audit.exposure.matrix import reachable
from webhook.audit.exposure.model import Pair
from webhook.audit.exposure.sides import Sides

SCALE = 10 if os.environ.get("NETREEVE_SCALE") == "full" else 1
PACKETS = tuple(product(("TCP", "UDP", "SCTP", "DCCP"), (1, 52, 53, 54, 80, 81, 82, 8080, 65535)))
"""The edges of all ports that the strategies know. No rule can name DCCP: only a rule without ports
lets it through, so that it tells every port of every protocol from all ports of the three."""


def pods_of(end: Json) -> Pods:
    """Its addresses are not known, as those of templates are not."""
    found = party(end)
    assert isinstance(found, Pods)
    return found._replace(ips=())


PARTIES = tuple(map(pods_of, PODS))


def actor(pods: Pods, name: str) -> Actor:
    return Actor(pods.namespace, "Deployment", name, pods.labels, {}, pods.ports, (), False, ())


def slowly(read: tuple[NetworkPolicy, ...], source: str, target: str) -> Pair:
    """The same answer, from every pod to every pod."""
    senders, receivers = (
        [one for one in PARTIES if one.namespace == name] for name in (source, target)
    )
    passes = [
        (at, packet, allowed(read, Flow(sender, receiver, *packet)))
        for at, receiver in enumerate(receivers)
        for sender in senders
        for packet in PACKETS
    ]
    opened = {(at, packet) for at, packet, through in passes if through}
    everything = all(through for *_, through in passes)
    ports = tuple(f"{protocol} {port}" for protocol, port in sorted({one for _, one in opened}))
    reached = len({at for at, _ in opened})
    reach = "all" if everything else "some" if opened else "nothing"
    return Pair(source, target, reach, ports, reached, len(receivers))  # type: ignore[arg-type]


def packets_of(ports: Iterable[str]) -> set[tuple[str, int]]:
    """Which of the packets are meant by words as ``TCP 80``, ``UDP 1-53`` and ``any``."""
    found = set()
    for text in ports:
        protocol, _, numbers = text.partition(" ")
        first, _, last = numbers.partition("-")
        low, high = (1, 65535) if numbers in ("", "any") else (int(first), int(last or first))
        found |= {
            (name, port)
            for name, port in PACKETS
            if protocol in ("any", name) and low <= port <= high
        }
    return found


@settings(max_examples=40 * SCALE)
@given(st.lists(policies, max_size=6))
def test_it_is_what_the_policies_allow_pod_by_pod(manifests: list[Json]) -> None:
    read = views(manifests)
    actors = [actor(one, f"w{at}") for at, one in enumerate(PARTIES)]
    found = list(reachable(actors, NAMESPACES, Sides(read)))
    assert [(one.source, one.target) for one in found] == list(
        product(sorted(NAMESPACES), repeat=2)
    )
    for one in found:
        slow = slowly(read, one.source, one.target)
        assert (one.reach, one.targets, one.of) == (slow.reach, slow.targets, slow.of), one
        assert packets_of(one.ports) == packets_of(slow.ports), one
