"""Certificates from the first install to the uninstall, on a real API server that never misses."""

import json
import signal
import time
from collections.abc import Callable

import pytest

from certs.plan import fingerprints, is_issued
from tests.cluster.audit import asked
from tests.controller.control import AGENT
from tests.controlplane.wait import wait_for
from tests.install.installed import (
    CONFIGURATIONS,
    KINDS,
    NAME,
    NAMESPACE,
    SECRETS,
    SOON,
    VIOLATION,
    Installed,
)
from tests.install.pods import Pod
from tests.install.traffic import traffic
from webhook.cli import main

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SECONDS = 10.0
"""What "within seconds" means on a machine that does other things as well."""
TAKEN_OVER = 60.0
MANAGER = "netreeve-webhooks"
READING = {"get", "list", "watch"}


@pytest.fixture(scope="module")
def servers(installed: Installed) -> list[Pod]:
    return [pod for pod in installed.pods.running if pod.serves and not pod.leaving]


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


def proven(server: Pod) -> float:
    """When it last saw itself deny."""
    return server.metrics().get("netreeve_proven_timestamp_seconds", 0.0)


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


def drop_bundle(installed: Installed, kind: str) -> None:
    """As a Helm upgrade that knows of no bundle."""
    change = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    installed.kubectl("patch", f"{kind}webhookconfiguration", NAME, "--type=json", "-p",
                      json.dumps(change))  # fmt: skip


def empty(installed: Installed, kind: str) -> None:
    """As a GitOps tool that replaces the object by the shell of the chart."""
    shell = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": NAME},
             "kind": f"{KINDS[kind]}WebhookConfiguration"}  # fmt: skip
    installed.kubectl("replace", "-f", "-", stdin=json.dumps(shell))


def loosen(installed: Installed, kind: str) -> None:
    """As somebody who wants to be left alone."""
    change = {"webhooks": [{
        "name": "gate.netreeve.io",
        "failurePolicy": "Ignore",
        "objectSelector": {"matchLabels": {"never": "matches"}},
        "matchConditions": [{"name": "never", "expression": "false"}],
    }]}  # fmt: skip
    installed.kubectl("patch", f"{kind}webhookconfiguration", NAME, "--type=strategic", "-p",
                      json.dumps(change))  # fmt: skip


def add_another(installed: Installed, kind: str) -> None:
    """As somebody who writes his webhook into our configuration."""
    (ours,) = installed.webhooks(kind)
    change = [{"op": "add", "path": "/webhooks/-", "value": {**ours, "name": "other.example.com"}}]
    installed.kubectl("patch", f"{kind}webhookconfiguration", NAME, "--type=json", "-p",
                      json.dumps(change))  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [drop_bundle, empty, loosen, add_another])
def test_what_others_change_in_a_configuration_is_repaired(
    installed: Installed, kind: str, change: object
) -> None:
    await_filled(installed)
    before, generation = installed.webhooks(kind), generation_of(installed, kind)
    assert callable(change)
    change(installed, kind)

    def repaired() -> bool:
        """The change was one generation, and the repair another."""
        return generation_of(installed, kind) >= generation + 2 and (
            installed.webhooks(kind) == before
        )

    wait_for(repaired, SECONDS, "the repair")


def generation_of(installed: Installed, kind: str) -> int:
    found = installed.configuration(kind)
    assert found
    return int(found["metadata"]["generation"])


def test_a_changed_configuration_of_the_chart_is_taken_up(installed: Installed) -> None:
    """From enforce to audit and back, as two upgrades; that nothing is denied any more is told."""
    await_filled(installed)
    for policy in ("Ignore", "Fail"):
        installed.want(validating=policy, mutating=policy)
        for kind in KINDS:
            wait_for(lambda k=kind, p=policy: installed.webhooks(k)[0]["failurePolicy"] == p,  # type: ignore[misc]
                     SOON, f"{policy} in {kind}")  # fmt: skip
    ended = ("get", "events", "--field-selector=reason=EnforcementEnded", "-o", "json")
    for kind in KINDS.values():
        wait_for(lambda k=kind: f"{k}WebhookConfiguration" in installed.kubectl(*ended).stdout,  # type: ignore[misc]
                 SOON, f"the event about the {kind} one")  # fmt: skip


