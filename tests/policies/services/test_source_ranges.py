"""Source ranges keep the world out, or do not."""

from __future__ import annotations

import ipaddress

import pytest

from policies.objects import ServiceSpec
from policies.services.source_ranges import everything, families, gap, left_open


@pytest.mark.parametrize(
    "ranges",
    [
        ["203.0.113.0/24"],
        ["12.0.0.0/8"],
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"],
        ["fc00::/7", "fe80::/10"],
        ["2001:db8::/32", "2400:cb00::/32", "2606:4700::/32"],
        [" 203.0.113.7/32 "],
    ],
)
def test_narrow_and_private_ranges_restrict(ranges: list[str]) -> None:
    assert gap(ranges) is None


@pytest.mark.parametrize(
    ("ranges", "at"),
    [
        (["0.0.0.0/0"], 0),
        (["203.0.113.0/24", "::/0"], 1),
        (["8.0.0.0/7"], 0),
        (["2000::/3"], 0),
        (["::ffff:0.0.0.0/96"], 0),
        (["10.0.0.0/7"], 0),
        (["office"], 0),
        (["203.0.113.0/24", ""], 1),
        (["12.0.0.0/8", "13.0.0.0/32"], None),
        (["12.0.0.0/9", "12.128.0.0/9", "13.0.0.0/9"], None),
        (["2001::/17", "2001:8000::/17", "2002::/17"], None),
    ],
)
def test_the_world_gets_through(ranges: list[str], at: int | None) -> None:
    found = gap(ranges)
    assert found is not None
    assert found.at == at


def test_the_same_range_twice_is_not_twice_as_wide() -> None:
    assert gap(["12.0.0.0/8", "12.0.0.0/8", "12.1.0.0/16"]) is None


@pytest.mark.parametrize("length", range(1, 10))
def test_the_world_in_equal_pieces_is_the_world_and_so_is_all_but_one_of_them(length: int) -> None:
    pieces = [str(one) for one in ipaddress.IPv4Network("0.0.0.0/0").subnets(new_prefix=length)]
    assert gap(pieces) is not None
    assert gap(pieces[1:]) is not None


def test_more_ranges_than_anybody_takes_are_not_merged() -> None:
    many = [str(one) for one in ipaddress.IPv4Network("12.0.0.0/20").subnets(new_prefix=32)]
    assert gap(many[:1000]) is None
    found = gap(many[:1001])
    assert found is not None
    assert found.why == "must have at most 1000 entries"


def test_each_family_needs_a_range() -> None:
    assert gap(["203.0.113.0/24"], ["IPv4"]) is None
    found = gap(["203.0.113.0/24"], ["IPv4", "IPv6"])
    assert found is not None
    assert found.why == "must restrict IPv6 as well"
    other = gap(["2001:db8::/32"], ["IPv4", "IPv6"])
    assert other is not None
    assert other.why == "must restrict IPv4 as well"
    assert gap(["203.0.113.0/24", "2001:db8::/32"], ["IPv4", "IPv6"]) is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (ServiceSpec(ipFamilies=["IPv6"], ipFamilyPolicy="PreferDualStack"), ("IPv6",)),
        (ServiceSpec(ipFamilyPolicy="RequireDualStack"), ("IPv4", "IPv6")),
        (ServiceSpec(ipFamilyPolicy="PreferDualStack"), ("IPv4", "IPv6")),
        (ServiceSpec(ipFamilyPolicy="SingleStack"), ()),
        (ServiceSpec(), ()),
    ],
)
def test_the_families_of_a_service(spec: ServiceSpec, expected: tuple[str, ...]) -> None:
    assert families(spec) == expected


DUAL = ServiceSpec(ipFamilies=["IPv4", "IPv6"])


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (["203.0.113.0/24"], []),
        (["52.0.0.0/7", "2001:db8::/32"], ["203.0.113.0/24"]),
        (["52.0.0.0/7"], ["0.0.0.0/0"]),
        (["office"], ["0.0.0.0/0"]),
        (["203.0.113.0/24", "2001::/15"], ["203.0.113.0/24"]),
    ],
)
def test_wider_ranges_leave_more_open_and_no_range_everything(
    less: list[str], more: list[str]
) -> None:
    wide, narrow = everything(DUAL), left_open(less, DUAL)
    assert narrow < wide
    assert not left_open(more, DUAL) <= narrow
    assert left_open(more, DUAL) <= wide


def test_a_family_that_the_service_lacks_is_not_open() -> None:
    only = ServiceSpec(ipFamilies=["IPv4"])
    assert left_open(["203.0.113.0/24", "::/0"], only) == frozenset()
    assert everything(only) < everything(DUAL) == everything(ServiceSpec())
