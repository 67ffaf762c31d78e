"""`make playground`: a real control plane with the gate installed and enforcing, to try things on.

No container engine: API server, controllers and scheduler are those of the tests, and the pods of
Netreeve run as processes. There are no kubelets, so other pods are scheduled and no more.
"""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.controlplane import build
from tests.controlplane.cluster import ControlPlane
from tests.helm.render import Object
from tests.install.deployed import Deployed, by_kubectl, deployed_cluster

EXEMPT = """\
apiVersion: v1
kind: Service
metadata:
  name: exempt
  annotations:
    netreeve.io/exempt: node-port
    netreeve.io/exempt-reason: Trying what an exemption does.
    netreeve.io/exempt-until: "{until}"
spec: {{type: NodePort, ports: [{{port: 80}}]}}
"""
TEXT = """\

Netreeve enforces. In another terminal:

  export KUBECONFIG={kubeconfig} PATH={command}:{programs}:$PATH

A Service that opens a port on every node is refused, and told why:

  kubectl create service nodeport try --tcp=80

A new namespace gets its baseline before any of its pods runs:

  kubectl create namespace try; kubectl get networkpolicies --namespace try

The same Service with an exemption, which you may give as an administrator, is stamped:

  kubectl create -f {exempt} -o yaml

The namespace shop was there before Netreeve, so nothing protects it. What a baseline would cut off
there, and how to bring it under one:

  netreeve baseline preview shop; netreeve baseline adopt shop

What people have exempted, and whether all is well (but for the pods, which are processes here):

  netreeve exemptions; netreeve doctor

There are no kubelets: pods of yours are scheduled and never run, and a namespace with such pods
stays Terminating until you delete these with --force.
Ctrl-C ends everything.
"""
COMMAND = """\
#!/bin/sh
PYTHONPATH={root} exec {python} -m webhook "$@"
"""
ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run until SIGINT or SIGTERM; 0 when told to end, at any time."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="netreeve-playground-") as folder:
            _play(Path(folder))
    except KeyboardInterrupt:
        print("\nEnded.", flush=True)
    return 0


def _play(folder: Path) -> None:
    build.ensure()
    _say("Starting the control plane ...")
    with deployed_cluster(folder, _install) as deployed:
        _say("Waiting until Netreeve has proven that it denies ...")
        deployed.start()
        _say(_text(deployed, folder))
        signal.pause()


def _install(plane: ControlPlane) -> list[Object]:
    plane.start_controller_manager()
    plane.start_scheduler()
    plane.add_node("node-1")
    rendered = by_kubectl(plane)
    # Without kubelets the pods of these Deployments would wait for ever; processes stand in.
    plane.kubectl("scale", "deployment", "--all", "--replicas=0", "--namespace", "netreeve")
    return rendered


def _text(deployed: Deployed, folder: Path) -> str:
    until = datetime.now(UTC) + timedelta(days=7)
    exempt = folder / "exempt.yaml"
    exempt.write_text(EXEMPT.format(until=until.date()))
    return TEXT.format(
        kubeconfig=deployed.plane.kubeconfig,
        command=_command(folder / "bin").parent,
        programs=build.one_folder(build.ensure()),
        exempt=exempt,
    )


def _command(folder: Path) -> Path:
    """`netreeve` as a program of its own folder: beside it in .venv lie python and others."""
    folder.mkdir()
    command = folder / "netreeve"
    root, python = shlex.quote(str(ROOT)), shlex.quote(sys.executable)
    command.write_text(COMMAND.format(root=root, python=python))
    command.chmod(0o755)
    (folder / "kubectl-netreeve").symlink_to(command)  # kubectl netreeve
    return command


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
