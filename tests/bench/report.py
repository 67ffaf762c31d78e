"""What the runs say: the table, the ratios with their spread, and the targets.

Functions of the results. A ratio is taken within each round; what is printed is the median over
the rounds with the lowest and the highest. Throughput is compared by processor time: on a machine
that does nothing else that is the same as requests per second, and on others it still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from statistics import median
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.load import Run
from tests.bench.rounds import Cell, Plan, Results
from tests.bench.scenarios import Scenario
from tests.bench.servers import BARE, GO, OURS
from tests.controller.adoption import Adopted

# A server that is kept busy uses all of its core. Where it used less, something else ran there, or
# the load generator was what limited the run.
WHOLE_CORE = 0.9
HINDERED = (
    f"* The server used less than {WHOLE_CORE:.0%} of its core: something else kept the machine "
    "busy, or the load generator was the limit. Its requests per second are too low and its "
    "latencies too high; µs/req, its processor time for one, and the ratios hold."
)

OF_BARE = 0.5
OF_GO = {"pod": 1.2, "deployment": 3.0}
P99_OF_GO = 1.0
P99_CONNECTIONS = 8

Figure = Callable[[Run], float]
RATE: Figure = attrgetter("rate")
PER_CORE: Figure = attrgetter("per_core")
P50: Figure = attrgetter("p50")
P99: Figure = attrgetter("p99")
CORE: Figure = attrgetter("core")


class Spread(NamedTuple):
    """The median of the rounds, the lowest and the highest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}..{self.high:.2f}]"


class Target(NamedTuple):
    """One ratio that is to be reached, what it was, and whether that is enough."""

    title: str
    wanted: str
    found: Spread
    met: bool


def ratio(results: Results, ours: Cell, server: str, figure: Figure) -> Spread | None:
    """A figure of ours over that of another server; None where that one was not measured."""
    others = results.get(ours._replace(server=server))
    if others is None:
        return None
    found = [figure(a) / figure(b) for a, b in zip(results[ours], others, strict=True)]
    return Spread(median(found), min(found), max(found))


def targets(results: Results, scenarios: Mapping[str, Scenario]) -> Iterator[Target]:
    """The targets whose figures were measured."""
    for cell in results:
        if cell.server != OURS:
            continue
        title = f"{scenarios[cell.scenario].title}, {cell.connections} connections"
        if found := ratio(results, cell, BARE, PER_CORE):
            yield _at_least(OF_BARE, f"{title}: throughput / {BARE}", found)
        wanted = OF_GO.get(cell.scenario)
        if wanted and (found := ratio(results, cell, GO, PER_CORE)):
            yield _at_least(wanted, f"{title}: throughput / {GO}", found)
        if cell.connections == P99_CONNECTIONS and (found := ratio(results, cell, GO, P99)):
            met = found.median <= P99_OF_GO
            yield Target(f"{title}: p99 / {GO}", f"at most {P99_OF_GO:g}", found, met)


def _at_least(wanted: float, title: str, found: Spread) -> Target:
    return Target(title, f"at least {wanted:g}", found, found.median >= wanted)


def show(about: Mapping[str, str], plan: Plan, results: Results, found: Sequence[Target]) -> None:
    """Print the machine, the table and the targets."""
    # A table is a table also where it is not looked at on a terminal of its width.
    console = Console(width=120, highlight=False)
    console.print("; ".join(f"{name}: {value}" for name, value in about.items()))
    sizes = ", ".join(f"{one.name} {len(one.body):,} bytes" for one in plan.scenarios)
    console.print(f"{plan.rounds} rounds of {plan.seconds} s; {sizes}; every verdict was right")
    console.print(_runs(results))
    if any(map(_hindered, results.values())):
        console.print(HINDERED)
    if found:
        console.print(_targets(found))


def _runs(results: Results) -> Table:
    """One line for each cell; the ratios stand in ours."""
    shown = Table(title="Medians over the rounds; ratios with the lowest and the highest of them")
    for heading in ("scenario", "conns", "server"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "req/s", "core", "µs/req", f"/ {BARE}", f"/ {GO}"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for cell, runs in results.items():
        middle = {figure: median(map(figure, runs)) for figure in (P50, P99, RATE, CORE, PER_CORE)}
        ratios = [ratio(results, cell, other, PER_CORE) for other in (BARE, GO)]
        shown.add_row(
            *(cell.scenario, str(cell.connections), cell.server),
            *(f"{middle[figure] * 1e3:.2f}" for figure in (P50, P99)),
            f"{middle[RATE]:,.0f}",
            f"{middle[CORE]:.0%}{'*' if _hindered(runs) else ''}".replace("nan%", "unknown"),
            f"{1e6 / middle[PER_CORE]:,.1f}",
            *(str(one) if one and cell.server == OURS else "" for one in ratios),
            end_section=cell.server == GO,
        )
    return shown


def _hindered(runs: Sequence[Run]) -> bool:
    return median(map(CORE, runs)) < WHOLE_CORE


def _targets(found: Sequence[Target]) -> Table:
    shown = Table(title="Targets")
    for heading in ("target", "wanted", "found", ""):
        shown.add_column(heading)
    for one in found:
        shown.add_row(one.title, one.wanted, str(one.found), "met" if one.met else "missed")
    return shown


def as_json(
    about: Mapping[str, str], plan: Plan, results: Results, found: Sequence[Target]
) -> dict[str, Any]:
    """Every run in the order of the rounds, for other programs; times in seconds."""
    return {
        "machine": dict(about),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "bytes": {one.name: len(one.body) for one in plan.scenarios},
        "runs": [
            {**cell._asdict(), "round": number, **_as_json(run)}
            for cell, runs in results.items()
            for number, run in enumerate(runs)
        ],
        "targets": [{**one._asdict(), "found": one.found._asdict()} for one in found],
    }


def _as_json(run: Run) -> dict[str, Any]:
    return {**msgspec.to_builtins(run), "rate": run.rate, "perCore": run.per_core}


def controller_as_json(adopted: Adopted) -> dict[str, Any]:
    """The figures of the controller; memory in bytes."""
    writes = {f"{verb} {what}": count for (verb, what), count in adopted.writes.items()}
    return {**adopted._asdict(), "writes": writes, "steady": dict(adopted.steady)}
