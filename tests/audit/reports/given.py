"""One report with something of everything, and the same with hostile text in every place."""

from __future__ import annotations

import io

from msgspec.structs import replace

from policies.model import Action
from webhook.audit.compare import with_baseline, with_diff
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.reports import FORMATS

NODE_PORT = Found(
    "node-port",
    Action.DENY,
    "spec.type",
    "must not be NodePort",
    "use ClusterIP and an Ingress",
    7,
    3,
    "aaaaaaaaaaaaaaaa",
)
PROBE = Found(
    "probe-host", Action.WARN, "spec.x", "must not be set", "remove it", id="bbbbbbbbbbbbbbbb"
)
AUDITED = Found("ndots", Action.AUDIT, "spec.y", "must be set", "set it", 9, 5, "cccccccccccccccc")
SAMPLE = Report(
    results=(
        Result("web.yaml", 3, "v1", "Service", "shop", "web", "denied", (NODE_PORT, PROBE)),
        Result("web.yaml", 20, "v1", "Pod", "shop", "a-*", "allowed", (AUDITED,)),
        Result("web.yaml", 30, "v1", "Pod", "shop", "b", "allowed", (), ({"op": "add"},)),
        Result("web.yaml", 40, "v1", "Pod", "kube-system", "c", "excluded"),
        Result("web.yaml", 50, "v1", "ConfigMap", "", "d", "unknown"),
    ),
    unreadable=(
        Unreadable("bad.yaml", 4, "a: is set twice"),
        Unreadable("absent", None, "No file"),
    ),
    strangers=2,
)
RENDERED = Result(
    "shop/templates/web.yaml", 90, "v1", "Service", "shop", "api", "denied", (NODE_PORT,), (), "-"
)
LIVE = Result(
    "",
    0,
    "v1",
    "Service",
    "shop",
    "live",
    "denied",
    (replace(NODE_PORT, line=None, column=None, id="1111111111111111"),),
    created="2026-01-01T00:00:00Z",
    folded=2,
)
FIXED = Found(
    "host-port", Action.DENY, "spec.z", "must not be set", "remove it", id="ffffffffffffffff"
)
BEFORE = Report(
    results=(Result("old.yaml", 1, "v1", "Pod", "", "old", "denied", (AUDITED, PROBE, FIXED)),)
)


def compared() -> Report:
    """The sample, an object that Helm rendered and a live one, against an earlier report."""
    report = Report((*SAMPLE.results, RENDERED, LIVE), SAMPLE.unreadable, SAMPLE.strangers)
    return with_diff(with_baseline(report, BEFORE), BEFORE)


def everywhere(text: str, file: str | None = None) -> Report:
    """A report that says ``text`` wherever a manifest or its name can make it say something."""
    file = f"{text}.yaml" if file is None else file
    found = Found(text, Action.DENY, text, text, text, 1, 1, "dddddddddddddddd")
    warned = Found("host-port", Action.WARN, text, text, text, 2, id="eeeeeeeeeeeeeeee")
    result = Result(file, 1, text, text, text, text, "denied", (found, warned))
    rendered = Result(file, 1, "v1", "Pod", "shop", text, "denied", (found,), (), "-")
    unreadable = (Unreadable(file, 1, text), Unreadable(file, 2, text, input="-"))
    return with_diff(Report((result, rendered), unreadable), Report((result,)))


def written(report: Report, output: str, out: io.StringIO | None = None) -> str:
    """What a format makes of a report."""
    out = out or io.StringIO()
    FORMATS[output](report, out)
    return out.getvalue()
