"""One installation for the folder: every test breaks something, and puts it back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doctor.patient import Patient, patient


@pytest.fixture(scope="package")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """Installed from deploy/, enforcing, and nothing is wrong."""
    with patient(tmp_path_factory.mktemp("patient")) as found:
        yield found
