"""What holds for every pod policy on every object that is shaped like a pod."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies import catalogue
from policies.model import Action, Policy
from policies.objects import Pod
from policies.pods import ndots
from policies.workloads import PODS, pod_views
from tests.policies.pods.given import denying, request, update
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.admission.verdict import MALFORMED

JUDGING = tuple(
    policy
    for policy in catalogue()
    if policy.validate and PODS in policy.rules and "policies.pods." in policy.validate.__module__
)
MUTATING = Gate(Ruleset((Step(ndots.POLICY, Setting(Action.MUTATE, ndots.Params())),)))

encode = msgspec.json.encode
decode = msgspec.json.Decoder(Pod).decode


def null_or(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | value


def shape(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object in which each field may be absent, null or of the type that the API wants."""
    return st.fixed_dictionaries(
        {}, optional={name: null_or(field) for name, field in fields.items()}
    )


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


WORD = st.text(max_size=8)
PORT = st.integers(-1, 70_000)
HOST = one_of("", "127.0.0.1", "localhost", "::1", "10.0.0.1") | WORD
ACTION = shape(host=HOST, port=PORT | one_of("http"))
HANDLER = shape(httpGet=ACTION, tcpSocket=ACTION, exec=shape(command=st.lists(WORD, max_size=2)))
PORTS = shape(
    containerPort=PORT, hostPort=PORT, hostIP=HOST, protocol=one_of("TCP", "UDP", "SCTP", "tcp")
)
CAPABILITY = one_of("NET_ADMIN", "cap_net_raw", "ALL", "CHOWN", "SYS_ADMIN", "") | WORD
SECURITY = shape(
    privileged=st.booleans(),
    capabilities=shape(add=st.lists(CAPABILITY, max_size=4), drop=st.lists(CAPABILITY, max_size=4)),
)
CONTAINER = shape(
    name=one_of("main", "istio-init", "sidecar") | WORD,
    image=one_of("docker.io/istio/proxyv2:1", "nginx") | WORD,
    command=st.lists(WORD, max_size=2),
    ports=st.lists(PORTS, max_size=3),
    livenessProbe=HANDLER,
    readinessProbe=HANDLER,
    startupProbe=HANDLER,
    lifecycle=shape(postStart=HANDLER, preStop=HANDLER),
    securityContext=SECURITY,
)
CONTAINERS = st.lists(CONTAINER, max_size=3)
SYSCTL = shape(
    name=one_of("net.ipv4.ip_forward", "net/core/somaxconn", "kernel.msgmax") | WORD, value=WORD
)
OPTION = shape(name=one_of("ndots", "timeout", "edns0") | WORD, value=WORD)
SPEC = shape(
    containers=CONTAINERS,
    initContainers=CONTAINERS,
    ephemeralContainers=CONTAINERS,
    hostNetwork=st.booleans(),
    dnsPolicy=one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None", ""),
    dnsConfig=shape(options=st.lists(OPTION, max_size=3), searches=st.lists(WORD, max_size=2)),
    securityContext=shape(sysctls=st.lists(SYSCTL, max_size=3)),
    os=shape(name=one_of("linux", "windows")),
    nodeSelector=st.dictionaries(one_of("kubernetes.io/os"), one_of("windows", "linux")),
)
META = shape(
    annotations=st.dictionaries(
        one_of("netreeve.io/ndots", "kubernetes.io/config.mirror"), one_of("false", "true")
    )
)
POD = shape(metadata=META, spec=SPEC)

HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            one_of("containers", "ports", "hostPort", "hostNetwork", "securityContext", "sysctls"),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("policy", JUDGING, ids=lambda policy: policy.id)
@given(obj=POD)
def test_judging_never_raises_never_changes_the_pod_and_points_into_it(
    policy: Policy[Any, Any], obj: dict[str, Any]
) -> None:
    pod = decode(encode(obj))
    before = encode(pod)
    assert policy.validate is not None
    for view in pod_views(pod):
        for violation in policy.validate(view, request(), policy.params()):
            assert _at(obj, violation.field) is not None
            assert all(isinstance(key, str) and key for key in violation.identity)
    assert encode(pod) == before


def _at(obj: Any, path: str) -> Any:
    """The value at a field path as Kubernetes writes it."""
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        obj = obj[name] if name else obj[int(index)]
    return obj


@given(spec=HOSTILE)
def test_an_object_of_any_shape_is_judged_or_malformed_and_makes_no_policy_fail(spec: Any) -> None:
    obj = encode({"metadata": {}, "spec": spec})
    verdict = denying(*JUDGING).validate(Review(request(), obj))
    assert verdict.errors == ()
    try:
        decode(obj)
    except msgspec.ValidationError:
        assert [finding.policy for finding in verdict.findings] == [MALFORMED]
        assert not verdict.allowed
    else:
        assert MALFORMED not in {finding.policy for finding in verdict.findings}


@given(obj=POD, data=st.data())
def test_an_update_that_only_changes_the_order_denies_nothing(
    obj: dict[str, Any], data: st.DataObject
) -> None:
    old = _named(obj)
    new = msgspec.json.decode(encode(old))
    spec = new.get("spec") or {}
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(name) or []:
            if container.get("ports"):
                container["ports"] = data.draw(st.permutations(container["ports"]))
        if spec.get(name):
            spec[name] = data.draw(st.permutations(spec[name]))
    assert update(denying(*JUDGING), old, new).allowed


@given(obj=POD, container=CONTAINER)
def test_an_update_that_adds_a_container_denies_only_what_is_in_it(
    obj: dict[str, Any], container: dict[str, Any]
) -> None:
    assume(obj.get("spec") is not None)
    old = _named(obj)
    new = msgspec.json.decode(encode(old))
    new["spec"]["containers"] = [
        {**container, "name": "new"},
        *(old["spec"].get("containers") or []),
    ]
    verdict = update(denying(*JUDGING), old, new)
    denied = [finding.violation.field for finding in verdict.under(Action.DENY)]
    assert all(field.startswith("spec.containers[0].") for field in denied)


def _named(obj: dict[str, Any]) -> dict[str, Any]:
    """With a name of its own for every container, as the API server demands."""
    spec = obj.get("spec") or {}
    for name in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(name) or []):
            container["name"] = f"{name}-{index}"
    return obj


@given(obj=POD)
def test_ndots_only_appends_and_a_second_time_adds_nothing(obj: dict[str, Any]) -> None:
    before, once = decode(encode(obj)), decode(encode(obj))
    for view in pod_views(once):
        ndots.mutate(view, request(), ndots.Params())
    twice = decode(encode(once))
    for view in pod_views(twice):
        ndots.mutate(view, request(), ndots.Params())
    assert encode(twice) == encode(once)
    had, has = _options(before), _options(once)
    assert has[: len(had)] == had
    assert [option.name for option in has[len(had) :]] in ([], ["ndots"])
    if once.spec is not None and before.spec is not None:
        once.spec.dnsConfig = before.spec.dnsConfig = None
    assert encode(once) == encode(before)


def _options(pod: Pod) -> list[Any]:
    config = pod.spec.dnsConfig if pod.spec else None
    return (config.options or []) if config else []


@given(obj=POD)
def test_the_patch_of_ndots_is_one_operation_at_most(obj: dict[str, Any]) -> None:
    verdict = MUTATING.mutate(Review(request(), encode(obj)))
    assert verdict.errors == ()
    assert [one["op"] for one in verdict.patch] in ([], ["add"])
