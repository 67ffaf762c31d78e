"""A control plane as one object: start it, talk to it, hurt it, and it is gone afterwards.

Owns the folder, the processes and the credentials of one etcd, one kube-apiserver and, where
asked for, one kube-controller-manager and one kube-scheduler. There are no kubelets: a pod is
bound to a node at most, and a bound pod only goes when it is deleted with a grace period of 0.
Knows nothing of pytest, and keeps nothing at module level.
"""

import json
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

from kubernetes.client import ApiClient, CoreV1Api

from tests.controlplane import build, clients, flags, nodes
from tests.controlplane.certs import Authority, signing_key
from tests.controlplane.clients import Credentials, probe
from tests.controlplane.flags import (
    APISERVER,
    CONTROLLER_MANAGER,
    ETCD,
    KUBECTL,
    SCHEDULER,
)
from tests.controlplane.process import Port, Process, Spawner
from tests.controlplane.wait import wait_for

ADMIN = "kubernetes-admin"
# Bound to cluster-admin in the API server itself, so it works before RBAC has any objects.
ADMIN_GROUP = "system:masters"

START_TIMEOUT = 60.0
# The API server stops listening at once, and then waits 10 s for the watches of others to end.
GRACE = {ETCD: 10.0, APISERVER: 1.0, CONTROLLER_MANAGER: 10.0, SCHEDULER: 10.0}


