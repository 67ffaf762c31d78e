"""What the objects of an installation are called, in whatever namespace they are."""

CONFIGURATION = "00-netreeve"
SERVE = "netreeve-serve"
CONTROL = "netreeve-control"
SERVICE = "netreeve-serve"
CERTIFICATE = "netreeve-tls"
GATE_CONFIG, GATE_CONFIG_KEY = "netreeve-config", "config.yaml"
LEASE = "netreeve-control"
NAMESPACE = "netreeve"

GUARDS = {
    "netreeve-excluded": "namespaces of a name that is never judged",
    "netreeve-namespaces": "exemptions and baselines written through subresources of a Namespace",
    "netreeve-pod-addresses": "addresses of pods that no node has reported",
    "netreeve-revisions": "ControllerRevisions with the stamp of an exemption",
}
"""Our ValidatingAdmissionPolicies, and what each refuses."""

REMOVE = (
    f"kubectl delete validatingwebhookconfiguration,mutatingwebhookconfiguration {CONFIGURATION}"
)
"""Takes the gate out at once."""


def upgrade(namespace: str, more: str = "") -> str:
    """The command by which Helm puts right what it has installed; values stay as they are."""
    values = f"--reset-then-reuse-values{more and ' ' + more}"
    return f"helm upgrade netreeve deploy/chart -n {namespace} {values}"
