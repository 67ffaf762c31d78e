"""The chart as Helm renders it: what it promises of itself, for every kind of values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.namespaces.system import SYSTEM_NAMESPACES
from tests.deploy.chart import MONITORING
from tests.helm import manifests
from tests.helm.build import CHART, run
from tests.helm.render import NAMESPACE, Object, RenderError, objects, only, parse, webhooks
from webhook.config import load, ruleset

ROLLOUT = {
    "group": "argoproj.io",
    "resource": "rollouts",
    "kind": "Rollout",
    "path": "spec.template",
}
pytestmark = pytest.mark.cluster  # Helm is built with the control plane
PATHS = ("mutating", "validating")


def test_lint(tmp_path: Path) -> None:
    done = run("lint", "--strict", CHART, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", manifests.generated(), ids=lambda path: "-".join(path.parts[-2:]))
def test_what_is_generated_is_current(path: Path) -> None:
    assert path.read_text() == manifests.generated()[path](), "run `make manifests`"


@pytest.mark.slow
@pytest.mark.parametrize("stage", manifests.STAGES)
@pytest.mark.parametrize("source", ["managed", "files", "cert-manager"])
@pytest.mark.parametrize("everything", [False, True], ids=["little", "everything"])
def test_every_mixture_of_values_renders(stage: str, source: str, everything: bool) -> None:
    values: dict[str, Any] = {"stage": stage, "certificates": {"source": source}}
    if everything:
        values |= {
            "config": {"profile": "strict", "mesh": {"kind": "linkerd"}, "workloads": [ROLLOUT]},
            "monitoring": MONITORING,
            "criticalQuota": True,
            "namespace": {"create": True},
            "networkPolicy": {
                "reviewsFrom": [{"ipBlock": {"cidr": "192.0.2.0/28"}}],
                "metricsFrom": [{"namespaceSelector": {}}],
                "extraEgress": [{"ports": [{"port": 4318}]}],
            },
            "serve": {"port": 10250, "hostNetwork": True, "env": [{"name": "A", "value": "b"}]},
            "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "mine"}]},
            "labels": {"team": "platform"},
        }
    found = objects(values, namespace="gate")
    seen = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in found]
    assert len(seen) == len(set(seen))
    assert not {one["kind"] for one in found} & {"CustomResourceDefinition", "Secret", "Job"}
    assert (
        "Certificate" in str(seen) if source == "cert-manager" else "Certificate" not in str(seen)
    )
    for one in found:
        assert one["metadata"].get("namespace") in (None, "gate"), one["metadata"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stgae": "warn"}, "additional properties 'stgae' not allowed"),
        ({"stage": "deny"}, "'/stage': value must be one of 'audit', 'warn', 'enforce'"),
        ({"serve": {"replicas": 0}}, "'/serve/replicas': minimum: got 0, want 1"),
        ({"serve": {"port": 443}}, "'/serve/port': minimum"),
        ({"image": {"digest": "latest"}}, "'/image/digest'"),
        ({"webhooks": {"timeoutSeconds": {"validating": 2}}}, "minimum: got 2, want 3"),
        ({"certificates": {"source": "vault"}}, "'/certificates/source': value must be one of"),
        ({"config": {"stage": "warn"}}, "'/config': additional properties 'stage' not allowed"),
        ({"config": {"profile": "hard"}}, "'/config/profile': value must be one of"),
        ({"config": {"policies": {"node-prt": {}}}}, "additional properties 'node-prt'"),
        (
            {"config": {"policies": {"ndots": {"params": {"vlaue": "2"}}}}},
            "'/config/policies/ndots/params': additional properties 'vlaue' not allowed",
        ),
        ({"criticalQuota": True, "priorityClassName": ""}, "'/priorityClassName': minLength"),
        ({"fullnameOverride": "gate"}, "additional properties 'fullnameOverride' not allowed"),
        ({"config": None}, "missing property 'config'"),
        ({"labels": {"app.kubernetes.io/name": "gate"}}, "'/labels/app.kubernetes.io~1name'"),
        ({"serve": {"podLabels": {"app.kubernetes.io/name": "x"}}}, "'/serve/podLabels/app"),
        ({"image": {"repository": "registry.example:5000/netreeve:1"}}, "'/image/repository'"),
        ({"image": {"pullSecrets": ["mine"]}}, "'/image/pullSecrets/0': got string, want object"),
        ({"serve": {"port": 8080}}, "serve.port and serve.healthPort must differ"),
        ({"certificates": {"certManager": {"issuerRef": {"name": "x"}}}}, "'/certificates/source'"),
        (
            {
                "certificates": {
                    "source": "cert-manager",
                    "certManager": {"issuerRef": {"kind": "I"}},
                }
            },
            "'/certificates/certManager/issuerRef'",
        ),
    ],
    ids=str,
)
def test_bad_values_are_refused_by_name(values: Object, said: str) -> None:
    with pytest.raises(RenderError) as refused:
        objects(values)
    assert said in str(refused.value)


def test_every_value_is_documented_and_described() -> None:
    """A comment stands above every top-level value, and the schema knows each and no other."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    values = yaml.safe_load("\n".join(lines))
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) == {*values, "global"}
    for below in ("serve", "control", "image", "certificates", "networkPolicy", "monitoring"):
        assert set(schema["properties"][below]["properties"]) == set(values[below]), below


