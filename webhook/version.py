"""Which version this is: pyproject.toml is the one place that states it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed() -> str:
    """Of the installed package; "" for sources that are not installed."""
    try:
        return version("netreeve")
    except PackageNotFoundError:
        return ""
