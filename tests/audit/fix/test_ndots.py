"""``--fix --ndots``: manifests say what the gate does to the pods that are made from them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audit.fix.test_plan import is_in
from tests.audit.given import parsed
from tests.config.given import HEAD
from webhook.audit.check import check
from webhook.audit.findings import Report
from webhook.audit.fix.plan import Plan, plan
from webhook.config import load, ruleset

NDOTS = {"name": "ndots", "value": "2"}


def judged(data: bytes, config: str = "") -> Report:
    return check(parsed(data), ruleset(load(HEAD + config)), ndots=True)


def planned(text: str, config: str = "") -> Plan:
    return plan("m.yaml", text.encode(), judged(text.encode(), config).results)


def fixed(text: str, config: str = "") -> str:
    found = planned(text, config)
    assert found.refused == ()
    return found.after.decode()


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}} # of the pods
    spec:
      # the one container
      containers:
      - {name: web, image: nginx}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers: [{name: web, image: nginx}]
"""


def test_a_template_says_what_its_pods_get() -> None:
    added = """\
      dnsConfig:
        options:
          - name: ndots
            value: "2"
      # the one container
"""
    assert fixed(DEPLOYMENT) == DEPLOYMENT.replace("      # the one container\n", added)


def test_pods_and_lines_of_windows() -> None:
    added = 'spec:\r\n  dnsConfig:\r\n    options:\r\n      - name: ndots\r\n        value: "2"\r\n'
    text = POD.replace("\n", "\r\n")
    assert fixed(text) == text.replace("spec:\r\n", added)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "  dnsConfig:\n    options:\n    # why\n    - name: edns0 # x\n",
            "  dnsConfig:\n    options:\n    - name: ndots\n      value: \"2\"\n    # why\n"
            "    - name: edns0 # x\n",
        ),
        (
            "  dnsConfig: {options: [{name: edns0}]}\n",
            '  dnsConfig: {options: [{"name": "ndots", "value": "2"}, {name: edns0}]}\n',
        ),
        (
            "  dnsConfig: {searches: [a.example]} # x\n",
            '  dnsConfig: {"options": [{"name": "ndots", "value": "2"}], '
            "searches: [a.example]} # x\n",
        ),
        (
            "  dnsConfig: {options: []}\n",
            '  dnsConfig: {options: [{"name": "ndots", "value": "2"}]}\n',
        ),
        (
            "  dnsConfig:\n    searches: [a.example]\n",
            "  dnsConfig:\n    options:\n      - name: ndots\n        value: \"2\"\n"
            "    searches: [a.example]\n",
        ),
    ],
)  # fmt: skip
def test_options_that_are_there_stay(before: str, after: str) -> None:
    pod = POD.replace("  containers", f"{before}  containers")
    assert fixed(pod) == pod.replace(before, after)


@pytest.mark.parametrize(
    ("text", "config"),
    [
        (POD.replace("spec:\n", "spec:\n  hostNetwork: true\n"), ""),
        (POD.replace("spec:\n", "spec:\n  dnsPolicy: Default\n"), ""),
        (POD.replace("spec:\n", 'spec:\n  dnsConfig: {options: [{name: ndots, value: a}]}\n'), ""),
        (POD.replace("name: web", 'name: a, annotations: {netreeve.io/ndots: "false"}', 1), ""),
        (POD.replace("{name: web}", "{name: web, namespace: kube-system}", 1), ""),
        (POD, "policies: {ndots: {action: 'Off'}}"),
        (POD, "stage: warn"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n", ""),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: 1}\n", ""),
    ],
)  # fmt: skip
def test_what_the_gate_leaves_alone_is_left_alone(text: str, config: str) -> None:
    assert fixed(text, config) == text


def test_the_parameters_of_the_policy_count() -> None:
    found = yaml.safe_load(fixed(POD, 'policies: {ndots: {params: {value: "3"}}}'))
    assert found["spec"]["dnsConfig"] == {"options": [{"name": "ndots", "value": "3"}]}


def test_every_template_of_a_custom_kind() -> None:
    config = (
        "workloads: [{group: jobset.x-k8s.io, resource: jobsets, kind: JobSet, "
        "path: 'spec.replicatedJobs[*].template.spec.template'}]"
    )
    jobs = [{"name": name, "template": {"spec": {"template": pod()}}} for name in "ab"]
    job_set = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": "a"},
        "spec": {"replicatedJobs": jobs},
    }
    found = json.loads(fixed(json.dumps(job_set, indent=2), config))
    for job in found["spec"]["replicatedJobs"]:
        spec = job["template"]["spec"]["template"]["spec"]
        assert spec.pop("dnsConfig") == {"options": [NDOTS]}
    assert found == job_set


def pod() -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "a", "image": "b"}]}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [("dnsConfig:", "is no mapping"), ("dnsConfig: {options: }", "is no list")],
)
def test_what_cannot_be_written_is_said(line: str, reason: str) -> None:
    found = planned(POD.replace("spec:\n", f"spec:\n  {line}\n"))
    assert found.before == found.after
    assert found.refused == (f"m.yaml:1: ndots: spec.dnsConfig.options {reason}",)


def test_nothing_is_added_unless_somebody_asks() -> None:
    rules = ruleset(load(HEAD))
    report = check(parsed(DEPLOYMENT), rules)
    assert not any(one.additions for one in report.results)


CONFIGS: st.SearchStrategy[Any] = st.sampled_from([
    None, {}, {"options": []}, {"options": [{"name": "edns0"}]}, {"searches": ["a.example"]},
    {"options": [{"name": "ndots", "value": "4"}]}, {"options": [{"name": "x"}, {"name": "y"}]},
])  # fmt: skip
KINDS = st.sampled_from(["Pod", "Deployment", "CronJob"])


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """Pods and templates of pods in several styles of YAML."""
    texts = []
    for kind, config in draw(st.lists(st.tuples(KINDS, CONFIGS), min_size=1, max_size=4)):
        spec: dict[str, Any] = pod()["spec"] | ({} if config is None else {"dnsConfig": config})
        version = {"Pod": "v1", "Deployment": "apps/v1", "CronJob": "batch/v1"}[kind]
        if kind != "Pod":
            spec = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": spec}}
        if kind == "CronJob":
            spec = {"jobTemplate": {"spec": spec}}
        whole = {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
        copy = json.loads(json.dumps(whole))
        style, sort = draw(st.sampled_from([None, False, True])), draw(st.booleans())
        texts.append(yaml.dump(copy, default_flow_style=style, sort_keys=sort))
    return "---\n".join(texts).encode()


@given(manifests())
@settings(max_examples=40, deadline=None)
def test_afterwards_the_gate_has_nothing_to_add(data: bytes) -> None:
    found = planned(data.decode())
    assert found.refused == ()
    assert is_in(data, found.after)
    assert (found.after != data) == any(one.additions for one in judged(data).results)
    after = judged(found.after)
    assert not any(one.additions for one in after.results)
    assert not any("dnsConfig" in str(one.patch) for one in after.results)
