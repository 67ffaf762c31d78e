"""Candidates for the Lease of a test, and ways to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoordinationV1Api

from tests.cluster.election.candidates import Candidate, Terms
from tests.cluster.election.given import Make
from tests.cluster.middlebox import Middlebox, by_way_of
from tests.cluster.users import user_with
from tests.controlplane.cluster import ControlPlane

RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: candidates, namespace: default}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: candidates, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: candidates}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: candidates}]
"""


@pytest.fixture(scope="package")
def candidate(plane: ControlPlane) -> Path:
    """The kubeconfig of a user with exactly the rights that a candidate says it needs."""
    return user_with(plane, RIGHTS, "candidate", "candidates", "patch", "leases")


@pytest.fixture
def lease(request: pytest.FixtureRequest) -> str:
    """The name of this test's own Lease."""
    return "".join(char if char.isalnum() else "-" for char in request.node.name).strip("-").lower()


@pytest.fixture
def terms() -> Iterator[Terms]:
    """After every test: no two candidates have led at once."""
    found = Terms()
    yield found
    found.check()


@pytest.fixture
def make(candidate: Path, lease: str, terms: Terms, agent: str) -> Make:
    """Makes a candidate for the Lease of this test."""

    def made(name: str, kubeconfig: Path = candidate, **options: Any) -> Candidate:
        return Candidate(kubeconfig, lease, name, terms, agent=f"{agent}-{name}", **options)

    return made


@pytest.fixture
def detour(candidate: Path, middlebox: Middlebox, tmp_path: Path) -> Path:
    """The candidate's kubeconfig, by way of the middlebox."""
    return by_way_of(middlebox, candidate, tmp_path / "detour.kubeconfig")


@pytest.fixture
def leases(plane: ControlPlane) -> CoordinationV1Api:
    """The administrator's client."""
    return CoordinationV1Api(plane.api_client())
