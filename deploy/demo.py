"""`make demo`: every sample of deploy/examples through a real server over TLS, as a table.

Starts `netreeve serve --standalone`, asks it what an API server would ask when the sample is
created (a patch first, then the verdict on the patched object), and compares the answers with the
folder: those of `good` pass without a warning, those of `bad` are denied or warned of. Another
folder with `good`, `bad` and `gateconfig.yaml` can be given as argument. Exit status: 0, 1 when
an answer is another, 2 when the server cannot be asked.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from policies.model import Request
from policies.resources import Resource
from webhook.audit.findings import Unreadable
from webhook.audit.judge import apply, creation, defaulted
from webhook.audit.kinds import kinds
from webhook.audit.manifests import Manifest
from webhook.audit.sources import Sources

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "deploy" / "examples"
PASSES = {"good": ("allowed", "changed"), "bad": ("denied", "warned")}
STYLES = {"allowed": "green", "changed": "cyan", "warned": "yellow", "denied": "red"}
TITLES = {"good": "Good: goes through", "bad": "Bad: denied or warned of"}
START_SECONDS, STOP_SECONDS = 30.0, 30.0

# What no policy reads is asked about all the same; a cluster would not even send it.
UNREAD = {
    (group, kind): Resource(group, resource, kind, decode=json.loads, subjects=lambda _: ())
    for group, resource, kind in (
        ("gateway.networking.k8s.io", "gateways", "Gateway"),
        ("gateway.networking.k8s.io", "httproutes", "HTTPRoute"),
        ("networking.k8s.io", "ingresses", "Ingress"),
        ("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
    )
}
KINDS = {**UNREAD, **kinds()}


class DemoError(Exception):
    """The server did not start or did not answer; the message says which and how."""


class Answer(NamedTuple):
    """What the server said of one sample."""

    sample: Manifest
    name: str
    verdict: str
    reasons: Sequence[str]
    patch: Sequence[dict[str, Any]]

    @property
    def folder(self) -> str:
        return Path(self.sample.file).parent.name

    @property
    def as_expected(self) -> bool:
        return self.verdict in PASSES[self.folder]


def main(examples: Path) -> int:
    console = Console(highlight=False)
    try:
        samples = load(examples)
        with serving(config := examples / "gateconfig.yaml") as (url, ca):
            console.print(f"netreeve serve --standalone answers at {url}, configured by")
            console.print(str(config.resolve()), soft_wrap=True)
            with httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=ca)) as client:
                answers = [ask(client, sample) for sample in samples]
    except (DemoError, httpx.HTTPError) as error:
        Console(stderr=True).out(f"demo: {error}", style="red", highlight=False)
        return 2
    except KeyboardInterrupt:
        return 130
    for folder in PASSES:
        console.print()
        console.print(table(folder, [one for one in answers if one.folder == folder]))
    return summary(console, answers)


def load(examples: Path) -> list[Manifest]:
    """Every object of every sample, the good ones first. Raises DemoError for an unreadable one."""
    found = list(Sources([str(examples / folder) for folder in PASSES], None))
    samples = [one for one in found if isinstance(one, Manifest)]
    if len(samples) < len(found):
        wrong = next(one for one in found if not isinstance(one, Manifest))
        why = wrong.message if isinstance(wrong, Unreadable) else "is no manifest"
        raise DemoError(f"{wrong.file}, line {wrong.line}: {why}")
    return samples


# --- The server


@contextmanager
def serving(config: Path) -> Iterator[tuple[str, Path]]:
    """A server as a process of its own, ready: its URL and the CA of its certificate."""
    with tempfile.TemporaryDirectory(prefix="netreeve-demo-") as folder:
        certs, log = Path(folder, "certs"), Path(folder, "log")
        listen, health = free_addresses()
        command = [sys.executable, "-m", "webhook", "serve", "--standalone"]
        command += ["--listen", listen, "--health-listen", health, "--cert-dir", str(certs)]
        command += ["--config", str(config.resolve()), "--drain", "0"]
        with log.open("wb") as output:
            # Our own interpreter and our own words; nothing of it comes from outside.
            server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)  # noqa: S603
            try:
                wait_until_ready(server, f"http://{health}/readyz", log)
                yield f"https://{listen}", certs / "ca.crt"
            finally:
                stop(server)


def free_addresses() -> tuple[str, str]:
    """Two loopback addresses that nobody listens on; both are held until both are known."""
    with socket.socket() as one, socket.socket() as other:
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
        first, second = (f"127.0.0.1:{sock.getsockname()[1]}" for sock in (one, other))
        return first, second


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)
    state = "is not ready" if server.poll() is None else f"ended with status {server.returncode}"
    raise DemoError(f"the server {state}; it said:\n{log.read_text(errors='replace')}")


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


# --- What an API server asks


def ask(client: httpx.Client, sample: Manifest) -> Answer:
    """The verdict on the creation of a sample, with the patch applied that came before it."""
    group, _, version = sample.api_version.rpartition("/")
    if (group, sample.kind) not in KINDS:
        raise DemoError(f"{sample.file}: the demo does not know the kind {sample.kind}")
    request = creation(KINDS[group, sample.kind], sample.object, "default")
    obj = defaulted(sample.object, request)
    mutated = post(client, "/mutate", review(request, version, obj))
    patch = json.loads(base64.b64decode(mutated["patch"])) if "patch" in mutated else []
    # The API server asks no further after a denial; here all reasons are wanted.
    validated = post(client, "/validate", review(request, version, apply(obj, tuple(patch))))
    name = f"{request.namespace}/{request.name}" if "namespace" in obj["metadata"] else request.name
    found = list(dict.fromkeys([*reasons(mutated), *reasons(validated)]))
    return Answer(sample, name, verdict(mutated, validated), found, patch)


def review(request: Request, version: str, obj: Any) -> dict[str, Any]:
    """An AdmissionReview as an API server sends it for a developer's `kubectl create`."""
    group = {"group": request.group, "version": version}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": {**group, "kind": request.kind},
            "resource": {**group, "resource": request.resource},
            "name": request.name,
            "namespace": request.namespace,
            "operation": request.operation,
            "userInfo": {"username": "jane", "groups": ["developers", "system:authenticated"]},
            "object": obj,
            "oldObject": None,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The response inside the AdmissionReview that answers this one."""
    answer = client.post(path, json=body)
    if answer.status_code != httpx.codes.OK:
        raise DemoError(f"{path} answered {answer.status_code}: {answer.text}")
    response: dict[str, Any] = answer.json()["response"]
    if response["uid"] != body["request"]["uid"]:
        raise DemoError(f"{path} answered another request than the one it was asked")
    return response


def verdict(mutated: dict[str, Any], validated: dict[str, Any]) -> str:
    if not (mutated["allowed"] and validated["allowed"]):
        return "denied"
    if validated.get("warnings"):
        return "warned"
    return "changed" if "patch" in mutated else "allowed"


def reasons(response: dict[str, Any]) -> list[str]:
    """One text a violation: the lines of a denial between its head and its foot, then warnings.

    Warnings are cut at 120 characters, as the API server demands; the audit annotation has what
    they say in full.
    """
    denial = response.get("status", {}).get("message", "")
    warned = response.get("auditAnnotations", {}).get("warn", "")
    lines = [line.removeprefix("- ") for line in denial.splitlines() if line.startswith("- ")]
    return [*lines, *filter(None, re.split(r"; (?=[a-z-]+: )", warned))]


# --- What people read


def table(folder: str, answers: Sequence[Answer]) -> Table:
    """A row for each object, under the name of its file and the comment the file begins with."""
    found = Table(title=TITLES[folder], title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    found.add_column("Verdict", no_wrap=True)
    found.add_column("Object, reasons (-) and changes (+)", overflow="fold")
    for file, group in groupby(answers, key=lambda answer: Path(answer.sample.file)):
        found.add_row("", Text.assemble((file.name, "bold"), f": {comment(file)}"))
        for answer in group:
            mark = Text(answer.verdict, style=STYLES[answer.verdict])
            if not answer.as_expected:
                mark.append("\nunexpected", style="bold red")
            found.add_row(mark, Group(Text(f"{answer.sample.kind} {answer.name}"), details(answer)))
        found.add_row()
    return found


def comment(file: Path) -> str:
    lines = takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    return " ".join(line.removeprefix("#").strip() for line in lines)


def details(answer: Answer) -> Table:
    """The reasons and the patch as a list with hanging indents."""
    lines = Table.grid(padding=(0, 1))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for reason in answer.reasons:
        lines.add_row("-", Text(reason))
    for operation in answer.patch:
        lines.add_row("+", Text(f"{operation['path']}: {json.dumps(operation['value'])}"))
    return lines


def summary(console: Console, answers: Sequence[Answer]) -> int:
    counted = Counter(answer.verdict for answer in answers)
    files = len({answer.sample.file for answer in answers})
    counts = ", ".join(f"{counted[one]} {one}" for one in STYLES)
    console.print(f"{len(answers)} objects in {files} files: {counts}.")
    surprises = [answer for answer in answers if not answer.as_expected]
    for answer in surprises:
        expected = " or ".join(PASSES[answer.folder])
        where = f"{answer.folder}/{Path(answer.sample.file).name}"
        what = f"{answer.sample.kind} {answer.name} is {answer.verdict}, not {expected}"
        console.out(f"{where}: {what}", style="red", highlight=False)
    if not surprises:
        console.print("Every verdict is what the folder of its sample says.", style="green")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES))
