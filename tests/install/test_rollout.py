"""Violating and harmless requests go on while everything is replaced: none slips in, none fails.

The chart's manifest, applied by kubectl and enforcing; the API server calls the servers by their
Service.
"""

from __future__ import annotations

import base64

import pytest
from cryptography import x509

from tests.controlplane.wait import wait_for
from tests.install.deployed import FULL, PER_SECOND, SOON, Deployed, leads
from tests.install.flow import Seen
from webhook.cli import main

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ENOUGH = round(PER_SECOND * (20 if FULL else 3))
"""Answers before and after what is done."""


def expect_no_gap(seen: Seen) -> None:
    """Every violation was denied, and everything else admitted."""
    assert set(seen.violating) == {"denied"}, seen
    assert set(seen.harmless) == {"admitted"}, seen


def test_servers_are_replaced_one_by_one(deployed: Deployed) -> None:
    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        traffic.await_more(ENOUGH)
        deployed.roll_servers()
        traffic.await_more(ENOUGH)
    deployed.end_old()
    expect_no_gap(seen)


def test_the_leading_controller_dies(deployed: Deployed) -> None:
    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        traffic.await_more(ENOUGH)
        leader = deployed.leader()
        deployed.controllers.remove(leader)
        leader.kill()
        deployed.start_controller()
        wait_for(lambda: any(map(leads, deployed.controllers)), SOON, "another one to lead")
        traffic.await_more(ENOUGH)
    expect_no_gap(seen)
    assert all(one["clientConfig"]["caBundle"] for one in deployed.webhooks("validating"))


def test_controllers_are_replaced_in_order(deployed: Deployed) -> None:
    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        deployed.roll_controllers()
        deployed.leader()
        traffic.await_more(ENOUGH)
    expect_no_gap(seen)


@pytest.mark.parametrize("what", [(), ("--ca",)], ids=["certificate", "CA"])
def test_certificates_are_rotated(deployed: Deployed, what: tuple[str, ...]) -> None:
    before = serial(deployed)
    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        traffic.await_more(ENOUGH)
        where = ("--kubeconfig", str(deployed.plane.kubeconfig))
        assert main(["certs", "rotate", *what, *where]) == 0
        wait_for(lambda: serial(deployed) != before, SOON, "a new certificate")
        wait_for(lambda: serve_it(deployed), SOON, "all servers to serve it")
        traffic.await_more(ENOUGH)
    expect_no_gap(seen)


def serial(deployed: Deployed) -> int:
    """Of the certificate that the servers are given."""
    jsonpath = "jsonpath={.data.tls\\.crt}"
    found = deployed.kubectl("get", "secret", "netreeve-tls", "-n", "netreeve", "-o", jsonpath)
    return x509.load_pem_x509_certificate(base64.b64decode(found.stdout)).serial_number


def serve_it(deployed: Deployed) -> bool:
    """Whether all servers do, as the controller sees them."""
    metrics = deployed.leader().metrics()
    states = [f'netreeve_certificates_servers{{state="{one}"}}'
              for one in ("current", "other", "unreachable")]  # fmt: skip
    return [metrics.get(one) for one in states] == [len(deployed.servers), 0.0, 0.0]


def test_the_api_server_restarts(deployed: Deployed) -> None:
    """Until it is ready nobody is answered, and nothing is admitted; then all is as before."""
    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        traffic.await_more(ENOUGH)
        deployed.plane.restart_apiserver()
    assert set(seen.violating) <= {"denied", "unreachable"}, seen
    assert set(seen.harmless) <= {"admitted", "unreachable"}, seen

    traffic = deployed.traffic()
    with traffic.flowing() as seen:
        traffic.await_more(2 * ENOUGH)
    expect_no_gap(seen)
