"""Manifests to a report: statuses, places, namespaces that tell their labels, exit codes."""

from __future__ import annotations

from textwrap import dedent

import pytest
from msgspec import UNSET

from tests.audit.given import parsed
from tests.config.given import HEAD
from webhook.audit.check import check
from webhook.audit.findings import Report, Unreadable
from webhook.audit.manifests import Input, Manifest, Origin, Stranger
from webhook.config import load, ruleset
from webhook.config.yamltext import documents

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: %s}\n"
HOST_POD = POD + "spec:\n  hostNetwork: true\n"
DEV_MAY = dedent(
    """
    overrides:
      - namespaceSelector: {matchLabels: {env: dev}}
        policies: {host-network: {action: Warn}}
    """
)


def report(text: str, config: str = "", namespace: str = "default") -> Report:
    inputs = parsed(dedent(text))
    return check(inputs, ruleset(load(HEAD + config)), namespace)


def statuses(text: str, config: str = "") -> list[str]:
    return [result.status for result in report(text, config).results]


def test_a_result_says_what_where_and_why() -> None:
    (result,) = report(f"# a pod\n{HOST_POD % 'shop'}").results
    assert (result.file, result.line, result.title) == ("m.yaml", 2, "Pod shop/a")
    (found,) = result.findings
    assert (found.policy, found.action.value, found.field) == (
        "host-network",
        "Deny",
        "spec.hostNetwork",
    )
    assert found.line == 6
    assert found.message == "must not be true"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (POD % "shop", "allowed"),
        (HOST_POD % "shop", "denied"),
        (HOST_POD % "kube-system", "excluded"),
        (HOST_POD % "lab", "excluded"),
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}", "excluded"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", "unknown"),
        ("apiVersion: x.io/v1\nkind: Pod\nmetadata: [1]", "unknown"),
        ("apiVersion: v1\nkind: Pod\nmetadata: 3", "denied"),
        ("apiVersion: v1\nkind: Pod", "allowed"),
        (
            "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, "
            "livenessProbe: {tcpSocket: {host: x}}}]}",
            "warned",
        ),
        (
            "apiVersion: a.io/v1\nkind: Rollout\nspec: {template: {spec: {hostNetwork: true}}}",
            "denied",
        ),
    ],
)
def test_every_object_has_a_status(text: str, status: str) -> None:
    config = (
        "excludedNamespaces: [lab]\n"
        "workloads: [{group: a.io, resource: rollouts, kind: Rollout, path: spec.template}]"
    )
    assert statuses(text, config) == [status]


def test_names_to_be_generated_end_in_a_star() -> None:
    (result,) = report("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}").results
    assert result.title == "Pod default/a-*"


def test_a_cluster_scoped_object_has_no_namespace() -> None:
    (result,) = report("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}").results
    assert (result.namespace, result.title) == ("", "Namespace shop")


def test_the_default_namespace_is_judged_as_such() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {hostNetwork: true}"
    (result,) = report(text, namespace="kube-system").results
    assert (result.namespace, result.status) == ("kube-system", "excluded")


def test_namespaces_among_the_manifests_tell_their_labels() -> None:
    namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s, labels: {env: %s}}\n"
    pods = HOST_POD % "web" + "---\n" + HOST_POD % "shop" + "---\n" + HOST_POD % "elsewhere"
    text = pods + "\n" + namespace % ("web", "dev") + namespace % ("shop", "prod")
    assert statuses(text, DEV_MAY) == ["warned", "denied", "denied", "allowed", "allowed"]


def test_a_namespace_with_nonsense_for_labels_is_denied_and_tells_nothing() -> None:
    text = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: web, labels: 3}}\n---\n{HOST_POD}"
    assert statuses(text % "web", DEV_MAY) == ["denied", "denied"]


def test_the_patch_of_mutating_policies_is_part_of_the_result() -> None:
    (result,) = report(POD % "shop" + "spec: {containers: [{name: a}]}").results
    assert [one["path"] for one in result.patch] == ["/spec/dnsConfig"]


def test_a_malformed_field_is_found_at_its_line() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - port: x\n"
    (result,) = report(text).results
    (found,) = result.findings
    assert (found.policy, found.line) == ("malformed", 6)


