"""Pods without a kubelet: the processes of pod templates, with their mounts, behind a Service.

Stands in for the kubelet (starts containers, mounts and updates Secrets and ConfigMaps, probes)
and for the controller of EndpointSlices. Every pod of `netreeve serve` listens on a port of its
own at a real address of this machine, because the API server takes no loopback address for an
endpoint; with ``--enable-aggregator-routing=true`` it calls them by the Service.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import httpx

from tests.controller.api import Api, Json
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.process import Process, Spawner, free_port
from tests.controlplane.wait import wait_for
from tests.install.mounts import Mount, Volume, content, volume

APISERVER_FLAGS = ("--enable-aggregator-routing=true",)
"""What a control plane needs for Services to lead to these pods."""
SERVICE = "netreeve-serve"
REVIEWS = 443
"""The port of the Service for reviews; what else it has is for health."""
GRACE = 30.0
SYNC_SECONDS = 0.2
"""How often mounts and probes are looked at; a kubelet takes up to a minute."""
PROBE_SECONDS = 2.0
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
OBJECTS = "/api/v1/namespaces/{}/{}"


def address() -> str:
    """Of this machine, and not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.1", 9))
        found: str = probe.getsockname()[0]
        return found


class Pod:
    """One container that runs, or ran; made by `Pods.start`."""

    def __init__(self, name: str, argv: Sequence[str], health: int, port: int, log: Path) -> None:
        self.name, self.health, self.port, self.log = name, health, port, log
        self.serves = port != 0
        self.leaving = False
        """Told to end: no endpoint any more."""
        self._process = Process(name, argv, log)

    def run(self, spawner: Spawner) -> None:
        self._process.start(spawner)

    def check(self) -> None:
        """Raise ProcessFailedError when it has ended by itself."""
        self._process.check()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body from the health port; (0, "") while nobody answers."""
        url = f"http://127.0.0.1:{self.health}{path}"
        try:
            with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, ""

    @property
    def gone(self) -> bool:
        """Told to end, and has ended."""
        return self.leaving and not self._process.running

    @property
    def ready(self) -> bool:
        return not self.leaving and self._process.running and self.get("/readyz")[0] == 200

    def metrics(self) -> dict[str, float]:
        """By name with labels, as Prometheus reads them."""
        lines = (line.rpartition(" ") for line in self.get("/metrics")[1].splitlines())
        return {name: float(value) for name, _, value in lines if name[:1] not in ("", "#")}

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def terminate(self) -> None:
        """As a deletion does: the endpoint goes, and the process is told."""
        self.leaving = True
        self._process.terminate()

    def stop(self) -> None:
        """Terminate, and wait; safe to repeat."""
        self.leaving = True
        self._process.stop(GRACE)

    def kill(self) -> None:
        """No goodbye; its endpoint stays until it is probed. Safe to repeat."""
        self._process.kill()


class Pods:
    """The pods of one namespace. Use as a context manager: they end with the block.

    Those of ``serve`` become the endpoints of `SERVICE`, which must exist when they start.
    """

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self.namespace = namespace
        self.running: list[Pod] = []
        self.address = address()
        self._plane, self._folder = plane, folder
        self._mounts: list[tuple[Volume, Mount]] = []
        self._endpoints: dict[str, bool] = {}
        self._stack = ExitStack()
        self._ended = threading.Event()
        self._syncing = threading.Lock()
        self._number = 0
        self._holding = False

    def __enter__(self) -> "Pods":
        self._api = self._stack.enter_context(closing(Api(self._plane, self._plane.kubeconfig)))
        self._spawner = Spawner()
        self._stack.callback(self._spawner.close)
        self._stack.callback(self._stop_all)
        kubelet = threading.Thread(target=self._sync_for_ever)
        kubelet.start()
        self._stack.callback(kubelet.join)
        self._stack.callback(self._ended.set)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start(self, template: Json, *more: str, user: str | None = None) -> Pod:
        """A pod of a template (of a Deployment), with `more` arguments after its own.

        Its arguments name files by the paths in the container, which become those of the mounts.
        user: by default that of its ServiceAccount.
        """
        spec = template["spec"]
        container = spec["containers"][0]
        self._number += 1
        name = f"{container['args'][0]}-{self._number}"
        serves = container["args"][0] == "serve"
        port = free_port(self.address) if serves else 0
        health = free_port("127.0.0.1")
        account = (
            f"system:serviceaccount:{self.namespace}:{spec.get('serviceAccountName', 'default')}"
        )
        argv = [
            *(sys.executable, "-m", "webhook"),
            *self._translated(name, spec, container),
            *(("--listen", f"{self.address}:{port}") if serves else ()),
            *("--health-listen", f"127.0.0.1:{health}"),
            *("--kubeconfig", str(self._plane.kubeconfig_for(user or account))),
            *more,
        ]
        pod = Pod(name, argv, health, port, self._folder / f"{name}.log")
        self._sync()
        pod.run(self._spawner)
        self.running.append(pod)
        return pod

    @contextlib.contextmanager
    def mounts_held(self) -> Iterator[None]:
        """Within the block mounts stay as they are, as for the minute that a kubelet takes."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False

    def await_ready(self, *pods: Pod, seconds: float = 60.0) -> None:
        """Until they are ready, and their endpoints say so."""

        def waiting() -> list[str]:
            for pod in pods:
                pod.check()
            known = self._endpoints
            return [
                one.name for one in pods if not (known.get(one.name) if one.serves else one.ready)
            ]

        wait_for(lambda: not waiting(), seconds, f"{[pod.name for pod in pods]} to be ready")

    def _translated(self, name: str, spec: Json, container: Json) -> Iterator[str]:
        """Arguments with the paths of mounts in this machine's words."""
        volumes = {one["name"]: volume(one) for one in spec.get("volumes", ())}
        paths: dict[str, str] = {}
        for mounted in container.get("volumeMounts", ()):
            if found := volumes[mounted["name"]]:
                mount = Mount(self._folder / name / mounted["name"])
                self._mounts.append((found, mount))
                paths[mounted["mountPath"]] = str(mount.folder)
        for argument in container["args"]:
            option, equals, value = argument.rpartition("=")
            place = next((path for path in paths if _is_below(value, path)), None)
            yield (
                argument
                if place is None
                else option + equals + value.replace(place, paths[place], 1)
            )

    def _sync_for_ever(self) -> None:
        while not self._ended.wait(SYNC_SECONDS):
            # A kubelet goes on with what it has while the API server is away.
            with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                self._sync()

    def _sync(self) -> None:
        with self._syncing:
            if not self._holding:
                self._write_mounts()
            for pod in list(self.running):
                if pod.serves:
                    self._publish(pod)

    def _write_mounts(self) -> None:
        found: dict[Volume, dict[str, bytes] | None] = {}
        for one, mount in list(self._mounts):
            if one not in found:
                found[one] = self._content(one)
            if (files := found[one]) is not None:  # what is deleted stays in running pods
                mount.write(files)

    def _content(self, one: Volume) -> dict[str, bytes] | None:
        try:
            path = f"{OBJECTS.format(self.namespace, one.kind)}/{one.name}"
            return content(one, self._api.get(path))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return None

    def _publish(self, pod: Pod) -> None:
        """Its EndpointSlice, when what there is to say has changed."""
        if pod.gone:
            self._api.delete(f"{SLICES.format(self.namespace)}/{pod.name}")
            self._endpoints.pop(pod.name, None)
            self.running.remove(pod)
            return
        ready = pod.ready
        if self._endpoints.get(pod.name) == ready:
            return
        conditions = {"ready": ready, "serving": ready, "terminating": pod.leaving}
        endpoints = [{"addresses": [self.address], "conditions": conditions}]
        slices = SLICES.format(self.namespace)
        if pod.name in self._endpoints:
            self._api.patch(f"{slices}/{pod.name}", {"endpoints": endpoints})
        else:
            service = self._api.get(f"{OBJECTS.format(self.namespace, 'services')}/{SERVICE}")
            labels = {"kubernetes.io/service-name": SERVICE}
            ports = [
                {"name": one.get("name", ""), "protocol": "TCP",
                 "port": pod.port if one["port"] == REVIEWS else pod.health}
                for one in service["spec"]["ports"]
            ]  # fmt: skip
            self._api.create(
                slices,
                {
                    "metadata": {"name": pod.name, "labels": labels},
                    "addressType": "IPv4",
                    "ports": ports,
                    "endpoints": endpoints,
                },
            )
        self._endpoints[pod.name] = ready

    def _stop_all(self) -> None:
        for pod in self.running:
            pod.terminate()
        for pod in self.running:
            pod.stop()


def _is_below(argument: str, path: str) -> bool:
    """``/path``, ``/path/file`` or ``--option=/path/file``."""
    value = argument.partition("=")[2] if argument.startswith("--") else argument
    return value == path or value.startswith(f"{path}/")
