"""Host names that lead where no Service should; the cases of external-name have the names."""

from __future__ import annotations

import pytest

from policies.services.addresses import METADATA
from policies.services.destinations import below, forbidden, normal, pod_address


def test_names_are_compared_in_one_form() -> None:
    assert normal(" Metadata.Google.Internal.. ") == "metadata.google.internal"


def test_below_is_by_whole_labels() -> None:
    assert below("example.com", "example.com")
    assert below("a.example.com", "example.com")
    assert not below("aexample.com", "example.com")
    assert not below("com", "example.com")


def test_every_metadata_name_of_the_table_is_forbidden_and_what_is_below_it() -> None:
    for one in METADATA.names:
        what = f"the metadata server of {one.cloud}"
        assert forbidden(one.name) == what
        assert forbidden(f"x.{one.name}") == what
        assert forbidden(f"x{one.name}") is None
        assert one.name == normal(one.name)


@pytest.mark.parametrize("name", ["1.2.3.4.5", "999.1.1.1", "example.7", "example.0x1f", "0x"])
def test_a_name_that_ends_in_a_number_is_meant_as_an_address(name: str) -> None:
    what = forbidden(name)
    assert what is not None
    assert what.startswith("an IP address")


@pytest.mark.parametrize("name", ["7.example", "example.c0", "0x7f.example.com", "x1", "ab.0y1"])
def test_numbers_elsewhere_are_names(name: str) -> None:
    assert forbidden(name) is None


def test_the_address_is_told_where_it_was_hidden() -> None:
    assert forbidden("127.0.0.1") == "an IP address, a loopback address"
    assert forbidden("0x7f.1") == "an IP address (127.0.0.1), a loopback address"
    assert forbidden("10.9") == "an IP address (10.0.0.9)"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("169-254-169-254.shop.pod.cluster.local", "169.254.169.254"),
        ("127-0-0-1.shop.pod", "127.0.0.1"),
        ("--1.shop.pod.cluster.local", "::1"),
        ("--ffff-7f00-1.shop.pod.cluster.local", "127.0.0.1"),
        ("x.10-0-0-9.shop.pod.cluster.local", "10.0.0.9"),
    ],
)
def test_a_pods_name_is_the_address_in_it(name: str, address: str) -> None:
    found = pod_address(name, "cluster.local")
    assert found is not None
    assert found.startswith(f"an IP address ({address})")


@pytest.mark.parametrize(
    "name",
    [
        "10-0-0-9.shop.svc.cluster.local",
        "10-0-0-9.pod.example.com",
        "db-0.shop.pod",
        "10-0-0.a.pod",
    ],
)
def test_other_names_are_no_pods_or_hold_no_address(name: str) -> None:
    assert pod_address(name, "cluster.local") is None
