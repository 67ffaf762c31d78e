"""What a real API server makes of our writes, and how it says no."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import CoreV1Api

from tests.cluster.middlebox import Middlebox, by_way_of
from tests.cluster.namespaces import create_namespace
from tests.cluster.users import user_with
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.apply import FIELD_MANAGER, Json, Writer, path
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.errors import ConflictError, NotFoundError, RefusedError, UnreachableError

pytestmark = pytest.mark.cluster

OTHER_UID = "b0c9f1ee-0000-4000-8000-000000000000"
API = "networking.k8s.io/v1"
RIGHTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: writers}
rules:
- {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [create, patch]}
- {apiGroups: [""], resources: [namespaces, pods], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: writers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: writers}]
"""
DENIAL = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-reds}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [networking.k8s.io], apiVersions: [v1], resources: [networkpolicies],
       operations: [CREATE, UPDATE]}
  matchConditions: [{name: red, expression: "object.metadata.name.startsWith('red')"}]
  validations: [{expression: "false", message: no reds here, reason: Forbidden}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-reds}
spec: {policyName: no-reds, validationActions: [Deny]}
"""

Act = Callable[[Writer], Awaitable[bytes]]
Stored = Callable[[], dict[str, Any]]


@pytest.fixture(scope="package")
def writer(plane: ControlPlane) -> Path:
    """The kubeconfig of a user with exactly the rights that these writes need."""
    return user_with(plane, RIGHTS, "writer", "writers", "patch", "pods")


@pytest.fixture
def space(api: CoreV1Api) -> str:
    """A namespace of the test's own."""
    name = f"space-{uuid.uuid4().hex[:8]}"
    create_namespace(api, name)
    return name


@pytest.fixture
def stored(plane: ControlPlane, space: str) -> Stored:
    """Reads the default-deny of the namespace."""
    get = ("get", "networkpolicy", "default-deny", "-n", space, "-o", "json")
    return lambda: json.loads(plane.kubectl(*get, "--show-managed-fields").stdout)


def do(kubeconfig: Path, act: Act, seconds: float = 10) -> dict[str, Any]:
    """What the API server answers to one act."""

    async def main() -> bytes:
        async with Connection(Kubeconfig(str(kubeconfig))) as connection:
            return await act(Writer(connection, seconds=seconds))

    result: dict[str, Any] = json.loads(asyncio.run(main()))
    return result


def policy(space: str, name: str = "default-deny", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": space, "labels": {"owner": "us"}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], **spec},
    }


def apply(object: Json, *, force: bool = False) -> Act:
    where = path(
        API, "networkpolicies", object["metadata"]["namespace"], object["metadata"]["name"]
    )
    return lambda writer: writer.apply(where, object, force=force)


def test_paths() -> None:
    assert path("v1", "namespaces") == "/api/v1/namespaces"
    assert path("v1", "namespaces", name="a") == "/api/v1/namespaces/a"
    assert path("v1", "pods", "a", "b") == "/api/v1/namespaces/a/pods/b"
    assert path(API, "networkpolicies", "a") == f"/apis/{API}/namespaces/a/networkpolicies"
    assert path("v1", "pods", "a?x=y", "b#c") == "/api/v1/namespaces/a%3Fx%3Dy/pods/b%23c"


def test_apply_creates_changes_and_takes_back(writer: Path, stored: Stored, space: str) -> None:
    made = do(writer, apply(policy(space, ingress=[{"from": [{"podSelector": {}}]}])))
    assert made == stored()
    (managed,) = made["metadata"]["managedFields"]
    assert (managed["manager"], managed["operation"]) == (FIELD_MANAGER, "Apply")
    changed = do(writer, apply(policy(space, policyTypes=["Ingress", "Egress"])))
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_apply_of_what_is_there_writes_nothing(writer: Path, space: str) -> None:
    answers = [do(writer, apply(policy(space), force=True)) for _ in range(4)]
    assert all(answer == answers[0] for answer in answers)


def test_another_managers_fields_are_not_touched_without_force(
    plane: ControlPlane, writer: Path, stored: Stored, space: str
) -> None:
    theirs = policy(space, policyTypes=["Egress"], egress=[{}])
    plane.kubectl("create", "-f", "-", stdin=json.dumps(theirs))
    before = stored()
    with pytest.raises(ConflictError, match="kubectl-create") as refused:
        do(writer, apply(policy(space)))
    assert refused.value.reasons == {"Conflict", "FieldManagerConflict"}
    assert stored() == before
    forced = do(writer, apply(policy(space), force=True))
    assert forced["spec"]["policyTypes"] == ["Ingress"]
    # What nobody takes from them stays theirs: a forced apply alone does not make it ours.
    assert forced["spec"]["egress"] == [{}]


