"""Pod templates in objects of kinds that no policy reads: what nobody has judged.

Finds them by their shape alone. Judges nothing, and knows no configuration.
"""

from __future__ import annotations

from typing import Any


def pod_templates(obj: dict[str, Any]) -> tuple[str, ...]:
    """The paths of the pod templates in an object, as in ``workloads`` of the configuration.

    ``spec.template``, and ``[*]`` for the elements of a list. Sorted, each once.
    """
    found = set[str]()
    waiting: list[tuple[str, Any]] = [("", obj)]  # no recursion: such an object is of any depth
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            if path and _is_pod_spec(value.get("spec")):
                found.add(path)
            waiting += ((f"{path}.{key}".lstrip("."), one) for key, one in value.items())
        elif isinstance(value, list):
            waiting += ((f"{path}[*]", one) for one in value)
    return tuple(sorted(found))


def _is_pod_spec(value: Any) -> bool:
    containers = value.get("containers") if isinstance(value, dict) else None
    return isinstance(containers, list) and any(
        isinstance(one, dict) and "image" in one for one in containers
    )
