"""The command line of every component: pure functions from a layout to arguments.

Flags are what kubeadm sets, as far as they mean anything without kubelets; where they differ
from that, a comment says why.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.certs import Pair

ETCD, APISERVER, KUBECTL = "etcd", "kube-apiserver", "kubectl"
CONTROLLER_MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"

HOST = "127.0.0.1"
# The first address of each service range is the `kubernetes` service.
SERVICE_RANGES = ("10.96.0.0/16", "fd00:96::/112")
SERVICE_ADDRESSES = ("10.96.0.1", "fd00:96::1")
POD_RANGES = ("10.244.0.0/16", "fd00:244::/56")
# Where the `kubernetes` endpoints point. Loopback is refused there, and no address of this
# machine should appear, so it is one kept for documentation (RFC 5737).
ADVERTISED = "203.0.113.1"
# The defaults protect a shared API server, and cost seconds at the start of the controllers.
UNTHROTTLED = ("--kube-api-qps=1000", "--kube-api-burst=2000")
API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    HOST,
    ADVERTISED,
    *SERVICE_ADDRESSES,
)
# The name in the certificate that the requests of aggregation are signed with.
FRONT_PROXY = "front-proxy-client"
AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")


@dataclass(frozen=True)
class Layout:
    """Files and ports of one control plane."""

    folder: Path
    authority: Pair
    serving: Pair
    front_proxy: Pair
    token_key: Path
    etcd_port: int
    api_port: int
    controller_manager_port: int
    scheduler_port: int

    @property
    def etcd_url(self) -> str:
        """Where etcd listens."""
        return f"http://{HOST}:{self.etcd_port}"

    @property
    def api_url(self) -> str:
        """Where the API server listens."""
        return f"https://{HOST}:{self.api_port}"

    @property
    def etcd_data(self) -> Path:
        """The only folder that is worth nothing after the end."""
        return self.folder / "etcd"

    @property
    def audit_log(self) -> Path:
        """One audit event a line, as JSON."""
        return self.folder / "audit.log"

    def health_urls(self) -> dict[str, str]:
        """What answers with success once a component is ready to work."""
        return {
            ETCD: f"{self.etcd_url}/health",
            APISERVER: f"{self.api_url}/readyz",
            CONTROLLER_MANAGER: f"https://{HOST}:{self.controller_manager_port}/healthz?verbose",
            SCHEDULER: f"https://{HOST}:{self.scheduler_port}/readyz",
        }


def etcd(layout: Layout) -> tuple[str, ...]:
    """A single member that never syncs: a test loses nothing in a power cut."""
    return (
        f"--data-dir={layout.etcd_data}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        # No peers; the port is only opened because etcd insists.
        f"--listen-peer-urls=http://{HOST}:0",
        "--unsafe-no-fsync",
        "--socket-reuse-port",
        # It elects itself: no need to wait a second for the votes of others.
        "--heartbeat-interval=10",
        "--election-timeout=50",
        "--log-level=warn",
    )


def apiserver(layout: Layout, service_account_admission: bool) -> tuple[str, ...]:
    """`service_account_admission` needs a controller manager, which makes the accounts."""
    disabled = () if service_account_admission else ("--disable-admission-plugins=ServiceAccount",)
    return (
        f"--etcd-servers={layout.etcd_url}",
        f"--bind-address={HOST}",
        f"--secure-port={layout.api_port}",
        "--permit-port-sharing",
        f"--advertise-address={ADVERTISED}",
        f"--service-cluster-ip-range={','.join(SERVICE_RANGES)}",
        "--allow-privileged",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        *disabled,
        *_serving(layout),
        f"--client-ca-file={layout.authority.cert}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        *_front_proxy(layout),
        f"--service-account-key-file={layout.token_key}",
        f"--service-account-signing-key-file={layout.token_key}",
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={layout.audit_log}",
        # Never rotated: whoever reads from an offset finds it again.
        "--audit-log-maxsize=0",
    )


def controller_manager(layout: Layout, kubeconfig: Path) -> tuple[str, ...]:
    """Every controller but the one that waits for kubelets."""
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={layout.controller_manager_port}",
        "--permit-port-sharing",
        *_serving(layout),
        "--leader-elect=false",
        *UNTHROTTLED,
        # Each controller acts under its own name, as in a real cluster: admission sees
        # system:serviceaccount:kube-system:replicaset-controller and so on.
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.token_key}",
        f"--root-ca-file={layout.authority.cert}",
        f"--cluster-signing-cert-file={layout.authority.cert}",
        f"--cluster-signing-key-file={layout.authority.key}",
        f"--service-cluster-ip-range={','.join(SERVICE_RANGES)}",
        f"--cluster-cidr={','.join(POD_RANGES)}",
        # No kubelet reports for our nodes, so this one would declare them dead after a while.
        "--controllers=*,-node-lifecycle-controller",
    )


def scheduler(layout: Layout, kubeconfig: Path) -> tuple[str, ...]:
    """The default scheduler with its default profile."""
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={layout.scheduler_port}",
        "--permit-port-sharing",
        *_serving(layout),
        "--leader-elect=false",
        *UNTHROTTLED,
    )


def _serving(layout: Layout) -> tuple[str, ...]:
    return (
        f"--tls-cert-file={layout.serving.cert}",
        f"--tls-private-key-file={layout.serving.key}",
    )


def _front_proxy(layout: Layout) -> tuple[str, ...]:
    """How the API server proves itself to an aggregated one, and is recognised by it.

    The other components look for this configuration as well, and complain without it.
    """
    return (
        f"--requestheader-client-ca-file={layout.authority.cert}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={layout.front_proxy.cert}",
        f"--proxy-client-key-file={layout.front_proxy.key}",
    )
