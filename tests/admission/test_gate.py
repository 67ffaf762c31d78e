"""The gate: actions, overrides, exclusions, the ratchet, and what happens to hostile objects."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from policies.model import Action, NoParams, Right
from tests.admission.given import CHANGES, LABEL, PortParams, gate, review, service, step
from webhook.admission.cluster import Offline
from webhook.admission.ruleset import Setting, Step
from webhook.admission.verdict import ALLOWED, MALFORMED, Verdict


class Labels(Offline):
    """A cluster that knows the labels of some namespaces."""

    def __init__(self, **env: str) -> None:
        self._env = env

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        return {"env": self._env[namespace]} if namespace in self._env else None


def found(verdict: Verdict) -> list[tuple[str, str, bool]]:
    return [(f.action.value, f.violation.field, f.preexisting) for f in verdict.findings]


@pytest.mark.parametrize("action", [Action.DENY, Action.WARN, Action.AUDIT])
def test_a_violation_has_the_action_of_its_policy(action: Action) -> None:
    verdict = gate(step(action)).validate(review(service(30080)))
    assert found(verdict) == [(action.value, "spec.ports[0].nodePort", False)]
    assert verdict.allowed == (action is not Action.DENY)


def test_a_policy_that_is_off_finds_nothing() -> None:
    assert gate(step(Action.OFF)).validate(review(service(30080))) is ALLOWED


def test_a_violation_can_be_softer_than_its_policy_but_not_harder() -> None:
    soft = PortParams(at_most=Action.WARN)
    assert found(gate(step(Action.DENY, soft)).validate(review(service(30080)))) == [
        ("Warn", "spec.ports[0].nodePort", False)
    ]
    assert found(gate(step(Action.AUDIT, soft)).validate(review(service(30080)))) == [
        ("Audit", "spec.ports[0].nodePort", False)
    ]


def test_findings_are_sorted_whatever_the_order_of_the_object() -> None:
    verdict = gate(step()).validate(review(service(30082, 30081)))
    assert [f.violation.field for f in verdict.findings] == [
        "spec.ports[0].nodePort",
        "spec.ports[1].nodePort",
    ]


def test_objects_of_excluded_namespaces_pass() -> None:
    excluding = gate(step(), excluded=frozenset({"kube-system"}))
    assert excluding.validate(review(service(30080), namespace="kube-system")).allowed
    assert not excluding.validate(review(service(30080), namespace="kube-system-2")).allowed


@pytest.mark.parametrize(
    "request_fields",
    [
        {"operation": "DELETE"},
        {"operation": "CONNECT"},
        {"resource": "configmaps"},
        {"group": "example.com"},
        {"subresource": "status"},
        {"subresource": "proxy"},
    ],
)
def test_requests_that_no_policy_names_pass(request_fields: dict[str, str]) -> None:
    assert gate(step()).validate(review(service(30080), **request_fields)) is ALLOWED


class TestOverrides:
    dev_warns = step(overrides={"dev": (Action.WARN, PortParams())})

    def test_the_override_of_a_matching_namespace_wins(self) -> None:
        judged = gate(self.dev_warns, cluster=Labels(dev="dev")).validate(review(service(30080)))
        assert found(judged) == [("Warn", "spec.ports[0].nodePort", False)]

    def test_other_namespaces_keep_the_setting_of_the_policy(self) -> None:
        judged = gate(self.dev_warns, cluster=Labels(dev="prod")).validate(review(service(30080)))
        assert not judged.allowed

    def test_unknown_labels_mean_the_strictest_of_all_settings(self) -> None:
        assert not gate(self.dev_warns).validate(review(service(30080))).allowed
        prod_denies = step(Action.AUDIT, overrides={"prod": (Action.DENY, PortParams())})
        judged = gate(prod_denies, cluster=Labels()).validate(review(service(30080)))
        assert found(judged) == [("Deny", "spec.ports[0].nodePort", False)]

    def test_the_first_matching_override_wins(self) -> None:
        allowing = PortParams(allowed=(30080,))
        twice = step(overrides={"dev": (Action.DENY, allowing), "prod": (Action.OFF, PortParams())})
        assert gate(twice, cluster=Labels(dev="dev")).validate(review(service(30080))) is ALLOWED

    def test_an_override_can_switch_on_what_is_off(self) -> None:
        off = step(Action.OFF, overrides={"prod": (Action.DENY, PortParams())})
        assert not gate(off, cluster=Labels(dev="prod")).validate(review(service(30080))).allowed
        assert gate(off, cluster=Labels(dev="dev")).validate(review(service(30080))) is ALLOWED


class TestRatchet:
    def test_an_old_violation_warns(self) -> None:
        changed = service(30080, labels={"team": "shop"})
        verdict = gate(step()).validate(review(changed, service(30080)))
        assert found(verdict) == [("Warn", "spec.ports[0].nodePort", True)]

    def test_a_new_violation_denies_and_the_old_one_beside_it_warns(self) -> None:
        verdict = gate(step()).validate(review(service(30080, 30081), service(30080)))
        assert found(verdict) == [
            ("Warn", "spec.ports[0].nodePort", True),
            ("Deny", "spec.ports[1].nodePort", False),
        ]

    def test_the_position_in_a_list_does_not_matter(self) -> None:
        verdict = gate(step()).validate(review(service(30081, 30080), service(30080, 30081)))
        assert verdict.allowed

    def test_a_value_that_the_old_object_had_not_denies(self) -> None:
        assert not gate(step()).validate(review(service(30081), service(30080))).allowed

    def test_creation_has_no_past(self) -> None:
        claimed = review(service(30080), service(30080), operation="CREATE")
        assert not gate(step()).validate(claimed).allowed

    def test_an_unreadable_old_object_forgives_nothing(self) -> None:
        assert not gate(step()).validate(review(service(30080), [])).allowed

    def test_one_malformation_does_not_excuse_another(self) -> None:
        old = {"spec": {"ports": "none"}, "metadata": {"name": "shop"}}
        labelled = {**old, "metadata": {"name": "shop", "labels": {"a": "b"}}}
        assert gate(step()).validate(review(labelled, old)).allowed
        changed = {**old, "spec": {"ports": "none", "type": "NodePort"}}
        assert not gate(step()).validate(review(changed, old)).allowed

    def test_a_failing_policy_excuses_nothing_new(self) -> None:
        assert not gate(step()).validate(review(service(666, 30080), service(666))).allowed

    def test_more_violations_than_can_be_told_hide_no_new_ones(self) -> None:
        many = service(*range(30000, 31500))
        more = service(*range(30000, 31501))
        assert not gate(step()).validate(review(many)).allowed
        assert not gate(step()).validate(review(more, many)).allowed
        freed = {**many, "metadata": {**many["metadata"], "finalizers": []}}
        held = {**many, "metadata": {**many["metadata"], "finalizers": ["example.com/hold"]}}
        assert gate(step()).validate(review(freed, held)).allowed

    def test_a_policy_that_fails_on_both_does_not_hold_up_the_object(self) -> None:
        verdict = gate(step()).validate(review(service(666), service(666)))
        assert verdict.allowed
        assert found(verdict) == [("Warn", "object", True)]

    def test_an_object_that_was_malformed_before_can_still_be_changed(self) -> None:
        verdict = gate(step()).validate(review([], []))
        assert verdict.allowed
        assert found(verdict) == [("Warn", "object", True)]


class TestComparing:
    comparing = gate(Step(CHANGES, Setting(Action.DENY, NoParams())))

    def typed(self, kind: str) -> dict[str, object]:
        return {**service(), "spec": {"type": kind}}

    def test_a_change_is_judged_against_the_old_object_and_not_forgiven(self) -> None:
        verdict = self.comparing.validate(review(self.typed("NodePort"), self.typed("ClusterIP")))
        assert found(verdict) == [("Deny", "spec.type", False)]

    def test_no_change_is_no_violation(self) -> None:
        same = review(self.typed("NodePort"), self.typed("NodePort"))
        assert self.comparing.validate(same) is ALLOWED

    def test_an_unreadable_old_object_is_as_good_as_none(self) -> None:
        verdict = self.comparing.validate(review(self.typed("NodePort"), []))
        assert found(verdict) == [("Deny", "spec.type", False)]


class TestRights:
    right = Right("ports", "dev")
    liftable = gate(step(params=PortParams(unless=right)))

    def test_a_denial_asks_for_the_right_that_would_lift_it_once(self) -> None:
        verdict = self.liftable.validate(review(service(30080, 30081)))
        assert not verdict.allowed
        assert verdict.questions == (self.right,)

    def test_who_has_the_right_is_warned(self) -> None:
        verdict = self.liftable.validate(review(service(30080)), {self.right: True})
        assert [(f.action, f.lifted) for f in verdict.findings] == [(Action.WARN, True)]
        assert verdict.questions == ()

    def test_who_has_it_not_is_denied_without_a_further_question(self) -> None:
        verdict = self.liftable.validate(review(service(30080)), {self.right: False})
        assert not verdict.allowed
        assert verdict.questions == ()

    def test_another_right_is_no_answer(self) -> None:
        verdict = self.liftable.validate(review(service(30080)), {Right("ports"): True})
        assert not verdict.allowed
        assert verdict.questions == (self.right,)

    def test_nobody_is_asked_about_what_is_not_denied(self) -> None:
        old = review(service(30080), service(30080))
        assert self.liftable.validate(old).questions == ()
        warning = gate(step(Action.WARN, PortParams(unless=self.right)))
        assert warning.validate(review(service(30080))).questions == ()


class TestHostileObjects:
    @pytest.mark.parametrize(
        "obj",
        [
            None,
            [],
            "text",
            1,
            True,
            {"spec": []},
            {"spec": {"ports": {}}},
            {"spec": {"ports": [None]}},
            {"spec": {"ports": [{"nodePort": "30080"}]}},
            {"spec": {"ports": [{"nodePort": 1.5}]}},
            {"metadata": {"labels": {"a": 1}}},
        ],
    )
    def test_a_wrong_shape_is_denied_with_its_path(self, obj: object) -> None:
        verdict = gate(step()).validate(review(obj))
        assert [f.policy for f in verdict.findings] == [MALFORMED]
        assert not verdict.allowed

    def test_a_wrong_shape_has_the_strongest_action_of_the_policies_concerned(self) -> None:
        assert gate(step(Action.AUDIT)).validate(review([])).allowed
        mixed = step(Action.AUDIT, overrides={"prod": (Action.DENY, PortParams())})
        assert not gate(mixed).validate(review([])).allowed

    def test_deep_nesting_is_no_way_through(self) -> None:
        deep = b'{"spec":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"
        asked = review({})
        for judge in (
            gate(step()).validate,
            gate(Step(LABEL, Setting(Action.MUTATE, NoParams()))).mutate,
        ):
            verdict = judge(type(asked)(asked.request, deep))
            assert [f.policy for f in verdict.findings] == [MALFORMED]

    def test_a_policy_that_raises_is_a_violation_under_its_action(self) -> None:
        denied = gate(step()).validate(review(service(666)))
        assert found(denied) == [("Deny", "object", False)]
        assert [type(error) for error in denied.errors] == [ZeroDivisionError]
        assert gate(step(Action.WARN)).validate(review(service(666))).allowed


class TestMutation:
    labelling = gate(Step(LABEL, Setting(Action.MUTATE, NoParams())))

    def test_the_patch_is_the_difference(self) -> None:
        verdict = self.labelling.mutate(review(service()))
        assert verdict.patch == (
            {"op": "add", "path": "/metadata/labels", "value": {"a/b~c": "1"}},
        )

    def test_what_is_denied_early_is_not_changed(self) -> None:
        both = gate(step(), Step(LABEL, Setting(Action.MUTATE, NoParams())))
        verdict = both.mutate(review(service(30080)))
        assert not verdict.allowed
        assert verdict.patch == ()

    def test_what_only_warns_waits_for_the_validating_pass(self) -> None:
        warning = gate(step(Action.WARN), Step(LABEL, Setting(Action.MUTATE, NoParams())))
        verdict = warning.mutate(review(service(30080)))
        assert verdict.patch
        assert verdict.findings == ()

    def test_the_ratchet_holds_early_as_well(self) -> None:
        assert gate(step()).mutate(review(service(30080), service(30080))) is ALLOWED
        assert not gate(step()).mutate(review(service(30081), service(30080))).allowed

    def test_a_second_pass_changes_nothing(self) -> None:
        labelled = service(labels={"a/b~c": "1"})
        assert self.labelling.mutate(review(labelled)) is ALLOWED

    def test_validation_does_not_change_and_mutation_does_not_judge(self) -> None:
        both = gate(step(), Step(LABEL, Setting(Action.MUTATE, NoParams())))
        assert both.validate(review(service())) is ALLOWED
        assert both.mutate(review(service(30999))).patch

    def test_a_mutating_policy_that_raises_denies_and_tells(self) -> None:
        verdict = self.labelling.mutate(review({"metadata": None}))
        assert found(verdict) == [("Deny", "object", False)]
        assert [type(error) for error in verdict.errors] == [AssertionError]

    def test_a_mutating_policy_that_is_off_changes_nothing(self) -> None:
        off = gate(Step(LABEL, Setting(Action.OFF, NoParams())))
        assert off.mutate(review(service())) is ALLOWED
