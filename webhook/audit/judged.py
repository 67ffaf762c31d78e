"""What a run has judged, when, and by which rules: said in every report, or it proves nothing."""

from __future__ import annotations

from typing import Literal

import msgspec


class Judged(msgspec.Struct, frozen=True):
    """Texts are empty where they do not apply, or where nobody knows.

    source: manifests, the objects of a cluster, or events of its audit log.
    paths: of the manifests or of the log; ``-`` is standard input.
    cluster: address of the API server.
    context: of the kubeconfig.
    namespace: the only one of the cluster that was looked at.
    time: when, RFC 3339.
    asOf: the moment by which exemptions were judged, where it is another.
    profile: ``audit``, ``standard`` or ``strict``.
    stage: ``audit`` or ``warn``, where the configuration has one that denies nothing yet.
    config: the file of the configuration.
    """

    source: Literal["manifests", "cluster", "events"] = "manifests"
    paths: tuple[str, ...] = ()
    cluster: str = ""
    context: str = ""
    namespace: str = ""
    time: str = ""
    asOf: str = ""
    profile: str = ""
    stage: str = ""
    config: str = ""
