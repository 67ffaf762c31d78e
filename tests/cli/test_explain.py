"""``netreeve explain``: every word of every policy can be read, here and in docs/policies.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policies import catalogue
from policies.model import Policy
from webhook.cli import main
from webhook.config.parameters import parameters

DOCUMENT = Path(__file__).parents[2] / "docs" / "policies.md"


def words(text: str) -> str:
    """Without line breaks, indentation and quotes of code."""
    return " ".join(text.replace("`", "").split())


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("policy", catalogue(), ids=lambda policy: policy.id)
def test_a_policy_is_explained_in_its_own_words(
    policy: Policy[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    text = explain(capsys, policy.id)
    assert words(text).startswith(f"{policy.id}: {words(policy.title)} Action ")
    assert words(policy.why) in words(text)
    assert words(policy.fix) in words(text)
    for one in parameters(policy.params):
        assert f"\n  {one.name} (" in text
        assert words(one.text) in words(text)
    assert max(map(len, text.splitlines())) <= 80


def test_the_list_has_every_policy_and_its_actions(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line.split(maxsplit=4) for line in explain(capsys).splitlines()]
    assert rows[0] == ["POLICY", "AUDIT", "STANDARD", "STRICT", "WHAT MUST HOLD"]
    listed = {row[0]: row[1:4] for row in rows[1:] if len(row) == 5}
    assert {policy.id for policy in catalogue()} <= set(listed)
    assert listed["host-network"] == ["Audit", "Deny", "Deny"]
    assert listed["mesh-injection"] == ["Off", "Off", "Off"]


def test_a_parameter_shows_type_default_and_what_strict_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = words(explain(capsys, "node-port"))
    assert "Asked at /mutate and /validate: what was chosen shows only before" in text
    assert 'allocatedNodePorts (Deny, Warn, Audit or Off; default "Warn" (strict:' in text
    assert "allowedPorts (list of: whole number or text; default [])" in text
    assert "in the configuration below policies.node-port.params" in text


def test_the_mesh_is_configured_in_a_section_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = words(explain(capsys, "mesh-injection"))
    assert "Mutate (once a mesh is configured) in standard" in text
    assert "Parameters, in the configuration below mesh" in text


def test_malformed_is_explained_although_it_is_no_policy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain(capsys, "malformed").startswith("malformed: The object could be read\n")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("nodeport", "node-port"), ("host-netwrk", "host-network"), ("NODE-PORT", "node-port")],
)
def test_a_misspelt_id_gets_a_suggestion(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", typed]) == 2
    expected = f"netreeve: no policy {typed!r}; did you mean {meant}?\n"
    assert capsys.readouterr().err == expected


def test_something_else_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "xyzzy"]) == 2
    assert "; known are baseline-cancelled, " in capsys.readouterr().err


def test_the_document_is_what_the_command_writes(capsys: pytest.CaptureFixture[str]) -> None:
    written = explain(capsys, "-o", "markdown")
    assert DOCUMENT.read_text() == written, "netreeve explain -o markdown > docs/policies.md"


def test_one_policy_as_markdown_is_a_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(capsys, "host-network", "-o", "markdown").startswith("## host-network\n")


def test_parameters_that_policies_share_are_listed_once() -> None:
    text = DOCUMENT.read_text()
    assert text.count("- `dns.whenNotFound` (") == 1
    assert text.count("Parameters: the section [`baseline`](#section-baseline), which") > 1
    section = text.partition("\n## Section baseline\n")[2]
    assert "[baseline-guard](#baseline-guard)" in section
    assert "- `dns.whenNotFound` (" in section


def test_one_policy_alone_lists_the_parameters_that_others_share(
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = explain(capsys, "baseline-gate", "-o", "markdown")
    assert "Parameters, below `baseline`:\n\n- `enabled`" in written
    assert "## Section" not in written
