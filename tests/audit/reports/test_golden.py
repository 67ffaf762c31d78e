"""Every format writes what its golden file says; a new one needs a golden file.

NETREEVE_REWRITE_GOLDEN=1 writes them anew, to be read before they are committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.audit.reports.given import compared, written
from webhook.audit.reports import FORMATS

FOLDER = Path(__file__).parent / "golden"
REWRITE = "NETREEVE_REWRITE_GOLDEN"


def golden(output: str) -> str:
    """Without what belongs to others: the texts of the policies and the version."""
    text = written(compared(), output)
    if output == "html":
        return page_data(text)
    if output != "sarif":
        return text
    content = json.loads(text)
    driver = content["runs"][0]["tool"]["driver"]
    driver["rules"] = [rule["id"] for rule in driver["rules"] if rule["id"] == "malformed"]
    driver.pop("semanticVersion", None)
    for result in content["runs"][0]["results"]:
        del result["ruleIndex"]
    return json.dumps(content, indent=2) + "\n"


def page_data(text: str) -> str:
    """What the page shows; what it is made of is for the tests in a browser."""
    content = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    content["policies"] = [one[0] for one in content["policies"]]
    return json.dumps(content, indent=1) + "\n"


@pytest.mark.parametrize("output", FORMATS)
def test_a_format_writes_its_golden_file(output: str) -> None:
    path, found = FOLDER / f"{output}.txt", golden(output)
    if os.environ.get(REWRITE):
        path.write_text(found)
    assert path.exists(), f"no golden file: {REWRITE}=1 writes it"
    assert found == path.read_text()


def test_every_golden_file_has_a_format() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(FORMATS)
