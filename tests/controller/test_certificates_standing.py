"""What is told of certificates, and how Secrets and configurations are read and compared."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certs.issue import Pair, authority, leaf
from certs.plan import Authority, State, bundle, due, take
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.events import Events
from webhook.controller.certificates.configurations import Configurations
from webhook.controller.certificates.secrets import (
    CA,
    STAMP,
    TLS,
    Held,
    next_stamp,
    read_authorities,
    read_pair,
    write_authorities,
    write_pair,
)
from webhook.controller.certificates.sources import published
from webhook.controller.certificates.standing import standing
from webhook.controller.certificates.wanted import (
    MUTATING,
    RESOURCES,
    VALIDATING,
    Wanted,
    WantedError,
    filled,
    is_filled,
    loosens,
    read,
    tightens,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("netreeve-serve.netreeve.svc",)
WEBHOOK: dict[str, Any] = {
    "name": "gate.netreeve.io",
    "clientConfig": {"service": {"name": "netreeve-serve", "namespace": "netreeve"}},
    "rules": [{"apiGroups": [""], "resources": ["pods"]}],
}
WANTED = Wanted(VALIDATING, "00-netreeve", (WEBHOOK,))


def issued() -> State:
    state = State()
    while step := due(state, NAMES, NOW):
        state = take(step, state, NAMES, NOW)
    return state


def secrets(state: State) -> dict[str, Held]:
    assert state.leaf
    return {
        CA: Held("1", write_authorities(state.authorities), False),
        TLS: Held("1", write_pair(state.leaf, state.bundle), False),
        STAMP: Held("1", next_stamp(None) or {}, False),
    }


def live(state: State) -> dict[str, list[dict[str, Any]]]:
    return {one: filled(WANTED, state.bundle) for one in RESOURCES.values()}


def test_a_good_installation_has_no_problems() -> None:
    state = issued()
    found = standing(secrets(state), live(state), NOW)
    assert found.problems == found.rotating == []
    assert [(one.what, one.state) for one in found.certificates] == [
        ("authority", "signs"),
        ("server", "given to the servers"),
    ]
    assert [one.state for one in found.configurations] == ["active", "active"]
    assert found.stampKeys == 1


def test_certificates_of_somebody_else_are_told_as_such() -> None:
    """cert-manager has a Secret of the same name for its CA."""
    state = issued()
    theirs = {"ca.crt": b"", "tls.crt": state.bundle, "tls.key": b"theirs"}
    given = {**secrets(state), CA: Held("1", theirs, False)}
    found = standing(given, live(state), NOW + 62 * DAY)
    assert [one.state for one in found.certificates] == ["not ours", "not ours"]
    assert found.problems == [], "whoever renews them knows when"


def test_a_rotation_is_told() -> None:
    state = issued()
    asked = {**secrets(state), TLS: secrets(state)[TLS]._replace(asked=True)}
    assert standing(asked, live(state), NOW).rotating == ["a new certificate is asked for"]
    known = frozenset[str]()
    while step := due(replace(state, rotate=True, carried=known), NAMES, NOW):
        state = take(step, replace(state, rotate=True, carried=known), NAMES, NOW)
        break
    found = standing(secrets(state), live(state), NOW)
    assert [one.state for one in found.certificates[:2]] == ["will sign", "signs"]
    assert "signs once the configurations have carried it" in found.rotating[0]


@pytest.mark.parametrize(
    ("days", "problem"),
    [(59, None), (62, "should have been renewed"), (91, "has expired: is a controller running?")],
)
def test_what_nobody_renews_is_a_problem(days: int, problem: str | None) -> None:
    """What is told when the controller was down."""
    state = issued()
    found = standing(secrets(state), live(state), NOW + days * DAY).problems
    assert found == [] if problem is None else problem in found[0]


def test_configurations_that_do_not_carry_the_authority_are_a_problem() -> None:
    state = issued()
    foreign = authority("foreign", now=NOW, life=DAY).certificate
    first, second = RESOURCES.values()
    found = standing(
        secrets(state), {first: filled(WANTED, foreign), second: filled(WANTED, b"")}, NOW
    )
    assert len(found.problems) == 2
    assert all("does not carry the CA" in one for one in found.problems)
    found = standing(secrets(state), {first: [], second: None}, NOW)
    assert ["empty" in found.problems[0], "does not exist" in found.problems[1]] == [True, True]


def test_without_anything_it_says_what_is_missing() -> None:
    found = standing({}, dict.fromkeys(RESOURCES.values()), NOW)
    assert "no certificate for the servers" in found.problems[0]


def test_authorities_are_read_as_they_were_written() -> None:
    state = take_until_retired()
    assert read_authorities(write_authorities(state.authorities)) == state.authorities


def take_until_retired() -> State:
    state = replace(issued(), rotate=True)
    for _ in range(9):
        carried = frozenset(fp for one in state.authorities for fp in _fingerprints(one))
        step = due(replace(state, carried=carried), NAMES, NOW)
        if step is None:
            break
        state = take(step, replace(state, carried=carried), NAMES, NOW)
    assert len(state.authorities) == 2
    assert state.authorities[1].until
    return state


def _fingerprints(one: Authority) -> list[str]:
    from certs.plan import fingerprints

    return fingerprints(one.certificate)


@pytest.mark.parametrize("garbage", [b"", b"no PEM", b"\xff\xfe"])
def test_a_secret_that_somebody_has_broken_is_read_as_what_is_left(garbage: bytes) -> None:
    data = write_authorities(take_until_retired().authorities)
    assert len(read_authorities({**data, "ca.crt": garbage})) == 1
    (newest, _) = read_authorities({**data, "ca.key": garbage})
    assert not newest.signs
    (_, old) = read_authorities({**data, "old-1.until": garbage})
    assert old.until is None
    assert read_pair({"tls.crt": garbage}) is None


def test_a_key_of_another_authority_signs_nothing() -> None:
    one, other = (authority(name, now=NOW, life=DAY) for name in "ab")
    (found,) = read_authorities({"ca.crt": one.certificate, "ca.key": other.key})
    assert not found.signs


def test_a_stamp_key_is_made_once_and_replaced_when_asked() -> None:
    first = next_stamp(None)
    assert first
    assert set(first) == {"current"}
    assert len(first["current"]) >= 32
    assert next_stamp(Held("1", first, False)) is None
    second = next_stamp(Held("1", first, True))
    assert second
    assert second["previous"] == first["current"] != second["current"]
    short = next_stamp(Held("1", {"current": b"short", "previous": b"kept"}, False))
    assert short
    assert (len(short["current"]), short["previous"]) == (32, b"kept")


def test_what_is_still_served_stays_published() -> None:
    """As cert-manager replaces a self-signed certificate: everything at once."""
    old, new = (authority(name, now=NOW, life=DAY) for name in "ab")
    before, after = (leaf(ca, NAMES, now=NOW, life=DAY).certificate for ca in (old, new))
    both = new.certificate + old.certificate
    assert published(new.certificate, [old.certificate], [before]) == both
    assert published(new.certificate, [both], [before, after]) == both
    assert published(new.certificate, [both], [after]) == new.certificate
    assert published(new.certificate, [b"", b"garbage"], []) == new.certificate


def as_served(webhooks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the API server answers: defaults written out, empty lists left out."""
    return [{k: v for k, v in one.items() if v != []} for one in webhooks]


