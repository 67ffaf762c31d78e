"""What is to be done about a namespace, for every way in which it can stand."""

from typing import Any

import msgspec
import pytest

from policies.baseline.config import BaselineConfig
from policies.baseline.facts import Facts
from policies.baseline.objects import (
    DENY_SPEC,
    Environment,
    Generated,
    Namespace,
    Observed,
    environment,
    is_as_wanted,
    plan,
)
from webhook.controller.decide import COVERED, PENDING, Decision, decide
from webhook.controller.views import (
    GATE,
    StoredNamespace,
    StoredPod,
    StoredPolicy,
    Waiting,
    keep_namespace,
    keep_pod,
    keep_policy,
)
from webhook.controller.written import (
    LONGEST_MESSAGE,
    NEVER,
    NOTHING,
    Covered,
    Status,
    Written,
    annotation,
    written,
)

LABEL = "netreeve.io/baseline"
UID = "netreeve.io/namespace-uid"
OURS = {"app.kubernetes.io/managed-by": "netreeve", LABEL: "default-deny"}
TEAM = Namespace("team", "1", {LABEL: "default-deny"})
HAD = Covered("1", "default-deny", ("allow-dns", "default-deny"))
BEFORE = Written("covered", "Covered", "", "2026-01-01T00:00:00Z", HAD)
NOW, THEN = "2026-02-02T00:00:00Z", "2026-01-01T00:00:00Z"


def configured(**section: Any) -> Environment:
    config = msgspec.convert({"dns": {"addresses": ["10.0.0.53"]}, **section}, BaselineConfig)
    return environment(config, Facts())


PLAIN = configured()


def complete(namespace: Namespace = TEAM, env: Environment = PLAIN) -> dict[str, Observed]:
    """The policies of a namespace as they are when all was written."""
    name = namespace.labels[LABEL]
    baseline = env.config.baseline(name)
    assert baseline
    return {
        one.name: Observed(one.name, {**OURS, LABEL: name}, {UID: namespace.uid}, one.spec)
        for one in plan(env, baseline, namespace).generated
    }


def names(decision: Decision) -> list[str]:
    return [one.name for one in decision.missing]


def test_a_new_namespace_gets_dns_first_and_the_deny_last() -> None:
    found = decide(PLAIN, TEAM, {})
    assert names(found) == ["allow-dns", "default-deny"]
    assert not found.release
    assert found.status == PENDING


def test_a_namespace_that_has_everything_is_left_alone() -> None:
    found = decide(PLAIN, TEAM, complete())
    assert names(found) == []
    assert found.release
    assert found.status == COVERED


def test_pods_wait_while_anything_is_missing() -> None:
    observed = complete()
    del observed["allow-dns"]
    found = decide(PLAIN, TEAM, observed)
    assert names(found) == ["allow-dns"]
    assert not found.release


def test_policies_of_a_namespace_that_is_gone_are_no_cover() -> None:
    found = decide(PLAIN, TEAM._replace(uid="2"), complete())
    assert names(found) == ["allow-dns", "default-deny"]
    assert found.ours == {"allow-dns", "default-deny"}
    assert not found.release


@pytest.mark.parametrize("labels", [{}, {LABEL: "default-deny"}, {**OURS, LABEL: "other"}])
def test_a_policy_whose_labels_were_changed_is_still_ours(labels: dict[str, str]) -> None:
    observed = complete()
    observed["default-deny"] = observed["default-deny"]._replace(labels=labels)
    found = decide(PLAIN, TEAM, observed)
    assert names(found) == ["default-deny"]
    assert "default-deny" in found.ours


def test_a_policy_of_the_users_own_is_never_written() -> None:
    observed = complete()
    observed["allow-dns"] = Observed("allow-dns", {}, {}, {})
    found = decide(PLAIN, TEAM, observed)
    assert names(found) == []
    assert found.release, "the default-deny is there"
    assert found.status
    assert (found.status.state, found.status.reason) == ("failing", "NameTaken")


@pytest.mark.parametrize(("spec", "goes"), [(DENY_SPEC, True), ({"podSelector": {}}, False)])
def test_pods_go_only_if_the_users_own_policy_denies_as_much(
    spec: dict[str, Any], goes: bool
) -> None:
    observed = {**complete(), "default-deny": Observed("default-deny", {}, {}, spec)}
    found = decide(PLAIN, TEAM, observed)
    assert found.release is goes
    assert found.status
    assert found.status.state == "failing"


def test_without_a_label_nothing_is_done_and_nobody_waits() -> None:
    assert decide(PLAIN, Namespace("team", "1"), {}) == Decision(release=True)


