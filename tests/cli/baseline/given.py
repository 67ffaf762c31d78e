"""A shop to look at, a controller that leads, and answers of the command taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.controlplane.cluster import ControlPlane

LEASE = ("netreeve", "netreeve-control")
Run = Callable[..., tuple[int, str, str]]

DNS = """
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  selector: {k8s-app: kube-dns}
  ports:
    - {name: dns, port: 53, protocol: UDP, targetPort: dns}
    - {name: dns-tcp, port: 53, protocol: TCP, targetPort: dns-tcp}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns-seeded
  namespace: kube-system
  labels: {kubernetes.io/service-name: kube-dns}
addressType: IPv4
endpoints: [{addresses: [10.244.0.2]}]
ports: [{name: dns, port: 1053, protocol: UDP}, {name: dns-tcp, port: 1053, protocol: TCP}]
"""

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: SHOP-edge}
---
apiVersion: v1
kind: Namespace
metadata: {name: SHOP-reports}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: SHOP-edge}
spec:
  replicas: 0
  selector: {matchLabels: {app: edge}}
  template:
    metadata: {labels: {app: edge}}
    spec: {containers: [{name: main, image: registry.example/edge:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: controller, namespace: SHOP-edge}
spec: {type: LoadBalancer, selector: {app: edge}, ports: [{port: 443}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: SHOP-reports}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate:
    spec:
      template:
        metadata: {labels: {app: nightly}}
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: registry.example/nightly:1
              env: [{name: API, value: "http://backend.SHOP.svc.cluster.local:8080/orders"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend, namespace: SHOP}
spec:
  replicas: 1
  selector: {matchLabels: {app: frontend}}
  template:
    metadata: {labels: {app: frontend}}
    spec:
      containers:
        - name: main
          image: registry.example/frontend:1
          ports: [{name: http, containerPort: 8000}]
          env:
            - {name: BACKEND, value: "http://backend:8080"}
            - {name: GREETING, value: "welcome to our backend and db"}
            - {name: PAYMENTS, value: "https://api.example.com/v1"}
---
apiVersion: v1
kind: Service
metadata: {name: frontend, namespace: SHOP}
spec: {selector: {app: frontend}, ports: [{name: web, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: SHOP}
spec:
  ingressClassName: edge
  rules:
    - http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: frontend, port: {name: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend, namespace: SHOP}
spec:
  replicas: 1
  selector: {matchLabels: {app: backend}}
  template:
    metadata:
      labels: {app: backend}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9100"}
    spec:
      containers:
        - name: main
          image: registry.example/backend:1
          args: ["--db=postgres://shop:s3cret@db:5432/shop"]
          env: [{name: K8S, value: "https://kubernetes.default.svc"}]
---
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: SHOP}
spec: {selector: {app: backend}, ports: [{port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: SHOP, labels: {app: db}}
spec: {containers: [{name: main, image: registry.example/db:1}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: SHOP}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: SHOP}
spec: {selector: {app: db}, ports: [{port: 9999}]}
"""
UNLABELLED_DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


LEADING = """
apiVersion: v1
kind: Namespace
metadata: {name: netreeve}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: netreeve-control, namespace: netreeve}
spec: {holderIdentity: HOLDER, leaseDurationSeconds: 15, renewTime: "RENEWED"}
"""


def lead(control_plane: ControlPlane, holder: str = "one", ago: float = 0) -> None:
    """The Lease of a controller that was alive so many seconds ago."""
    renewed = (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    text = LEADING.replace("HOLDER", f'"{holder}"').replace("RENEWED", renewed)
    control_plane.kubectl("apply", "-f", "-", stdin=text)


def forget_lease(control_plane: ControlPlane) -> None:
    control_plane.kubectl("delete", "lease", LEASE[1], "-n", LEASE[0], "--ignore-not-found")


def labels(control_plane: ControlPlane, namespace: str) -> dict[str, str]:
    found = control_plane.kubectl("get", "namespace", namespace, "-o", "json").stdout
    result: dict[str, str] = json.loads(found)["metadata"]["labels"]
    return result


def as_json(answer: tuple[int, str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer[1])
    return found


def lost(report: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    return {(one["source"], one["target"], one["port"]): one for one in report["severed"]}
