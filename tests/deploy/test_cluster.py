"""The chart and the manifests in front of a real API server: objects, rights, admission of pods."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from tests.controller.api import Api
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from tests.helm import manifests
from tests.helm.build import CHART
from tests.helm.render import in_order, objects, only, parse, template, webhooks

pytestmark = pytest.mark.cluster
DEPLOY = CHART.parent
SERVE, CONTROL = (f"system:serviceaccount:netreeve:netreeve-{one}" for one in ("serve", "control"))


class TestManifests:
    @pytest.mark.parametrize("stage", manifests.STAGES)
    def test_the_api_server_takes_every_object(self, cluster: ControlPlane, stage: str) -> None:
        """Into a namespace that exists; --dry-run checks all but what only storing would show."""
        values = {
            "stage": stage,
            "criticalQuota": True,
            "monitoring": {"dashboard": {"enabled": True}},
            "podSecurityContext": None,
            "serve": {
                "hostNetwork": True,
                "podLabels": {"team": "edge"},
                "tolerations": [{"operator": "Exists"}],
            },
            "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "mine"}]},
            "labels": {"team": "edge"},
            "networkPolicy": {
                "reviewsFrom": [{"ipBlock": {"cidr": "192.0.2.0/28"}}],
                "metricsFrom": [{"namespaceSelector": {}}],
            },
        }
        text = template(values, namespace="default")
        dry = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
        done = cluster.kubectl(*dry, stdin=text)
        assert done.stderr == ""
        assert len(done.stdout.splitlines()) == len(parse(text))

    @pytest.mark.parametrize("stage", manifests.STAGES)
    def test_the_api_server_takes_what_the_controller_applies(
        self, cluster: ControlPlane, stage: str
    ) -> None:
        """The expressions compile there, with a custom kind among the rules too."""
        workload = {"group": "argoproj.io", "resource": "rollouts", "kind": "R", "path": "spec.t"}
        found = objects({"stage": stage, "config": {"workloads": [workload]}})
        for path in ("mutating", "validating"):
            dry = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
            done = cluster.kubectl(*dry, stdin=json.dumps(webhooks(found, path)))
            assert (done.stderr, done.returncode) == ("", 0)

    @pytest.mark.parametrize("stage", manifests.STAGES)
    def test_kustomize_gives_a_stage_the_same_as_helm(
        self, cluster: ControlPlane, stage: str, tmp_path: Path
    ) -> None:
        own = {"resources": ["../base"], "components": [f"../base/stages/{stage}"]}
        folder = tmp_path / "own"
        folder.mkdir()
        for name in ("install.yaml", "kustomization.yaml", f"stages/{stage}/kustomization.yaml",
                     f"stages/{stage}/stage.yaml"):  # fmt: skip
            target = tmp_path / "base" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text((DEPLOY / name).read_text())
        (folder / "kustomization.yaml").write_text(json.dumps(own))
        built = parse(cluster.kubectl("kustomize", folder).stdout)
        rendered = objects({"stage": stage, "namespace": {"create": True}})
        assert in_order(built) == in_order(rendered)

    def test_kustomize_takes_the_folder(self, cluster: ControlPlane) -> None:
        built = cluster.kubectl("kustomize", DEPLOY).stdout
        assert len(parse(built)) == len(parse(manifests.install()))


class TestPods:
    @pytest.mark.parametrize("name", ["netreeve-serve", "netreeve-control"])
    def test_pod_security_restricted_admits_them(self, installed: ControlPlane, name: str) -> None:
        """The ReplicaSet's pods are created although the namespace enforces `restricted`."""
        labels = json.loads(installed.kubectl("get", "ns", "netreeve", "-o", "json").stdout)
        enforce = "pod-security.kubernetes.io/enforce"
        assert labels["metadata"]["labels"][enforce] == "restricted"
        selector = f"app.kubernetes.io/component={name}"
        replicas = only(objects(), "Deployment", name)["spec"]["replicas"]

        def pods() -> bool:
            found = installed.kubectl("get", "pods", "-n", "netreeve", "-l", selector, "-o", "name")
            return len(found.stdout.split()) == int(replicas)

        wait_for(pods, 30, f"the pods of {name}")

    def test_restricted_is_really_enforced(self, installed: ControlPlane) -> None:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "root"},
            "spec": {"containers": [{"name": "root", "image": "root"}]},
        }
        create = ("create", "-n", "netreeve", "--dry-run=server", "-f", "-")
        done = installed.kubectl(*create, stdin=json.dumps(pod), check=False)
        assert "violates PodSecurity" in done.stderr


REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
NAMESPACES = ("netreeve", "default")
"""Its own, and any other: a right in the whole cluster is one there too."""


def every_right(cluster: ControlPlane, user: str) -> set[tuple[str, str, str, str]]:
    """(verb, group, resource, namespace) that a user has, asked one by one of the API server.

    Over every resource and subresource that it serves, with every verb.
    """
    groups = ["system:serviceaccounts", "system:authenticated"]
    found = set()
    with closing(Api(cluster, cluster.kubeconfig)) as api:
        for group, resource, verb in _everything(api):
            for namespace in NAMESPACES:
                name, _, subresource = resource.partition("/")
                attributes = {"verb": verb, "group": group, "resource": name,
                              "subresource": subresource, "namespace": namespace}  # fmt: skip
                spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
                if api.create(REVIEWS, {"spec": spec})["status"]["allowed"]:
                    found.add((verb, group, resource, namespace))
    return found


def _everything(api: Api) -> Iterator[tuple[str, str, str]]:
    groups = api.get("/apis")["groups"]
    for path in [
        "/api/v1",
        *(f"/apis/{one['preferredVersion']['groupVersion']}" for one in groups),
    ]:
        found = api.get(path)
        group = found["groupVersion"].rpartition("/")[0]
        for resource in found["resources"]:
            for verb in {*resource["verbs"], "escalate", "bind", "impersonate"}:
                yield group, resource["name"], verb


class TestRights:
    def test_the_server_can_write_nothing(self, installed: ControlPlane) -> None:
        """Everything it may do beside what every authenticated user may; a question is no write."""
        ours = every_right(installed, SERVE) - every_right(installed, "nobody")
        reads = {
            (verb, group, resource, namespace)
            for verb in ("list", "watch")
            for group, resource in (
                ("", "namespaces"), ("", "nodes"), ("networking.k8s.io", "networkpolicies")
            )
            for namespace in NAMESPACES
        }  # fmt: skip
        leases = {
            (verb, "coordination.k8s.io", "leases", "netreeve") for verb in ("get", "list", "watch")
        }
        question = {
            ("create", "authorization.k8s.io", "subjectaccessreviews", namespace)
            for namespace in NAMESPACES
        }
        assert ours == reads | leases | question

    @pytest.mark.parametrize(
        ("verb", "what", "allowed"),
        [
            ("patch", "validatingwebhookconfigurations/00-netreeve", True),
            ("patch", "mutatingwebhookconfigurations/00-netreeve", True),
            ("patch", "validatingwebhookconfigurations/istio", False),
            ("create", "validatingwebhookconfigurations", False),
            ("delete", "validatingwebhookconfigurations/00-netreeve", False),
            ("get", "secrets/netreeve-ca", True),
            ("get", "secrets/somebody-elses", False),
            ("list", "secrets", False),
            ("delete", "secrets/netreeve-ca", False),
            ("delete", "networkpolicies.networking.k8s.io/default-deny", False),
            ("create", "pods", False),
            ("delete", "pods/any", False),
            ("create", "clusterrolebindings", False),
            ("impersonate", "users/any", False),
        ],
    )
    def test_the_controller_writes_what_is_its_own(
        self, installed: ControlPlane, verb: str, what: str, allowed: bool
    ) -> None:
        can = ("auth", "can-i", verb, what, "-n", "netreeve", f"--as={CONTROL}")
        assert (installed.kubectl(*can, check=False).stdout == "yes\n") is allowed

    def test_secrets_elsewhere_are_out_of_reach(self, installed: ControlPlane) -> None:
        for user in (SERVE, CONTROL):
            for verb in ("get", "create", "list"):
                can = ("auth", "can-i", verb, "secrets/netreeve-ca", "-n", "default")
                assert installed.kubectl(*can, f"--as={user}", check=False).stdout == "no\n"

    def test_the_viewer_of_baselines_can_read_all_there_is_to_see(
        self, installed: ControlPlane
    ) -> None:
        binding = ("create", "clusterrolebinding", "viewer", "--user=vera",
                   "--clusterrole=netreeve-baseline-viewer")  # fmt: skip
        installed.kubectl(*binding)
        config = str(installed.kubeconfig_for("vera"))
        shown = ("baseline", "preview", "default", "--kubeconfig", config, "-o", "json")
        command = [sys.executable, "-m", "webhook", *shown]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert json.loads(done.stdout)["unreadable"] == []
        installed.kubectl("delete", "clusterrolebinding", "viewer")

    def test_exempting_is_part_of_no_role_that_people_have(self, installed: ControlPlane) -> None:
        roles = json.loads(installed.kubectl("get", "clusterroles", "-o", "json").stdout)["items"]
        granting = {
            role["metadata"]["name"]
            for role in roles
            for rule in role["rules"] or ()
            if "netreeve.io" in rule.get("apiGroups", ())
        }
        assert granting == {"netreeve-exempter"}
        (role,) = (one for one in roles if one["metadata"]["name"] == "netreeve-exempter")
        assert not [key for key in role["metadata"]["labels"] if "aggregate" in key]


