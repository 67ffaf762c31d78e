"""A cluster full of objects is audited quickly, and a second time for nothing."""

import pytest

from tests.audit.seeded import PER_NAMESPACE, measure, seed
from tests.controller.protected import scaled
from tests.controlplane.cluster import ControlPlane

NAMESPACES = scaled(6, 200)


@pytest.mark.cluster
def test_a_full_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    with ControlPlane() as plane:
        seed(plane, NAMESPACES)
        cost = measure(plane, NAMESPACES * PER_NAMESPACE, idle=3.0)
    with capsys.disabled():
        print("", *cost.lines(), sep="\n")
    # A Deployment in every namespace, and a NodePort in every tenth.
    assert cost.denied == NAMESPACES + -(-NAMESPACES // 10)
    pages = -(-cost.objects // 500)
    assert cost.requests < 40 + 3 * pages
    assert cost.cpu < 10 + cost.objects / 500  # the rest is the machine's, and what else it does
    assert cost.peak < 400 * 2**20
    # Whether the stamps of exemptions have another key is asked at every interval.
    assert set(cost.again) <= {"watch", "get"}
    assert cost.again["get"] <= cost.intervals + 2
