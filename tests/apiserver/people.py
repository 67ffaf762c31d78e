"""People with different rights to exempt, as the API server sees them, and what they send.

Requests are the administrator's with the headers of impersonation, so that one connection is
enough; what kubectl adds to a request is tested with kubectl.
"""

from __future__ import annotations

import itertools
import json
from typing import Any, NamedTuple

from tests.apiserver.gated import Gated
from tests.exemptions.world import claim
from webhook.exemptions.claim import EXEMPT, STAMP

DEV, OTHER = "exempt-dev", "exempt-other"
LATER, SOONER = "2027-07-01", "2027-01-01"
"""Than a claim that says nothing else."""
RESTART = {"kubectl.kubernetes.io/restartedAt": "2026-11-21T12:00:00Z"}
"""The annotation of kubectl rollout restart."""
KUBE = "system:serviceaccount:kube-system"
PEOPLE: dict[str, tuple[str, ...]] = {
    "anna": ("writers",),
    "jane": ("writers",),
    "carl": ("writers",),
    "dora": ("writers",),
    "olga": ("writers", "ops"),
    "root": ("writers",),
    "admin": ("system:masters",),
    f"system:serviceaccount:{DEV}:deployer": ("writers", "system:serviceaccounts"),
    f"system:serviceaccount:{DEV}:plain": ("writers", "system:serviceaccounts"),
}
"""Everybody may write everything but rights; `RIGHTS` says who may exempt."""

RIGHTS = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: exempt-writers}}
rules:
- apiGroups: ["", apps, batch]
  resources: ["*"]
  verbs: [get, list, create, update, patch, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: exempt-writers}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-writers}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: writers}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: exempt-some}}
rules:
- apiGroups: [netreeve.io]
  resources: [policies]
  resourceNames: [host-network, host-port, node-port]
  verbs: [exempt]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: exempt-some, namespace: {DEV}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-some}}
