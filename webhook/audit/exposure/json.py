"""The map as one JSON document. docs/exposure.schema.json is its schema, made of these structs."""

from __future__ import annotations

from typing import Literal, TextIO

import msgspec

from webhook.audit.exposure.model import ExposureMap, Pair, Unread, Way, Workload
from webhook.jsontext import indented


class ExposureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `netreeve exposure -o json` writes.

    ways: every way in from outside. workloads: whose pods are isolated, in which direction, by
        which policies. pairs: for every two namespaces, what pods of one may open to pods of the
        other. unread: what could not be read, and so is missing.
    """

    apiVersion: Literal["netreeve.io/v1alpha1"] = "netreeve.io/v1alpha1"
    kind: Literal["ExposureReport"] = "ExposureReport"
    ways: tuple[Way, ...]
    workloads: tuple[Workload, ...]
    namespaces: tuple[str, ...]
    pairs: tuple[Pair, ...]
    unread: tuple[Unread, ...]


def write(found: ExposureMap, out: TextIO) -> None:
    """Indented, with a final newline."""
    out.write(indented(ExposureReport(**msgspec.structs.asdict(found))))
