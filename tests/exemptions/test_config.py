"""The section exemptions: what it accepts, what it refuses and how, and what a grant covers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.given import HEAD
from webhook.config import ConfigError, load, ruleset

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"
STAR = "['*']"
GRANT = "policies: [node-port], users: [carl], reason: He knows why., until: never"


def problems(section: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(f"{HEAD}exemptions: {{{section}}}\n")
    return str(caught.value)


def granting(grant: str) -> str:
    return problems(f"granted: [{{{grant}}}]")


@pytest.mark.parametrize(
    "section",
    [
        "",
        "allowStar: true, openEnded: true",
        "maxDays: 90, ticketRequired: true, ticketPattern: '(OPS|NET)-[0-9]+'",
        f"granted: [{{{GRANT}}}]",
        "granted: [{policies: [node-port], serviceAccounts: [ci/deployer.v1], groups: [x], "
        "namespaces: [a], reason: A long story., until: 2027-03-31}]",
        f"allowStar: true, granted: [{{{GRANT.replace('[node-port]', STAR)}}}]",
        "controllers: [{user: 'system:serviceaccount:a:b'}]",
    ],
)  # fmt: skip
def test_what_is_accepted(section: str) -> None:
    ruleset(load(f"{HEAD}exemptions: {{{section}}}\n"))


def test_the_examples_are() -> None:
    assert len(load((EXAMPLES / "exemptions.yaml").read_bytes()).exemptions.granted) == 4


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("maxDays: 0", "exemptions.maxDays"),
        ("maxDays: 90, openEnded: true", "exemptions: must not have both openEnded and maxDays"),
        ("ticketPattern: '('", "ticketPattern must be a regular expression"),
        ("ticketPattern: '(a+)+'", "repeat no group"),
        ("ticketPattern: '(a|a)*b'", "repeat no group"),
        ("ticketPattern: '.*.*.*.*x'", "at most three unbounded repetitions"),
        ("star: true", "is no known field"),
        ("controllers: [{user: a, owners: [Rollout]}]", "exemptions.controllers[0].owners[0]"),
        ("controllers: [{user: a, owners: [Rollout.argoproj.io]}]", "must be in the section"),
        ("controllers: [{owners: []}]", "exemptions.controllers[0].user: is required"),
    ],
)  # fmt: skip
def test_what_is_refused(section: str, said: str) -> None:
    assert said in problems(section)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("[node-port]", "[nod-port]"), "policies[0]: is no policy; did you mean node-port?"),
        (("[node-port]", "[ndots]"), "policies[0]: is a policy from which nothing is exempt"),
        (("[node-port]", "[baseline-guard]"), "from which nothing is exempt"),
        (("[node-port]", "['*']"), "must not be * without allowStar"),
        (("[node-port]", "[]"), "exemptions.granted[0]: must name policies"),
        (("users: [carl], ", ""), "must name users, groups, serviceAccounts or namespaces"),
        (("users: [carl]", "users: []"), "must name users, groups, serviceAccounts or namespaces"),
        (("users: [carl]", "serviceAccounts: [deployer]"), "granted[0].serviceAccounts[0]"),
        (("He knows why.", "because"), "reason must be a sentence"),
        (("until: never", "until: soon"), "until must be a date, an RFC 3339 time or never"),
        ((", until: never", ""), "granted[0].until: is required"),
        ((", reason: He knows why.", ""), "granted[0].reason: is required"),
    ],
)  # fmt: skip
def test_what_is_refused_of_a_grant(changed: tuple[str, str], said: str) -> None:
    assert said in granting(GRANT.replace(*changed))
