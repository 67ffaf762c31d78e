"""Certificates from the first install to the uninstall, on a real API server that never misses."""

import json
import signal
import time

import pytest

from certs.plan import fingerprints, is_issued
from tests.controlplane.wait import wait_for
from tests.install.certificates import (
    TAKEN_OVER,
    Certs,
    await_filled,
    await_served,
    leader,
    leaf,
    rotate,
)
from tests.install.installed import KINDS, NAMESPACE, SECRETS, SOON, VIOLATION, Installed
from tests.install.pods import Pod
from tests.install.traffic import traffic

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
MANAGER = "netreeve-webhooks"


@pytest.fixture(scope="module")
def servers(installed: Installed) -> list[Pod]:
    return [pod for pod in installed.pods.running if pod.serves and not pod.leaving]


def proven(server: Pod) -> float:
    """When it last saw itself deny."""
    return server.metrics().get("netreeve_proven_timestamp_seconds", 0.0)


def test_nothing_is_active_before_a_server_is_seen_to_deny(bare: Installed) -> None:
    control = bare.control()
    wait_for(lambda: leaf(bare) and bare.secret("netreeve-stamp"), SOON, "the Secrets")
    assert set(bare.secret("netreeve-ca")) == {"ca.crt", "ca.key"}
    assert len(bare.secret("netreeve-stamp")["current"]) >= 32
    wait_for(lambda: "no server is ready" in control.log.read_text(), SOON, "it to say why")
    assert bare.webhooks("validating") == bare.webhooks("mutating") == []
    assert bare.create("services", VIOLATION).returncode == 0
    (server,) = bare.serve(1)
    bare.pods.await_ready(server)
    bare.await_active()
    for kind in KINDS:
        configuration = bare.configuration(kind)
        assert configuration
        managers = {one["manager"] for one in configuration["metadata"]["managedFields"]
                    if "f:webhooks" in one["fieldsV1"]}  # fmt: skip
        assert managers == {MANAGER}
    events = bare.kubectl("get", "events", "-A", "-o", "jsonpath={.items[*].reason}").stdout
    assert {"AuthorityAdded", "CertificateIssued", "WebhooksActivated"} <= set(events.split())
    for pod in (control, server):
        pod.stop()


def test_a_certificate_is_renewed_under_traffic(installed: Installed, servers: list[Pod]) -> None:
    before, authority = leaf(installed), installed.secret("netreeve-ca")
    with traffic(installed, servers) as going:
        going.more()
        rotate(installed, "netreeve-tls")
        wait_for(lambda: leaf(installed) != before, SOON, "a new certificate")
        await_served(installed, leader(installed))
        going.more()
    assert installed.secret("netreeve-ca") == authority


def test_an_authority_is_replaced_under_traffic(installed: Installed, servers: list[Pod]) -> None:
    before = fingerprints(installed.secret("netreeve-ca")["ca.crt"])
    with traffic(installed, servers) as going:
        going.more()
        rotate(installed, "netreeve-ca")
        wait_for(lambda: installed.bundles() and all(len(one) == 2 for one in installed.bundles()),
                 SOON, "both authorities to be published")  # fmt: skip
        new = installed.secret("netreeve-ca")["ca.crt"]
        wait_for(lambda: is_issued(leaf(installed), new), SOON, "a certificate of the new one")
        await_served(installed, leader(installed))
        going.more()
    assert all(set(before) < one for one in installed.bundles())
    assert "old-1.key" not in installed.secret("netreeve-ca")


def test_a_controller_that_is_killed_in_the_middle_is_replaced(
    installed: Installed, servers: list[Pod]
) -> None:
    second = installed.control()
    killed = leader(installed)
    assert killed is not second
    before = installed.secret("netreeve-ca")["ca.crt"]
    with traffic(installed, servers) as going:
        rotate(installed, "netreeve-ca")
        wait_for(lambda: installed.secret("netreeve-ca")["ca.crt"] != before, SOON, "a new CA")
        killed.kill()
        new = installed.secret("netreeve-ca")["ca.crt"]
        wait_for(lambda: is_issued(leaf(installed), new), TAKEN_OVER, "the other one to finish")
        await_served(installed, second)
        going.more()


