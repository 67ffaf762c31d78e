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
    namespace = home(user)
    return bool(namespace) and f"system:serviceaccounts:{namespace}" in names


def home(user: User) -> str:
    """The namespace of a service account; "" for anybody else."""
    if not user.username.startswith(_SERVICE_ACCOUNT):
        return ""
    return user.username.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