@pytest.mark.parametrize(
    ("text", "field", "line"),
    [
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  annotations:\n"
            "    team: web\n    example.com/internal: true\n",
            "metadata.annotations[example.com/internal]",
            7,
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n"
            "    metadata:\n      labels:\n        version: 1.10\n",
            "spec.template.metadata.labels[version]",
            8,
        ),
    ],
)
def test_a_label_or_annotation_without_quotes_is_named(text: str, field: str, line: int) -> None:
    (result,) = report(text).results
    (found,) = result.findings
    assert (found.policy, found.field, found.line) == ("malformed", field, line)
    assert found.fix.startswith("quote it")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        (POD % "shop", 0),
        (HOST_POD % "shop", 1),
        ("a: [", 2),
        (f"{HOST_POD % 'shop'}\n---\na: [", 2),
    ],
)
def test_the_exit_code(text: str, code: int) -> None:
    assert report(text).exit_code == code


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("{hostNetwork: true, hostNetwork: false}", "warned"),
        ("{hostNetwork: false, hostNetwork: true}", "denied"),
    ],
)
def test_a_field_that_is_set_twice_is_warned_of_and_judged_as_kubectl_reads_it(
    fields: str, status: str
) -> None:
    found = report(f"{POD % 'shop'}spec: {fields}\n")
    (result,) = found.results
    repeated = result.findings[-1]
    assert (found.unreadable, result.status) == ((), status)
    assert (repeated.policy, repeated.action.value, repeated.field, repeated.line) == (
        "malformed",
        "Warn",
        "spec.hostNetwork",
        4,
    )
    assert repeated.message == (
        "must not be repeated: it is set twice, first on line 4, and the last one counts"
    )


def test_objects_that_nothing_separates_are_one_warning_that_says_so() -> None:
    joined = f"{POD % 'shop'}{HOST_POD % 'shop'}"
    (result,) = report(joined).results
    denied, malformed = result.findings
    assert (denied.policy, result.status) == ("host-network", "denied")
    assert (malformed.field, malformed.line) == ("apiVersion", 4)
    assert malformed.message.startswith("must not be repeated: it is set twice, first on line 1, ")
    assert malformed.message.endswith("of several objects only the last one counts")
    assert malformed.fix.startswith("write --- above line 4, ")


def test_a_json_object_with_everything_twice_is_no_two_objects() -> None:
    text = '{"apiVersion": "v1", "apiVersion": "v1", "kind": "Pod", "kind": "Pod"}'
    (result,) = report(text).results
    assert {one.fix for one in result.findings} == {"keep one of them"}


def test_what_is_set_twice_within_joined_objects_is_told_beside_that() -> None:
    twice = "spec: {hostNetwork: true, hostNetwork: false}\n"
    (result,) = report(f"{POD % 'shop'}{POD % 'shop'}{twice}").results
    assert [one.field for one in result.findings] == ["apiVersion", "spec.hostNetwork"]


def test_pod_templates_of_a_kind_that_no_policy_reads_are_named() -> None:
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\n"
    rollout += "spec: {template: {spec: {hostNetwork: true, containers: [{image: b}]}}}\n"
    known = "workloads: [{group: argoproj.io, resource: rollouts, kind: Rollout, path: %s}]"
    (unread,) = report(rollout).results
    (judged,) = report(rollout, known % "spec.template").results
    assert (unread.status, unread.podTemplates) == ("unknown", ("spec.template",))
    assert (judged.status, judged.podTemplates) == ("denied", UNSET)


def test_problems_and_strangers_are_counted() -> None:
    inputs: list[Input] = [
        Unreadable("a", 1, "is not UTF-8 text"),
        Stranger("b", 1),
        Stranger("c", 1),
    ]
    found = check(inputs, ruleset(load(HEAD)))
    assert (found.summary["unreadable"], found.summary["strangers"]) == (1, 2)
    assert found.exit_code == 2


def test_an_error_in_judging_is_unreadable_input_and_not_the_end() -> None:
    (document,) = documents("\na: 1\n")
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    endless = {"metadata": {"name": "endless"}, "spec": deep}
    good = tuple(parsed(HOST_POD % "shop", "good.yaml"))
    inputs = (Manifest(Origin("m.yaml"), document, "", "v1", "Pod", endless), *good)
    found = check(inputs, ruleset(load(HEAD)))
    assert found.unreadable == (Unreadable("m.yaml", 2, "could not be judged: RecursionError"),)
    assert [result.status for result in found.results] == ["denied"]
    assert found.exit_code == 2
