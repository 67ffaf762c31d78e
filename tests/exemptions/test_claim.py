"""What annotations claim, what is wrong with that, and when one claim is within another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.exemptions.claim import (
    DAY,
    EXEMPT,
    LONGEST,
    REASON,
    STAMP,
    TICKET,
    UNTIL,
    Claim,
    Conditions,
    ending,
    moment,
    only,
    read,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
GOOD = {EXEMPT: "node-port", REASON: "The old client needs it.", UNTIL: "2027-03-31"}
KNOWN = Conditions(known=frozenset({"node-port", "host-port"}), others=frozenset({"ndots"}))


def conditions(**changed: Any) -> Conditions:
    fields = {"known": KNOWN.known, "others": KNOWN.others, **changed}
    return Conditions(**fields)


def claim(**changed: str | None) -> Claim:
    names = {"exempt": EXEMPT, "reason": REASON, "until": UNTIL, "ticket": TICKET}
    given = {**GOOD, **{names[name]: text for name, text in changed.items()}}
    found = read({name: text for name, text in given.items() if text is not None})
    assert found is not None
    return found


def unmet(claimed: Claim, under: Conditions = KNOWN) -> list[str]:
    return [
        f"{problem.annotation} {problem.message}; {problem.fix}"
        for problem in under.unmet(claimed, NOW)
    ]


def test_nothing_is_claimed_without_the_first_annotation() -> None:
    assert read({REASON: "Because it is so.", STAMP: "{}"}) is None


def test_a_claim() -> None:
    found = claim(exempt=" node-port,host-port , node-port", ticket=" OPS-1 ")
    assert found.policies == ("host-port", "node-port")
    assert (found.reason, found.ticket, found.problems) == (GOOD[REASON], "OPS-1", ())
    assert found.names("node-port")
    assert not found.names("node-por")
    assert not unmet(found)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2027-03-31", "2027-04-01T00:00:00+00:00"),
        ("2028-02-29", "2028-03-01T00:00:00+00:00"),
        ("9999-12-30", "9999-12-31T00:00:00+00:00"),
        ("2027-03-31T18:00:00Z", "2027-03-31T18:00:00+00:00"),
        ("2027-03-31T18:00:00.5+02:00", "2027-03-31T16:00:00+00:00"),
    ],
)
def test_an_end(text: str, until: str) -> None:
    assert ending(text) == int(datetime.fromisoformat(until).timestamp())


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2027-02-29", "20270331", "2027-W13-3", "31.03.2027", "2027-03-31T18:00:00",
     "2027-03-31 18:00:00Z", "2027-03-31T18:00Z", "2027-03-31T24:30:00Z", "0001-01-01",
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2027-03-31T18:00:00+99:00",
     "\uff12\uff10\uff12\uff17-03-31"],
)  # fmt: skip
def test_no_end(text: str) -> None:
    assert ending(text) is None
    assert [one.annotation for one in claim(until=text).problems] == [UNTIL]


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 31)))
def test_an_end_is_said_as_it_is_read(naive: datetime) -> None:
    until = int(naive.replace(tzinfo=UTC).timestamp())
    assert ending(moment(until)) == until


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exempt": "nod-port"}, "must not name nod-port, which is no policy; did you mean node-"),
        ({"exempt": "zzzzzz"}, "known are host-port, node-port"),
        ({"exempt": "ndots"}, "must not name ndots, from which nothing is exempt; remove ndots"),
        ({"exempt": ""}, "must name policies"),
        ({"exempt": " , "}, "must name policies"),
        ({"exempt": "node port"}, "must not hold 'node port'"),
        ({"exempt": "Node-Port"}, "must not hold 'Node-Port'"),
        ({"exempt": "*"}, "must not be *; name the policies"),
        ({"exempt": "*,node-port"}, "must not be *"),
        ({"reason": None}, "netreeve.io/exempt-reason must be set; say in a sentence"),
        ({"reason": "  "}, "must be set"),
        ({"reason": "because"}, "must be a sentence of at least 10 characters"),
        ({"reason": "x" * 1025}, "must have at most 1024 characters"),
        ({"exempt": "a," * 2000}, "must have at most 2048 characters"),
        ({"until": None}, "exempt-until must be set: exemptions end; for example 2027-02-19"),
        ({"until": "2026-11-20"}, "must be in the future; 2026-11-20 has passed"),
        ({"until": "2026-11-21T12:00:00Z"}, "must be in the future; 2026-11-21T12:"),
        ({"until": "tomorrow"}, "must be a date or an RFC 3339 time; write 2027-03-31"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_claim(changed: dict[str, str | None], said: str) -> None:
    (problem,) = unmet(claim(**changed))
    assert said in problem


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = unmet(claim(exempt="nod-port,ndots", reason="no", until="2020-01-01"))
    assert [text.split()[0] for text in found] == [REASON, EXEMPT, EXEMPT, UNTIL]


def test_today_counts() -> None:
    assert not unmet(claim(until="2026-11-21"))


def test_star_open_end_and_days_by_configuration() -> None:
    assert not unmet(claim(exempt="*"), conditions(star=True))
    assert claim(exempt="*").names("anything")
    assert not unmet(claim(until=None), conditions(open_ended=True))
    limited = conditions(most_days=30)
    assert not unmet(claim(until="2026-12-21"), limited)
    assert not unmet(claim(until="2026-12-22T11:00:00Z"), limited)
    assert unmet(claim(until="2026-12-23"), limited) == [
        "netreeve.io/exempt-until must be within 30 days; for example 2026-12-21"
    ]


def test_tickets_by_configuration() -> None:
    wanted = conditions(ticket_required=True, ticket_pattern="(OPS|NET)-[0-9]+")
    assert not unmet(claim(ticket="NET-7"), wanted)
    assert "must be set, and match (OPS|NET)-[0-9]+" in unmet(claim(), wanted)[0]
    assert "must match" in unmet(claim(ticket="NET-7 or so"), wanted)[0]
    assert not unmet(claim(), conditions(ticket_pattern="OPS-[0-9]+"))


@pytest.mark.parametrize(
    ("new", "within"),
    [
        ({}, True),
        ({"exempt": "node-port"}, True),
        ({"exempt": "host-port"}, True),
        ({"until": "2027-03-30"}, True),
        ({"until": "2027-03-31T23:59:59Z"}, True),
        ({"exempt": "node-port,host-port,probe-host"}, False),
        ({"exempt": "*"}, False),
        ({"until": "2027-04-01"}, False),
        ({"until": None}, False),
        ({"reason": "Another reason than before."}, False),
        ({"ticket": "OPS-2"}, False),
        ({"ticket": None}, False),
    ],
)
def test_what_is_within_a_claim(new: dict[str, str | None], *, within: bool) -> None:
    both: dict[str, str | None] = {"exempt": "node-port,host-port", "ticket": "OPS-1"}
    assert claim(**{**both, **new}).within(claim(**both)) is within


def test_within_a_star_and_an_open_end() -> None:
    assert claim(until="2030-01-01").within(claim(exempt="*", until=None))
    assert claim(exempt="*").within(claim(exempt="*"))


TEXTS = st.one_of(
    st.none(), st.sampled_from(["node-port", "*", "a,b", "2027-01-01"]), st.text(max_size=20)
)
ANNOTATIONS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((EXEMPT, REASON, UNTIL, TICKET, STAMP), TEXTS)
)


@given(ANNOTATIONS)
def test_any_text_can_be_read(annotations: dict[str, str | None]) -> None:
    found = read({name: text for name, text in annotations.items() if text is not None})
    if found is not None:
        assert found.within(found)
        list(KNOWN.unmet(found, NOW))


def test_an_end_that_has_come() -> None:
    one = claim(until="2027-03-31")
    assert one.until is not None
    assert not one.ended(one.until - 1)
    assert one.ended(one.until)
    assert not claim(until=None).ended(NOW + 1000 * DAY)
    latest = datetime.fromtimestamp(NOW, UTC) + timedelta(days=1)
    assert moment(int(latest.timestamp())) == "2026-11-22T12:00:00Z"


def test_what_is_kept_of_a_namespace() -> None:
    assert only(None) == only({"a": "b"}) == only({REASON: "x"}) == {}
    assert only({**GOOD, "a": "b"}) == GOOD
    assert only({**GOOD, STAMP: "x" * (LONGEST[STAMP] + 1)}) == {}