@pytest.mark.parametrize(
    ("wrong", "status"), [({"uid": OTHER_UID}, 422), ({"resourceVersion": "1"}, 409)]
)
def test_apply_to_no_other_object_than_the_one_that_is_meant(
    writer: Path, stored: Stored, space: str, wrong: dict[str, str], status: int
) -> None:
    ours = policy(space)
    ours["metadata"]["uid"] = OTHER_UID
    with pytest.raises(ConflictError, match="no existing object"):
        do(writer, apply(ours))
    made = do(writer, apply(policy(space)))
    ours = policy(space, policyTypes=["Ingress", "Egress"])
    ours["metadata"] |= wrong
    with pytest.raises(RefusedError) as refused:
        do(writer, apply(ours, force=True))
    assert refused.value.status == status
    assert "FieldManagerConflict" not in refused.value.reasons
    assert stored() == made
    ours["metadata"] |= {key: made["metadata"][key] for key in wrong}
    assert do(writer, apply(ours))["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_field_that_the_api_server_does_not_know(writer: Path, space: str) -> None:
    """An error, and not just left out; of server-side apply it makes one of its own."""
    with pytest.raises(RefusedError, match=r"\.spec\.egres: field not declared") as refused:
        do(writer, apply(policy(space, egres=[])))
    assert refused.value.status == 500
    where = path("v1", "namespaces", name=space)
    with pytest.raises(RefusedError, match=r'unknown field "spec\.egres"') as refused:
        do(writer, lambda writer: writer.merge_patch(where, {"spec": {"egres": []}}))
    assert refused.value.status == 422


def test_what_is_invalid(writer: Path, space: str) -> None:
    with pytest.raises(RefusedError, match="policyTypes") as refused:
        do(writer, apply(policy(space, policyTypes=["Ingres"])))
    assert refused.value.status == 422
    assert "Invalid" in refused.value.reasons


def test_a_namespace_that_is_not_there(writer: Path) -> None:
    with pytest.raises(NotFoundError, match='namespaces "nowhere" not found'):
        do(writer, apply(policy("nowhere")))


def test_a_namespace_that_is_ending(writer: Path, api: CoreV1Api, space: str) -> None:
    api.delete_namespace(space)
    with pytest.raises(RefusedError, match="being terminated") as refused:
        do(writer, apply(policy(space)))
    assert refused.value.status == 403
    assert "NamespaceTerminating" in refused.value.reasons
    assert "grant this" not in str(refused.value)


def test_a_right_that_is_missing(plane: ControlPlane, space: str) -> None:
    with pytest.raises(
        RefusedError, match=r"cannot patch .* grant this .* in a ClusterRole"
    ) as refused:
        do(plane.kubeconfig_for("nobody"), apply(policy(space)))
    assert refused.value.status == 403


def test_admission_that_says_no_is_no_missing_right(
    plane: ControlPlane, writer: Path, space: str
) -> None:
    plane.kubectl("apply", "-f", "-", stdin=DENIAL)
    names = (f"red-{number}" for number in range(1000))

    def refusal() -> RefusedError | None:
        try:
            do(writer, apply(policy(space, next(names))))
        except RefusedError as error:
            return error
        return None

    refused = wait_for(refusal, 20, "the admission policy to be in force")
    assert refused
    assert refused.status == 403
    assert "no reds here" in str(refused)
    assert "grant this" not in str(refused)


def test_a_json_patch_takes_a_scheduling_gate_from_a_pod(
    plane: ControlPlane, writer: Path, space: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gated", "namespace": space},
        "spec": {
            "schedulingGates": [{"name": "example.com/a"}, {"name": "netreeve.io/baseline"}],
            "containers": [{"name": "main", "image": "example.com/main"}],
        },
    }
    plane.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    operations = [
        {"op": "test", "path": "/spec/schedulingGates/1/name", "value": "netreeve.io/baseline"},
        {"op": "remove", "path": "/spec/schedulingGates/1"},
    ]
    where = path("v1", "pods", space, "gated")

    def ungate(writer: Writer) -> Awaitable[bytes]:
        return writer.json_patch(where, operations)

    assert do(writer, ungate)["spec"]["schedulingGates"] == [{"name": "example.com/a"}]
    with pytest.raises(RefusedError) as refused:
        do(writer, ungate)
    assert refused.value.status == 422


def test_a_merge_patch_of_annotations(writer: Path, space: str) -> None:
    def annotate(values: Json, **metadata: str) -> dict[str, Any]:
        patch = {"metadata": {"annotations": values, **metadata}}
        where = path("v1", "namespaces", name=space)
        answer = do(writer, lambda writer: writer.merge_patch(where, patch))
        result: dict[str, Any] = answer["metadata"]
        return result

    first = annotate({"a": "1", "b": "2"})
    assert first["annotations"] == {"a": "1", "b": "2"}
    second = annotate({"a": None}, resourceVersion=first["resourceVersion"])
    assert second["annotations"] == {"b": "2"}
    with pytest.raises(ConflictError) as refused:
        annotate({"b": "3"}, resourceVersion=first["resourceVersion"])
    assert refused.value.reasons == {"Conflict"}
    with pytest.raises(RefusedError, match=r"metadata\.uid: .* field is immutable"):
        annotate({"b": "3"}, uid=OTHER_UID)
    assert annotate({}, uid=first["uid"])["resourceVersion"] == second["resourceVersion"]


@pytest.mark.parametrize("fault", ["silence", "cut"])
def test_an_api_server_that_does_not_answer(
    writer: Path, middlebox: Middlebox, tmp_path: Path, space: str, fault: str
) -> None:
    config = by_way_of(middlebox, writer, tmp_path / "detour")
    getattr(middlebox, fault)()
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"no answer in 0\.3 s|not reachable"):
        do(config, apply(policy(space)), seconds=0.3)
    assert time.monotonic() - started < 3
    middlebox.relay()
    assert do(config, apply(policy(space)))["metadata"]["uid"]