def test_what_is_live_as_it_should_be_is_left_alone() -> None:
    for kind in (VALIDATING, MUTATING):
        wanted = WANTED._replace(kind=kind)
        assert is_filled(wanted, b"CA", as_served(filled(wanted, b"CA")))


@pytest.mark.parametrize(
    "change",
    [
        {"objectSelector": {"matchLabels": {"a": "b"}}},
        {"matchConditions": [{"name": "never", "expression": "false"}]},
        {"failurePolicy": "Ignore"},
        {"timeoutSeconds": 1},
        {"rules": []},
        {"clientConfig": {"url": "https://elsewhere.example"}},
        {"name": "other.netreeve.io"},
    ],
)
def test_any_other_field_is_a_difference(change: dict[str, Any]) -> None:
    (webhook,) = filled(WANTED, b"CA")
    assert not is_filled(WANTED, b"CA", [{**webhook, **change}])
    assert not is_filled(WANTED, b"CA", [webhook, {**webhook, **change}])
    assert not is_filled(WANTED, b"CA", [])
    assert not is_filled(WANTED, b"another", [webhook])


def test_only_what_can_newly_fail_needs_a_proof() -> None:
    (webhook,) = filled(WANTED, b"CA")
    assert tightens(WANTED, [])
    assert tightens(WANTED, [{**webhook, "failurePolicy": "Ignore"}])
    assert tightens(WANTED, [{**webhook, "name": "another"}])
    assert not tightens(WANTED, [webhook])
    loose = Wanted(VALIDATING, "00-netreeve", ({**WEBHOOK, "failurePolicy": "Ignore"},))
    assert not tightens(loose, [webhook])


