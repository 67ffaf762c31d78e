"""What certificates and configurations are like beside a controller, and how long that may take."""

from collections.abc import Callable

from tests.controlplane.wait import wait_for
from tests.install.installed import KINDS, SECRETS, SOON, Installed
from tests.install.pods import Pod

SECONDS = 10.0
"""What "within seconds" means on a machine that does other things as well."""
TAKEN_OVER = 60.0


def leaf(installed: Installed) -> bytes:
    return installed.secret("netreeve-tls").get("tls.crt", b"")


def rotate(installed: Installed, secret: str) -> None:
    installed.api.patch(f"{SECRETS}/{secret}", {"metadata": {"annotations": {
        "netreeve.io/rotate": "now"}}})  # fmt: skip


def await_served(installed: Installed, control: Pod) -> None:
    """Until every server serves the certificate that it is given, as the controller sees it."""

    def current() -> bool:
        metrics = control.metrics()
        states = [f'netreeve_certificates_servers{{state="{state}"}}'
                  for state in ("current", "other", "unreachable")]  # fmt: skip
        return [metrics.get(one) for one in states] == [
            sum(pod.serves and not pod.leaving for pod in installed.pods.running),
            0.0,
            0.0,
        ]

    wait_for(current, SOON, "the servers to serve the new certificate")


def controllers(installed: Installed) -> list[Pod]:
    return [pod for pod in installed.pods.running if not pod.serves and not pod.leaving]


def leader(installed: Installed) -> Pod:
    def leads() -> Pod | None:
        found = (one for one in controllers(installed)
                 if one.metrics().get("netreeve_controller_leading") == 1.0)  # fmt: skip
        return next(found, None)

    found = wait_for(leads, TAKEN_OVER, "a controller to lead")
    assert found
    return found


def await_filled(installed: Installed) -> None:
    """Until the live webhooks are what they should be, in the controller's own words."""
    matches = [
        f'netreeve_webhooks_match{{resource="{kind}webhookconfigurations"}}' for kind in KINDS
    ]

    def filled() -> bool:
        metrics = leader(installed).metrics()
        active = all(installed.webhooks(kind) for kind in KINDS)
        return active and all(metrics.get(one) == 1.0 for one in matches)

    wait_for(filled, SECONDS, "the webhook configurations to be what they should be")


Certs = Callable[..., tuple[int, str]]
