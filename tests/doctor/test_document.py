"""docs/doctor.md says what the checks say; every check is complete."""

from __future__ import annotations

from pathlib import Path

from webhook.doctor.checks import checks
from webhook.doctor.document import updated
from webhook.doctor.report import NEEDS
from webhook.doctor.seen import Seen

DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"


def test_the_document_is_what_the_checks_say() -> None:
    written = DOCUMENT.read_text()
    assert updated(written) == written, "make docs"
    assert all(f"| `{kind.id}` |" in written for one in checks() for kind in one.kinds)


def test_every_module_is_a_check_and_ids_are_unique() -> None:
    found = checks()
    assert len(found) >= 15
    for ids in ([one.id for one in found], [kind.id for one in found for kind in one.kinds]):
        assert len(set(ids)) == len(ids)
    for one in found:
        assert one.run.__module__ == f"webhook.doctor.checks.{one.id}"
        assert set(one.needs) <= set(Seen._fields)
        assert one.kinds
    assert NEEDS.keys() <= {need for one in found for need in one.needs}
