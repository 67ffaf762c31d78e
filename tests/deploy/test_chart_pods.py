"""The pods of the chart, and who may reach them."""

from __future__ import annotations

import itertools

import pytest

from tests.deploy.chart import DEPLOYMENTS
from tests.helm.render import Object, objects, only
from webhook.cli import parser

pytestmark = pytest.mark.cluster  # Helm is built with the control plane


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
