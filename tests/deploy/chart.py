"""What the chart consists of."""

from __future__ import annotations

MONITORING = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
}
DEPLOYMENTS = ("netreeve-serve", "netreeve-control")
