"""What holds for every object, however it is shaped: laws of the gate and of the manifests."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

import jsonpatch
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.model import CREATE, UPDATE, Action, NoParams, Policy, Request, Rule
from policies.objects import View
from policies.resources import BUILT_IN, Resource
from policies.workloads import pod_views
from tests.audit.given import parsed
from webhook.admission import messages
from webhook.admission.gate import Gate, Review
from webhook.admission.ruleset import Ruleset, Setting, Step
from webhook.admission.verdict import MALFORMED
from webhook.audit.check import check
from webhook.audit.judge import creation, judge
from webhook.audit.reports import FORMATS
from webhook.config import ConfigError, load, ruleset
from webhook.config.yamltext import documents

pytestmark = pytest.mark.slow

CONFIG = """
apiVersion: netreeve.io/v1alpha1
kind: GateConfig
profile: strict
mesh: {kind: linkerd}
"""
RULES = ruleset(load(CONFIG))
GATE = Gate(RULES)
RESOURCES = st.sampled_from(BUILT_IN)

WORDS = st.sampled_from(
    ["", "a", "NodePort", "LoadBalancer", "ExternalName", "ClusterFirst", "127.0.0.1", "::1",
     "10.0.0.0/8", "0.0.0.0/0", "localhost", "kube-system", "net.core.somaxconn", "NET_ADMIN",
     "ndots", "linkerd.io/inject", "enabled", "windows", "http", "65536", "*", "\x00", "é",
     "\U0001f600"]
)  # fmt: skip
TEXT = st.one_of(WORDS, st.text(max_size=8))
NUMBERS = st.one_of(st.sampled_from([0, 1, 80, 30080, 65535, -1]), st.integers())
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXT, st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


SPINE = frozenset({"metadata", "spec", "template", "jobTemplate", "containers", "ports"})
"""Fields that are always there: what policies look at hangs on them."""
TYPICAL = {
    "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
    "name": st.sampled_from(["a", "b", "ndots", "net.ipv4.ip_forward", "istio-init"]),
    "externalName": st.sampled_from(["localhost", "169.254.169.254", "0x7f.1", "example.com"]),
    "addresses": st.lists(st.sampled_from(["127.0.0.1", "10.0.0.1", "fe80::1", "x"]), max_size=2),
    "add": st.lists(st.sampled_from(["NET_ADMIN", "CAP_NET_RAW", "ALL", "CHOWN"]), max_size=2),
    "loadBalancerSourceRanges": st.lists(st.sampled_from(["10.0.0.0/8", "::/0", "x"]), max_size=2),
}


def like(of: Any) -> st.SearchStrategy[Any]:
    """JSON of the shape of a type of policies.objects."""
    origin, arguments = get_origin(of), get_args(of)
    if isinstance(of, type) and issubclass(of, View):
        return shaped(of)
    if origin is list:
        return st.lists(like(arguments[0]), min_size=1, max_size=2)
    if origin is dict:
        return st.dictionaries(TEXT, TEXT, max_size=2)
    if arguments:
        return st.one_of([like(one) for one in arguments if one is not NoneType])
    return {str: TEXT, int: NUMBERS, bool: st.booleans()}.get(of, JSON)


@cache
def shaped(view: type[View]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {
        field.name: st.one_of(TYPICAL[field.name], like(field.type))
        if field.name in TYPICAL
        else like(field.type)
        for field in msgspec.structs.fields(view)
    }
    required = {name: one for name, one in fields.items() if name in SPINE}
    optional = {name: one for name, one in fields.items() if name not in SPINE}
    return st.fixed_dictionaries(required, optional=optional)


def view_of(resource: Resource) -> type[View]:
    """The type that the resource is decoded into."""
    return type(resource.decode(b"{}"))


def spoilt(value: Any, place: int, junk: Any) -> Any:
    """``value`` with something else at one of its places, counted in a fixed order."""
    if place == 0:
        return junk
    if not isinstance(value, (dict, list)):
        return value
    copied: Any = copy.copy(value)
    for key, one in list(value.items() if isinstance(value, dict) else enumerate(value)):
        size = places(one)
        if place <= size:
            copied[key] = spoilt(one, place - 1, junk)
            break
        place -= size
    return copied


def places(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    return 1 + (sum(map(places, inner)) if isinstance(value, (dict, list)) else 0)


def sometimes_spoilt(clean: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(clean, st.builds(spoilt, clean, st.integers(0, 40), JSON))


SHAPES = {resource: sometimes_spoilt(like(view_of(resource))) for resource in BUILT_IN}
OBJECTS = RESOURCES.flatmap(lambda one: st.tuples(st.just(one), SHAPES[one]))
PAIRS = RESOURCES.flatmap(lambda one: st.tuples(st.just(one), SHAPES[one], SHAPES[one]))


def request(resource: Resource, operation: str = CREATE) -> Request:
    return Request(
        operation=operation,
        group=resource.group,
        resource=resource.resource,
        kind=resource.kind,
        namespace="shop" if resource.namespaced else "",
        name="a",
    )


def review(resource: Resource, new: Any, old: Any = None) -> Review:
    if old is None:
        return Review(request(resource), json.dumps(new).encode())
    return Review(request(resource, UPDATE), json.dumps(new).encode(), json.dumps(old).encode())


def is_readable(resource: Resource, value: Any) -> bool:
    try:
        view = resource.decode(json.dumps(value).encode())
        return view is not None and resource.subjects(view) is not None
    except msgspec.DecodeError:
        return False


@given(OBJECTS)
@settings(max_examples=200, deadline=None)
def test_every_shape_gets_a_verdict_and_no_policy_raises(case: tuple[Resource, Any]) -> None:
    resource, value = case
    asked = review(resource, value)
    for verdict in (GATE.validate(asked), GATE.mutate(asked)):
        assert verdict.errors == ()
        assert all(len(line) <= messages.WARNING_LENGTH for line in messages.warnings(verdict))
        if not verdict.allowed:
            assert messages.denial(asked.request, verdict).isprintable() is False  # has lines
        if not is_readable(resource, value):
            assert {finding.policy for finding in verdict.findings} <= {MALFORMED}


@given(OBJECTS)
@settings(max_examples=100, deadline=None)
def test_what_cannot_be_read_is_not_allowed(case: tuple[Resource, Any]) -> None:
    resource, value = case
    gate = Gate(Ruleset((Step(deny_nothing(resource), Setting(Action.DENY, NoParams())),)))
    assert gate.validate(review(resource, value)).allowed == is_readable(resource, value)


def deny_nothing(resource: Resource, **functions: Any) -> Policy[Any, Any]:
    return Policy(
        id="sample",
        title="For the test",
        why="For the test.",
        fix="None.",
        rules=(Rule(resource.group, resource.resource),),
        standard=Action.DENY,
        strict=Action.DENY,
        params=NoParams,
        **{"validate": lambda subject, request, params: (), **functions},
    )


@given(OBJECTS, st.sampled_from([Action.DENY, Action.WARN, Action.AUDIT]))
@settings(max_examples=100, deadline=None)
def test_a_policy_that_raises_has_found_a_violation_under_its_action(
    case: tuple[Resource, Any], action: Action
) -> None:
    resource, value = case
    one = deny_nothing(resource, validate=lambda subject, request, params: 1 // 0)
    verdict = Gate(Ruleset((Step(one, Setting(action, NoParams())),))).validate(
        review(resource, value)
    )
    judged = not is_readable(resource, value) or has_subjects(resource, value)
    assert {finding.action for finding in verdict.findings} == ({action} if judged else set())


def has_subjects(resource: Resource, value: Any) -> bool:
    view = resource.decode(json.dumps(value).encode())
    return bool(pod_views(view)) if resource.subjects is pod_views else True


@given(OBJECTS)
@settings(max_examples=150, deadline=None)
def test_patches_apply_and_a_second_mutation_changes_nothing(case: tuple[Resource, Any]) -> None:
    resource, value = case
    verdict = GATE.mutate(review(resource, value))
    if verdict.allowed:
        changed = jsonpatch.apply_patch(value, list(verdict.patch))
        again = GATE.mutate(review(resource, changed))
        assert (again.allowed, again.patch) == (True, ())


@given(OBJECTS)
@settings(max_examples=150, deadline=None)
def test_an_update_that_changes_nothing_is_never_denied(case: tuple[Resource, Any]) -> None:
    resource, value = case
    if value is not None:
        assert GATE.validate(review(resource, value, value)).allowed


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_an_update_is_denied_only_for_what_a_creation_is_denied_for(
    case: tuple[Resource, Any, Any],
) -> None:
    resource, old, new = case
    if old is None:
        return
    updated = GATE.validate(review(resource, new, old)).under(Action.DENY)
    created = GATE.validate(review(resource, new)).under(Action.DENY)
    assert {(one.policy, one.violation) for one in updated} <= {
        (one.policy, one.violation) for one in created
    }


@given(OBJECTS, st.dictionaries(TEXT, JSON, max_size=3))
@settings(max_examples=80, deadline=None)
def test_the_object_of_a_manifest_is_not_changed(
    case: tuple[Resource, Any], more: dict[str, Any]
) -> None:
    resource, value = case
    manifest = {**more, **value} if isinstance(value, dict) else more
    before = copy.deepcopy(manifest)
    judge(GATE, creation(resource, manifest, "default"), manifest)
    assert manifest == before


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_json_reads_as_what_it_says(value: Any) -> None:
    text = json.dumps({"a": value})
    (document,) = documents(text)
    assert document.problems == ()
    assert document.value == json.loads(text, parse_float=_as_go, parse_int=_as_go)


def _as_go(text: str) -> float | int:
    """Whole numbers are integers, and integers have 64 bits."""
    number = int(text) if text.lstrip("-").isdigit() else float(text)
    if isinstance(number, float):
        return int(number) if number.is_integer() and abs(number) < 1e21 else number
    return number if -(2**63) <= number < 2**64 else float(number)


YAML_ISH = st.lists(
    st.sampled_from([*"ab01:-[]{}&*!|>'\"%@`#?,.<~ \n\t\r\\/\ufeff", "---\n", "<<: ", "a: ", "- "]),
    max_size=40,
).map("".join)


@given(st.one_of(st.text(max_size=40), YAML_ISH))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_has_problems(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + 1
    for document in documents(text):
        assert 1 <= document.line <= lines + 1
        assert all(problem.line for problem in document.problems)
        json.dumps(document.value)


@given(st.one_of(st.binary(max_size=40), YAML_ISH.map(str.encode)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_make_a_report_in_every_format(data: bytes) -> None:
    report = check(parsed(data), RULES)
    assert (report.exit_code == 2) == bool(report.unreadable)
    for write in FORMATS.values():
        write(report, io.StringIO())


@given(st.dictionaries(st.sampled_from(["profile", "policies", "overrides", "mesh"]), JSON))
@settings(max_examples=200, deadline=None)
def test_any_configuration_is_used_or_has_errors(value: dict[str, Any]) -> None:
    text = json.dumps({"apiVersion": "netreeve.io/v1alpha1", "kind": "GateConfig", **value})
    with contextlib.suppress(ConfigError):
        ruleset(load(text))


@pytest.mark.parametrize("resource", BUILT_IN, ids=lambda one: one.resource)
@pytest.mark.parametrize("unit", ['{"spec":', '{"metadata":', "[", '{"a":'])
def test_nesting_without_end_is_denied(resource: Resource, unit: str) -> None:
    closing = {"{": "}", "[": "]"}[unit[0]]
    body = (unit * 50_000 + "null" + closing * 50_000).encode()
    verdict = GATE.validate(Review(request(resource), body))
    if MALFORMED not in {finding.policy for finding in verdict.findings}:
        assert is_skipped(resource, unit), "only what no policy reads may be nested like this"


def is_skipped(resource: Resource, unit: str) -> bool:
    return unit == '{"a":' or (
        unit == '{"spec":' and "spec" not in view_of(resource).__struct_fields__
    )
