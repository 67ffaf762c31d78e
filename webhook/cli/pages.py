"""One page for each policy: as data, as text for a terminal, as Markdown for docs/policies.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from policies import catalogue
from policies.model import Action, Policy
from webhook.admission.verdict import EXEMPTION, MALFORMED
from webhook.audit.reports.terminal import grid
from webhook.config.parameters import Parameter, parameters, written
from webhook.config.resolve import MESH_POLICY
from webhook.config.schema import PROFILES, SECTIONS


class Page(NamedTuple):
    """What there is to say about a policy.

    actions: by profile. judges: resources, operations. asked: the paths it is registered at.
    """

    id: str
    title: str
    actions: Mapping[str, str]
    judges: str
    asked: str
    why: str
    fix: str
    section: str
    parameters: tuple[Parameter, ...]


_MALFORMED = Page(
    id=MALFORMED,
    title="The object could be read",
    actions=dict.fromkeys(PROFILES, "the strongest action of the policies that would judge it"),
    judges="every resource that a policy judges",
    asked="/validate and /mutate",
    why=(
        "An object whose fields have another shape than the API gives them, or that is nested "
        "without end, cannot be judged, and what cannot be judged is not admitted. In manifests "
        "a field that is set twice is warned of: kubectl and Helm take the last one without a "
        "word, while who reads the manifest may see the first."
    ),
    fix=(
        "Correct the field that the message names; the API server would refuse it too. Where a "
        "manifest sets apiVersion and kind twice, write a line `---` between the two objects."
    ),
    section="",
    parameters=(),
)


_EXEMPTION = Page(
    id=EXEMPTION,
    title="Exemptions are granted by those who may",
    actions=dict.fromkeys(PROFILES, "the strongest action of the policies that judge the object"),
    judges="every resource that a policy judges",
    asked="/validate and /mutate",
    why=(
        "An annotation netreeve.io/exempt lifts policies from an object, so it counts only when "
        "it is written by somebody who may exempt from each of them, with a reason and an end. "
        "What stands in the way is denied where it is written, and not when it is missed."
    ),
    fix=(
        "Write netreeve.io/exempt with the ids of the policies, netreeve.io/exempt-reason with a "
        "sentence and netreeve.io/exempt-until with a date, on the pod template where the kind "
        "has one; then let somebody apply it who has the verb `exempt` on the resource "
        "`policies.netreeve.io`. A right that was given just now counts within ten seconds. "
        "Else remove the annotations. docs/exemptions.md has the rest."
    ),
    section="",
    parameters=(),
)


def pages() -> dict[str, Page]:
    """Every policy by id, and the two things else that stand in a denial."""
    found = {policy.id: _page(policy) for policy in catalogue()}
    return {**found, MALFORMED: _MALFORMED, EXEMPTION: _EXEMPTION}


def _page(policy: Policy[Any, Any]) -> Page:
    strict = policy.strict_params
    return Page(
        id=policy.id,
        title=policy.title,
        actions={profile: _action(policy, profile) for profile in PROFILES},
        judges=_judges(policy),
        asked=_asked(policy),
        why=policy.why,
        fix=policy.fix,
        section=SECTIONS.get(policy.params, f"policies.{policy.id}.params"),
        parameters=tuple(
            one._replace(default=f"{one.default} (strict: {written(strict[one.name])})")
            if one.name in strict
            else one
            for one in parameters(policy.params)
        ),
    )


def _action(policy: Policy[Any, Any], profile: str) -> str:
    action = policy.action(profile)
    if policy.id == MESH_POLICY and action is Action.MUTATE:
        return "Mutate (once a mesh is configured)"
    return action.value


def _judges(policy: Policy[Any, Any]) -> str:
    """``services on CREATE and UPDATE; pods on CREATE``"""
    by_operations: dict[str, list[str]] = {}
    for rule in policy.rules:
        by_operations.setdefault(" and ".join(sorted(rule.operations)), []).append(rule.resource)
    return "; ".join(
        f"{', '.join(dict.fromkeys(resources))} on {operations}"
        for operations, resources in by_operations.items()
    )


def _asked(policy: Policy[Any, Any]) -> str:
    if policy.early:
        return "/mutate and /validate: what was chosen shows only before the API server fills in"
    return "/mutate" if policy.mutate else "/validate"


def text(page: Page) -> RenderableType:
    """The page for a terminal."""
    facts = grid(2)
    for name, value in _facts(page):
        facts.add_row(name, Text(value))
    parts: list[RenderableType] = [
        Text.assemble((page.id, "bold"), f": {page.title}"),
        "",
        facts,
        *_section("Why", [_plain(page.why)]),
        *_section("How to fix", [_plain(page.fix)]),
    ]
    if page.parameters:
        said: list[RenderableType] = []
        for one in page.parameters:
            said.append(Text.assemble((one.name, "bold"), f" ({_kind(one)})"))
            if one.text:
                said.append(Padding(_plain(one.text), (0, 0, 0, 4)))
        parts += _section(f"Parameters, in the configuration below {page.section}", said)
    return Group(*parts)


def _facts(page: Page) -> list[tuple[str, str]]:
    actions = dict.fromkeys(page.actions.values())
    by_profile = ", ".join(f"{value} in {profile}" for profile, value in page.actions.items())
    return [
        ("Action", by_profile if len(actions) > 1 else next(iter(actions))),
        ("Judges", page.judges),
        ("Asked at", page.asked),
    ]


def _section(title: str, content: list[RenderableType]) -> list[RenderableType]:
    return ["", Text(title, style="bold"), *(Padding(one, (0, 0, 0, 2)) for one in content)]


def _kind(parameter: Parameter, quote: str = "") -> str:
    if parameter.required:
        return f"{parameter.type}; required"
    default = f"{quote}{parameter.default}{quote}" if parameter.default else "not set"
    return f"{parameter.type}; default {default}"


def _plain(words: str) -> Text:
    return Text(words.replace("`", ""))


def markdown(chosen: Iterable[Page], *, title: bool = True) -> str:
    """The pages as Markdown; with ``title`` as a document of its own."""
    head = [
        "# Policies",
        "",
        "What each policy checks, why, how to fix what it denies, and its parameters. Written by",
        "`netreeve explain -o markdown` from the policies' own text.",
        "",
    ]
    users: dict[str, list[Page]] = {}
    for page in (pages := list(chosen)):
        users.setdefault(page.section, []).append(page)
    shared = [of for section, of in users.items() if section and len(of) > 1]
    texts = [_markdown(page, alone=users[page.section] == [page]) for page in pages]
    return "\n".join([*(head if title else []), *texts, *map(_shared, shared)])


def _markdown(page: Page, *, alone: bool) -> str:
    """alone: no other page has the same parameters."""
    lines = [f"## {page.id}", "", f"**{_escaped(page.title)}.**", ""]
    lines += [f"- {name}: {_escaped(value)}" for name, value in _facts(page)]
    lines += ["", f"Why: {_escaped(page.why)}", "", f"How to fix: {_escaped(page.fix)}", ""]
    if page.parameters and alone:
        lines += [f"Parameters, below `{page.section}`:", "", *_parameters(page), ""]
    elif page.parameters:
        link = f"[`{page.section}`](#section-{page.section})"
        lines += [f"Parameters: the section {link}, which other policies share.", ""]
    return "\n".join(lines)


def _shared(pages: list[Page]) -> str:
    """The parameters that all of these policies have, once."""
    first, *_ = pages
    links = ", ".join(f"[{page.id}](#{page.id})" for page in pages)
    lines = [f"## Section {first.section}", "", f"Parameters that {links} share:", ""]
    return "\n".join([*lines, *_parameters(first), ""])


def _parameters(page: Page) -> list[str]:
    return [
        f"- `{one.name}` ({_escaped(_kind(one, '`'))}): {_escaped(one.text or 'see above')}"
        for one in page.parameters
    ]


def _escaped(words: str) -> str:
    """Text in which only `code` means anything to Markdown."""
    parts = re.split(r"(`[^`]+`)", words)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*_<\[])", r"\\\1", part) for part in parts
    )
