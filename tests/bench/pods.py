"""The pod specs in the payloads: containers as applications and a mesh's injector declare them,
with the defaults that the API server has filled in.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def environment(count: int) -> list[Json]:
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


def application(name: str, port: int, env: list[Json], image: str = "v1.42.0") -> Json:
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


def sidecar() -> Json:
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


def pod_spec(containers: list[Json], sidecars: list[Json], volumes: list[Json]) -> Json:
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


def token_volume() -> Json:
    token = {"expirationSeconds": 3607, "path": "token"}
    ca = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [{"serviceAccountToken": token}, {"configMap": ca}]
    return {
        "name": "kube-api-access-x7k2p",
        "projected": {"sources": sources, "defaultMode": 420},
    }


def sidecar_volumes() -> list[Json]:
    return [
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert", "defaultMode": 420}},
    ]


def toleration(taint: str) -> Json:
    return {
        "key": f"node.kubernetes.io/{taint}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
