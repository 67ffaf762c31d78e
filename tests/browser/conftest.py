"""One Chromium for all tests of the page; where there is none, that is said loudly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import NAMES, Chromium, Page, executable
from tests.browser.reports import large, small
from webhook.audit.findings import Report
from webhook.audit.reports import FORMATS

_left_out: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if executable():
        return
    mine = [one for one in items if one.get_closest_marker("browser")]
    if mine:
        _left_out.extend(one.nodeid for one in mine)
        config.hook.pytest_deselected(items=mine)
        items[:] = [one for one in items if one not in mine]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _left_out:
        terminalreporter.section("BROWSER TESTS NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.write_line(
            f"{len(_left_out)} tests of the HTML report need a Chromium on PATH "
            f"({', '.join(NAMES)}), and none is there: apt-get install chromium",
            red=True,
            bold=True,
        )


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    found = chromium.page()
    yield found
    found.close()


def _file(folder: Path, report: Report) -> Path:
    path = folder / "report.html"
    with path.open("w", encoding="utf-8") as out:
        FORMATS["html"](report, out)
    return path


@pytest.fixture(scope="package")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a handful of objects."""
    return _file(tmp_path_factory.mktemp("few"), small())


@pytest.fixture(scope="package")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 10,000 findings in 200 namespaces."""
    return _file(tmp_path_factory.mktemp("many"), large())
