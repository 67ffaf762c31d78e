"""Facts about clouds, meshes and ports as data: TOML with sources, decoded strictly."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import TypeVar

import msgspec

T = TypeVar("T")


def load(name: str, shape: type[T]) -> T:
    """The table ``<name>.toml`` of this folder as ``shape``; unknown keys are an error."""
    text = files(__name__).joinpath(f"{name}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), shape)
