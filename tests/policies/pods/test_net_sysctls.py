"""net-sysctls: names in both notations, and the safe list of each version."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pods.net_sysctls import NEWEST, Params, dotted, safe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("net.ipv4.conf.eno2/100.rp_filter", "net.ipv4.conf.eno2/100.rp_filter"),
        ("net/ipv4/conf/eno2.100/rp_filter", "net.ipv4.conf.eno2/100.rp_filter"),
        ("net.ipv4/ip_forward", "net.ipv4/ip_forward"),
        ("/net/ipv4", ".net.ipv4"),
        ("net", "net"),
        ("", ""),
    ],
)
def test_a_name_is_read_as_the_kubelet_reads_it(name: str, expected: str) -> None:
    assert dotted(name) == expected


@given(st.text(alphabet="net4_./"))
def test_a_name_with_dots_stays_as_it_is(name: str) -> None:
    assert dotted(dotted(name)) in {dotted(name), name}
    if "/" not in name:
        assert dotted(name) == name


@pytest.mark.parametrize(
    ("version", "count"),
    [("1.0", 4), ("1.26", 4), ("1.27", 5), ("1.28", 5), ("1.29", 9), ("1.32", 11), ("1.36", 11),
     ("1.37", 13), ("1.99", 13), ("1.100", 13)],
)  # fmt: skip
def test_the_safe_list_grows_with_the_version(version: str, count: int) -> None:
    assert len(safe(version)) == count


def test_the_newest_version_is_the_default() -> None:
    assert Params().kubernetesVersion == NEWEST
    assert safe(NEWEST) == safe("1.999")


@pytest.mark.parametrize(
    "params",
    [
        {"kubernetesVersion": "v1.34"},
        {"kubernetesVersion": "1.34.2"},
        {"kubernetesVersion": "latest"},
        {"kubernetesVersion": "2.0"},
        {"allowed": ["*"]},
        {"allowed": ["net*"]},
        {"allowed": ["net.*.rp_filter"]},
        {"allowed": ["kernel.msgmax"]},
        {"allowed": "net.core.somaxconn"},
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(params, Params)