def test_switched_off_nothing_is_done_and_nobody_waits() -> None:
    found = decide(configured(enabled=False), TEAM, {})
    assert (names(found), found.release, found.status) == ([], True, None)


def test_pods_that_need_not_wait_go_at_once() -> None:
    found = decide(configured(pods="off"), TEAM, {})
    assert found.release
    assert names(found) == ["allow-dns", "default-deny"]


@pytest.mark.parametrize("covered", [True, False])
def test_a_retired_baseline_is_told_and_left(covered: bool) -> None:
    team = TEAM._replace(labels={LABEL: "old"})
    observed = complete(team, configured(baselines={"old": {}})) if covered else {}
    found = decide(PLAIN, team, observed)
    assert names(found) == []
    assert found.release is covered
    assert found.status
    assert (found.status.state, found.status.reason) == ("failing", "BaselineUnknown")


def test_what_a_baseline_has_no_more_is_told_and_left() -> None:
    before = complete(TEAM, configured(baselines={"default-deny": {"policies": {"web": {}}}}))
    found = decide(PLAIN, TEAM, before)
    assert names(found) == []
    assert found.release
    assert found.status
    assert (found.status.state, found.status.reason) == ("covered", "LeftInPlace")
    assert "web" in found.status.message


def test_without_dns_it_is_held_or_denied() -> None:
    found = decide(configured(dns={}), TEAM, {})
    assert (names(found), found.release) == ([], False)
    assert found.status
    assert (found.status.state, found.status.reason) == ("pending", "DnsNotFound")
    denied = decide(configured(dns={"whenNotFound": "deny-only"}), TEAM, {})
    assert names(denied) == ["default-deny"]
    kept = decide(configured(dns={}), TEAM, complete())
    assert kept.release
    assert kept.status
    assert kept.status.state == "covered"


def test_what_is_in_place_is_remembered() -> None:
    assert decide(PLAIN, TEAM, complete()).covered == HAD
    assert decide(PLAIN, TEAM, {}).covered == NEVER
    assert decide(PLAIN, TEAM, {}, BEFORE).covered == HAD
    assert decide(configured(dns={}), TEAM, complete(), BEFORE).covered == HAD


@pytest.mark.parametrize("spec", [DENY_SPEC, {"podSelector": {}, "egress": [{}]}])
def test_what_somebody_made_in_the_place_of_ours_is_taken_over(spec: dict[str, Any]) -> None:
    observed = {**complete(), "default-deny": Observed("default-deny", {}, {}, spec)}
    found = decide(PLAIN, TEAM, observed, BEFORE)
    assert names(found) == ["default-deny"]
    assert found.recreated == {"default-deny"}
    assert found.recreated < found.ours
    assert not found.release
    assert found.status == PENDING


@pytest.mark.parametrize(
    "before",
    [
        BEFORE,
        Written(covered=Covered("2", "default-deny", ("allow-monitoring",))),
        Written("covered", "Covered"),
    ],
)
def test_a_users_own_policy_that_was_never_ours_is_not(before: Written) -> None:
    """Here a preset is new whose name somebody has used; or the namespace is another one."""
    env = configured(
        baselines={"default-deny": {"allow": {"monitoring": {"namespaces": ["watch"]}}}}
    )
    observed = {**complete(TEAM, env), "allow-monitoring": Observed("allow-monitoring", {}, {}, {})}
    found = decide(env, TEAM, observed, before)
    assert "allow-monitoring" not in {*names(found), *found.recreated, *found.ours}
    assert found.status
    assert found.status.reason == "NameTaken"


def test_a_policy_that_the_baseline_dropped_belongs_to_whoever_makes_it_next() -> None:
    before = Written(covered=Covered("1", "default-deny", (*HAD.policies, "web")))
    found = decide(PLAIN, TEAM, {**complete(), "web": Observed("web", {}, {}, {})}, before)
    assert (names(found), found.left, found.covered) == ([], (), HAD)


@pytest.mark.parametrize("labels", [{}, {LABEL: "open"}, {LABEL: ""}])
def test_a_label_that_was_changed_past_the_gate_is_restored(labels: dict[str, str]) -> None:
    env = configured(baselines={"open": {"allow": {"anyEgress": True}}})
    found = decide(env, TEAM._replace(labels=labels), complete(), BEFORE)
    assert found == Decision(relabel="default-deny")


