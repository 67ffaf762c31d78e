"""Installed, upgraded and uninstalled by kubectl alone: no stage is lost, and nobody locked out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.deploy.by_kubectl import INSTALL, stage_file, uninstall
from tests.helm import manifests
from tests.helm.render import in_order, objects, parse, webhooks

pytestmark = pytest.mark.cluster
SERVICE = ("create", "service", "clusterip", "any", "--tcp=80", "--dry-run=server")


@pytest.mark.parametrize("stage", manifests.STAGES)
def test_with_a_stage_it_is_what_helm_installs(stage: str) -> None:
    both = [*parse(INSTALL.read_text()), *parse(stage_file(stage).read_text())]
    assert in_order(both) == in_order(objects({"stage": stage, "namespace": {"create": True}}))


def test_applied_again_it_leaves_the_stage_as_it_is(installed: ControlPlane) -> None:
    enforcing = ("enforce", {"Fail"}, ["Deny"])
    assert stage_of(installed) == enforcing
    for how in ((), ("--server-side", "--force-conflicts")):
        installed.kubectl("apply", *how, "-f", INSTALL)
        assert stage_of(installed) == enforcing


def stage_of(cluster: ControlPlane) -> tuple[str, set[str], list[str]]:
    """What the configuration says, what the webhooks should, and what is done about names."""
    get = ("get", "-n", "netreeve", "-o", "json")
    data = [json.loads(cluster.kubectl(*get, "configmap", name).stdout)["data"]
            for name in ("netreeve-config", "netreeve-webhooks")]  # fmt: skip
    policies = [one["failurePolicy"] for text in data[1].values()
                for one in yaml.safe_load(text)["webhooks"]]  # fmt: skip
    binding = ("validatingadmissionpolicybinding", "netreeve-excluded")
    spec = json.loads(cluster.kubectl(*get, *binding).stdout)["spec"]
    stage = yaml.safe_load(data[0]["config.yaml"])["stage"]
    return stage, set(policies), spec["validationActions"]


def test_uninstalling_leaves_nobody_waiting_for_a_gate_that_is_gone(
    installed: ControlPlane,
) -> None:
    """The worst there is: it enforces, and no server answers when it is taken away."""
    found = objects({"stage": "enforce"})
    for path in ("mutating", "validating"):
        filled = json.dumps(webhooks(found, path))
        manager = ("--server-side", "--field-manager=netreeve-webhooks")
        installed.kubectl("apply", *manager, "-f", "-", stdin=filled)
    wait_for(lambda: "failed calling webhook" in create_service(installed), 20, "it to fail closed")
    position = installed.audit_position()
    uninstall(installed, "enforce")
    assert deleted(installed, position)[:2] == [
        ("validatingwebhookconfigurations", "00-netreeve"),
        ("mutatingwebhookconfigurations", "00-netreeve"),
    ]
    assert create_service(installed) == ""
    assert left_over(installed) == []


def create_service(cluster: ControlPlane) -> str:
    """What is said against it."""
    return cluster.kubectl(*SERVICE, check=False).stderr


def deleted(cluster: ControlPlane, position: int) -> list[tuple[str, str]]:
    """Resource and name of what kubectl has deleted since, oldest first."""
    return [
        (event["objectRef"]["resource"], event["objectRef"]["name"])
        for event in cluster.audit_events(position)
        if event["verb"] == "delete" and event["userAgent"].startswith("kubectl")
    ]


def left_over(cluster: ControlPlane) -> list[Any]:
    """What belongs to no namespace and would stay."""
    kinds = ("clusterroles,clusterrolebindings,validatingadmissionpolicies,"
             "validatingadmissionpolicybindings,validatingwebhookconfigurations,"
             "mutatingwebhookconfigurations")  # fmt: skip
    chosen = ("-l", "app.kubernetes.io/name=netreeve", "-o", "json")
    return list(json.loads(cluster.kubectl("get", kinds, *chosen).stdout)["items"])
