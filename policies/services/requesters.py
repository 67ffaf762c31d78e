"""Whether a request comes from one of the users or groups that a parameter names."""

from __future__ import annotations

from collections.abc import Collection

from policies.model import User

_SERVICE_ACCOUNT = "system:serviceaccount:"


def is_one_of(user: User, names: Collection[str]) -> bool:
    """Whether the user, or a group of the user, is in ``names``.

    A service account is in the group system:serviceaccounts:<namespace> by its name alone: only
    the API server gives out such names.
    """
    if user.username in names or any(group in names for group in user.groups):
        return True
    if user.username.startswith(_SERVICE_ACCOUNT):
        namespace = user.username.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        return f"system:serviceaccounts:{namespace}" in names
    return False
