"""Alerts, dashboard and scraping: they ask for what there is."""

from __future__ import annotations

import json
import re

import pytest

from tests.deploy.chart import DEPLOYMENTS, MONITORING
from tests.helm.build import CHART
from tests.helm.render import objects, only

pytestmark = pytest.mark.cluster  # Helm is built with the control plane
ROOT = CHART.parents[1]


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