subjects:
- {{apiGroup: rbac.authorization.k8s.io, kind: User, name: anna}}
- {{apiGroup: rbac.authorization.k8s.io, kind: Group, name: ops}}
- {{kind: ServiceAccount, name: deployer, namespace: {DEV}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: exempt-some, namespace: {OTHER}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-some}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: carl}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: exempt-sysctls}}
rules:
- {{apiGroups: [netreeve.io], resources: [policies], resourceNames: [net-sysctls], verbs: [exempt]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: exempt-sysctls}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: exempt-sysctls}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: dora}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: netreeve-exempter}}
rules:
- {{apiGroups: [netreeve.io], resources: [policies], verbs: [exempt]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: netreeve-exempter}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: netreeve-exempter}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: root}}]
"""
_PATHS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
}
_numbers = itertools.count(1)
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


class Reply(NamedTuple):
    """What the API server answers. text: its message, with the warnings."""

    status: int
    body: dict[str, Any]
    text: str

    @property
    def allowed(self) -> bool:
        return self.status < 300


def template_annotations(obj: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = obj["spec"]["template"]["metadata"]["annotations"]
    return found


def reference(of: dict[str, Any], kind: str) -> dict[str, Any]:
    """To an owner."""
    meta = of["metadata"]
    return {
        "apiVersion": "apps/v1", "kind": kind, "name": meta["name"], "uid": meta["uid"],
        "controller": True,
    }  # fmt: skip


class Scene:
    """For one test: a name of its own, and the requests of people."""

    def __init__(self, gated: Gated) -> None:
        self.gated = gated
        self.name = f"w{next(_numbers)}"
        self._pool = gated.control_plane.api_client().rest_client.pool_manager

    def send(
        self, user: str, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> Reply:
        groups = PEOPLE.get(user, ("system:serviceaccounts",))
        headers = [("Content-Type", kind), ("Impersonate-User", user)]
        headers += [("Impersonate-Group", group) for group in groups]
        answer = self._pool.request(
            method,
            f"{self.gated.control_plane.url}{path}",
            body=None if body is None else json.dumps(body),
            headers=_multi(headers),
        )
        found = json.loads(answer.data)
        warnings = " ".join(answer.headers.getlist("Warning"))
        return Reply(answer.status, found, f"{found.get('message', '')} {warnings}")

    def create(
        self, user: str, obj: dict[str, Any], *, where: str = DEV, dry_run: bool = False
    ) -> Reply:
        query = "?dryRun=All" if dry_run else ""
        return self.send(user, "POST", _path(obj["kind"], where) + query, obj)

    def replace(self, user: str, obj: dict[str, Any], *, where: str = DEV) -> Reply:
        return self.send(user, "PUT", _path(obj["kind"], where, obj["metadata"]["name"]), obj)

    def patch(self, user: str, kind: str, patch: Any, *, name: str = "", sub: str = "") -> Reply:
        path = _path(kind, DEV, name or self.name) + (f"/{sub}" if sub else "")
        return self.send(user, "PATCH", path, patch, MERGE)

    def apply(self, user: str, obj: dict[str, Any], manager: str) -> Reply:
        path = _path(obj["kind"], DEV, obj["metadata"]["name"])
        query = f"?fieldManager={manager}&force=true"
        return self.send(user, "PATCH", path + query, obj, APPLY)

    def delete(self, kind: str, *, how: str = "Background") -> None:
        body = {"propagationPolicy": how, "gracePeriodSeconds": 0}
        reply = self.send("admin", "DELETE", _path(kind, DEV, self.name), body)
        assert reply.allowed, reply.text

    def get(self, kind: str, name: str = "", where: str = DEV) -> dict[str, Any]:
        return self.send("admin", "GET", _path(kind, where, name or self.name)).body

    def stamp(self) -> dict[str, Any]:
        """Of the Deployment's template."""
        found: dict[str, Any] = json.loads(template_annotations(self.get("Deployment"))[STAMP])
        return found

    def exists(self, kind: str, name: str = "") -> bool:
        return self.send("admin", "GET", _path(kind, DEV, name or self.name)).allowed

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Those of this scene, by their label."""
        path = f"{_path(kind, DEV)}?labelSelector=app%3D{self.name}"
        found: list[dict[str, Any]] = self.send("admin", "GET", path).body["items"]
        return found

    def conditions(self) -> list[str]:
        """What a Deployment and its ReplicaSets say of themselves."""
        stored = [self.get("Deployment"), *self.all("ReplicaSet")]
        found = [one for obj in stored for one in obj.get("status", {}).get("conditions", ())]
        return [one["message"] for one in found]

    # --- objects

    def service(self, annotations: dict[str, str] | None = None) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.name, "annotations": annotations or {}},
            "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"app": self.name}},
        }

    def pod(self, annotations: dict[str, str] | None = None, **of: Any) -> dict[str, Any]:
        template = self.template(annotations, **of)
        template["metadata"]["name"] = self.name
        return {"apiVersion": "v1", "kind": "Pod", **template}

    def template(
        self, annotations: dict[str, str] | None = None, *, port: int | None = None
    ) -> dict[str, Any]:
        """Of a pod in the node's network, or with a port on the node."""
        main: dict[str, Any] = {"name": "main", "image": "example.com/main:1"}
        if port is not None:
            main["ports"] = [{"containerPort": 80, "hostPort": port}]
        spec: dict[str, Any] = {"containers": [main]}
        if port is None:
            spec["hostNetwork"] = True
        labels = {"app": self.name}
        return {"metadata": {"labels": labels, "annotations": annotations or {}}, "spec": spec}

    def workload(
        self,
        annotations: dict[str, str] | None = None,
        *,
        kind: str = "Deployment",
        name: str = "",
        port: int | None = None,
        replicas: int = 0,
    ) -> dict[str, Any]:
        """Without pods, unless a test is about those."""
        template = self.template(annotations, port=port)
        spec: dict[str, Any] = {"template": template}
        if kind in ("Job", "CronJob"):
            template["spec"]["restartPolicy"] = "Never"
        else:
            spec["selector"] = {"matchLabels": {"app": self.name}}
        if kind in ("Deployment", "ReplicaSet", "StatefulSet"):
            spec["replicas"] = replicas
        if kind == "StatefulSet":
            spec["serviceName"] = self.name
        if kind == "CronJob":
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
        version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
        meta = {"name": name or self.name, "labels": {"app": self.name}}
        return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}

    def exempt(self, *policies: str, **of: Any) -> dict[str, Any]:
        """A Deployment that Anna has exempted, as it is stored."""
        reply = self.create("anna", self.workload(claim(*policies), **of))
        assert reply.allowed, reply.text
        return bare(reply.body)


def on_template(**annotations: str | None) -> dict[str, Any]:
    """A merge patch of the annotations of a pod template."""
    named = {
        EXEMPT if name == "exempt" else f"{EXEMPT}-{name}": text
        for name, text in annotations.items()
    }
    return {"spec": {"template": {"metadata": {"annotations": named}}}}


def bare(obj: dict[str, Any]) -> dict[str, Any]:
    """As somebody keeps it in a backup: without what the API server says of it."""
    gone = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
    meta = {name: one for name, one in obj["metadata"].items() if name not in gone}
    found = {name: one for name, one in obj.items() if name != "status"}
    return {**found, "metadata": meta}


def _path(kind: str, where: str, name: str = "") -> str:
    prefix, plural = _PATHS[kind]
    inside = "" if kind == "Namespace" else f"/namespaces/{where}"
    return f"{prefix}{inside}/{plural}" + (f"/{name}" if name else "")


def _multi(headers: list[tuple[str, str]]) -> Any:
    from urllib3 import HTTPHeaderDict

    found = HTTPHeaderDict()
    for name, value in headers:
        found.add(name, value)
    return found
