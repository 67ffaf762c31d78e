"""The HTML report in a real browser: what it shows, what it obeys, and how quick it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.audit.reports.given import everywhere
from tests.audit.reports.test_hostile import HOSTILE
from tests.browser.chromium import Page
from tests.browser.reports import FINDINGS
from webhook.audit.exposure.model import Behind, ExposureMap, Isolation, Pair, Way, Workload
from webhook.audit.findings import Report
from webhook.audit.reports import FORMATS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parent / "axe" / "axe.min.js"
VIEWS = ("overview", "findings", "exposure", "reach", "problems")
FOUND = ".head p"


def test_every_view_shows_itself_and_asks_for_nothing(page: Page, few: Path) -> None:
    page.open(few)
    headings = []
    for view in VIEWS:
        page.visit(f"#{view}")
        headings += page.texts("h1")
        assert page.texts("nav [aria-current]")
    assert headings == ["Overview", "Findings", "Exposure", "Who may talk to whom", "Not read"]
    assert page.complaints() == []


def test_the_overview_counts(page: Page, few: Path) -> None:
    page.open(few)
    assert page.texts(".stat b") == ["5", "1", "1", "2", "3", "3"]
    assert page.texts(".stat span")[:4] == [
        "findings to deny, 1 pre-existing",
        "finding to warn of, 1 pre-existing",
        "finding only to record, 1 pre-existing",
        "findings exempt",
    ]
    assert "4 denied, 0 with warnings, 1 pre-existing, 1 exempt" in page.texts(".verdict p")[0]
    assert {"Only pre-existing 1", "Exempt 1"} <= set(page.texts(".legend li"))
    first = page.texts(".panel tbody tr")[0].split()
    assert first[0] == "node-port"
    assert "6 new, 1 fixed, 3 still there" in " ".join(page.texts(".panel h2"))


def test_every_view_says_what_was_judged(page: Page, few: Path) -> None:
    page.open(few)
    text = "manifests deploy, standard input; profile standard; configuration gate.yaml"
    assert text in page.texts(".head p")[0].replace("\u200b", "")
    page.visit("#findings")
    assert text in page.texts("#foot")[0]


def test_exempt_and_pre_existing_findings_are_told_apart(page: Page, few: Path) -> None:
    page.open(few, "#findings?action=Exempt")
    rows = page.texts("tbody tr")
    assert len(rows) == 2
    assert all(row.startswith("Exempt") and "the old router (NET-1)" in row for row in rows)
    page.visit("#findings?q=both&action=Deny")
    assert "exemption claimed" in page.texts("tbody tr")[0]
    page.visit("#findings?state=open")
    assert not any("pre-existing" in row for row in page.texts("tbody tr"))


def test_search_and_filters(page: Page, many: Path) -> None:
    page.open(many, "#findings")
    assert page.texts(FOUND) == [f"{FINDINGS:,} findings"]
    page.type("input[type=search]", "service-77 host-port")
    page.until("location.hash.includes('service-77')")
    found = page.texts("tbody tr")
    assert found
    assert all("service-77" in one and "host-port" in one for one in found)
    page.visit("#findings?ns=team-007&action=Deny")
    assert page.run("document.querySelector('select').value") == "team-007"
    assert page.texts("[aria-pressed=true]") == ["Deny"]
    assert all("team-007" in one and one.startswith("Deny") for one in page.texts("tbody tr"))
    page.visit("#findings?q=nothing-is-called-so")
    assert "Nothing matches" in page.texts(".empty")[0]
    assert page.complaints() == []


def test_sorting(page: Page, many: Path) -> None:
    page.open(many, "#findings")
    for order in ("ascending", "descending"):
        page.run("document.querySelectorAll('.sort')[2].click()")
        assert page.texts(f"th[aria-sort={order}]") == ["Policy"]
        policies = page.texts("tbody td:nth-child(3)")
        assert set(policies) == {"host-network" if order == "ascending" else "probe-host"}
    assert "Sorted by Policy, descending" in page.texts("#said")


def test_pages(page: Page, many: Path) -> None:
    page.open(many, "#findings")
    assert page.texts(".pager span") == ["1\N{EN DASH}50 of 10,000"]
    page.run("document.querySelectorAll('.pager button')[1].click()")
    assert page.texts(".pager span") == ["51\N{EN DASH}100 of 10,000"]
    assert page.run("location.hash") == "#findings?page=2"


def test_a_finding_has_an_address(page: Page, many: Path) -> None:
    page.open(many, f"#findings?id={4321:016x}")
    (row,) = page.texts("tr.at")
    assert "number 4321" in row
    place = page.run("document.querySelector('tr.at').getBoundingClientRect().top")
    assert 0 < place < 1000
    assert page.run("document.activeElement.closest('tr').className") == "at"


def test_the_keyboard_goes_everywhere(page: Page, few: Path) -> None:
    page.open(few, "#findings")
    page.key("Tab", 9)
    assert page.run("document.activeElement.innerText") == "Skip to content"
    page.key("Enter", 13, "\r")
    page.until("document.activeElement.id === 'main'")
    page.key("Tab", 9)
    assert page.run("document.activeElement.type") == "search"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    names = []
    for _ in range(12):
        page.key("Tab", 9)
        names.append(page.run("document.activeElement.innerText.split('\\n')[0]"))
    assert {"All", "Deny", "Warn", "Audit", "Severity", "Object", "Policy"} <= set(names)


def test_the_matrix_is_told_by_arrow_keys(page: Page, many: Path) -> None:
    page.open(many, "#reach")
    page.run("document.querySelector('canvas').focus()")
    page.key("ArrowDown", 40)
    assert page.texts(".told") == ["team-000 → team-000: everything"]
    page.key("ArrowRight", 39)
    page.key("ArrowDown", 40)
    page.key("ArrowDown", 40)
    assert page.texts(".told") == ["team-002 → team-001: TCP 8080; 1 of 2 workloads"]
    page.key("Enter", 13, "\r")
    page.until("location.hash === '#reach?ns=team-001'")
    assert "May come in to team-001" in page.texts("h2")


def test_two_hundred_namespaces_are_painted(page: Page, many: Path) -> None:
    page.open(many, "#reach")
    painted = page.run(
        "(() => { const one = document.querySelector('canvas'); const pen = one.getContext('2d');"
        " const { data } = pen.getImageData(0, 0, one.width, one.height); const found = new Set();"
        " for (let at = 0; at < data.length; at += 4) found.add(data.slice(at, at + 4).join());"
        " return [one.clientWidth, found.size]; })()"
    )
    assert 600 <= painted[0] <= 1400
    assert painted[1] >= 4  # three tones and the gaps
    page.type("input[type=search]", "team-01")
    page.until("document.querySelector('canvas').getAttribute('aria-label').includes('10 sources')")


def test_names_of_others_stay_text(page: Page, tmp_path: Path) -> None:
    markup = ("<script>hacked=1</script>", "</script><img onerror=hacked=1 src=x>")
    for at, text in enumerate((*HOSTILE, *markup)):
        file = tmp_path / f"{at}.html"
        with file.open("w", encoding="utf-8", errors="backslashreplace") as out:
            FORMATS["html"](hostile(text), out)
        page.open(file)
        for view in VIEWS:
            page.visit(f"#{view}")
            assert (
                page.run("document.querySelector('main :is(img, script, iframe, style)')") is None
            )
        assert page.run("typeof hacked") == "undefined"
    assert page.complaints() == []


def hostile(text: str) -> Report:
    pair = Pair(text, text, "some", (text,), 1, 1)
    behind = Behind(text, text, "blocked", (text,), (text,))
    way = Way("Ingress", text, text, "public", (text,), (text,), (text,), (text,), (behind,))
    workload = Workload(text, text, text, False, Isolation(True, (text,)), None)
    return replace(everywhere(text), exposure=ExposureMap((way,), (workload,), (text,), (pair,)))


def test_no_other_script_or_style_runs(page: Page, few: Path) -> None:
    page.open(few)
    page.run(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.hacked = 1'}))"
    )
    assert page.run("window.hacked") is None
    assert "Content Security Policy" in " ".join(page.complaints())


def test_ten_thousand_findings_stay_usable(page: Page, many: Path) -> None:
    """On a machine with others at work: alone it takes a tenth of these times."""
    page.open(many, "#findings")
    loaded = page.run("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert loaded < 5000
    took = page.run(
        "(() => { const one = document.querySelector('input[type=search]');"
        " const start = performance.now();"
        " for (const text of ['s', 'se', 'service-4', 'service-42 host']) {"
        " one.value = text; one.dispatchEvent(new Event('input')); }"
        " return (performance.now() - start) / 4; })()"
    )
    assert took < 500
    assert page.run("document.querySelectorAll('*').length") < 3000


def test_paper(page: Page, many: Path, few: Path) -> None:
    page.open(many, "#findings?ns=team-007")
    page.media(type="print")
    assert page.run("getComputedStyle(document.querySelector('.filters')).display") == "none"
    pdf = page.paper()
    assert pdf.startswith(b"%PDF")
    page.open(many, "#findings")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("document.querySelectorAll('tbody tr').length") == 2000
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run("document.querySelectorAll('tbody tr').length") == 50
    page.media(type="print", scheme="dark")
    page.open(few)
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_light_and_dark(page: Page, few: Path) -> None:
    page.media(scheme="dark")
    page.open(few)
    theme = "document.documentElement.dataset.theme"
    assert page.run(theme) == "dark"
    page.media(scheme="light")
    page.until(f"{theme} === 'light'")
    page.run("document.querySelector('#theme').click()")
    page.run("document.querySelector('#theme').click()")
    assert (page.run(theme), page.texts("#theme")) == ("dark", ["Theme: Dark"])
    page.run("document.querySelector('#theme').click()")
    assert page.texts("#theme") == ["Theme: Automatic"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, few: Path, scheme: str) -> None:
    page.media(scheme=scheme)
    page.open(few)
    page.run(AXE.read_text() + ";0")
    for view in VIEWS:
        page.visit(f"#{view}")
        violations: list[dict[str, Any]] = page.run(
            "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"
        )
        told = [(one["id"], [node["html"][:150] for node in one["nodes"]]) for one in violations]
        assert told == [], f"{view}: {json.dumps(told, indent=1)}"


def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page, few: Path) -> None:
    page.size(390, 800)
    page.open(few)
    for view in VIEWS:
        page.visit(f"#{view}")
        assert page.run("document.documentElement.scrollWidth") <= 390, view


def test_the_file_is_where_the_tests_think(few: Path) -> None:
    """A page that did not load would ask for nothing either."""
    assert os.path.getsize(few) > 30_000