class TestConfiguration:
    @pytest.mark.parametrize("stage", manifests.STAGES)
    @pytest.mark.parametrize(
        "config",
        [
            {},
            {
                "profile": "strict",
                "mesh": {"kind": "istio-sidecar"},
                "policies": {"node-port": {"action": "Warn", "params": {"allowedPorts": [30443]}}},
                "excludedNamespaces": ["monitoring"],
                "workloads": [ROLLOUT],
                "baseline": {"pods": "deny"},
            },
        ],
        ids=["empty", "much"],
    )
    def test_the_program_accepts_it(self, stage: str, config: Object) -> None:
        found = objects({"stage": stage, "config": config}, namespace="gate")
        text = only(found, "ConfigMap", "netreeve-config")["data"]["config.yaml"]
        gate = load(text)
        assert gate.stage == stage
        assert "gate" in gate.excludedNamespaces
        assert gate.baseline.controllers == ("system:serviceaccount:gate:netreeve-control",)
        excluded = {"gate", *config.get("excludedNamespaces", ())}
        assert ruleset(gate).excluded_namespaces == SYSTEM_NAMESPACES | excluded
        if config:
            assert (gate.profile, gate.baseline.pods) == ("strict", "deny")
            assert gate.policies["node-port"].params == {"allowedPorts": [30443]}

    def test_who_may_write_baselines_can_be_chosen(self) -> None:
        controllers = ["system:serviceaccount:flux-system:flux"]
        found = objects({"config": {"baseline": {"controllers": controllers}}})
        text = only(found, "ConfigMap", "netreeve-config")["data"]["config.yaml"]
        assert load(text).baseline.controllers == tuple(controllers)


class TestUninstall:
    def test_shells_are_empty_so_that_nobody_is_locked_out(self, default: list[Object]) -> None:
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
            assert "webhooks" not in only(default, kind, "00-netreeve")

    def test_manifests_begin_with_the_configurations(self) -> None:
        kinds = [one["kind"] for one in parse(manifests.install())]
        assert tuple(kinds[:3]) == manifests.FIRST

    def test_what_stays_is_told(self) -> None:
        notes = (CHART / "templates" / "NOTES.txt").read_text()
        assert "leaves" in notes
        assert "NetworkPolicies of baselines" in notes


def test_the_namespace_of_the_release_is_the_only_place() -> None:
    """Another namespace leaves no trace of the default one, but in the list of the system's."""
    found = objects({"certificates": {"source": "cert-manager"}}, namespace="gate")
    for path in PATHS:
        for webhook in webhooks(found, path)["webhooks"]:
            assert webhook["clientConfig"]["service"]["namespace"] == "gate"
    text = yaml.safe_dump([one for one in found if one["kind"] != "ConfigMap"])
    assert f"namespace: {NAMESPACE}" not in text
    assert f"={NAMESPACE}/" not in text
    assert f"{NAMESPACE}.svc" not in text