@pytest.mark.parametrize("name", ["netreeve-tls", "netreeve-ca", "netreeve-stamp"])
def test_a_deleted_secret_is_made_anew(installed: Installed, servers: list[Pod], name: str) -> None:
    with traffic(installed, servers) as going:
        installed.api.delete(f"{SECRETS}/{name}")
        wait_for(lambda: installed.secret(name), SOON, f"a new {name}")
        new = installed.secret("netreeve-ca")["ca.crt"]
        wait_for(lambda: is_issued(leaf(installed), new), SOON, "a certificate of the newest CA")
        await_served(installed, leader(installed))
        going.more()


Certs = Callable[..., tuple[int, str]]


@pytest.fixture
def certs(installed: Installed, capsys: pytest.CaptureFixture[str]) -> Certs:
    """`netreeve certs` with the administrator's kubeconfig: exit code, and what it says."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["certs", *arguments, "--kubeconfig", str(installed.plane.kubeconfig)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


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
    assert "there is no Secret default/netreeve-ca: is Netreeve installed in another" in said
    code, said = certs("show", "-n", "default")
    assert code == 2
    assert "there is no Secret default/netreeve-tls: is Netreeve installed in another" in said


def test_a_stamp_key_is_replaced_and_the_one_before_is_kept(
    installed: Installed, certs: Certs
) -> None:
    before = installed.secret("netreeve-stamp")["current"]
    assert certs("rotate", "--stamp-key")[0] == 0
    wait_for(lambda: installed.secret("netreeve-stamp")["current"] != before, SOON, "a new key")
    after = installed.secret("netreeve-stamp")
    assert after["previous"] == before
    assert set(after) == {"current", "previous"}


def test_in_a_steady_state_nothing_is_written(installed: Installed, certs: Certs) -> None:
    """Whatever wakes the controller; what it writes for the last thing tells that it was awake."""
    await_filled(installed)
    start = installed.plane.audit_position()
    for number in range(10):
        for path in (f"{SECRETS}/netreeve-tls", f"{CONFIGURATIONS.format('validating')}/{NAME}"):
            marked = {"metadata": {"annotations": {"example.com/number": str(number)}}}
            installed.api.patch(path, marked)
    before = installed.secret("netreeve-stamp")
    certs("rotate", "--stamp-key")
    wait_for(lambda: installed.secret("netreeve-stamp") != before, SOON, "the last thing")

    def written() -> list[str]:
        found = asked(installed.plane, AGENT, start)
        return [one.uri for one in found if one.verb not in READING
                and ("secrets" in one.uri or "webhookconfigurations" in one.uri)]  # fmt: skip

    wait_for(written, SOON, "the audit log")
    assert len(written()) == 1
    assert "/secrets/netreeve-stamp" in written()[0]


def test_an_uninstall_is_final_and_an_install_works_again(installed: Installed) -> None:
    await_filled(installed)
    leading = leader(installed)
    for kind in KINDS:
        installed.api.delete(f"{CONFIGURATIONS.format(kind)}/{NAME}")
    wait_for(lambda: not any("webhooks_match" in name for name in leading.metrics()), SOON,
             "the controller to have seen it")  # fmt: skip
    rotate(installed, "netreeve-tls")
    before = leaf(installed)
    wait_for(lambda: leaf(installed) != before, SOON, "it to have worked on")
    assert [installed.configuration(kind) for kind in KINDS] == [None, None]
    assert installed.create("services", VIOLATION).returncode == 0
    for kind in KINDS:
        installed.apply({"apiVersion": "admissionregistration.k8s.io/v1",
                         "kind": f"{KINDS[kind]}WebhookConfiguration",
                         "metadata": {"name": NAME}})  # fmt: skip
    installed.await_active()


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
