"""The section `baseline` of the configuration: what it accepts, refuses and means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.baseline import dns
from policies.baseline.config import Baseline, BaselineConfig
from policies.baseline.presets import Allow
from webhook.audit.baseline import standing
from webhook.config.convert import Converter
from webhook.config.parameters import field_texts, structs_in

DOCS = Path(__file__).parents[3] / "docs" / "baseline.md"
_REASON = re.compile(r'Problem\(\s*"([A-Z]\w+)"')


def _read(value: Any) -> tuple[Any, list[str]]:
    """The section and what is wrong with it, as the loader reads it."""
    converter = Converter()
    found = converter.convert(value, BaselineConfig, "baseline")
    return found, [f"{one.path}: {one.message}" for one in converter.problems]


def _allow(**preset: Any) -> dict[str, Any]:
    return {"baselines": {"default-deny": {"allow": preset}}}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"enabled": False, "pods": "deny"},
        {"name": "open", "baselines": {"open": {"allow": {"anyEgress": True}}}},
        {"selectors": [{"namespaceSelector": {}, "baseline": "default-deny"}]},
        _allow(sameNamespace=True, apiServer=True, internet={}),
        _allow(ingressControllers={"cidrs": ["10.0.0.0/8", "fd00::/8"]}),
        _allow(egressProxy={"namespaces": ["proxy"], "ports": [3128]}),
        {"dns": {"addresses": ["169.254.20.10", "fd00::a"], "whenNotFound": "deny-only"}},
        {"baselines": {"b": {"meshes": ["consul"], "policies": {"web": {"ingress": [{}]}}}}},
    ],
)
def test_accepted(value: dict[str, Any]) -> None:
    assert _read(value)[1] == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"name": "open"}, "no baseline is named 'open'"),
        (
            {"selectors": [{"namespaceSelector": {}, "baseline": "open"}]},
            "no baseline is named 'open'",
        ),
        ({"pods": "hold"}, "baseline.pods: must be gate, deny or off"),
        (_allow(sameNamespaces=True), "did you mean sameNamespace?"),
        (_allow(ingressControllers={}), "allow.ingressControllers: needs namespaces or cidrs"),
        (_allow(monitoring={"ports": [9090]}), "allow.monitoring: needs namespaces or cidrs"),
        (_allow(egressProxy={"cidrs": ["10.0.0.1/32"]}), "needs ports: those of the proxy"),
        (_allow(monitoring={"namespaces": ["a"], "ports": [0]}), "ports[0]: must be"),
        (_allow(monitoring={"cidrs": ["10.0.0.1/8"]}), "must be written as '10.0.0.0/8'"),
        (_allow(monitoring={"cidrs": ["10.0.0.0/33"]}), "is no CIDR"),
        (_allow(monitoring={"cidrs": ["FD00::/8"]}), "must be written as 'fd00::/8'"),
        (_allow(internet={"exceptCidrs": ["1.2.3.4"]}), "exceptCidrs[0]: must be"),
        ({"dns": {"addresses": ["10.0.0.256"]}}, "is no address"),
        ({"dns": {"services": [{"name": "dns"}]}}, "services[0].namespace: is required"),
        ({"baselines": {"a": {"meshes": ["istio"]}}}, "must be istio-sidecar,"),
        ({"baselines": {"Not_a_name": {}}}, "baselines.Not_a_name: must be"),
        (
            {"baselines": {"a": {"policies": {"allow-dns": {}}}}},
            "policies.allow-dns must not be default-deny or begin with allow-",
        ),
        (
            {"baselines": {"a": {"policies": {"default-deny": {}}}}},
            "policies.default-deny must not be",
        ),
        (
            {"baselines": {"a": {"policies": {"web": {"ingres": []}}}}},
            "policies.web has a field that a NetworkPolicy spec does not have",
        ),
        (
            {"baselines": {"a": {"policies": {"web": {"policyTypes": ["ingress"]}}}}},
            "policies.web has policyTypes other than Ingress and Egress",
        ),
        (
            {"baselines": {"a": {"policies": {"web": {"egress": [{"to": 3}]}}}}},
            "policies.web is no NetworkPolicy spec",
        ),
    ],
)
def test_refused(value: dict[str, Any], problem: str) -> None:
    assert problem in "\n".join(_read(value)[1])


def test_default_deny_exists_without_being_written() -> None:
    config, _ = _read({})
    assert config.baseline("default-deny") == Baseline()
    assert config.baseline("other") is None


def test_default_deny_can_be_defined() -> None:
    config, _ = _read(_allow(sameNamespace=True))
    assert config.baseline("default-deny") == Baseline(allow=Allow(sameNamespace=True))


def test_the_first_selector_that_matches_chooses() -> None:
    def picks(baseline: str, **labels: str) -> dict[str, Any]:
        return {"namespaceSelector": {"matchLabels": labels}, "baseline": baseline}

    config, problems = _read(
        {
            "name": "c",
            "baselines": {"a": {}, "b": {}, "c": {}},
            "selectors": [picks("a", team="a"), picks("b", env="dev")],
        }
    )
    assert problems == []
    assert config.choose({"team": "a", "env": "dev"}) == "a"
    assert config.choose({"env": "dev"}) == "b"
    assert config.choose({"env": "prod"}) == "c"


@pytest.mark.parametrize(
    "struct",
    [*structs_in(BaselineConfig), *structs_in(Baseline)],
    ids=lambda struct: str(struct.__name__),
)
def test_every_field_is_explained(struct: type[Any]) -> None:
    if struct.__module__.startswith("policies.baseline"):
        assert set(field_texts(struct)) >= set(struct.__struct_fields__)


def _examples() -> list[Any]:
    blocks = DOCS.read_text().split("```yaml\n")[1:]
    found = [yaml.safe_load(block.partition("```")[0]) for block in blocks]
    return [one["baseline"] for one in found if "baseline" in one]


def test_there_are_examples() -> None:
    assert len(_examples()) >= 3


@pytest.mark.parametrize("example", _examples())
def test_examples_of_the_documentation_are_accepted(example: Any) -> None:
    assert _read(example)[1] == []


def test_the_documentation_has_every_setting() -> None:
    text = DOCS.read_text()
    for struct in (*structs_in(BaselineConfig), *structs_in(Baseline)):
        for field in struct.__struct_fields__:
            if struct.__module__.startswith("policies.baseline"):
                assert f"`{field}`" in text, field


def test_the_documentation_has_every_reason() -> None:
    sources = [*Path(dns.__file__).parent.glob("*.py"), Path(standing.__file__)]
    given = {one for path in sources for one in _REASON.findall(path.read_text())}
    explained = set(re.findall(r"^\| `([A-Z]\w+)` \|", DOCS.read_text(), re.MULTILINE))
    assert given == explained