def test_what_fails_open_from_now_on_has_loosened() -> None:
    (webhook,) = WANTED.webhooks
    loose = Wanted(WANTED.kind, WANTED.name, ({**webhook, "failurePolicy": "Ignore"},))
    assert loosens(loose, [webhook])
    for live in ([], [dict(loose.webhooks[0])], [{**webhook, "name": "another"}]):
        assert not loosens(loose, live)
    assert not loosens(WANTED, [webhook])


GOOD = "kind: {kind}\nmetadata: {{name: 00-netreeve}}\nwebhooks: [{{name: gate.netreeve.io}}]\n"


def test_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "validating.yaml").write_text(GOOD.format(kind=VALIDATING))
    (tmp_path / "mutating.yaml").write_text(GOOD.format(kind=MUTATING))
    assert [(one.kind, one.name) for one in read(tmp_path)] == [
        (VALIDATING, "00-netreeve"),
        (MUTATING, "00-netreeve"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("[", "no YAML"),
        ("kind: ConfigMap", f"must be a {VALIDATING}"),
        (f"kind: {VALIDATING}\nmetadata: {{name: x}}\nwebhooks: []", "must have metadata.name and"),
        (f"kind: {VALIDATING}\nmetadata: {{name: x}}\nwebhooks: [{{}}]", "webhooks[0]: must have"),
    ],
)
def test_a_folder_that_cannot_be_used_names_the_place(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "validating.yaml").write_text(content)
    with pytest.raises(WantedError) as raised:
        read(tmp_path)
    assert said in str(raised.value)
    assert str(tmp_path / "validating.yaml") in str(raised.value)


def test_a_bundle_holds_certificates_and_no_keys() -> None:
    state = issued()
    assert b"PRIVATE" not in bundle(state.authorities)
    (webhook,) = filled(WANTED, state.bundle)
    assert b"PRIVATE" not in base64.b64decode(webhook["clientConfig"]["caBundle"])
    assert "PRIVATE" not in repr(state.authorities)
    assert "PRIVATE" not in repr(Pair(b"", b"PRIVATE"))


def test_while_the_folder_cannot_be_read_nothing_is_known(tmp_path: Path) -> None:
    """Else a CA would sign that the live configurations, which nobody looked at, do not carry."""
    connection = Connection(Kubeconfig(str(tmp_path / "none")))
    one = Configurations(connection, tmp_path, Events(connection, "test"), lambda: None)
    one.reload()
    assert "No such file" in one.complaint
    assert not one.synced
    assert one.bundles == []
