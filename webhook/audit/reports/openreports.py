"""The report as Reports of openreports.io/v1alpha1, the successor of PolicyReports.

The same objects as `policyreport` writes: the group has kept their fields.
"""

from __future__ import annotations

from typing import TextIO

from webhook.audit.findings import Report
from webhook.audit.reports.policyreport import Api, write_list

API = Api("openreports.io/v1alpha1", "Report", "ClusterReport")


def write(report: Report, out: TextIO) -> None:
    """As JSON, which is YAML too."""
    write_list(report, API, out)
