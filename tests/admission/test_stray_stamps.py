"""A stamp without a claim proves nothing, and does not stay where whoever reads it would wonder."""

import copy

import pytest

from tests.admission.exempting import ANNA, JANE, annotations_on
from tests.exemptions.world import World, claim, namespace, node_port, owned, pod, workload
from webhook.exemptions.claim import EXEMPT, STAMP

PLANTED = {STAMP: "please"}
PLANTS = {
    "a pod": ("pods", pod(PLANTED, host_network=False)),
    "a Service": ("services", {**node_port(PLANTED), "spec": {"ports": [{"port": 80}]}}),
    "a namespace": ("namespaces", namespace(PLANTED)),
    "a template": ("deployments", workload(PLANTED, host_network=False)),
}


@pytest.mark.parametrize("what", PLANTS)
def test_what_somebody_writes_is_removed(world: World, what: str) -> None:
    resource, obj = PLANTS[what]
    answer = world.send(JANE, resource, obj)
    assert answer.allowed
    assert STAMP not in annotations_on(answer.object)


def test_what_somebody_adds_is_removed(world: World) -> None:
    stored = world.send(JANE, "namespaces", namespace()).object
    stored["metadata"]["annotations"].update(PLANTED)
    assert STAMP not in annotations_on(world.send(JANE, "namespaces", stored).object)


def test_the_stamp_goes_with_its_claim(world: World) -> None:
    stored = world.send(ANNA, "deployments", workload(claim())).object
    assert STAMP in annotations_on(stored)
    clean = copy.deepcopy(stored)
    del clean["spec"]["template"]["spec"]["hostNetwork"]
    for name in [one for one in annotations_on(clean) if one.startswith(EXEMPT) and one != STAMP]:
        del annotations_on(clean)[name]
    answer = world.send(JANE, "deployments", clean)
    assert answer.allowed
    assert annotations_on(answer.object) == {}


def test_nothing_is_rolled_out_for_it(world: World) -> None:
    """A template that was stored with one keeps it until somebody changes the template."""
    stored = workload(PLANTED, host_network=False)
    world.send(JANE, "deployments", stored, mutating=False)
    scaled = copy.deepcopy(stored)
    scaled["spec"]["replicas"] = 3
    assert annotations_on(world.send(JANE, "deployments", scaled).object) == PLANTED


def test_what_controllers_make_is_left_as_its_template_is(world: World) -> None:
    """A ReplicaSet that differed from its Deployment's template would be made again and again."""
    made = owned(workload(PLANTED, host_network=False), "apps/v1", "Deployment", "web")
    controller = "system:serviceaccount:kube-system:deployment-controller"
    assert annotations_on(world.send(controller, "replicasets", made).object) == PLANTED
