"""What the audit in the background writes: one ConfigMap, and a report in every namespace.

All of it is bounded, however many violations there are: what does not fit is counted. Objects
that say the same as before are not written. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import accumulate, takewhile
from typing import Any

import msgspec
from msgspec.structs import replace

from webhook.audit.findings import Report
from webhook.audit.reports import openreports, policyreport
from webhook.audit.reports.json import content
from webhook.audit.reports.policyreport import Api
from webhook.jsontext import indented

HASH = "netreeve.io/audit-hash"
"""On everything written: of what it says."""
MOST_REPORTS = 1000
MOST_BYTES = 512 << 10
"""Of the ConfigMap's report, well below the 1 MiB that a ConfigMap may have."""
NAME = policyreport.NAMES["cluster"]
APIS: dict[str, Api] = {"openreports": openreports.API, "wgpolicyk8s": policyreport.API}
Json = dict[str, Any]


def config_map(report: Report, namespace: str) -> Json:
    """The report that `netreeve audit --diff` reads too, of objects with findings, as they fit.

    Clean objects are not even counted: every pod that comes and goes would be another report.
    """
    found = replace(report, results=tuple(one for one in report.results if one.findings))
    # Indented, and escaped in the ConfigMap, it is up to twice as long.
    sizes = accumulate(2 * len(msgspec.json.encode(one)) for one in found.results)
    fit = sum(1 for _ in takewhile(lambda size: size <= MOST_BYTES, sizes))
    document = replace(content(found), objects=found.results[:fit])
    return hashed(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": namespace},
            "data": {
                "report.json": indented(document),
                "leftOut": str(len(found.results) - fit),
            },
        }
    )


def reports(report: Report, api: Api) -> Iterator[Json]:
    """At most MOST_REPORTS, named after us, each of bounded size."""
    for number, one in enumerate(policyreport.reports(report, api)):
        if number == MOST_REPORTS:
            return
        yield hashed(one)


def empty(api: Api, namespace: str, name: str) -> Json:
    """The report of a namespace that has become clean; of the cluster for ""."""
    return hashed(policyreport.one(api, namespace, name, []))


def hashed(one: Json) -> Json:
    """The object with the hash of what it says."""
    digest = hashlib.sha256(msgspec.json.encode(one, order="sorted")).hexdigest()
    metadata = one["metadata"]
    annotations = {**metadata.get("annotations", {}), HASH: digest}
    return {**one, "metadata": {**metadata, "annotations": annotations}}