@pytest.mark.parametrize(
    "env", [configured(enabled=False), configured(name="new", baselines={"new": {}})]
)
def test_a_label_is_not_restored_to_what_is_not_in_force(env: Environment) -> None:
    had = Written("covered", "Covered", covered=Covered("1", "old", ("default-deny",)))
    assert not decide(env, TEAM._replace(labels={}), complete(), had).relabel


@pytest.mark.parametrize("before", [NOTHING, Written(covered=Covered("2", "default-deny"))])
def test_a_label_that_was_taken_off_properly_stays_off(before: Written) -> None:
    found = decide(PLAIN, TEAM._replace(labels={}), complete(), before)
    assert found == Decision(release=True, left=("allow-dns", "default-deny"))


def test_a_status_is_written_when_it_changes() -> None:
    text = annotation(COVERED, HAD, NOTHING, NOW)
    assert written(text) == Written(*COVERED, NOW, HAD)
    assert annotation(COVERED, HAD, written(text), "2026-03-03T00:00:00Z") is None


def test_since_stays_while_state_and_reason_do() -> None:
    before = Written("covered", "LeftInPlace", "one", THEN)
    text = annotation(Status("covered", "LeftInPlace", "two"), NEVER, before, NOW)
    assert written(text) == Written("covered", "LeftInPlace", "two", THEN)


def test_a_long_message_is_cut_and_not_written_again() -> None:
    status = Status("failing", "WriteRefused", "x" * 2 * LONGEST_MESSAGE)
    text = annotation(status, NEVER, NOTHING, NOW)
    assert len(written(text).message) == LONGEST_MESSAGE
    assert annotation(status, NEVER, written(text), NOW) is None


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"state":1}', "null", '{"since":null}'])
def test_an_annotation_that_is_none_is_overwritten(text: str | None) -> None:
    assert written(text) == NOTHING


def test_of_the_annotations_of_a_namespace_those_of_meshes_are_kept() -> None:
    """Each may be 256 KiB, of any number of namespaces."""
    said = {"linkerd.io/inject": "enabled" + "x" * 100_000, "note": "y" * 100_000}
    raw = msgspec.json.encode({"metadata": {"name": "shop", "annotations": said}})
    kept = keep_namespace(msgspec.json.decode(raw, type=StoredNamespace))
    assert kept.namespace.annotations.keys() == {"linkerd.io/inject"}
    assert len(kept.namespace.annotations["linkerd.io/inject"]) < 1000


def test_of_a_users_policy_little_is_kept() -> None:
    raw = b'{"metadata":{"name":"web","labels":{"a":"b"}},"spec":{"podSelector":{},"egress":[{}]}}'
    kept = keep_policy(msgspec.json.decode(raw, type=StoredPolicy))
    assert kept == Observed("web", {}, {}, {})


def test_equal_specs_are_kept_once() -> None:
    raw = b'{"metadata":{"name":"default-deny"},"spec":{"podSelector":{},"policyTypes":["Egress"]}}'
    one, other = (keep_policy(msgspec.json.decode(raw, type=StoredPolicy)) for _ in range(2))
    assert one.spec is other.spec


@pytest.mark.parametrize(
    ("gates", "kept"),
    [
        ([], None),
        (["example.com/other"], None),
        ([GATE], Waiting("web", "1", 0)),
        (["example.com/other", GATE], Waiting("web", "1", 1)),
    ],
)
def test_only_pods_behind_our_gate_are_kept(gates: list[str], kept: Waiting | None) -> None:
    spec = {"schedulingGates": [{"name": gate} for gate in gates]}
    pod = msgspec.convert({"metadata": {"name": "web", "uid": "1"}, "spec": spec}, StoredPod)
    assert keep_pod(pod) == kept


def test_of_a_long_spec_only_as_much_is_kept_as_tells_it_from_others() -> None:
    """Whoever may write NetworkPolicies could name a namespace in any number of them."""

    def spec(last: int) -> dict[str, object]:
        blocks = [{"ipBlock": {"cidr": f"10.0.{number}.0/24"}} for number in (*range(255), last)]
        return {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": blocks}]}

    def kept(last: int) -> Observed:
        metadata = {"name": "wide", "labels": {**OURS, LABEL: "team"}, "annotations": {UID: "u"}}
        raw = msgspec.json.encode({"metadata": metadata, "spec": spec(last)})
        return keep_policy(msgspec.json.decode(raw, type=StoredPolicy))

    namespace, wanted = Namespace("shop", "u"), Generated("wide", spec(7), ())
    assert len(msgspec.json.encode(kept(7).spec)) < 100
    assert is_as_wanted(kept(7), wanted, namespace, "team")
    assert not is_as_wanted(kept(8), wanted, namespace, "team")
