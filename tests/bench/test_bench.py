"""The benchmark itself works: its payloads, its checks, both load generators, all three servers."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import load, payloads, report, servers
from tests.bench.__main__ import main
from tests.bench.client import VerdictError, checked
from tests.bench.load import Run
from tests.bench.payloads import UID
from tests.bench.pinned import cores
from tests.bench.pods import Json
from tests.bench.rounds import Cell
from tests.bench.scenarios import allowed, scenarios, with_uid
from tests.bench.servers import BARE, GO, NAMES, OURS, Server

SCENARIOS = scenarios()
GENERATORS = [load.GO_LOAD, *(["wrk"] if shutil.which("wrk") else [])]
ALLOWED: Json = {"uid": UID, "allowed": True}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """The three servers, running side by side."""
    with servers.running(NAMES, tmp_path_factory.mktemp("bench"), (cores() or [0])[0]) as found:
        yield found


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (payloads.pod_create(), payloads.POD_BYTES),
        (payloads.deployment_update(), payloads.DEPLOYMENT_UPDATE_BYTES),
    ],
    ids=["pod", "deployment"],
)
def test_bodies_have_the_size_that_the_figures_are_named_after(body: bytes, size: int) -> None:
    assert len(body) == pytest.approx(size, rel=0.02)


def test_an_update_carries_both_objects_and_they_differ() -> None:
    request = json.loads(payloads.deployment_update())["request"]
    assert request["oldObject"]["spec"]["template"] != request["object"]["spec"]["template"]


def test_another_uid_changes_nothing_else() -> None:
    uid = "00000000-0000-0000-0000-000000000000"
    body = SCENARIOS["pod"].body
    before, after = json.loads(body), json.loads(with_uid(body, uid))
    assert after["request"].pop("uid") == uid
    assert before["request"].pop("uid") == UID
    assert after == before


def _patched(operations: list[Json]) -> Json:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {**ALLOWED, "patchType": "JSONPatch", "patch": patch}


@pytest.mark.parametrize(
    ("scenario", "answer"),
    [
        ("pod", {"uid": UID, "allowed": False}),
        ("pod", {**ALLOWED, "warnings": ["something"]}),
        ("service", ALLOWED),
        ("service", {"uid": UID, "allowed": False, "status": {"code": 403, "message": "no"}}),
        ("ndots", ALLOWED),
        ("ndots", _patched([{"op": "add", "path": "/spec/dnsConfig", "value": {}}])),
    ],
)
def test_a_wrong_verdict_is_told_from_a_right_one(scenario: str, answer: Json) -> None:
    assert not SCENARIOS[scenario].expect(answer)


def _run(rate: int, p99: float) -> Run:
    return Run(requests=rate, failures=0, seconds=1.0, p50=p99 / 2, p99=p99)


def test_targets_are_judged_by_ratios_within_each_round() -> None:
    results = {
        Cell("pod", 8, OURS): [_run(6_000, 0.004), _run(3_000, 0.008), _run(5_900, 0.004)],
        Cell("pod", 8, BARE): [_run(10_000, 0.001), _run(7_000, 0.002), _run(10_000, 0.001)],
        Cell("pod", 8, GO): [_run(6_000, 0.005), _run(2_400, 0.010), _run(4_900, 0.003)],
    }
    bare, go, p99 = report.targets(results, SCENARIOS)
    assert bare.found == pytest.approx((0.59, 3 / 7, 0.6))
    assert bare.met
    assert go.found == pytest.approx((59 / 49, 1.0, 1.25))
    assert go.met
    assert p99.found == pytest.approx((0.8, 0.8, 4 / 3))
    assert p99.met
    results[Cell("pod", 8, OURS)] = [_run(4_000, 0.020)] * 3
    assert [target.met for target in report.targets(results, SCENARIOS)] == [False, False, False]


def test_the_profile_names_every_stage_and_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--profile", "service"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert {"decode the review", "node-port", "encode the verdict"} <= {
        line.split(maxsplit=1)[1] for line in lines
    }
    assert all(float(line.split()[0]) > 0 for line in lines)


@pytest.mark.cluster
@pytest.mark.slow
def test_the_whole_benchmark_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    small = ["--rounds", "1", "--connections", "2", "--scenario", "service", "--namespaces", "5"]
    small += ["--stored", "50", "--idle", "3"]
    assert main([*small, "--generator", load.GO_LOAD, "--json", str(file)]) == 0
    written = json.loads(file.read_text())
    assert [run["server"] for run in written["runs"]] == list(NAMES)
    assert all(run["rate"] > 0 and 0 < run["p50"] <= run["p99"] for run in written["runs"])
    assert all(0 < run["core"] <= 1.1 for run in written["runs"])
    assert [target["wanted"] for target in written["targets"]] == ["at least 0.5"]
    controller = written["controller"]
    assert controller["writes"]["create networkpolicies"] == 15
    assert sum(controller["writes"].values()) <= controller["requests"]
    assert controller["peak"] > 2**20
    assert written["audit"]["objects"] == 50
    printed = capsys.readouterr().out
    assert "5 namespaces adopted at once" in printed
    assert "50 stored objects audited" in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_a_load_generator_counts_answers_and_failures(
    name: str, started: dict[str, Server], tmp_path: Path
) -> None:
    generator = load.find((cores() or [0])[-1], name)
    address, body = started[OURS].address, tmp_path / "ndots.json"
    body.write_bytes(SCENARIOS["ndots"].body)
    run = generator.run(f"{address}/mutate", body, connections=2, seconds=1)
    assert run.requests > 100
    assert run.failures == 0
    assert 0 < run.p50 <= run.p99 < 1
    assert generator.run(f"{address}/nowhere", body, connections=2, seconds=1).failures > 0


@pytest.mark.slow
@pytest.mark.parametrize("server", [BARE, GO])
def test_the_handlers_compared_with_allow_what_netreeve_denies(
    server: str, started: dict[str, Server]
) -> None:
    scenario, other = SCENARIOS["service"], started[server]
    with checked(other.address, other.ca, scenario, allowed):
        pass
    with (
        pytest.raises(VerdictError, match="not the expected answer"),
        checked(other.address, other.ca, scenario, scenario.expect),
    ):
        pytest.fail("the first answer was wrong already")


@pytest.mark.slow
def test_a_verdict_that_turns_wrong_under_load_is_noticed(started: dict[str, Server]) -> None:
    ours = started[OURS]
    scenario = SCENARIOS["pod"]
    answers = iter([True, False])  # before, and then in the first sample
    with (
        pytest.raises(VerdictError, match="not the expected answer"),
        checked(ours.address, ours.ca, scenario, lambda response: next(answers)),
    ):
        pass


@pytest.mark.slow
def test_a_review_that_is_refused_stops_the_benchmark(started: dict[str, Server]) -> None:
    ours = started[OURS]
    scenario = dataclasses.replace(SCENARIOS["pod"], body=b"{}")
    with (
        pytest.raises(VerdictError, match="HTTP 400"),
        checked(ours.address, ours.ca, scenario, allowed),
    ):
        pytest.fail("the first answer was wrong already")