def test_two_that_believe_to_lead_do_no_harm(installed: Installed, servers: list[Pod]) -> None:
    """With a Lease of its own the other one is never told that it does not lead."""
    other = installed.control("--lease", f"{NAMESPACE}/another")
    before = installed.secret("netreeve-ca")["ca.crt"]
    with traffic(installed, servers) as going:
        for secret in ("netreeve-ca", "netreeve-tls"):
            rotate(installed, secret)
        wait_for(lambda: installed.secret("netreeve-ca")["ca.crt"] != before, SOON, "a new CA")
        new = installed.secret("netreeve-ca")["ca.crt"]
        wait_for(lambda: is_issued(leaf(installed), new), SOON, "a certificate of it")
        await_served(installed, other)
        going.more()
    other.stop()
    await_filled(installed)


@pytest.mark.parametrize("name", ["netreeve-tls", "netreeve-ca", "netreeve-stamp"])
def test_a_deleted_secret_is_made_anew(installed: Installed, servers: list[Pod], name: str) -> None:
    with traffic(installed, servers) as going:
        installed.api.delete(f"{SECRETS}/{name}")
        wait_for(lambda: installed.secret(name), SOON, f"a new {name}")
        new = installed.secret("netreeve-ca")["ca.crt"]
        wait_for(lambda: is_issued(leaf(installed), new), SOON, "a certificate of the newest CA")
        await_served(installed, leader(installed))
        going.more()


def test_certificates_are_shown_and_rotated_by_command(installed: Installed, certs: Certs) -> None:
    await_filled(installed)
    code, said = certs("show", "-o", "json")
    assert code == 0, said
    found = json.loads(said)
    known = {one["fingerprint"]: one for one in found["certificates"]}
    before = fingerprints(leaf(installed))[0]
    assert known[before]["what"] == "server"
    signer = fingerprints(installed.secret("netreeve-ca")["ca.crt"])[0]
    assert known[signer]["state"] == "signs"
    assert all(signer in one["carries"] for one in found["configurations"])
    code, said = certs("rotate")
    assert (code, "A new certificate is asked for" in said) == (0, True)
    wait_for(lambda: fingerprints(leaf(installed))[0] != before, SOON, "a new certificate")
    code, said = certs("show")
    assert (code, before[:12] in said, "KEY" in said) == (0, False, False), said


def test_nothing_can_be_rotated_where_nothing_is_installed(certs: Certs) -> None:
    code, said = certs("rotate", "--ca", "-n", "default")
    assert code == 2
    assert "there is no Secret default/netreeve-ca, which netreeve control makes" in said
    code, said = certs("show", "-n", "default")
    assert code == 2
    assert "there is no Secret default/netreeve-tls, which netreeve control makes" in said


def test_a_stamp_key_is_replaced_and_the_one_before_is_kept(
    installed: Installed, certs: Certs
) -> None:
    before = installed.secret("netreeve-stamp")["current"]
    assert certs("rotate", "--stamp-key")[0] == 0
    wait_for(lambda: installed.secret("netreeve-stamp")["current"] != before, SOON, "a new key")
    after = installed.secret("netreeve-stamp")
    assert after["previous"] == before
    assert set(after) == {"current", "previous"}


def test_a_frozen_server_keeps_nobody_from_working(
    installed: Installed, servers: list[Pod]
) -> None:
    """The controller looks at all of them, and one that does not answer holds up no rotation."""
    before = leaf(installed)
    servers[0].signal(signal.SIGSTOP)
    try:
        rotate(installed, "netreeve-tls")
        wait_for(lambda: leaf(installed) != before, SOON, "a new certificate")
    finally:
        servers[0].signal(signal.SIGCONT)
    await_served(installed, leader(installed))


def test_servers_stay_ready_while_the_api_server_is_away(
    installed: Installed, servers: list[Pod]
) -> None:
    installed.plane.stop_apiserver()
    try:
        away = time.time()
        for pod in servers:
            wait_for(lambda one=pod: proven(one) > away, SOON, "a proof meanwhile")  # type: ignore[misc]
            assert pod.get("/readyz") == (200, "ok\n")
    finally:
        installed.plane.start_apiserver()
    wait_for(installed.is_active, SOON, "reviews to be answered again")
