"""Who is believed to make objects from templates, and for which workload a stamp may stand."""

from __future__ import annotations

import pytest

from policies.model import User
from policies.objects import ObjectMeta, OwnerReference
from webhook.exemptions.owners import Maker, Owners, Workload, workload

KUBE = "system:serviceaccount:kube-system:"
ELSEWHERE = "system:serviceaccount:dev:replicaset-controller"
ROLLOUTS = "system:serviceaccount:argo-rollouts:argo-rollouts"
OWNERS = Owners([Maker(ROLLOUTS, ("Rollout.argoproj.io",)), Maker("my-controller-manager")])


def owned(api_version: str, kind: str, name: str = "web", *, controller: bool = True) -> ObjectMeta:
    one = OwnerReference(apiVersion=api_version, kind=kind, name=name, controller=controller)
    return ObjectMeta(ownerReferences=[one])


NO_CONTROLLER = owned("apps/v1", "ReplicaSet", controller=False)


@pytest.mark.parametrize(
    ("user", "kind", "meta", "made"),
    [
        (f"{KUBE}deployment-controller", "ReplicaSet.apps", owned("apps/v1", "Deployment"), True),
        (f"{KUBE}replicaset-controller", "Pod", owned("apps/v1", "ReplicaSet"), True),
        (f"{KUBE}replication-controller", "Pod", owned("v1", "ReplicationController"), True),
        (f"{KUBE}statefulset-controller", "Pod", owned("apps/v1", "StatefulSet"), True),
        (f"{KUBE}daemon-set-controller", "Pod", owned("apps/v1", "DaemonSet"), True),
        (f"{KUBE}job-controller", "Pod", owned("batch/v1", "Job"), True),
        (f"{KUBE}cronjob-controller", "Job.batch", owned("batch/v1", "CronJob"), True),
        ("system:kube-controller-manager", "Pod", owned("apps/v1", "ReplicaSet"), True),
        ("my-controller-manager", "Pod", owned("apps/v1", "ReplicaSet"), True),
        (ROLLOUTS, "ReplicaSet.apps", owned("argoproj.io/v1alpha1", "Rollout"), True),
        # of somebody else, of another kind, or only said so
        ("jane", "Pod", owned("apps/v1", "ReplicaSet"), False),
        (ELSEWHERE, "Pod", owned("apps/v1", "ReplicaSet"), False),
        (f"{KUBE}replicaset-controller2", "Pod", owned("apps/v1", "ReplicaSet"), False),
        (f"{KUBE}job-controller", "Pod", owned("apps/v1", "ReplicaSet"), False),
        (f"{KUBE}replicaset-controller", "Pod", owned("example.com/v1", "ReplicaSet"), False),
        (f"{KUBE}replicaset-controller", "Pod", NO_CONTROLLER, False),
        (f"{KUBE}replicaset-controller", "Pod", owned("apps/v1", "Deployment"), False),
        (f"{KUBE}replicaset-controller", "Pod", ObjectMeta(), False),
        (f"{KUBE}replicaset-controller", "Pod", None, False),
        (f"{KUBE}deployment-controller", "Pod", owned("apps/v1", "ReplicaSet"), False),
        (ROLLOUTS, "Pod", owned("apps/v1", "ReplicaSet"), False),
        (ROLLOUTS, "ReplicaSet.apps", owned("apps/v1", "Deployment"), False),
        ("my-controller-manager", "ReplicaSet.apps", owned("argoproj.io/v1", "Rollout"), False),
        ("system:kube-controller-manager", "Pod", owned("argoproj.io/v1", "Rollout"), False),
        ("", "Pod", owned("apps/v1", "ReplicaSet"), False),
    ],
)  # fmt: skip
def test_who_makes_what(user: str, kind: str, meta: ObjectMeta | None, *, made: bool) -> None:
    found = OWNERS.made_for(User(user), kind, meta)
    assert (found is not None) is made
    if found is not None:
        assert found.name == "web"


@pytest.mark.parametrize(
    ("stamped", "kind", "name", "same"),
    [
        ("Deployment.apps/web", "Deployment.apps", "web", True),
        ("Deployment.apps/web", "Deployment.apps", "web2", False),
        ("Deployment.apps/web", "StatefulSet.apps", "web", False),
        ("Deployment.apps/web", "Deployment.example.com", "web", False),
        ("Deployment.apps/web", "ReplicaSet.apps", "web-6d4cf56db6", True),
        ("Deployment.apps/web", "ReplicaSet.apps", "web-api-6d4cf56db6", False),
        ("Deployment.apps/web", "ReplicaSet.apps", "web", False),
        ("Deployment.apps/web", "ReplicaSet.apps", "web-", False),
        ("Deployment.apps/web", "ReplicaSet.apps", "web6d4cf56db6", False),
        ("Deployment.apps/web", "ReplicaSet.apps", "myweb-6d4cf56db6", False),
        ("Deployment.apps/web", "Job.batch", "web-6", False),
        ("Deployment.apps/web-*", "ReplicaSet.apps", "web-x7k2p-6d4cf56db6", True),
        ("Deployment.apps/web-*", "ReplicaSet.apps", "web-6d4cf56db6", False),
        ("CronJob.batch/backup", "Job.batch", "backup-29012345", True),
        ("CronJob.batch/backup", "Job.batch", "backup-manual", False),
        ("CronJob.batch/backup", "Job.batch", "backup-db-29012345", False),
        ("Job.batch/backup-*", "Job.batch", "backup-x7k2p", True),
        ("Job.batch/backup-*", "Job.batch", "backup-x7k2pq", False),
        ("Job.batch/backup-*", "Job.batch", "backup-*", True),
        ("Job.batch/backup-*", "Job.batch", "backup-", False),
        ("Rollout.argoproj.io/web", "ReplicaSet.apps", "web-6d4cf56db6", True),
        ("Rollout.argoproj.io/web", "ReplicaSet.apps", "website-6d4cf56db6", False),
        ("Rollout.argoproj.io/web", "Pod", "web-6d4cf", False),
        ("Other.argoproj.io/web", "ReplicaSet.apps", "web-6d4cf56db6", False),
        ("Namespace/shop", "Namespace", "shop", True),
        ("", "Pod", "", False),
        ("Pod/", "Pod", "", True),  # a Pod without any name, which no API server stores
    ],
)
def test_for_what_a_stamp_stands(stamped: str, kind: str, name: str, *, same: bool) -> None:
    assert OWNERS.stands_for(stamped, Workload(kind, name)) is same


def test_names_yet_to_be_generated() -> None:
    assert (
        str(workload("Job", "batch", "", ObjectMeta(generateName="backup-")))
        == "Job.batch/backup-*"
    )
    assert str(workload("Pod", "", "web", ObjectMeta(generateName="w"))) == "Pod/web"
    assert str(workload("Pod", "", "", ObjectMeta(name="web"))) == "Pod/web"
    long = workload("Pod", "", "", ObjectMeta(generateName="x" * 70))
    assert OWNERS.stands_for(str(long), Workload("Pod", "x" * 58 + "abcde"))


@pytest.mark.parametrize(
    ("user", "controls"),
    [(f"{KUBE}deployment-controller", True), ("system:kube-controller-manager", True),
     (ROLLOUTS, True), ("jane", False), (f"{KUBE}default", False), (ELSEWHERE, False)],
)  # fmt: skip
def test_who_is_a_controller(user: str, *, controls: bool) -> None:
    assert OWNERS.is_controller(User(user)) is controls