class TestNamespaces:
    """No webhook stands before the subresources by which namespaces end."""

    MARKS: ClassVar[dict[str, dict[str, str]]] = {
        "annotations": {
            "netreeve.io/exempt": "node-port",
            "netreeve.io/exempt-stamp": "{}",
            "netreeve.io/baseline-status": "{}",
        },
        "labels": {"netreeve.io/baseline": "default"},
    }

    @pytest.fixture
    def namespace(self, installed: ControlPlane) -> Iterator[str]:
        installed.kubectl("create", "namespace", "ending")
        yield "ending"
        gone = ("get", "namespace", "ending", "--ignore-not-found", "-o", "name")
        installed.kubectl("delete", "namespace", "ending", "--wait=false")
        wait_for(lambda: not installed.kubectl(*gone).stdout, 60, "the namespace to end")

    @pytest.mark.parametrize("field", ["annotations", "labels"])
    @pytest.mark.parametrize("subresource", ["status", "finalize"])
    def test_what_the_gate_reads_cannot_be_written_past_it(
        self, installed: ControlPlane, namespace: str, subresource: str, field: str
    ) -> None:
        def write(marks: dict[str, str], query: str = "") -> str:
            """What is said to the whole object with these marks and no other."""
            stored = json.loads(installed.kubectl("get", "ns", namespace, "-o", "json").stdout)
            had = stored["metadata"].get(field, {})
            kept = {name: text for name, text in had.items() if name not in self.MARKS[field]}
            stored["metadata"][field] = {**kept, **marks}
            path = f"/api/v1/namespaces/{namespace}/{subresource}{query}"
            arguments = ("replace", "--raw", path, "-f", "-")
            return installed.kubectl(*arguments, stdin=json.dumps(stored), check=False).stderr

        marks = self.MARKS[field]
        attempt = partial(write, marks, "?dryRun=All")  # what is written already is no change
        wait_for(lambda: "must be written on the Namespace" in attempt(), 20, "a denial")
        assert not write({"example.com/other": "any"})
        change = json.dumps({"metadata": {field: marks}})
        installed.kubectl("patch", "namespace", namespace, "-p", change)
        assert not write({**marks, "example.com/other": "more"})
        for other in ({}, {name: f"{text}x" for name, text in marks.items()}):
            assert "must be written on the Namespace" in write(other)
