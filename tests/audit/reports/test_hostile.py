"""Names and values of others stay text in every format, whatever they hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.audit.reports.given import everywhere, written
from webhook.audit.findings import Report
from webhook.audit.reports.markdown import LONGEST, span
from webhook.audit.reports.policyreport import MOST_RESULTS

HOSTILE = (
    "x\r\n::error::hacked%0A\x1b[31m[bold]",
    "]]><script>alert(1)</script><![CDATA[",
    '"><img src=x onerror=alert(1)>&amp;&#x41;',
    "`` `code` ``` | a | b |\n|---|---|\n@netreeve/everybody #1 https://example.com",
    "\n- item\n# heading\n\n    code\n```\n",
    "[link](javascript:alert(1)) ![](x) <!-- -->",
    "%0A::add-mask::x,file=y:z\\n",
    "\u202eevil\u2066\ufeff\x00\x07\x9b31m\ufffe\ud800",
    "` ",
    " `",
    "\\`",
    "{{ $x }} ${{ github.token }} $(id) '; DROP TABLE",
)
TEXT = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from([*HOSTILE, "`", "|", "\\", "\n", "<", "a"]), max_size=4).map("".join),
)


def hostile(test: Callable[[str], None]) -> Callable[[], None]:
    """Runs a test with each of the known tricks and with many made-up ones."""
    for text in HOSTILE:
        test = example(text)(test)
    return settings(max_examples=50, deadline=None)(given(TEXT)(test))


@hostile
def test_json_sarif_and_policy_reports_keep_their_shape(text: str) -> None:
    text = text.encode(errors="replace").decode()  # as every reader of manifests has made sure
    for output in ("json", "sarif", "policyreport", "openreports"):
        found = json.loads(written(everywhere(text), output))
        assert shape(found) == shape(json.loads(written(everywhere("plain"), output)))


def shape(value: object) -> object:
    """What a value is made of, without its texts; namespaces may or may not be names of such."""
    if isinstance(value, dict):
        if value.get("kind") == "List":
            return [sorted(str(shape(one)) for item in value["items"] for one in item["results"])]
        optional = ("ruleIndex", "namespace")
        return {key: shape(one) for key, one in value.items() if key not in optional}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__


@hostile
def test_a_page_keeps_its_markup(text: str) -> None:
    class Tags(HTMLParser):
        def __init__(self, page: str) -> None:
            super().__init__()
            self.found: list[object] = []
            self.feed(page)
            self.close()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found.append((tag, attrs))

        def handle_comment(self, data: str) -> None:
            self.found.append(data)

    assert (
        Tags(written(everywhere(text), "html")).found
        == Tags(written(everywhere("a"), "html")).found
    )


@hostile
def test_junit_keeps_its_elements(text: str) -> None:
    found, plain = (
        ElementTree.fromstring(written(everywhere(one), "junit")) for one in (text, "a")
    )
    tags = [element.tag for element in found.iter()]
    assert tags == [element.tag for element in plain.iter()]


@hostile
def test_github_gets_no_other_commands(text: str) -> None:
    lines = written(everywhere(text), "github").split("\n")
    words = ["::error", "::error", "::error", "::warning", "::error", "netreeve:", ""]
    assert [line.partition(" ")[0] for line in lines] == words
    for line in lines[:-2]:
        properties = line[2:].partition("::")[0].partition(" ")[2].split(",")
        names = [one.partition("=")[0] for one in properties]
        assert names in (
            ["file", "line", "title"],
            ["file", "title"],
            ["file", "line", "col", "title"],
        )
    assert all(char.isprintable() for line in lines for char in line)


@hostile
def test_the_table_of_a_pipe_has_no_controls_and_no_other_lines(text: str) -> None:
    found = written(everywhere(text), "table")
    assert found.count("\n") == written(everywhere("a"), "table").count("\n")
    assert all(char.isprintable() for line in found.split("\n") for char in line)
    assert not any(line.startswith("::") for line in found.split("\n"))


def kinds(tokens: Iterable[Token]) -> list[str]:
    """What Markdown is made of: text is of no interest, and anything else is."""
    found: list[str] = []
    for token in tokens:
        found += [] if token.type == "text" else [token.type]
        found += kinds(token.children or ())
    return found


@hostile
def test_markdown_has_nothing_but_code_where_others_speak(text: str) -> None:
    parser = MarkdownIt("gfm-like", {"linkify": False})
    found, plain = (parser.parse(written(everywhere(one), "markdown")) for one in (text, "plain"))
    assert kinds(found) == kinds(plain)
    assert not any("html" in kind or "link" in kind for kind in kinds(found))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a", "`a`"),
        ("", "`  `"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("a\n\nb", "`a  b`"),
        ("x" * 400, f"`{'x' * 299}…`"),
    ],
)
def test_a_code_span_holds_any_text(text: str, code: str) -> None:
    assert span(text) == code


def many(number: int) -> Report:
    """A report with three findings of long words, so many times."""
    return Report(everywhere("`|\N{GRINNING FACE}" * 400, "web.yaml").results * number)


def test_markdown_has_an_end() -> None:
    text = written(many(5_000), "markdown")
    assert len(text) <= LONGEST
    shown = text.count("\n- ")
    assert text.endswith(f"\n… and {15_000 - shown} more, which are too many for this summary.\n")


def test_policy_reports_are_bounded_in_size() -> None:
    items = json.loads(written(many(400), "policyreport"))["items"]
    assert sum(len(item["results"]) for item in items) == 1_200
    assert max(len(item["results"]) for item in items) <= MOST_RESULTS
    assert max(len(json.dumps(item, ensure_ascii=False).encode()) for item in items) < 1_400_000
    names = [(item["metadata"].get("namespace"), item["metadata"]["name"]) for item in items]
    assert len(set(names)) == len(names)


def test_json_is_yaml_too() -> None:
    text = written(everywhere(HOSTILE[0]), "openreports")
    assert yaml.safe_load(io.StringIO(text)) == json.loads(text)
