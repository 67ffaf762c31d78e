"""The lists in docs/doctor.md, from the checks' own words: ``python -m webhook.doctor.document``.

Rewrites what stands between the marks of the file that is named; the rest is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from webhook.doctor.checks import checks
from webhook.doctor.finding import About, Check
from webhook.doctor.rescue import rescues

_ABOUT: Mapping[About, str] = {
    "the cluster": "",
    "Netreeve": " Made where Netreeve is installed.",
    "its webhooks": " Made while its webhooks are active.",
    "an enforcing gate": " Made while its webhooks fail closed, as in the stage `enforce`.",
    "any webhook": " Of webhooks of others, too, with `--all`.",
}


def updated(document: str) -> str:
    """The document with its lists as they are now."""
    for name, lines in (("rescues", _rescues()), ("checks", "".join(map(_check, checks())))):
        mark = re.compile(
            rf"(?<=<!-- {name}: written by `make docs` -->\n).*?(?=<!-- end -->)", re.S
        )
        document = mark.sub(f"{lines}\n".replace("\\", r"\\"), document)
    return document


def _rescues() -> str:
    titles = dict.fromkeys(one.title for one in rescues(None, {}, {"its namespace": ""}))
    return "\n" + "".join(f"- {title}\n" for title in titles)


def _check(check: Check) -> str:
    rows = "".join(f"| `{one.id}` | {one.severity.value} | {one.why} |\n" for one in check.kinds)
    title = f"{check.title[0].upper()}{check.title[1:]}.{_ABOUT[check.about]}"
    head = "| finding | severity | why it matters |\n|---|---|---|\n"
    return f"\n### {check.id}\n\n{title}\n\n{head}{rows}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text()))
