"""Webhook configurations: repaired, taken up from the chart, taken out and installed again."""

import json

import pytest

from tests.cluster.audit import asked
from tests.controller.control import AGENT
from tests.controlplane.wait import wait_for
from tests.install.certificates import SECONDS, Certs, await_filled, leader, leaf, rotate
from tests.install.installed import CONFIGURATIONS, KINDS, NAME, SECRETS, SOON, VIOLATION, Installed

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
READING = {"get", "list", "watch"}


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
