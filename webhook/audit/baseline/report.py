"""What `netreeve baseline` has to say, as one value that the reports write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from policies.baseline.config import BaselineConfig
from webhook.audit.baseline.cluster import Cluster
from webhook.audit.baseline.contacts import contacts, unused
from webhook.audit.baseline.read import Ground, Traffic
from webhook.audit.baseline.removal import Removal
from webhook.audit.baseline.severed import Severed, severed
from webhook.audit.baseline.standing import Standing
from webhook.cluster.lists import Unread


class Preview(NamedTuple):
    """looked: how many connections are known, None where too little could be read to tell.

    unused: Services whose clients are not known.
    """

    severed: tuple[Severed, ...]
    looked: int | None
    unused: tuple[str, ...]
    unread: tuple[Unread, ...]


class Report(NamedTuple):
    """status: what the controller has written on the namespace; {} if nothing.

    adopted, removed: None where that was not asked for.
    """

    standing: Standing
    status: Mapping[str, str]
    preview: Preview | None = None
    removal: Removal | None = None
    adopted: bool | None = None
    removed: bool | None = None

    @property
    def unread(self) -> tuple[Unread, ...]:
        return tuple(
            sorted({*self.standing.unread, *(self.preview.unread if self.preview else ())})
        )

    @property
    def exit_code(self) -> int:
        """2 where something could not be read, 1 where something is to be done."""
        if self.unread:
            return 2
        lost = self.preview is not None and bool(self.preview.severed) and not self.adopted
        failing = self.status.get("state") == "failing"
        return int(lost or failing or not self.standing.good)


def preview(config: BaselineConfig, found: Standing, ground: Ground, traffic: Traffic) -> Preview:
    """What the baseline of `found` would end."""
    cluster, name = Cluster(traffic, ground.facts), found.namespace.name
    baseline = config.baseline(found.baseline)
    assert baseline is not None  # the command has refused names that are not configured
    known = tuple(contacts(cluster, name, baseline))
    lost = severed(
        cluster,
        name,
        [one.manifest for one in found.rules],
        known,
        ip_blocks_match_pods=found.cni.ip_blocks_match_pods,
    )
    distinct = {(one.source.title, one.target.title, one.protocol, one.port) for one in known}
    unknown = (found.hold and found.uncertain) or (traffic.unread and not known)
    looked = None if unknown else len(distinct)
    return Preview(lost, looked, tuple(unused(cluster, name, known)), traffic.unread)


def obstacles(found: Standing) -> list[str]:
    """Why a namespace cannot be adopted, and how to go on; none if it can."""
    name, said = found.namespace.name, []
    if found.excluded:
        said.append(f"{name} gets no baseline: {found.excluded}")
    if not found.enabled:
        said.append("baselines are switched off: set baseline.enabled to true first")
    if found.terminating:
        said.append(f"{name} is being deleted")
    if found.label is not None and found.label != found.baseline:
        said.append(
            f"{name} is under the baseline {found.label}: to change that, relabel it by hand, "
            "which needs the right to exempt from baseline"
        )
    if found.controller.problem:
        said.append(found.controller.problem)
    if found.hold:
        said.append(
            "no DNS was found, so nothing would be generated and new pods would wait: set "
            "baseline.dns.services or baseline.dns.addresses first"
        )
    said += [
        f"NetworkPolicy {name}/{one} is not Netreeve's and has a name that the baseline needs: "
        f"apply it under another name, delete {one}, and adopt again"
        for one in found.taken
    ]
    return said
