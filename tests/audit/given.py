"""Manifests that tests write, and in one line what is found in them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from webhook.audit.findings import Unreadable
from webhook.audit.manifests import Input, Manifest, parse
from webhook.audit.sources import Sources

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def parsed(text: str | bytes, file: str = "m.yaml") -> Iterator[Manifest | Unreadable]:
    """What the content of a file holds."""
    return parse(io.BytesIO(text.encode() if isinstance(text, str) else text), file)


def brief(found: Input) -> str:
    """``file:line: what it is`` of one thing that was found, file names without their folder."""
    place = f"{os.path.basename(found.file)}:{found.line}"
    if isinstance(found, Manifest):
        metadata = found.object.get("metadata", {})
        return f"{place}: {found.api_version} {found.kind} {metadata.get('name')}"
    return f"{place}: {found.message}" if isinstance(found, Unreadable) else f"{place}: stranger"


def read_all(*paths: str | Path, stdin: bytes = b"") -> list[str]:
    with Sources(map(str, paths), io.BytesIO(stdin)) as sources:
        return [brief(one) for one in sources]
