"""The reviews that the benchmark sends, as the API server writes them.

Owns the objects in them: what a mesh, a controller and kubectl leave on a real one. Sizes are
those of the whole AdmissionReview, so an update carries the object and the old object.
"""

from __future__ import annotations

import json

from tests.bench import pods
from tests.bench.pods import Json

POD_BYTES = 5 * 1024
DEPLOYMENT_UPDATE_BYTES = 28 * 1024
UID = "0b5c2a9e-6d0f-4a53-9c62-6f0f7a4d1c5e"


def _review(request: Json) -> bytes:
    """Compact JSON in the order of the API server, which writes the uid first."""
    review = {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": UID, **request},
    }
    return json.dumps(review, separators=(",", ":")).encode()


def _request(
    kind: tuple[str, str, str], resource: str, operation: str, obj: Json, old: Json | None = None
) -> Json:
    group, version, name = kind
    gvk = {"group": group, "version": version, "kind": name}
    gvr = {"group": group, "version": version, "resource": resource}
    options = "CreateOptions" if operation == "CREATE" else "UpdateOptions"
    return {
        "kind": gvk,
        "resource": gvr,
        "requestKind": gvk,
        "requestResource": gvr,
        **({"name": obj["metadata"]["name"]} if "name" in obj["metadata"] else {}),
        "namespace": "shop",
        "operation": operation,
        "userInfo": _DEVELOPER if operation == "UPDATE" else _CONTROLLER,
        "object": obj,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": options, "apiVersion": "meta.k8s.io/v1"},
    }


_DEVELOPER = {
    "username": "oidc:jane.doe@example.com",
    "groups": ["oidc:shop-developers", "system:authenticated"],
    "extra": {"authentication.kubernetes.io/credential-id": ["JTI=5f0c2d3e-1a7b-4c55-8a0d"]},
}
_CONTROLLER = {
    "username": "system:serviceaccount:kube-system:replicaset-controller",
    "uid": "5d6a9c43-0f5e-4a1c-8a0b-70a1c2c5b7a9",
    "groups": [
        "system:serviceaccounts",
        "system:serviceaccounts:kube-system",
        "system:authenticated",
    ],
}


def pod_create() -> bytes:
    """A pod of a ReplicaSet with a mesh sidecar injected, as a mutating webhook leaves it."""
    meta = {
        "generateName": "checkout-6c8f5d7b9c-",
        "namespace": "shop",
        "labels": {**_LABELS, "pod-template-hash": "6c8f5d7b9c"},
        "annotations": _ANNOTATIONS,
        "ownerReferences": [_owner("ReplicaSet", "checkout-6c8f5d7b9c")],
        "managedFields": [_managed("kube-controller-manager", _POD_FIELDS)],
    }
    spec = {
        **pods.pod_spec(
            [pods.application("checkout", 8080, pods.environment(4))],
            [pods.sidecar()],
            [pods.token_volume(), *pods.sidecar_volumes()],
        ),
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "tolerations": [pods.toleration("not-ready"), pods.toleration("unreachable")],
    }
    obj = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {}}
    return _review(_request(("", "v1", "Pod"), "pods", "CREATE", obj))


def service_create() -> bytes:
    """The NodePort frontend of a tutorial."""
    obj = {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {
            "name": "frontend",
            "namespace": "shop",
            "labels": {"app": "guestbook", "tier": "frontend"},
            "managedFields": [_managed("kubectl-create", {"f:spec": {"f:type": {}}})],
        },
        "spec": {
            "ports": [{"protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30080}],
            "selector": {"app": "guestbook", "tier": "frontend"},
            "type": "NodePort",
            "sessionAffinity": "None",
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }
    return _review(_request(("", "v1", "Service"), "services", "CREATE", obj))


def deployment_update() -> bytes:
    """A new image for a Deployment of five containers, applied with kubectl."""
    old, new = _deployment("v1.42.0", 17), _deployment("v1.43.0", 18)
    return _review(_request(("apps", "v1", "Deployment"), "deployments", "UPDATE", new, old))


# --- Objects


_LABELS = {
    "app.kubernetes.io/name": "checkout",
    "app.kubernetes.io/part-of": "shop",
    "security.istio.io/tlsMode": "istio",
}
_ANNOTATIONS = {
    "kubectl.kubernetes.io/default-container": "checkout",
    "prometheus.io/port": "15020",
    "prometheus.io/scrape": "true",
    "sidecar.istio.io/status": '{"initContainers":["istio-proxy"],"revision":"default"}',
}
_POD_FIELDS: Json = {
    "f:metadata": {"f:generateName": {}, "f:labels": {".": {}, "f:pod-template-hash": {}}},
    "f:spec": {
        'k:{"name":"checkout"}': {".": {}, "f:env": {}, "f:image": {}, "f:ports": {}},
        "f:dnsPolicy": {},
        "f:restartPolicy": {},
    },
}


def _owner(kind: str, name: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": "4d7c1be0-5c57-4a7e-b7a4-1c9f7f1d4a52",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _managed(manager: str, fields: Json) -> Json:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-10-01T08:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _deployment(image: str, generation: int) -> Json:
    names = ("checkout", "cart", "payment", "catalogue", "session")
    containers = [
        pods.application(name, 8080 + index, pods.environment(10), image)
        for index, name in enumerate(names)
    ]
    template = {
        "metadata": {
            "labels": _LABELS,
            "annotations": {"prometheus.io/port": "15020", "prometheus.io/scrape": "true"},
        },
        "spec": pods.pod_spec(containers, [], [{"name": "cache", "emptyDir": {}}]),
    }
    applied = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}}
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "checkout",
            "namespace": "shop",
            "uid": "8f0b8f0e-8d3a-4f0e-b9d3-0a4f6a1f3e11",
            "resourceVersion": "1849203",
            "generation": generation,
            "creationTimestamp": "2026-03-14T15:09:26Z",
            "labels": _LABELS,
            "annotations": {
                "deployment.kubernetes.io/revision": str(generation),
                "kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied),
            },
            "managedFields": [
                _managed("kubectl-client-side-apply", _deployment_fields(names)),
                _managed("kube-controller-manager", {"f:status": {"f:readyReplicas": {}}}),
            ],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "checkout"}},
            "template": template,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {"observedGeneration": generation, "replicas": 3, "readyReplicas": 3},
    }


def _deployment_fields(names: tuple[str, ...]) -> Json:
    """The ownership of every field, which is a good part of any object that was applied."""
    container: Json = {
        ".": {},
        "f:env": {
            ".": {},
            **{
                f'k:{{"name":"{variable["name"]}"}}': {".": {}, "f:name": {}}
                for variable in pods.environment(10)
            },
        },
        "f:image": {},
        "f:livenessProbe": {".": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}}},
        "f:name": {},
        "f:ports": {},
        "f:resources": {},
    }
    containers = {f'k:{{"name":"{name}"}}': container for name in names}
    return {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": containers}}}}
