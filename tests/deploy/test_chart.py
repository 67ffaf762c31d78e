"""The chart as Helm renders it: what it promises of itself, for every kind of values."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.namespaces.system import SYSTEM_NAMESPACES
from tests.helm import manifests
from tests.helm.build import CHART, run
from tests.helm.render import NAMESPACE, Object, RenderError, objects, only, parse, webhooks
from webhook.cli import parser
from webhook.config import load, ruleset

ROLLOUT = {
    "group": "argoproj.io",
    "resource": "rollouts",
    "kind": "Rollout",
    "path": "spec.template",
}
MONITORING = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
}
pytestmark = pytest.mark.cluster  # Helm is built with the control plane
PATHS = ("mutating", "validating")
ROOT = CHART.parents[1]
DEPLOYMENTS = ("netreeve-serve", "netreeve-control")


@pytest.fixture(scope="module")
def default() -> list[Object]:
    return objects()


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


class TestPods:
    @pytest.mark.parametrize("name", DEPLOYMENTS)
    @pytest.mark.parametrize("source", ["managed", "files", "cert-manager"])
    def test_the_program_knows_its_arguments(self, name: str, source: str) -> None:
        found = objects({"certificates": {"source": source}})
        (container,) = only(found, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        parsed = parser().parse_args(container["args"])
        assert parsed.lease == ("netreeve", "netreeve-control")
        assert parsed.service == ("netreeve", "netreeve-serve")
        if name == "netreeve-control":
            assert parsed.cert_source == source
            assert (source == "files") == (parsed.ca_bundle is not None)

    def test_what_is_mounted_is_what_is_read(self, default: list[Object]) -> None:
        for name in DEPLOYMENTS:
            spec = only(default, "Deployment", name)["spec"]["template"]["spec"]
            (container,) = spec["containers"]
            mounts = {one["mountPath"] for one in container["volumeMounts"]}
            named = [value for _, _, value in (arg.partition("=/") for arg in container["args"])]
            for path in filter(None, named):
                assert any(f"/{path}".startswith(mount) for mount in mounts), path
            volumes = {one["name"] for one in spec["volumes"]}
            assert {one["name"] for one in container["volumeMounts"]} == volumes

    @pytest.mark.parametrize(("drain", "grace"), [(0, 120), (15, 135), (0.5, 121), (60, 180)])
    def test_the_grace_period_is_longer_than_the_drain(self, drain: float, grace: int) -> None:
        found = objects({"serve": {"drainSeconds": drain}})
        spec = only(found, "Deployment", "netreeve-serve")["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert {f"--drain={drain}", "--linger=95"} <= set(container["args"])
        sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] == grace >= sleep + drain + 95 + 10

    def test_a_rollout_never_has_fewer_servers(self, default: list[Object]) -> None:
        spec = only(default, "Deployment", "netreeve-serve")["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        assert (spec["replicas"], spec["minReadySeconds"]) == (3, 5)

    def test_on_the_network_of_the_nodes_a_rollout_ends_and_servers_are_reached(self) -> None:
        """No two share a node, and no NetworkPolicy selects what has the address of a node."""
        found = objects({"serve": {"hostNetwork": True}})
        spec = only(found, "Deployment", "netreeve-serve")["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 1}
        assert spec["template"]["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet"
        egress = only(found, "NetworkPolicy", "netreeve-control")["spec"]["egress"]
        (reviews,) = (one for one in egress if one["ports"] == [{"port": 8443, "protocol": "TCP"}])
        assert "to" not in reviews
        alone = objects({"serve": {"hostNetwork": True, "replicas": 1}})
        strategy = only(alone, "Deployment", "netreeve-serve")["spec"]["strategy"]
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0

    def test_the_cluster_may_choose_users_and_groups(self) -> None:
        for name in DEPLOYMENTS:
            given, chosen = (
                only(found, "Deployment", name)["spec"]["template"]["spec"]["securityContext"]
                for found in (objects(), objects({"podSecurityContext": None}))
            )
            assert (given["runAsUser"], given["runAsGroup"], given["fsGroup"]) == (65532,) * 3
            assert chosen == {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            }

    def test_ports_agree(self) -> None:
        found = objects({"serve": {"port": 10250, "healthPort": 9090}})
        spec = only(found, "Deployment", "netreeve-serve")["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        assert ports == {"reviews": 10250, "health": 9090}
        assert {"--listen=:10250", "--health-listen=:9090"} <= set(container["args"])
        service = {
            one["name"]: one for one in only(found, "Service", "netreeve-serve")["spec"]["ports"]
        }
        assert (service["reviews"]["port"], service["reviews"]["targetPort"]) == (443, "reviews")
        egress = only(found, "NetworkPolicy", "netreeve-control")["spec"]["egress"]
        assert {"port": 10250, "protocol": "TCP"} in itertools.chain(
            *(one["ports"] for one in egress)
        )

    def test_only_servers_of_the_gate_are_found(self, default: list[Object]) -> None:
        """Service, budget, policies and spreading select exactly the pods they are meant for."""
        for name in DEPLOYMENTS:
            deployment = only(default, "Deployment", name)["spec"]
            selector = deployment["selector"]["matchLabels"]
            labels = deployment["template"]["metadata"]["labels"]
            assert selector.items() <= labels.items()
            assert only(default, "PodDisruptionBudget", name)["spec"]["selector"] == {
                "matchLabels": selector
            }
            assert only(default, "NetworkPolicy", name)["spec"]["podSelector"] == {
                "matchLabels": selector
            }
            for spread in deployment["template"]["spec"]["topologySpreadConstraints"]:
                assert spread["labelSelector"] == {"matchLabels": selector}
        serve = only(default, "Deployment", "netreeve-serve")["spec"]["selector"]["matchLabels"]
        assert only(default, "Service", "netreeve-serve")["spec"]["selector"] == serve


class TestNetworkPolicies:
    def test_by_default_probes_and_reviews_come_from_anywhere(self, default: list[Object]) -> None:
        """The API server and the kubelet are no pods, and their addresses are unknown."""
        ingress = only(default, "NetworkPolicy", "netreeve-serve")["spec"]["ingress"]
        assert [[port["port"] for port in one["ports"]] for one in ingress] == [
            ["reviews"],
            ["health"],
        ]
        assert not any("from" in one for one in ingress)

    def test_who_asks_can_be_named_and_the_controller_looks_on(self) -> None:
        peers = [{"ipBlock": {"cidr": "192.0.2.0/28"}}]
        found = objects({"networkPolicy": {"reviewsFrom": peers}})
        reviews, health = only(found, "NetworkPolicy", "netreeve-serve")["spec"]["ingress"]
        assert reviews["from"][0] == peers[0]
        assert reviews["from"][1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == (
            "netreeve-control"
        )
        assert "from" not in health

    def test_they_can_be_left_out(self) -> None:
        found = objects({"networkPolicy": {"enabled": False}})
        assert not [one for one in found if one["kind"] == "NetworkPolicy"]


class TestMonitoring:
    """What is looked at exists: docs/operations.md, which a test holds against a real scrape."""

    def names(self, text: str) -> set[str]:
        found = re.findall(r"netreeve_[a-z_]+", text)
        return {re.sub(r"_(bucket|count|sum)$", "", name) for name in found}

    def documented(self) -> set[str]:
        return self.names((ROOT / "docs" / "operations.md").read_text())

    def test_alerts_ask_for_metrics_that_exist(self) -> None:
        rule = only(objects({"monitoring": MONITORING}), "PrometheusRule", "netreeve")
        rules = [one for group in rule["spec"]["groups"] for one in group["rules"]]
        assert len({one["alert"] for one in rules}) == len(rules) >= 8
        for one in rules:
            assert self.names(one["expr"]) <= self.documented(), one["alert"]
            assert self.names(one["expr"]), one["alert"]
            assert one["labels"]["severity"] in ("critical", "warning")
            assert set(one["annotations"]) == {"summary", "description"}

    def test_the_dashboard_asks_for_metrics_that_exist(self) -> None:
        config = only(objects({"monitoring": MONITORING}), "ConfigMap", "netreeve-dashboard")
        dashboard = json.loads(config["data"]["netreeve.json"])
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        assert len(asked) > 8
        for expression in asked:
            assert self.names(expression), expression
            assert self.names(expression) <= self.documented(), expression

    def test_everything_with_metrics_is_scraped(self) -> None:
        found = objects({"monitoring": MONITORING, "control": {"healthPort": 9090}})
        monitor = only(found, "ServiceMonitor", "netreeve")["spec"]
        for name in DEPLOYMENTS:
            service = only(found, "Service", name)
            assert (
                monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
            )
            (port,) = (one for one in service["spec"]["ports"] if one["name"] == "health")
            assert port["targetPort"] == "health"
            assert [one["port"] for one in monitor["endpoints"]] == ["health"]


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
