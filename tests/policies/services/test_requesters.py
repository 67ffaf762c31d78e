"""Who a request comes from."""

from __future__ import annotations

import pytest

from policies.model import User
from policies.services.requesters import is_one_of

NAMES = frozenset(
    {"alice", "system:serviceaccount:a:b", "ops", "system:serviceaccounts:kube-system"}
)


@pytest.mark.parametrize(
    "user",
    [
        User("alice"),
        User("bob", groups=("dev", "ops")),
        User("system:serviceaccount:a:b"),
        User("system:serviceaccount:kube-system:anything"),
        User("x", groups=("system:serviceaccounts:kube-system",)),
    ],
)
def test_a_user_is_one_by_name_group_or_namespace(user: User) -> None:
    assert is_one_of(user, NAMES)


@pytest.mark.parametrize(
    "user",
    [
        User(),
        User("Alice"),
        User("system:serviceaccount:a:bb"),
        User("system:serviceaccount:kube-systemx:y"),
        User("system:serviceaccounts:kube-syste"),
        User("kube-system", groups=("kube-system",)),
    ],
)
def test_others_are_not(user: User) -> None:
    assert not is_one_of(user, NAMES)
