"""What is due, case by case: the order of a rotation and what stands in its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certs.issue import Pair, authority, leaf
from certs.plan import (
    MOST_AUTHORITIES,
    Authority,
    Lives,
    State,
    Step,
    bundle,
    carry,
    due,
    fingerprints,
    is_issued,
    renewal,
    take,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = ("netreeve-serve.netreeve.svc", "netreeve-serve.netreeve.svc.cluster.local")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LIVES = Lives()


def settled(now: datetime = NOW) -> State:
    """One CA, its certificate, and everybody knows."""
    state = State()
    for _ in range(2):
        step = due(state, NAMES, now)
        assert step is not None
        state = take(step, state, NAMES, now)
    assert state.leaf is not None
    return replace(
        state, served=frozenset({state.leaf.certificate}), carried=known(state), live=state.bundle
    )


def known(state: State) -> frozenset[str]:
    return frozenset(fingerprints(bundle(state.authorities)))


def steps(state: State, now: datetime) -> tuple[list[Step], State]:
    """All that is due now, one after the other, while the world stays as it is."""
    done: list[Step] = []
    while step := due(state, NAMES, now):
        assert len(done) < 10, done
        done.append(step)
        state = take(step, state, NAMES, now)
    return done, state


def test_from_nothing_to_a_certificate() -> None:
    done, state = steps(State(), NOW)
    assert done == [Step.ADD, Step.ISSUE]
    assert state.leaf
    assert is_issued(state.leaf.certificate, state.authorities[0].certificate)
    assert state.bundle == state.authorities[0].certificate


def test_in_a_steady_state_nothing_is_due() -> None:
    assert steps(settled(), NOW + 30 * DAY)[0] == []


def test_a_certificate_is_renewed_after_two_thirds_of_its_life() -> None:
    state = settled()
    assert state.leaf
    when = renewal(state.leaf.certificate)
    assert NOW + 59 * DAY < when < NOW + 61 * DAY
    assert due(state, NAMES, when - HOUR) is None
    done, after = steps(state, when)
    assert done == [Step.ISSUE]
    assert after.leaf != state.leaf
    assert after.authorities == state.authorities


def test_a_new_authority_is_published_before_it_signs() -> None:
    before = replace(settled(), rotate=True)
    done, state = steps(before, NOW)
    assert done == [Step.ADD, Step.PUBLISH]
    assert state.leaf == before.leaf
    assert set(known(before)) < set(known(state))
    done, state = steps(replace(state, carried=known(state)), NOW + HOUR)
    assert done == [Step.RETIRE, Step.ISSUE]
    assert state.leaf
    assert is_issued(state.leaf.certificate, state.authorities[0].certificate)
    assert [bool(one.pair.key) for one in state.authorities] == [True, False]


def rotated() -> State:
    """A new CA has signed; the old one is still trusted, and servers serve both certificates."""
    before = replace(settled(NOW), rotate=True)
    state = steps(before, NOW)[1]
    state = steps(replace(state, carried=known(state)), NOW)[1]
    assert state.leaf
    assert before.leaf
    both = frozenset({state.leaf.certificate, before.leaf.certificate})
    return replace(state, served=both)


def test_an_old_authority_stays_until_its_last_certificate_cannot_be_valid() -> None:
    state = replace(rotated(), served=frozenset())
    until = state.authorities[1].until
    assert until == NOW + LIVES.leaf + LIVES.slack
    assert Step.DROP not in steps(state, until - HOUR)[0]
    done, after = steps(state, until)
    assert Step.DROP in done
    assert len(after.authorities) == 1


def test_an_old_authority_stays_while_a_server_serves_its_certificate() -> None:
    state = rotated()
    done, after = steps(state, NOW + 92 * DAY)
    assert Step.DROP not in done
    assert len(after.authorities) == 2


def test_while_a_rotation_is_under_way_another_one_waits() -> None:
    state = steps(replace(settled(), rotate=True), NOW)[1]
    assert steps(replace(state, rotate=True), NOW)[0] == []


def test_who_asks_again_and_again_does_not_fill_the_bundle() -> None:
    state = settled()
    for _ in range(2 * MOST_AUTHORITIES):
        state = replace(state, rotate=True, carried=known(state))
        state = steps(state, NOW)[1]
    assert len(state.authorities) == MOST_AUTHORITIES


def test_an_authority_is_replaced_long_before_it_cuts_certificates_short() -> None:
    state = settled()
    when = renewal(state.authorities[0].certificate)
    assert when + LIVES.leaf < NOW + LIVES.authority
    assert Step.ADD in steps(replace(state, carried=known(state)), when)[0]


def test_asking_for_a_certificate_gives_one_of_the_same_authority() -> None:
    state = replace(settled(), renew=True)
    done, after = steps(state, NOW)
    assert done == [Step.ISSUE]
    assert after.leaf != state.leaf


@pytest.mark.parametrize("names", [("other.netreeve.svc",), (*NAMES, "localhost")])
def test_a_certificate_for_other_names_is_replaced(names: tuple[str, ...]) -> None:
    assert due(settled(), names, NOW) is Step.ISSUE


def test_a_certificate_without_its_key_is_replaced() -> None:
    state = settled()
    assert state.leaf
    assert due(replace(state, leaf=Pair(state.leaf.certificate, b"garbage")), NAMES, NOW)


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
def test_a_clock_that_is_off_by_an_hour_sees_nothing_to_do(offset: timedelta) -> None:
    assert steps(settled(NOW + offset), NOW)[0] == []
    assert steps(settled(NOW), NOW + offset)[0] == []


def test_a_lost_authority_stays_trusted_while_its_certificate_is_served() -> None:
    before = settled()
    lost = replace(before, authorities=())
    done, state = steps(lost, NOW)
    assert done == [Step.ADD, Step.PUBLISH]  # and no certificate that nobody would trust
    assert set(known(before)) < set(known(state))
    assert steps(replace(state, carried=known(state)), NOW)[0] == [Step.ISSUE]


def test_when_everything_is_lost_what_configurations_carry_stays_trusted() -> None:
    before = settled()
    done, state = steps(replace(before, authorities=(), leaf=None, bundle=b""), NOW)
    assert done == [Step.ADD]
    assert set(known(before)) < set(known(state))


def test_where_nothing_works_anyway_nobody_waits() -> None:
    """After months of a controller that was away, everything has expired."""
    done, state = steps(settled(), NOW + 400 * DAY)
    assert done == [Step.ADD, Step.ISSUE]
    assert len(state.authorities) == 1


def test_an_authority_that_lost_its_key_is_replaced_with_overlap() -> None:
    before = settled()
    keyless = (Authority(Pair(before.authorities[0].certificate, b"")),)
    done, state = steps(replace(before, authorities=keyless), NOW)
    assert done == [Step.ADD, Step.PUBLISH]
    assert state.authorities[1].until


def test_foreign_authorities_in_a_bundle_are_not_taken_over() -> None:
    foreign = authority("foreign", now=NOW, life=DAY).certificate
    state = replace(settled(), authorities=(), live=foreign)
    assert foreign not in bundle(steps(state, NOW)[1].authorities)


def test_lives_that_would_cut_certificates_short_are_refused() -> None:
    with pytest.raises(ValueError, match="no longer than a third"):
        Lives(authority=90 * DAY, leaf=90 * DAY)


def test_what_all_bundles_carry_is_remembered_since_when() -> None:
    one, other = (authority(name, now=NOW, life=DAY).certificate for name in "ab")
    (first,), (second,) = fingerprints(one), fingerprints(other)
    seen = carry({}, [one, one], 1.0)
    assert seen == {first: 1.0}
    seen = carry(seen, [one + other, one], 2.0)
    assert seen == {first: 1.0}
    seen = carry(seen, [one + other, one + other], 3.0)
    assert seen == {first: 1.0, second: 3.0}
    assert carry(seen, [other, one + other], 4.0) == {second: 3.0}
    assert carry(seen, [], 5.0) == {}


def test_a_leaf_of_an_intermediate_is_not_taken_for_ours() -> None:
    ca, other = (authority(name, now=NOW, life=DAY) for name in "ab")
    assert is_issued(leaf(ca, NAMES, now=NOW, life=HOUR).certificate, ca.certificate)
    assert not is_issued(leaf(ca, NAMES, now=NOW, life=HOUR).certificate, other.certificate)
    assert not is_issued(b"", ca.certificate)