class ControlPlane:
    """Use as a context manager: running inside the block, ended and removed after it.

    `binaries` maps program names to files, by default whatever `build.ensure()` finds or builds.
    `folder` receives logs, certificates and kubeconfigs and then stays; without it they are in a
    temporary folder. `service_account_admission` is on when there is a controller manager to
    make the default ServiceAccounts, since without those no pod could be created.
    `apiserver_flags` come after ours, so they win.
    """

    def __init__(
        self,
        *,
        controller_manager: bool = False,
        scheduler: bool = False,
        service_account_admission: bool | None = None,
        apiserver_flags: Sequence[str] = (),
        binaries: Mapping[str, Path] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._wanted = [
            name
            for name, wanted in ((CONTROLLER_MANAGER, controller_manager), (SCHEDULER, scheduler))
            if wanted
        ]
        self._service_account_admission = (
            controller_manager if service_account_admission is None else service_account_admission
        )
        self._apiserver_flags = apiserver_flags
        self._binaries = binaries
        self._wanted_folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._set_up(stack)
            self._launch(ETCD)
            self._launch(APISERVER)
            self._launch(*self._wanted)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Where the API server listens; stays the same over a restart."""
        return self._layout.api_url

    @property
    def ca_file(self) -> Path:
        """The authority of the API server's certificate."""
        return self._layout.authority.cert

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator, whom nothing but admission can refuse."""
        return self.kubeconfig_for(ADMIN, (ADMIN_GROUP,))

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a client certificate for `user`; it grants nothing by itself."""
        return self._credentials.kubeconfig(user, groups)

    def api_client(self, user: str = ADMIN, groups: Sequence[str] | None = None) -> ApiClient:
        """A client of its own, by default the administrator's; closed with the control plane."""
        if groups is None:
            groups = (ADMIN_GROUP,) if user == ADMIN else ()
        return self._credentials.api_client(user, groups)

    def kubectl(
        self,
        *args: str | Path,
        stdin: str | None = None,
        kubeconfig: Path | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, by default as the administrator; errors as `clients.kubectl`."""
        return clients.kubectl(
            self._programs[KUBECTL],
            args,
            stdin=stdin,
            kubeconfig=kubeconfig or self.kubeconfig,
            # Of its own: no kuberc and no discovery cache of whoever runs the tests.
            home=self.folder / "home",
            check=check,
        )

    def audit_events(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Every audit event, oldest first, from byte `start` of the log on.

        An event is written when its request is complete, which may be just after the client
        has the answer: poll with `wait_for`.
        """
        with self._layout.audit_log.open("rb") as log:
            log.seek(start)
            for line in log:
                # The last line may be half written.
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def audit_position(self) -> int:
        """The present end of the audit log, to read on from there."""
        return self._layout.audit_log.stat().st_size

    def log(self, name: str) -> Path:
        """What a component wrote, by program name; all its starts in one file."""
        return self._processes[name].log

    def compact(self, resource_version: str) -> None:
        """Forget the history before this revision, as every cluster does after some minutes."""
        body = json.dumps({"revision": resource_version}).encode()
        request = Request(f"{self._layout.etcd_url}/v3/kv/compaction", body, method="POST")
        with urlopen(request, timeout=10):
            pass

    def add_node(self, name: str, **labels: str) -> None:
        """Create a Node that pods can be scheduled to; it has no kubelet behind it."""
        api = CoreV1Api(self.api_client())
        api.create_node(nodes.node(name, labels))
        api.patch_node_status(name, nodes.ready())
        api.patch_node(name, nodes.untainted())

    def start_apiserver(self) -> None:
        """Start the API server on its port, and wait until it is ready."""
        self._launch(APISERVER)

    def stop_apiserver(self) -> None:
        """End the API server; its port refuses connections until it is started again."""
        self._processes[APISERVER].stop(GRACE[APISERVER])

    def power_cut(self) -> None:
        """End everything that runs at once and without a goodbye; what is on disk stays."""
        for process in self._processes.values():
            process.kill()

    def power_on(self) -> None:
        """Start etcd and the API server again after a power cut, and nothing else."""
        self._launch(ETCD)
        self._launch(APISERVER)

    def tls(self, user: str = ADMIN, groups: Sequence[str] = (ADMIN_GROUP,)) -> ssl.SSLContext:
        """What a client of another library shows and trusts."""
        return self._credentials.tls(user, groups)

    def restart_apiserver(self) -> None:
        """End the API server and start it again: same port, same keys, same objects."""
        self.stop_apiserver()
        self.start_apiserver()

    def start_controller_manager(self) -> None:
        """Start the controllers, and wait until they are healthy."""
        self._launch(CONTROLLER_MANAGER)

    def start_scheduler(self) -> None:
        """Start the scheduler, and wait until it is healthy."""
        self._launch(SCHEDULER)

    def _set_up(self, stack: ExitStack) -> None:
        """Everything that has to exist before the first process; `stack` takes it away again."""
        self._programs = build.ensure() if self._binaries is None else self._binaries
        self.folder = self._wanted_folder or _temporary_folder(stack)
        self.folder.mkdir(parents=True, exist_ok=True)
        certificates = self.folder / "certificates"
        authority = Authority(certificates)
        self._layout = self._lay_out(stack, authority)
        stack.callback(shutil.rmtree, self._layout.etcd_data, ignore_errors=True)
        self._credentials = Credentials(certificates, authority, self._layout.api_url)
        stack.callback(self._credentials.close)
        self._tls = self._credentials.tls(ADMIN, (ADMIN_GROUP,))
        self._spawner = Spawner()
        stack.callback(self._spawner.close)
        self._processes = self._prepare()
        stack.callback(self._stop_all)

    def _lay_out(self, stack: ExitStack, authority: Authority) -> flags.Layout:
        ports = [stack.enter_context(closing(Port(flags.HOST))).number for _ in range(4)]
        return flags.Layout(
            self.folder,
            authority.pair,
            authority.server("kube-apiserver", flags.API_NAMES),
            authority.client(flags.FRONT_PROXY, flags.FRONT_PROXY),
            signing_key(self.folder / "certificates" / "service-accounts.key"),
            *ports,
        )

    def _prepare(self) -> dict[str, Process]:
        manager = self._credentials.kubeconfig("system:kube-controller-manager")
        scheduler = self._credentials.kubeconfig("system:kube-scheduler")
        arguments = {
            ETCD: flags.etcd(self._layout),
            APISERVER: (
                *flags.apiserver(self._layout, self._service_account_admission),
                *self._apiserver_flags,
            ),
            CONTROLLER_MANAGER: flags.controller_manager(self._layout, manager),
            SCHEDULER: flags.scheduler(self._layout, scheduler),
        }
        return {
            name: Process(name, (self._programs[name], *given), self.folder / f"{name}.log")
            for name, given in arguments.items()
        }

    def _launch(self, *names: str) -> None:
        """Start components side by side, and wait until all of them are ready."""
        for name in names:
            self._processes[name].start(self._spawner)
        for name in names:
            wait_for(partial(self._ready, name), START_TIMEOUT, f"{name} to be ready")

    def _ready(self, name: str) -> bool:
        for process in self._processes.values():
            process.check()
        answer = probe(self._layout.health_urls()[name], self._tls)
        if name == CONTROLLER_MANAGER:
            # It is healthy before it has made its controllers, and ends when it cannot; only
            # after that it lists them.
            return answer is not None and "serviceaccount-controller ok" in answer
        return answer is not None

    def _stop_all(self) -> None:
        """Clients before servers, so that nobody spends the end on retries."""
        for names in ((SCHEDULER, CONTROLLER_MANAGER), (APISERVER,), (ETCD,)):
            for name in names:
                self._processes[name].terminate()
            for name in names:
                self._processes[name].stop(GRACE[name])


def _temporary_folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="control-plane-")))
