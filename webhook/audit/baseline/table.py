"""The report for people: the namespace, its NetworkPolicies and why, what would be lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policies.network_policies.managed import BASELINE
from webhook.audit.baseline.removal import Removal
from webhook.audit.baseline.report import Preview, Report
from webhook.audit.baseline.severed import Severed
from webhook.audit.baseline.standing import Rule, Standing
from webhook.audit.reports.terminal import PROSE, grid, show
from webhook.audit.reports.words import plural, printable
from webhook.cluster.lists import told

_STYLES = {
    "as wanted": "green", "missing": "yellow", "changed": "bold red", "not ours": "bold red",
    "not known": "dim",
}  # fmt: skip
_COVERED = {True: "yes", False: "no", None: "not known"}
_ENFORCED = {"enforcing": "yes", "not-enforcing": "no", "unknown": "not known"}
ROLE = "The ClusterRole netreeve-baseline-viewer, bound in the whole cluster, allows all of this."
HEURISTIC = (
    "Known from Services, EndpointSlices, Ingresses, Gateways, NetworkPolicies, scrape annotations "
    "and the names in environment variables and arguments. What programs read from elsewhere is "
    "not seen."
)


def write(report: Report, out: TextIO) -> None:
    """As wide as the terminal, or 80 columns."""
    show(_blocks(report), out, pipe=PROSE)


def _blocks(report: Report) -> Iterator[RenderableType]:
    found = report.standing
    yield Text(f"Namespace {printable(found.namespace.name)}", style="bold")
    yield _facts(report)
    if report.unread:
        yield from _section("Could not be read", [*map(_plain, told(report.unread)), _plain(ROLE)])
    if found.rules:
        yield from _section("NetworkPolicies", _rules(found))
    if found.left:
        text = f"no baseline asks for it any more, and it is left in place: {', '.join(found.left)}"
        if report.removal is None:
            text += f"; netreeve baseline remove {found.namespace.name} deletes it"
        yield from _section("Left over", [_plain(text)])
    if found.problems:
        yield from _section(
            "Problems", [_pairs((one.reason, one.message) for one in found.problems)]
        )
    if report.preview is not None:
        yield from _preview(report.preview, complete=not report.unread)
    if report.removal is not None:
        nothing = "not known" if found.covered is None else "nothing: nothing is left over"
        yield from _removal(report.removal, nothing)


def _section(title: str, content: Iterable[RenderableType]) -> Iterator[RenderableType]:
    yield ""
    yield Text(title, style="bold")
    yield from (Padding(one, (0, 0, 0, 2)) for one in content)


def _pairs(pairs: Iterable[tuple[str, str]]) -> Table:
    table = grid(2)
    for name, text in pairs:
        table.add_row(printable(name), _plain(text))
    return table


def _plain(text: str) -> Text:
    return Text(printable(text))


def _facts(report: Report) -> RenderableType:
    found, verdict = report.standing, report.standing.cni
    pairs = [("Baseline", _baseline(found))]
    if found.label is not None:
        pairs.append(("Covered", _COVERED[found.covered]))
    if report.status:
        pairs.append(("Status", "{state} since {since}: {message}".format(**report.status)))
    if found.controller.problem:
        pairs.append(("Controller", found.controller.problem))
    pairs.append(("Enforced", f"{_ENFORCED[verdict.state]}: {verdict.reason}"))
    pairs += [("", f"{one.title}, by {'; '.join(one.evidence)}") for one in verdict.plugins]
    pairs += [("Note", note) for note in verdict.notes]
    return Padding(_pairs(pairs), (0, 0, 0, 2))


def _baseline(found: Standing) -> str:
    if not found.known:
        return f"{found.baseline}, which is not configured"
    if found.label is not None:
        return found.label
    if found.excluded:
        return f"none: {found.excluded}"
    return f"none; it would get {found.baseline}"


def _rules(found: Standing) -> Iterator[RenderableType]:
    table = grid(3)
    for rule in found.rules:
        state = _state(found, rule)
        style = _STYLES[rule.state] if found.label is not None or rule.state != "missing" else ""
        for place, why in enumerate(rule.why):
            first = place == 0
            table.add_row(
                Text(rule.name if first else "", style="bold"),
                Text(state if first else "", style=style),
                _plain(why),
            )
    yield table


def _state(found: Standing, rule: Rule) -> str:
    if found.label is not None:
        return rule.state
    return {"missing": "would be added", "as wanted": "there already"}.get(rule.state, rule.state)


def _preview(seen: Preview, *, complete: bool) -> Iterator[RenderableType]:
    if seen.looked is None:
        text = "not known: what tells it could not be read"
        yield from _section("What would be cut off", [_plain(text)])
        return
    what = "What would be cut off" + ("" if complete else ", as far as could be read")
    title = f"{what}: {len(seen.severed)} of {plural(seen.looked, 'connection')}"
    yield from _section(title, (row for one in seen.severed for row in _severed(one)))
    if seen.unused:
        text = (
            f"Nobody was found that uses {', '.join(seen.unused)}: clients in other namespaces "
            "would be cut off."
        )
        yield from _section("Clients not known", [_plain(text)])
    yield ""
    yield _plain(HEURISTIC)


def _removal(found: Removal, nothing: str) -> Iterator[RenderableType]:
    going = [f"NetworkPolicy {one.name}" for one in found.policies]
    if found.label is not None:
        going.insert(0, f"the label {BASELINE}={found.label} of the namespace")
    yield from _section("Would be removed", map(_plain, going or [nothing]))
    if found.opened:
        pairs = ((one.workload, "open " + " and ".join(one.directions)) for one in found.opened)
        yield from _section("What would be open", [_pairs(pairs)])
    if found.severed:
        rows = (row for one in found.severed for row in _severed(one))
        yield from _section("What would be cut off", rows)


def _severed(one: Severed) -> Iterator[RenderableType]:
    text = f"{one.source} -> {one.target}, {one.protocol} {one.port}"
    yield Text(printable(text), style="yellow")
    pairs = [("known by", evidence) for evidence in one.evidence]
    yield Padding(_pairs([*pairs, ("keep it by", one.remedy.text)]), (0, 0, 0, 2))
