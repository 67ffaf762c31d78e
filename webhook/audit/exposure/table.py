"""The map for people: ways in, then what each namespace lets in and may open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from webhook.audit.exposure.model import Behind, ExposureMap, Pair, Way, Workload
from webhook.audit.reports.terminal import grid, show
from webhook.audit.reports.words import plural, printable

_REACH = {
    "public": "bold red",
    "restricted": "yellow",
    "internal": "green",
    "nodes": "yellow",
    "unknown": "dim",
}
_VERDICT = {"allowed": "red", "narrowed": "yellow", "blocked": "green", "unknown": "dim"}
LEGEND = (
    "isolated: of how many workloads NetworkPolicies decide what comes in (ingress) or goes out "
    "(egress). Namespaces without pods, or with none but on the node's network, are left out."
)
MOST_NAMES = 8
"""Of namespaces in one line; -o json has all of them."""


def write(found: ExposureMap, out: TextIO) -> None:
    show(_blocks(found), out)


def _blocks(found: ExposureMap) -> Iterator[RenderableType]:
    for one in found.unread:
        text = f"cannot read {printable(one.path)}: {printable(one.message)}"
        yield Text(text, style="bold red")
    yield Text(plural(len(found.ways), "way") + " in from outside", style="bold")
    for way in found.ways:
        yield from _way(way)
    yield ""
    yield Text("Who may talk to whom", style="bold")
    yield from _namespaces(found)
    if found.pairs:
        yield Padding(Text(LEGEND, style="dim"), (0, 0, 0, 2))


def _way(way: Way) -> Iterator[RenderableType]:
    opens = ", ".join(way.opens)
    kind = "" if way.object.startswith(way.kind) else way.kind
    parts = [f"  {way.object}", f"{kind} {opens}".strip()]
    if way.addresses:
        parts.append(f"at {', '.join(way.addresses)}")
    if way.sources:
        parts.append(f"from {', '.join(way.sources)}")
    if way.via:
        parts.append(f"through {', '.join(way.via)}")
    yield Text.assemble((printable("  ".join(parts)), ""), ("  " + way.reach, _REACH[way.reach]))
    table = grid(4)
    for one in way.behind:
        verdict = Text(one.verdict, style=_VERDICT[one.verdict])
        table.add_row(f"    {printable(one.target)}", one.port, verdict, _why(one))
    if way.behind:
        yield table


def _why(one: Behind) -> str:
    by = f"by {', '.join(one.policies)}" if one.policies else ""
    return printable(f"{by} to {', '.join(one.networks)}" if one.networks else by)


def _namespaces(found: ExposureMap) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    incoming: dict[str, list[Pair]] = {}
    for pair in found.pairs:
        incoming.setdefault(pair.target, []).append(pair)
    isolated = _isolated(found.workloads)
    for name, pairs in sorted(incoming.items()):
        told = isolated.get(name, "")
        for position, (word, who) in enumerate(_grouped(pairs)):
            first = (f"  {printable(name)}", told) if position == 0 else ("", "")
            table.add_row(*first, word, who)
    yield table if incoming else Text("  not known: there are no pods", style="dim")


def _isolated(workloads: Iterable[Workload]) -> dict[str, str]:
    counts: dict[str, list[int]] = {}
    for one in workloads:
        if one.ingress and one.egress:
            counted = counts.setdefault(one.namespace, [0, 0, 0])
            counted[0] += 1
            counted[1] += one.ingress.isolated
            counted[2] += one.egress.isolated
    return {
        name: f"isolated: ingress {ingress}/{total}, egress {egress}/{total}"
        for name, (total, ingress, egress) in counts.items()
    }


def _grouped(pairs: Iterable[Pair]) -> Iterator[tuple[str, str]]:
    """From whom everything, some ports or nothing comes in."""
    by_reach: dict[str, list[str]] = {"all": [], "some": [], "nothing": []}
    for one in pairs:
        ports = f" ({', '.join(one.ports)})" if one.reach == "some" else ""
        by_reach[one.reach].append(f"{one.source}{ports}")
    words = {"all": "everything from", "some": "some ports from", "nothing": "nothing from"}
    for reach, names in by_reach.items():
        if names:
            rest = len(names) - MOST_NAMES
            more = f" and {rest} more" if rest > 0 else ""
            yield words[reach], printable(", ".join(names[:MOST_NAMES]) + more)
