"""JSON documents of ours, written for people to read too."""

from __future__ import annotations

from typing import Any

import msgspec


def indented(content: Any) -> str:
    """With a final newline."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
