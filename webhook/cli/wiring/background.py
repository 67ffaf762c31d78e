"""What the configuration means for the audit in the background, and its metrics."""

from __future__ import annotations

from msgspec.structs import replace

from policies.model import User
from webhook.audit.background.loop import Background, Plan
from webhook.config import GateConfig, ruleset
from webhook.telemetry.metrics import Metrics


def plan(config: GateConfig) -> Plan | None:
    """None where no audit is configured. What a stage leaves undone, the audit still tells."""
    if config.audit is None:
        return None
    return Plan(
        rules=ruleset(replace(config, stage="enforce")),
        interval=config.audit.intervalSeconds,
        reports=config.audit.reports,
        baseline=User(next(iter(config.baseline.controllers), "")),
        profile=config.profile,
    )


def observe_audit(metrics: Metrics, audit: Background) -> None:
    """Counts by policy and action, never by the name of an object."""
    metrics.gauges(
        "netreeve.audit.findings",
        "Violations of what is stored, by policy and action, at the last report of the audit",
        ("policy", "action"),
        audit.findings,
    )
    metrics.gauges(
        "netreeve.audit.objects",
        "Objects by what would become of them if they were created now",
        ("status",),
        audit.objects,
    )
    metrics.total(
        "netreeve.audit.judged",
        "Verdicts of the audit in the background",
        lambda: audit.judged,
    )
    metrics.counter(
        "netreeve.audit.writes",
        "Reports of the audit that were written, and that were refused",
        ("kind", "result"),
        audit.reporter.writes,
    )
    metrics.gauge(
        "netreeve.audit.completed.timestamp",
        "s",
        "When the last report of the audit was complete",
        lambda: audit.completed,
    )
