"""A headless Chromium, spoken to in its own protocol over a pipe: no driver and no port.

Owns the process and what its pages report: requests, messages on the console, exceptions.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
SECONDS = 60.0
_EXEC = """
import fcntl, os, sys
theirs, back = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 5) for one in sys.argv[1:3])
os.dup2(theirs, 3)
os.dup2(back, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads from descriptor 3 and writes to 4; two others may have these numbers."""
Json = dict[str, Any]


def executable() -> str | None:
    """The Chromium on PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A context manager around one process with a profile of its own."""

    def __init__(self) -> None:
        found = executable()
        assert found, "no Chromium on PATH"
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs, self._write = os.pipe()
        self._read, back = os.pipe()
        flags = (*FLAGS, f"--user-data-dir={self._profile.name}", "about:blank")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _EXEC, str(theirs), str(back), found, *flags],
            pass_fds=(theirs, back),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(back)
        self._buffer = b""
        self._number = 0
        self.events: list[Json] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def call(self, method: str, session: str = "", **params: Any) -> Json:
        """The result of a command; what is reported meanwhile is kept in ``events``."""
        self._number += 1
        message: Json = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: Json = answer["result"]
                return result
            self.events.append(answer)

    def _message(self, deadline: float) -> Json:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"Chromium has not answered in {SECONDS:.0f} s"
            data = os.read(self._read, 1 << 20)
            assert data, "Chromium has ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: Json = json.loads(line)
        return found

    def page(self) -> Page:
        """A new page; the events of those before are forgotten."""
        self.events.clear()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        return Page(self, target, attached["sessionId"])


class Page:
    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.size(1400, 1000)

    def call(self, method: str, **params: Any) -> Json:
        return self._browser.call(method, self._session, **params)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def media(self, *, type: str = "", scheme: str = "light") -> None:
        """type: print or screen. scheme: what prefers-color-scheme says."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=type, features=features)

    def open(self, file: Path, fragment: str = "") -> None:
        """Loads the report and waits until it has started."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"{file.as_uri()}{fragment}")
        self.until("document.documentElement?.dataset.ready === ''")

    def visit(self, fragment: str) -> None:
        """Another view of the same report."""
        self.run(f"location.hash = {json.dumps(fragment)}")
        self.until(f"location.hash.startsWith({json.dumps(fragment)}) && document.title !== ''")
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script: str) -> Any:
        """The value of an expression, waited for where it is a promise."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, script: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.run(script):
            assert time.monotonic() < deadline, f"never: {script}"

    def key(self, key: str, code: int, text: str = "") -> None:
        """As if somebody pressed it."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, selector: str, text: str) -> None:
        """Into an empty field."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.innerText)"
        )
        return found

    def picture(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def paper(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and requests beside the file itself."""
        self.run("0")  # whatever was said before has arrived then
        found = []
        for event in self._browser.events:
            params = event.get("params", {})
            if event.get("method") == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "about:")) or params.get("type") != "Document":
                    found.append(f"requested {url}")
            elif event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(json.dumps(params))
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(json.dumps(params["args"]))
        return found
