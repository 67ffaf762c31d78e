"""The reviews that the benchmark sends, as the API server writes them.

Owns the objects in them: what a mesh, a controller and kubectl leave on a real one. Sizes are
those of the whole AdmissionReview, so an update carries the object and the old object.
"""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

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
        **_pod_spec(
            [_application("checkout", 8080, _environment(4))],
            [_sidecar()],
            [_token_volume(), *_sidecar_volumes()],
        ),
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "tolerations": [_toleration("not-ready"), _toleration("unreachable")],
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


def _environment(count: int) -> list[Json]:
    """Half values, half references, as services are configured."""
    return [
        {"name": f"SETTING_{index}_URL", "value": f"http://backend-{index}.shop.svc:8080/v1"}
        if index % 2 == 0
        else {
            "name": f"SETTING_{index}_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "checkout", "key": f"token-{index}"}},
        }
        for index in range(count)
    ]


def _probe(path: str, port: int, period: int) -> Json:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": period,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _application(name: str, port: int, env: list[Json], image: str = "v1.42.0") -> Json:
    return {
        "name": name,
        "image": f"registry.example.com/shop/{name}:{image}",
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "env": env,
        "resources": {
            "limits": {"memory": "256Mi"},
            "requests": {"cpu": "100m", "memory": "256Mi"},
        },
        "volumeMounts": [_TOKEN_MOUNT],
        "livenessProbe": _probe("/livez", port, 10),
        "readinessProbe": _probe("/readyz", port, 5),
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        **_CONTAINER_DEFAULTS,
        "securityContext": _RESTRICTED,
    }


def _sidecar() -> Json:
    """Istio's proxy as a native sidecar, with Istio's CNI plugin: no privileged init container."""
    return {
        "name": "istio-proxy",
        "image": "docker.io/istio/proxyv2:1.29.1",
        "args": ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"],
        "ports": [{"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}],
        "env": [
            {"name": "PILOT_CERT_PROVIDER", "value": "istiod"},
            {"name": "CA_ADDR", "value": "istiod.istio-system.svc:15012"},
            {
                "name": "POD_NAME",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
            },
        ],
        "volumeMounts": [
            {"name": "istiod-ca-cert", "mountPath": "/var/run/secrets/istio"},
            {"name": "istio-envoy", "mountPath": "/etc/istio/proxy"},
        ],
        "readinessProbe": _probe("/healthz/ready", 15021, 15),
        "startupProbe": _probe("/healthz/ready", 15021, 1),
        "restartPolicy": "Always",
        **_CONTAINER_DEFAULTS,
        "securityContext": _RESTRICTED,
    }


_TOKEN_MOUNT = {
    "name": "kube-api-access-x7k2p",
    "readOnly": True,
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
}
_CONTAINER_DEFAULTS = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_RESTRICTED = {
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
}


def _pod_spec(containers: list[Json], sidecars: list[Json], volumes: list[Json]) -> Json:
    return {
        "volumes": volumes,
        **({"initContainers": sidecars} if sidecars else {}),
        "containers": containers,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "checkout",
        "serviceAccount": "checkout",
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
    }


def _token_volume() -> Json:
    token = {"expirationSeconds": 3607, "path": "token"}
    ca = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [{"serviceAccountToken": token}, {"configMap": ca}]
    return {
        "name": "kube-api-access-x7k2p",
        "projected": {"sources": sources, "defaultMode": 420},
    }


def _sidecar_volumes() -> list[Json]:
    return [
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert", "defaultMode": 420}},
    ]


def _toleration(taint: str) -> Json:
    return {
        "key": f"node.kubernetes.io/{taint}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }


def _deployment(image: str, generation: int) -> Json:
    names = ("checkout", "cart", "payment", "catalogue", "session")
    containers = [
        _application(name, 8080 + index, _environment(10), image)
        for index, name in enumerate(names)
    ]
    template = {
        "metadata": {
            "labels": _LABELS,
            "annotations": {"prometheus.io/port": "15020", "prometheus.io/scrape": "true"},
        },
        "spec": _pod_spec(containers, [], [{"name": "cache", "emptyDir": {}}]),
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
                for variable in _environment(10)
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
