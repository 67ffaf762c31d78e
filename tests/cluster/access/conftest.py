"""Somebody who may ask who may exempt, and others who may."""

from pathlib import Path

import pytest
from kubernetes.client import CoreV1Api

from policies.model import User
from tests.cluster.access.given import HERE, with_access
from tests.cluster.middlebox import Middlebox, by_way_of
from tests.cluster.namespaces import create_namespace
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

# The right that an asker needs; then who may exempt what.
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: askers}
rules: [{apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: askers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: askers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: askers}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: exempt-baseline, namespace: team-a}
rules:
- {apiGroups: [netreeve.io], resources: [policies], resourceNames: [baseline], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: exempt-baseline, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: exempt-baseline}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: team-a-leads}
- {kind: ServiceAccount, name: deployer, namespace: team-a}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: write-policies, namespace: team-a}
rules:
- apiGroups: [netreeve.io]
  resources: [policies]
  verbs: [get, list, watch, create, update, patch, delete]
- {apiGroups: [netreeve.io], resources: [exemptions], verbs: [exempt]}
- {apiGroups: [example.com], resources: [policies], verbs: [exempt]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: write-policies, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: write-policies}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: exempt-everything}
rules: [{apiGroups: [netreeve.io], resources: [policies], verbs: [exempt]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: exempt-everything}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-everything}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: platform}]
"""


@pytest.fixture(scope="package")
def asker(plane: ControlPlane, api: CoreV1Api) -> Path:
    """The kubeconfig of a user with exactly the right that asking needs."""
    for name in ("team-a", "team-b"):
        create_namespace(api, name)
    plane.kubectl("apply", "-f", "-", stdin=RIGHTS)
    asker = plane.kubeconfig_for("asker", ("askers",))
    platform = User("", "", ("platform",))
    wait_for(
        lambda: with_access(asker, lambda access: access.allowed(platform, [HERE])).get(HERE),
        10,
        "the rights",
    )
    return asker


@pytest.fixture
def detour(asker: Path, middlebox: Middlebox, tmp_path: Path) -> Path:
    """The asker's kubeconfig, by way of the middlebox."""
    return by_way_of(middlebox, asker, tmp_path / "detour.kubeconfig")
