"""What is wrong with a real installation is found, and nothing where nothing is wrong."""

from __future__ import annotations

import pytest

from tests.controlplane.wait import wait_for
from tests.doctor.patient import Patient, noted
from tests.doctor.sicknesses import SICKNESSES, Sickness

pytestmark = pytest.mark.cluster
HARMLESS = {"enforcement-note", "namespaces-of-the-system"}
"""Notes on what is as it should be: Calico, and the namespaces that every cluster has."""
UNATTENDED = {"no-leader"}
"""The controller is frozen meanwhile, on slow machines for longer than its Lease is good."""
SOON = 15.0
"""Until the API server has taken up a changed webhook."""


def test_an_installation_from_deploy_has_nothing_wrong(well: Patient) -> None:
    report = well.examine()
    assert noted(report).keys() == HARMLESS
    assert not any(one.skipped for one in report.outcomes)


@pytest.mark.parametrize("sickness", SICKNESSES, ids=lambda one: one.name)
def test_what_is_broken_is_found_and_nothing_else(well: Patient, sickness: Sickness) -> None:
    found: dict[str, str] = {}

    def as_expected() -> bool:
        found.clear()
        found.update(noted(well.examine(everyone=sickness.everyone)))
        expected = set(sickness.finds)
        return found.keys() - HARMLESS - (UNATTENDED - expected) == expected

    with sickness.brings(well):
        try:
            wait_for(as_expected, SOON, "the findings")
        except TimeoutError as error:
            raise AssertionError(found) from error
        assert sickness.says in found[sickness.finds[0]]
