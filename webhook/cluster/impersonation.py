"""Whom a kubeconfig says to act as: the headers by which the API server is told, as kubectl does.

Without them a context that is made to have fewer rights would act with all of its user's.
Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

Headers = tuple[tuple[str, str], ...]
_TOKEN = "!#$&'*+-.^_`|~"  # noqa: S105 - what the name of a header may hold beside letters and digits


class _User(
    msgspec.Struct,
    rename={"name": "as", "uid": "as-uid", "groups": "as-groups", "extra": "as-user-extra"},
):
    name: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


def headers(user: Any) -> Headers:
    """Of the ``user`` of a kubeconfig; () where it acts as itself. Raises ValueError."""
    found = msgspec.convert(user or {}, _User)
    if not found.name:
        if found.uid or found.groups or found.extra:
            raise ValueError("as-uid, as-groups and as-user-extra need a user in `as`")
        return ()
    told = [("Impersonate-User", found.name)]
    told += [("Impersonate-Uid", found.uid)] if found.uid else []
    told += [("Impersonate-Group", group) for group in found.groups or ()]
    for key, values in (found.extra or {}).items():
        name = f"Impersonate-Extra-{quote(key, safe=_TOKEN)}"
        told += [(name, value) for value in values]
    if not all(value.isprintable() for _, value in told):
        raise ValueError("whom to act as must have no control characters")
    return tuple(told)
