"""A cluster full of objects, and what it costs to audit it: measured, by the audit log.

Asserts nothing; the test and the benchmark say what is too much.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.cluster.audit import asked
from tests.cluster.background import running
from tests.controller.api import Api
from tests.controller.protected import CLIENTS
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.audit.background.loop import Background, Plan
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.config import GateConfig, ruleset

PER_NAMESPACE = 50
HOME = "netreeve"
AUDIT, BACKGROUND = "netreeve-audit", "netreeve-background"
Json = dict[str, Any]


class Cost(NamedTuple):
    """objects: judged. seconds, cpu (of them, on a processor), peak (bytes of memory), requests: of
    one `netreeve audit`.

    first: seconds until the first report in the background; again: the requests there while nothing
    changes, by verb; intervals: of the audit, while these were counted. denied: as both have found
    it.
    """

    objects: int
    seconds: float
    cpu: float
    peak: int
    requests: int
    denied: int
    first: float
    again: Counter[str]
    intervals: float

    def lines(self) -> Iterator[str]:
        """For people."""
        rate = self.objects / self.seconds
        yield f"{self.objects} stored objects audited, {self.denied} of them denied:"
        peak = self.peak / 2**20
        yield f"  netreeve audit: {self.seconds:.1f} s ({rate:.0f} objects/s), "
        yield f"    {self.requests} requests, {peak:.0f} MiB at most"
        counts = ", ".join(f"{count} {verb}" for verb, count in self.again.items()) or "none"
        yield f"  in the background: {self.first:.1f} s until the first report; requests of a"
        yield f"    pass in which nothing has changed: {counts}"


def seed(plane: ControlPlane, namespaces: int) -> None:
    """So many namespaces of PER_NAMESPACE objects, every tenth of which opens something."""
    with closing(Api(plane, plane.kubeconfig)) as api, ThreadPoolExecutor(CLIENTS) as pool:
        names = [HOME, *(f"seeded-{number}" for number in range(namespaces))]
        list(pool.map(lambda name: api.insist(*_namespace(name)), names))
        objects = [one for name in names[1:] for one in _objects(name)]
        list(pool.map(lambda one: api.insist(*one), objects))


OBSERVED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""
"""Ends what the command says with its seconds on a processor and its peak of memory, in KiB. A
small process in between, since Linux counts the memory of whoever starts a program as that
program's."""
WINDOWS = 10
"""How often nothing at all has to happen in, until it does: what came before may be going on."""


def measure(plane: ControlPlane, objects: int, *, idle: float) -> Cost:
    """Of a cluster that was seeded. idle: seconds of the second pass."""
    start, began = plane.audit_position(), time.monotonic()
    command = (sys.executable, "-m", "webhook", "audit", "-o", "json")
    where = ("--kubeconfig", str(plane.kubeconfig))
    observed = (sys.executable, "-c", OBSERVED, *command, *where)
    done = subprocess.run(observed, check=True, capture_output=True)
    report, (cpu, peak) = json.loads(done.stdout), done.stderr.split()[-2:]
    seconds = time.monotonic() - began
    denied = report["summary"]["denied"]
    first, again, intervals = _background(plane, denied, idle)
    return Cost(
        objects=objects,
        seconds=seconds,
        cpu=float(cpu),
        peak=int(peak) * 1024,
        requests=len(asked(plane, AUDIT, start)),
        denied=denied,
        first=first,
        again=again,
        intervals=intervals,
    )


def _background(plane: ControlPlane, denied: int, idle: float) -> tuple[float, Counter[str], float]:
    """Seconds until the first report, requests of the first quiet time, and its intervals."""
    connection = Connection(Kubeconfig(str(plane.kubeconfig)), user_agent=BACKGROUND)
    lease, interval = (HOME, "netreeve-control"), idle / 3
    audit = Background(connection, lease, lambda: datetime.now(UTC), settle=0.2)
    audit.configure(Plan(ruleset(GateConfig()), interval, "auto"))
    began = time.monotonic()
    with running(connection, audit.lead):
        wait_for(lambda: audit.completed, 300, "the first report")
        seconds = time.monotonic() - began
        wait_for(lambda: audit.objects().get(("denied",)) == denied, 60, "the same verdict")
        for _ in range(WINDOWS):
            took, again = _window(plane, idle)
            if set(again) <= {"watch", "get"}:
                break
    return seconds, again, took / interval


def _window(plane: ControlPlane, idle: float) -> tuple[float, Counter[str]]:
    """What is asked in so many seconds or, on a busy machine, some more: those, and the verbs."""
    start, begin = plane.audit_position(), datetime.now(UTC)
    until = time.monotonic() + idle
    wait_for(lambda: time.monotonic() > until, idle + 60, "nothing to happen")
    # The log has requests when they are answered, those from before as well.
    requests = [one for one in asked(plane, BACKGROUND, start) if one.at >= begin]
    took = (datetime.now(UTC) - begin).total_seconds()
    return took, Counter(one.verb for one in requests)


def _namespace(name: str) -> tuple[str, Json]:
    return "/api/v1/namespaces", {"metadata": {"name": name}}


def _objects(namespace: str) -> Iterator[tuple[str, Json]]:
    pod = {"containers": [{"name": "main", "image": "registry.example/app:1"}]}
    for number in range(PER_NAMESPACE // 5):
        labels = {"app": f"app-{number}"}
        template = {
            "metadata": {"labels": labels},
            "spec": {**pod, "hostNetwork": number % 10 == 0},
        }
        spec = {"selector": {"matchLabels": labels}, "template": template}
        metadata = {"name": f"app-{number}", "labels": labels}
        yield _path("apps/v1", "deployments", namespace), {"metadata": metadata, "spec": spec}
        yield _path("v1", "pods", namespace), {"metadata": metadata, "spec": pod}
        kind = "NodePort" if number == 1 and namespace.endswith("0") else "ClusterIP"
        service = {"type": kind, "selector": labels, "ports": [{"port": 80}]}
        yield _path("v1", "services", namespace), {"metadata": metadata, "spec": service}
        policy = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"]}
        where = _path("networking.k8s.io/v1", "networkpolicies", namespace)
        yield where, {"metadata": metadata, "spec": policy}
        job = {"template": {"spec": {**pod, "restartPolicy": "Never"}}}
        yield _path("batch/v1", "jobs", namespace), {"metadata": metadata, "spec": job}


def _path(version: str, resource: str, namespace: str) -> str:
    root = "apis" if "/" in version else "api"
    return f"/{root}/{version}/namespaces/{namespace}/{resource}"
