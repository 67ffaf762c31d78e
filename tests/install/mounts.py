"""Secrets and ConfigMaps as folders, the way the kubelet writes them into a pod.

As its AtomicWriter (kubernetes/pkg/volume/util): files are links through ``..data``, a link to a
folder of one generation, and a change is one rename of that link.
"""

import base64
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.controller.api import Json


class Volume(NamedTuple):
    """kind: ``secrets`` or ``configmaps``. items: (key, path) of those wanted; (): all of them."""

    kind: str
    name: str
    items: tuple[tuple[str, str], ...] = ()


def volume(spec: Json) -> Volume | None:
    """A volume of a pod; None for those that need no files, as an emptyDir."""
    if "secret" in spec:
        return Volume("secrets", spec["secret"]["secretName"], _items(spec["secret"]))
    if "configMap" in spec:
        return Volume("configmaps", spec["configMap"]["name"], _items(spec["configMap"]))
    return None


def content(volume: Volume, found: Json) -> dict[str, bytes]:
    """The files of a Secret or ConfigMap."""
    decode = base64.b64decode if volume.kind == "secrets" else str.encode
    data = {name: decode(value) for name, value in (found.get("data") or {}).items()}
    if volume.items:
        return {path: data[key] for key, path in volume.items if key in data}
    return data


def _items(source: Json) -> tuple[tuple[str, str], ...]:
    return tuple((one["key"], one["path"]) for one in source.get("items") or ())


class Mount:
    """One folder; empty until there is something to write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._content: Mapping[str, bytes] = {}
        folder.mkdir(parents=True)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Swap the content, if it is another; what is gone from the object is gone here too."""
        if files == self._content:
            return
        generation = self.folder / f"..{uuid.uuid4().hex}"
        generation.mkdir()
        for name, value in files.items():
            (generation / name).write_bytes(value)
        data, scratch = self.folder / "..data", self.folder / "..data_tmp"
        before = data.resolve() if data.exists() else None
        scratch.symlink_to(generation.name)
        os.replace(scratch, data)
        for name in files.keys() - self._content.keys():
            (self.folder / name).symlink_to(Path("..data") / name)
        for name in self._content.keys() - files.keys():
            (self.folder / name).unlink()
        if before:
            shutil.rmtree(before)
        self._content = dict(files)
