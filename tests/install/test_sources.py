"""Certificates of somebody else: files of an administrator, and what cert-manager writes."""

import base64
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from certs.issue import Pair, authority, leaf
from certs.plan import fingerprints, is_issued
from tests.controlplane.wait import wait_for
from tests.install.installed import CONTROL, NAMESPACE, SOON, Installed
from tests.install.pods import Pod
from tests.install.traffic import traffic

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

DAY = timedelta(days=1)
NAMES = ("netreeve-serve.netreeve.svc",)
CA = "/etc/netreeve/ca"
FILES = copy.deepcopy(CONTROL)
FILES["spec"]["containers"][0]["args"] += [
    "--cert-source=files", f"--ca-bundle={CA}/ca.crt"
]  # fmt: skip
FILES["spec"]["containers"][0]["volumeMounts"].append({"name": "ca", "mountPath": CA})
FILES["spec"]["volumes"].append({
    "name": "ca",
    "secret": {"secretName": "netreeve-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]},
})  # fmt: skip


def issue(ca: Pair) -> Pair:
    return leaf(ca, NAMES, now=datetime.now(UTC), life=DAY)


def new_authority() -> Pair:
    return authority("somebody's CA", now=datetime.now(UTC), life=3 * DAY)


def give(installed: Installed, pair: Pair, bundle: bytes, name: str = "netreeve-tls") -> None:
    """Write the Secret as a whole, as cert-manager does."""
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": bundle}
    installed.apply({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    })  # fmt: skip


def await_carried(installed: Installed, *authorities: bytes) -> None:
    wanted = {frozenset(fingerprints(b"".join(authorities)))}
    wait_for(lambda: set(installed.bundles()) == wanted, SOON, f"{len(authorities)} authorities")


@contextmanager
def controlled(installed: Installed, source: str) -> Iterator[Pod]:
    files = source == "files"
    more = () if files else (f"--cert-source={source}",)
    pod = installed.pods.start(FILES if files else CONTROL, *more)
    installed.pods.await_ready(pod)
    yield pod
    pod.stop()


@pytest.fixture(scope="module")
def given(bare: Installed) -> tuple[list[Pod], Pair]:
    """Servers with a certificate that nobody of ours has issued."""
    ca = new_authority()
    give(bare, issue(ca), ca.certificate)
    servers = bare.serve(2)
    bare.pods.await_ready(*servers)
    return servers, ca


@pytest.mark.parametrize("source", ["files", "cert-manager"])
def test_what_somebody_else_rotates_is_followed_without_a_failure(
    bare: Installed, given: tuple[list[Pod], Pair], source: str
) -> None:
    """Also where certificate and CA change at once, as with a self-signed issuer."""
    servers, _ = given
    first, second = new_authority(), new_authority()
    give(bare, issue(first), first.certificate)
    with controlled(bare, source):
        bare.await_active()
        await_carried(bare, first.certificate)
        with traffic(bare, servers) as going:
            give(bare, issue(first), first.certificate + second.certificate)
            await_carried(bare, first.certificate, second.certificate)
            give(bare, issue(second), first.certificate + second.certificate)
            going.more()
            give(bare, issue(second), second.certificate)
            await_carried(bare, second.certificate)
            going.more()
        assert bare.secret("netreeve-ca") == {}
        assert bare.secret("netreeve-stamp")["current"]


def test_an_abrupt_change_leaves_no_server_behind_for_long(
    bare: Installed, given: tuple[list[Pod], Pair]
) -> None:
    """What servers still serve stays trusted, and what they serve next is trusted before."""
    before = new_authority()
    give(bare, issue(before), before.certificate)
    with controlled(bare, "cert-manager"):
        bare.await_active()
        await_carried(bare, before.certificate)
        after = new_authority()
        with bare.pods.mounts_held():
            give(bare, issue(after), after.certificate)
            await_carried(bare, after.certificate, before.certificate)
            bare.await_active()
        await_carried(bare, after.certificate)
        bare.await_active()


def test_what_cert_manager_has_left_is_taken_over_with_overlap(
    bare: Installed, given: tuple[list[Pod], Pair]
) -> None:
    """Its Secret of the same name has a type that needs its content."""
    servers, _ = given
    before = new_authority()
    give(bare, issue(before), before.certificate)
    give(bare, before, before.certificate, name="netreeve-ca")
    with controlled(bare, "cert-manager"):
        bare.await_active()
        await_carried(bare, before.certificate)
    with traffic(bare, servers) as going, controlled(bare, "managed"):
        wait_for(lambda: "ca.key" in bare.secret("netreeve-ca"), SOON, "a CA of ours")
        ours = bare.secret("netreeve-ca")["ca.crt"]
        await_carried(bare, ours, before.certificate)
        wait_for(lambda: is_issued(bare.secret("netreeve-tls")["tls.crt"], ours), SOON, "its leaf")
        going.more()
