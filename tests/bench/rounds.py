"""The measurement: interleaved rounds over scenarios, connections and servers, verdicts checked.

What disturbs the machine for a while disturbs all servers alike: each round measures them one
right after the other, and figures are compared within a round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.bench.client import checked
from tests.bench.load import Generator, LoadError, Run
from tests.bench.scenarios import Scenario, allowed
from tests.bench.servers import OURS, Server

WARM_UP_SECONDS = 1


class Cell(NamedTuple):
    """What is measured once in every round."""

    scenario: str
    connections: int
    server: str


Results = dict[Cell, list[Run]]
"""The runs of each cell, in the order of the rounds."""


@dataclass(frozen=True)
class Plan:
    """How much is measured. seconds: of one run."""

    scenarios: Sequence[Scenario]
    connections: Sequence[int]
    rounds: int
    seconds: int


class Job(NamedTuple):
    """One run: who is asked what, on how many connections."""

    server: Server
    scenario: Scenario
    connections: int

    @property
    def cell(self) -> Cell:
        return Cell(self.scenario.name, self.connections, self.server.name)


def measure(
    plan: Plan,
    servers: Mapping[str, Server],
    generator: Generator,
    folder: Path,
    report: Callable[[str], None],
) -> Results:
    """Every run of the plan. Raises VerdictError for a wrong answer, LoadError for a lost one."""
    report("warming up")
    for server in servers.values():
        for scenario in plan.scenarios:
            job = Job(server, scenario, plan.connections[0])
            _run(job, generator, folder, WARM_UP_SECONDS)
    results: Results = {}
    for number in range(plan.rounds):
        report(f"round {number + 1} of {plan.rounds}")
        for job in _round(plan, tuple(servers.values()), number):
            run = _run(job, generator, folder, plan.seconds)
            results.setdefault(job.cell, []).append(run)
    return results


def _round(plan: Plan, servers: tuple[Server, ...], number: int) -> Iterator[Job]:
    """Another server begins in each round, so that none always follows the same one."""
    first = number % len(servers)
    for scenario in plan.scenarios:
        for connections in plan.connections:
            for server in servers[first:] + servers[:first]:
                yield Job(server, scenario, connections)


def _run(job: Job, generator: Generator, folder: Path, seconds: int) -> Run:
    server, scenario, connections = job
    body = folder / f"{scenario.name}.json"
    body.write_bytes(scenario.body)
    expect = scenario.expect if server.name == OURS else allowed
    with checked(server.address, server.ca, scenario, expect):
        used = server.processor_seconds()
        run = generator.run(f"{server.address}{scenario.path}", body, connections, seconds)
        core = (server.processor_seconds() - used) / run.seconds
    if run.failures or not run.requests:
        raise LoadError(f"{job.cell}: {run.requests} answers, {run.failures} failures")
    return msgspec.structs.replace(run, core=core)
