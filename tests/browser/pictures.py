"""Takes the pictures of docs/images anew: ``python -m tests.browser.pictures [FOLDER]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser import demo
from tests.browser.chromium import Chromium
from webhook.audit.reports import FORMATS

SMALL = ("",)
LARGE = ("-dev", "-test", "-qa", "-staging", "-canary", "-load", "-prod-eu", "-prod-us")
PICTURES = (
    ("overview-light", SMALL, "#overview", "light", 900),
    ("findings-dark", SMALL, "#findings", "dark", 900),
    ("exposure-light", SMALL, "#exposure", "light", 900),
    ("reach-dark", SMALL, "#reach?ns=orders", "dark", 1700),
    ("overview-large-dark", LARGE, "#overview", "dark", 900),
    ("reach-large-light", LARGE, "#reach?ns=payments-prod-eu&order=alike", "light", 1700),
)


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, Chromium() as browser:
        files = {}
        for stages in (SMALL, LARGE):
            files[stages] = Path(scratch) / f"{len(stages)}.html"
            with files[stages].open("w", encoding="utf-8") as out:
                FORMATS["html"](demo.report(stages), out)
        for name, stages, fragment, scheme, height in PICTURES:
            page = browser.page()
            page.size(1360, height)
            page.media(scheme=scheme)
            page.open(files[stages], fragment)
            page.visit(fragment)
            (folder / f"report-{name}.png").write_bytes(page.picture())
            page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
