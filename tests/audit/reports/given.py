"""One report with something of everything, and the same with hostile text in every place."""

from __future__ import annotations

import io

from msgspec.structs import replace

from policies.model import Action
from webhook.admission.verdict import Exempt
from webhook.audit.compare import with_baseline, with_diff
from webhook.audit.findings import Found, Report, Result, Unreadable
from webhook.audit.judged import Judged
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
JUDGED = Judged(
    paths=("deploy", "-"), time="2026-11-21T12:00:00Z", profile="standard", config="gate.yaml"
)
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
    judged=JUDGED,
)
FIXED = Found(
    "host-port", Action.DENY, "spec.z", "must not be set", "remove it", id="ffffffffffffffff"
)
EXEMPTED = replace(
    NODE_PORT,
    action=Action.WARN,
    fix=f"{NODE_PORT.fix}; exempt until 2027-03-31",
    id="2222222222222222",
    exempt=Exempt("annotation", "the old router (NET-1)", 1806537600, 130, "ann@example.com"),
)
CLAIMED = replace(
    FIXED, id="3333333333333333", exempt=Exempt("annotation", "for now", granted=False)
)
KEPT = replace(NODE_PORT, id="4444444444444444")
OLD = Result("old.yaml", 20, "v1", "Service", "shop", "kept", "denied", (KEPT,))
EXEMPT = (
    Result("exempt.yaml", 1, "v1", "Service", "shop", "old", "exempt", (EXEMPTED,)),
    Result("exempt.yaml", 20, "v1", "Pod", "shop", "both", "denied", (CLAIMED, EXEMPTED)),
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
BEFORE = Report(
    results=(
        Result("old.yaml", 1, "v1", "Pod", "", "old", "denied", (AUDITED, PROBE)),
        Result("deploy/old.yaml", 1, "v1", "Pod", "", "old", "denied", (FIXED,)),
        Result(
            "elsewhere.yaml", 1, "v1", "Pod", "", "far", "denied", (replace(FIXED, id="5" * 16),)
        ),
        OLD,
    )
)


def compared() -> Report:
    """The sample, objects exempt, rendered by Helm and live, against an earlier report."""
    report = replace(SAMPLE, results=(*SAMPLE.results, *EXEMPT, OLD, RENDERED, LIVE))
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
