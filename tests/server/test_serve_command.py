"""``netreeve serve`` as a process of its own: options, signals, files and exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from certs.issue import authority, leaf
from tests.controlplane.wait import wait_for
from tests.server.clients import HOST_NETWORK_POD, TIMEOUT, UID, Client, review
from tests.server.running import ANY, now
from tests.server.test_following import kubeconfig
from tests.telemetry.collector import collecting
from tests.telemetry.documented import documented, scraped
from webhook.cli import main
from webhook.server.listen import bind, bound, parse
from webhook.server.standalone import make_certificates

START_SECONDS = 30.0
LOOPBACK = ("--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0")
CONFIG = "{{apiVersion: netreeve.io/v1alpha1, kind: GateConfig, profile: {}}}\n"


@dataclass
class Served:
    """A running command. output, errors: the files of its standard output and error."""

    process: subprocess.Popen[bytes]
    output: Path
    errors: Path

    def url(self, scheme: str) -> str:
        """Where it says that it listens, as soon as it does."""

        def said() -> str:
            assert self.process.poll() is None, self.errors.read_text()
            found = re.search(rf"{scheme}://([\d.]+:\d+)", self.output.read_text())
            return found[1] if found else ""

        return wait_for(said, START_SECONDS, "netreeve serve to listen")

    def client(self, ca: Path) -> Client:
        return Client(parse(self.url("https")), ca)

    def probe(self) -> Client:
        return Client(parse(self.url("http")))

    def end(self, sign: signal.Signals) -> int:
        self.process.send_signal(sign)
        return self.process.wait(TIMEOUT)


@contextmanager
def serving(
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
) -> Iterator[Served]:
    """within: the beginning of a command that runs the rest of it."""
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            (*within, sys.executable, "-m", "webhook", "serve", *LOOPBACK, *arguments),
            stdout=out,
            stderr=err,
            env={**os.environ, **(environ or {})},
        )
    try:
        yield Served(process, output, errors)
    finally:
        process.kill()
        process.wait()


def test_standalone_needs_nothing(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    with serving(tmp_path, "--standalone", "--cert-dir", str(certs), "--drain", "0") as served:
        client = served.client(certs / "ca.crt")
        response = client.ask("/validate", review(HOST_NETWORK_POD)).review
        assert (response["uid"], response["allowed"]) == (UID, False)
        client.close()
        probe = served.probe()
        wait_for(lambda: probe.ask("/readyz").status == 200, TIMEOUT, "it to be ready")
        probe.close()
        assert served.end(signal.SIGTERM) == 0
    said = served.output.read_text()
    assert f"{certs}/ca.crt" in said
    assert "what is known to be bad is denied" in served.errors.read_text()
    lines = [json.loads(line) for line in served.errors.read_bytes().splitlines()]
    denied = [line for line in lines if line["message"] == "denied"]
    assert [line["request.uid"] for line in denied] == [UID]
    assert denied[0]["policies"] == ["host-network"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in certs.iterdir()}
    assert modes == {"ca.crt": 0o644, "tls.crt": 0o644, "tls.key": 0o600}


@pytest.mark.slow
def test_what_a_scrape_has_is_documented(tmp_path: Path) -> None:
    certs, config = tmp_path / "certs", tmp_path / "config.yaml"
    config.write_text(CONFIG.format("standard"))
    arguments = ("--standalone", "--cert-dir", str(certs), "--config", str(config))
    with serving(tmp_path, *arguments) as served:
        client = served.client(certs / "ca.crt")
        client.ask("/validate", review(HOST_NETWORK_POD))
        client.ask("/mutate", review())
        client.ask("/nowhere", review())
        client.close()
        probe = served.probe()
        found, listed = scraped(probe.ask("/metrics").body.decode()), documented()
        probe.close()
    assert {name: listed.get(name) for name in found} == found
    assert {"netreeve_ready", "netreeve_config_failing", "netreeve_admission_errors_total"} < {
        *found
    }


def test_the_printed_review_is_denied(tmp_path: Path) -> None:
    with serving(tmp_path, "--standalone") as served:
        served.url("https")
        said = wait_for(
            lambda: re.search(r"--cacert (\S+) .*-d '(.*)'", served.output.read_text(), re.S),
            TIMEOUT,
            "the example",
        )
        assert said
        client = served.client(Path(said[1]))
        response = client.ask("/validate", said[2].encode()).review
        assert response["allowed"] is False
        client.close()
        assert served.end(signal.SIGINT) == 0
    assert not Path(said[1]).exists(), "the throw-away certificate outlives the server"


@pytest.mark.slow
def test_sigterm_drains_and_sigint_does_not(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    with serving(tmp_path, "--standalone", "--cert-dir", str(certs), "--drain", "60") as served:
        probe = served.probe()
        wait_for(lambda: probe.ask("/readyz").status == 200, TIMEOUT, "it to be ready")
        served.process.send_signal(signal.SIGTERM)
        wait_for(lambda: probe.ask("/readyz").status == 503, TIMEOUT, "it to drain")
        client = served.client(certs / "ca.crt")
        assert client.ask("/validate", review()).headers["connection"] == "close"
        client.close()
        probe.close()
        assert served.end(signal.SIGINT) == 0


@pytest.mark.slow
def test_the_configuration_is_taken_up_while_running(tmp_path: Path) -> None:
    config, certs = tmp_path / "config.yaml", tmp_path / "certs"
    config.write_text(CONFIG.format("standard"))
    arguments = ("--standalone", "--cert-dir", str(certs), "--config", str(config))
    with serving(tmp_path, *arguments) as served:
        client = served.client(certs / "ca.crt")

        def allowed() -> bool:
            answer = client.ask("/validate", review(HOST_NETWORK_POD))
            return bool(answer.review["allowed"])

        assert not allowed()
        config.write_text(CONFIG.format("audit"))
        wait_for(allowed, TIMEOUT, "the new configuration")
        client.close()


@pytest.mark.slow
def test_every_error_of_a_broken_configuration_is_told_while_running(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format("standard"))
    with serving(tmp_path, "--standalone", "--config", str(config), "--drain", "0") as served:
        probe = served.probe()
        failing = b"netreeve_config_failing %d.0"
        assert failing % 0 in probe.ask("/metrics").body
        wrong = [f"policy-number-{at}" for at in range(20)]
        policies = ", ".join(f"{name}: {{action: Deny}}" for name in wrong)
        config.write_text(CONFIG.format(f"standard, policies: {{{policies}}}"))
        wait_for(lambda: failing % 1 in probe.ask("/metrics").body, TIMEOUT, "the metric")
        wait_for(lambda: wrong[-1] in served.errors.read_text(), TIMEOUT, "the log")
        assert all(f"policies.{name}" in served.errors.read_text() for name in wrong)
        config.write_text(CONFIG.format("audit"))
        wait_for(lambda: failing % 0 in probe.ask("/metrics").body, TIMEOUT, "its correction")
        probe.close()


@pytest.mark.slow
def test_spans_go_to_the_collector_that_the_environment_names(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    arguments = ("--standalone", "--cert-dir", str(certs), "--drain", "0")
    with collecting() as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with serving(tmp_path, *arguments, environ=environ) as served:
            client = served.client(certs / "ca.crt")
            assert client.ask("/mutate", review()).status == 200
            client.close()
            assert served.end(signal.SIGTERM) == 0
        assert [span.name for span in collector.spans] == ["review mutate"]


@pytest.mark.slow
def test_standalone_replaces_its_own_certificates_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certs = tmp_path / "certs"
    for _ in range(2):
        with serving(tmp_path, "--standalone", "--cert-dir", str(certs)) as served:
            client = served.client(certs / "ca.crt")
            assert client.ask("/validate", review()).status == 200
            client.close()
    ca = authority("the company's CA", now=now(), life=timedelta(days=1))
    precious = leaf(ca, ["webhook.svc"], now=now(), life=timedelta(days=1)).certificate
    (certs / "tls.crt").write_bytes(precious)
    assert main(["serve", *LOOPBACK, "--standalone", "--cert-dir", str(certs)]) == 2
    assert "not a throw-away certificate" in capsys.readouterr().err
    assert (certs / "tls.crt").read_bytes() == precious


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["serve", *LOOPBACK, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_without_a_cluster_it_says_what_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ca = authority("CA", now=now(), life=timedelta(days=1))
    pair = leaf(ca, ["webhook.svc"], now=now(), life=timedelta(days=1))
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    missing = str(tmp_path / "kubeconfig")
    said = failed(capsys, "--cert-dir", str(tmp_path), "--kubeconfig", missing)
    assert missing in said
    assert "--standalone" in said


def test_a_configuration_with_errors_stops_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format("stricd"))
    said = failed(capsys, "--standalone", "--config", str(config))
    assert str(config) in said
    assert "profile" in said
    assert "No such file" in failed(capsys, "--standalone", "--config", str(tmp_path / "none"))


def test_a_port_in_use_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with bind(parse("127.0.0.1:0")) as sock:
        said = failed(capsys, "--standalone", "--listen", str(bound(sock)))
    assert "Address already in use; name another address with --listen" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("--listen", "8443"),
        ("--listen", "::1:8443"),
        ("--drain", "soon"),
        ("--drain", "nan"),
        ("--drain", "-1"),
        ("--kubeconfig", "x", "--standalone"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    assert f"argument {arguments[-2 if len(arguments) == 2 else -1]}" in capsys.readouterr().err


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("listen", "health-listen", "cert-dir", "config", "kubeconfig", "standalone"):
        assert f"--{option}" in said
    assert "10250" in said


def test_nothing_is_judged_before_the_first_lists(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    make_certificates(certs, "127.0.0.1", now())
    with bind(ANY) as closed:
        file = kubeconfig(tmp_path, f"https://{bound(closed)}")
    with serving(tmp_path, "--cert-dir", str(certs), "--kubeconfig", str(file)) as served:
        client = served.client(certs / "ca.crt")
        assert client.ask("/validate", review()).status == 503
        client.close()


DESCRIPTORS = 400


@pytest.mark.parametrize("hard", [False, True], ids=["may have more", "may not"])
def test_silent_connections_take_not_every_descriptor(tmp_path: Path, *, hard: bool) -> None:
    """Probes are answered and reviews taken, in a container that may open few files."""
    limit = f"ulimit {'' if hard else '-S '}-n {DESCRIPTORS}"
    within = ("sh", "-c", f'{limit} && exec "$@"', "sh")
    with (
        serving(tmp_path, "--standalone", "--cert-dir", str(tmp_path), within=within) as server,
        ExitStack() as stack,
    ):
        reviews = parse(server.url("https"))
        for _ in range(DESCRIPTORS + 100):
            stack.enter_context(socket.create_connection(reviews, TIMEOUT))
        client, probe = server.client(tmp_path / "ca.crt"), server.probe()
        assert not client.ask("/validate", review(HOST_NETWORK_POD)).review["allowed"]
        wait_for(lambda: probe.ask("/readyz").status == 200, START_SECONDS, "it to be ready")
        client.close()
        probe.close()
        assert "Too many open files" not in server.errors.read_text()
