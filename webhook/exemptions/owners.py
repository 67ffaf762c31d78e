"""Who makes objects out of templates, and for which workload a stamp may stand.

What controllers make of a pod template, such as the ReplicaSet of a Deployment and its pods,
carries the claim on it. A controller is known by its user, never by anything in the object; the
owner that its objects name (ownerReferences) can then be believed.
Sources: Kubernetes cmd/kube-controller-manager (names of the service accounts),
pkg/controller/deployment/sync.go and pkg/controller/cronjob/utils.go (names of what is made),
apiserver pkg/storage/names/generate.go (generateName).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from policies.model import User
from policies.objects import ObjectMeta

_ACCOUNT = "system:serviceaccount:kube-system:"
CONTROLLER_MANAGER = "system:kube-controller-manager"
"""Under which all controllers act without --use-service-account-credentials."""

POD, REPLICA_SET, JOB = "Pod", "ReplicaSet.apps", "Job.batch"
DEPLOYMENT, CRON_JOB = "Deployment.apps", "CronJob.batch"
_MAKERS: Mapping[tuple[str, str], str] = {
    (DEPLOYMENT, REPLICA_SET): "deployment-controller",
    (CRON_JOB, JOB): "cronjob-controller",
    (REPLICA_SET, POD): "replicaset-controller",
    ("ReplicationController", POD): "replication-controller",
    ("StatefulSet.apps", POD): "statefulset-controller",
    ("DaemonSet.apps", POD): "daemon-set-controller",
    (JOB, POD): "job-controller",
    ("Endpoints", "EndpointSlice.discovery.k8s.io"): "endpointslicemirroring-controller",
}
"""(kind of the owner, kind that is made) -> service account in kube-system."""

_SUFFIXES: Mapping[tuple[str, str], re.Pattern[str]] = {
    (DEPLOYMENT, REPLICA_SET): re.compile("-[0-9a-z]{1,16}"),  # hash of the template
    (CRON_JOB, JOB): re.compile("-[0-9]{1,12}"),  # minutes of the schedule
}
"""What a controller adds to the name of an owner whose pods have another owner."""

_GENERATED = re.compile("[0-9a-z]{5}")
_LONGEST_BASE = 58
"""Characters of generateName that are kept, so that the name has 63."""


class Workload(NamedTuple):
    """kind: ``Deployment.apps``, as kubectl writes it; name: ``shop``, or ``shop-*`` before the
    API server has generated it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Maker(NamedTuple):
    """Who may make objects for owners of other kinds than Kubernetes' own.

    owners: kinds with their group (``Rollout.argoproj.io``); none for a user that Kubernetes' own
    controllers act under.
    """

    user: str
    owners: tuple[str, ...] = ()


def qualified(kind: str, group: str) -> str:
    return f"{kind}.{group}" if group else kind


def workload(kind: str, group: str, name: str, meta: ObjectMeta | None) -> Workload:
    """What an object is called; request and object both leave out a name to be generated."""
    known = name or (meta and meta.name) or ""
    if not known and meta and meta.generateName:
        known = f"{meta.generateName[:_LONGEST_BASE]}*"
    return Workload(qualified(kind, group), known)


def owner(meta: ObjectMeta | None) -> Workload | None:
    """The owner that an object names as its controller. The object may say so by itself."""
    for one in (meta and meta.ownerReferences) or ():
        if one.controller and one.kind and one.name:
            group = (one.apiVersion or "").rpartition("/")[0]
            return Workload(qualified(one.kind, group), one.name)
    return None


class Owners:
    """Which controllers are believed. makers: those beyond Kubernetes' own."""

    def __init__(self, makers: Iterable[Maker]) -> None:
        self._users: dict[str, set[str]] = {}
        for maker in makers:
            self._users.setdefault(maker.user, set()).update(maker.owners or ("",))
        self._custom = {kind for kinds in self._users.values() for kind in kinds if kind}

    def made_for(self, user: User, kind: str, meta: ObjectMeta | None) -> Workload | None:
        """The owner for which a user has made an object of a kind; None if it is no controller's.

        Only for CREATE: later on anybody may have written the ownerReferences.
        """
        found = owner(meta)
        if found is None:
            return None
        name, own = user.username, self._users.get(user.username, ())
        if found.kind in own:
            return found
        maker = _MAKERS.get((found.kind, kind))
        built_in = name == CONTROLLER_MANAGER or "" in own or name == f"{_ACCOUNT}{maker}"
        return found if maker and built_in else None

    def is_controller(self, user: User) -> bool:
        """Whether a user makes objects out of others' templates."""
        name = user.username
        return (
            name == CONTROLLER_MANAGER
            or name in self._users
            or (name.startswith(_ACCOUNT) and name.removeprefix(_ACCOUNT) in _MAKERS.values())
        )

    def stands_for(self, stamped: str, this: Workload) -> bool:
        """Whether a stamp of a workload (``Deployment.apps/shop``) is one of ``this``.

        It is where the two are the same, and where ``this`` is named as a controller names what
        it makes for the stamped one.
        """
        kind, _, name = stamped.partition("/")
        if kind == this.kind:
            return _is_same(name, this.name)
        if kind in self._custom and this.kind in (REPLICA_SET, JOB, "StatefulSet.apps"):
            return _is_prefix(name, this.name)
        suffix = _SUFFIXES.get((kind, this.kind))
        if suffix is None:
            return False
        parent, dash, rest = this.name.rpartition("-")
        return bool(suffix.fullmatch(f"{dash}{rest}")) and _is_same(name, parent)


def _is_same(stamped: str, name: str) -> bool:
    """``backup-*`` is any name that the API server generates from ``backup-``."""
    if stamped == name or not stamped.endswith("*"):
        return stamped == name
    base = stamped[:-1]
    return name.startswith(base) and bool(_GENERATED.fullmatch(name[len(base) :]))


def _is_prefix(stamped: str, name: str) -> bool:
    """Custom controllers name what they make as they like, after their owner at least."""
    base = stamped.removesuffix("*")
    return bool(base) and name.startswith(base if base != stamped else f"{base}-")
