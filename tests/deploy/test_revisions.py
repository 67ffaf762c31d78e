"""Nobody brings an exemption back that was withdrawn, by a revision of a StatefulSet.

The controller makes pods from it that are exempt by its stamp; the API server itself refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

pytestmark = pytest.mark.cluster
REFUSED = "exemptions are written on the template"
STAMPED = {"netreeve.io/exempt": "host-network", "netreeve.io/exempt-stamp": "{}"}
SHOP = "shop-of-revisions"
TENANT = ("--as=rita", "--as-group=system:authenticated")
CONTROLLER = ("--as=system:serviceaccount:kube-system:statefulset-controller",
              "--as-group=system:masters")  # fmt: skip


def of(annotations: dict[str, str]) -> dict[str, Any]:
    """What the controller keeps of a StatefulSet."""
    metadata = {"annotations": annotations}
    return {"spec": {"template": {"$patch": "replace", "metadata": metadata, "spec": {}}}}


def writes(cluster: ControlPlane, data: Any, *who: str) -> str:
    """What is said against a revision with this content, as a dry run."""
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "web-1"},
            "revision": 1, "data": data}  # fmt: skip
    create = ("create", "--dry-run=server", "--validate=false", "-n", SHOP, "-f", "-")
    return cluster.kubectl(*create, *who, stdin=json.dumps(body), check=False).stderr


@pytest.fixture(scope="module")
def shop(installed: ControlPlane) -> Iterator[ControlPlane]:
    """A namespace in which rita may do everything."""
    installed.kubectl("create", "namespace", SHOP)
    role = ("role", "everything", "--verb=*", "--resource=*.apps", "-n", SHOP)
    installed.kubectl("create", *role)
    binding = ("rolebinding", "everything", "--role=everything", "--user=rita", "-n", SHOP)
    installed.kubectl("create", *binding)
    attempt = partial(writes, installed, of(STAMPED), *TENANT)
    wait_for(lambda: REFUSED in attempt(), 20, "the policy in force")
    yield installed
    installed.kubectl("delete", "namespace", SHOP, "--wait=false")


def test_only_controllers_and_who_may_exempt_write_stamps_there(shop: ControlPlane) -> None:
    assert REFUSED in writes(shop, of(STAMPED), *TENANT)
    assert writes(shop, of(STAMPED), *CONTROLLER) == ""
    assert writes(shop, of(STAMPED)) == ""


@pytest.mark.parametrize(
    "data",
    [
        of({}),
        of({"team": "shop"}),
        {"spec": {}},
        {},
        {"spec": {"template": "a text"}},
        {"spec": [1]},
    ],
)
def test_other_revisions_are_nobodys_business(shop: ControlPlane, data: Any) -> None:
    assert writes(shop, data, *TENANT) == ""
