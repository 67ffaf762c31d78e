"""The report as PolicyReports of wgpolicyk8s.io/v1alpha2, which many dashboards read.

One List for `kubectl apply`: a PolicyReport in every namespace that has findings and one
ClusterPolicyReport, each of bounded size. `openreports` writes the same under its newer name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from policies.model import Action
from webhook.audit.findings import NOT_JUDGED, Found, Report, Result
from webhook.audit.reports.words import judged, place, printable, sentence
from webhook.jsontext import indented

MANAGED = "app.kubernetes.io/managed-by=netreeve"
"""The label of every report."""
JUDGED = "netreeve.io/judged"
"""Annotation of every report: what was judged, when, and by which rules."""
NAMES = {
    "manifests": "netreeve-check",
    "cluster": "netreeve-audit",
    "events": "netreeve-events",
}
"""By the source of what was judged. Reports of a cluster replace those of the audit in the
background and the other way round: they say the same, and dashboards would count both."""
MOST_RESULTS = 150
"""In one report: with the longest texts, of four bytes a character, below the 1.5 MiB of etcd."""
LONGEST_MESSAGE, LONGEST = 500, 253
"""Characters of a message and of everything else; names of Kubernetes have at most 253."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_RESULTS = {Action.DENY: "fail", Action.WARN: "warn", Action.AUDIT: "warn"}
_SEVERITIES = {Action.DENY: "high", Action.WARN: "medium", Action.AUDIT: "low"}


class Api(NamedTuple):
    """What a report is called: in a namespace, and in the cluster."""

    version: str
    namespaced: str
    cluster: str


API = Api("wgpolicyk8s.io/v1alpha2", "PolicyReport", "ClusterPolicyReport")


def write(report: Report, out: TextIO) -> None:
    """As JSON, which is YAML too."""
    write_list(report, API, out)


def write_list(report: Report, api: Api, out: TextIO) -> None:
    """Everything of a report in one List; clean namespaces too, or they would keep earlier results.

    There is always one, because `kubectl apply` fails for a List without items. A look at a single
    namespace says nothing of the others, and empties no report of the cluster.
    """
    seen = {one.namespace for one in report.results if one.status not in NOT_JUDGED}
    single = report.judged.namespace
    items = list(reports(report, api, {single} if single else {"", *seen}))
    content = {"apiVersion": "v1", "kind": "List", "items": items}
    out.write(indented(content))


def reports(report: Report, api: Api, clean: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """The objects, by namespace; more than one for a namespace with too many findings.

    clean: namespaces that get one though nothing may be found there. They are called after what
    made them, with a number behind it from the second of a namespace on.
    """
    name, said = NAMES[report.judged.source], judged(report)
    results = {**{_namespace(one): [] for one in clean}, **_by_namespace(report)}
    for namespace, found in sorted(results.items()):
        for number, start in enumerate(range(0, max(len(found), 1), MOST_RESULTS)):
            called = name if number == 0 else f"{name}-{number + 1}"
            yield one(api, namespace, called, found[start : start + MOST_RESULTS], said)


def _by_namespace(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Results by the namespace their report goes to."""
    found: dict[str, list[dict[str, Any]]] = {}
    for result, finding in report.each():
        found.setdefault(_namespace(result.namespace), []).append(_result(result, finding))
    return found


def _namespace(namespace: str) -> str:
    """Where its report goes; "" is the cluster, also for a namespace that cannot exist."""
    return namespace if _NAME.fullmatch(namespace) else ""


def one(
    api: Api, namespace: str, name: str, results: list[dict[str, Any]], said: str = ""
) -> dict[str, Any]:
    """The report of a namespace, or of the cluster for "". said: what was judged."""
    where = {"namespace": namespace} if namespace else {}
    noted = {"annotations": {JUDGED: said}} if said else {}
    labels = dict([MANAGED.split("=")])
    return {
        "apiVersion": api.version,
        "kind": api.namespaced if namespace else api.cluster,
        "metadata": {"name": name, **where, "labels": labels, **noted},
        "summary": _summary(result["result"] for result in results),
        "results": results,
    }


def _summary(outcomes: Iterable[str]) -> dict[str, int]:
    found = list(outcomes)
    return {name: found.count(name) for name in ("pass", "fail", "warn", "error", "skip")}


def _result(result: Result, found: Found) -> dict[str, Any]:
    where = {"namespace": result.namespace} if result.namespace else {}
    return {
        "source": "netreeve",
        "policy": found.policy,
        "category": "network",
        "severity": _SEVERITIES.get(found.action, "info"),
        "result": "skip" if found.is_exempt else _RESULTS.get(found.action, "warn"),
        "scored": found.action is Action.DENY,
        "message": sentence(found)[:LONGEST_MESSAGE],
        "resources": [
            {
                "apiVersion": printable(result.apiVersion)[:LONGEST],
                "kind": printable(result.kind)[:LONGEST],
                "name": printable(result.name)[:LONGEST],
                **{key: printable(value)[:LONGEST] for key, value in where.items()},
            }
        ],
        "properties": {
            "id": found.id,
            "field": printable(found.field)[:LONGEST],
            "place": place(result, found.line)[:LONGEST],
            "preexisting": str(found.preexisting).lower(),
            **_exempt(found),
        },
    }


def _exempt(found: Found) -> dict[str, str]:
    """Why it is exempt; one that is only claimed is none."""
    if not (found.is_exempt and found.exempt):
        return {}
    return {"exempt": printable(found.exempt.reason)[:LONGEST]}
