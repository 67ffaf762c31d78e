"""Every way in, what stands behind it, and whether policies let the outside through."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from policies.model import NOTHING_KNOWN
from policies.services.reach import Declared
from tests.audit.given import parsed
from tests.controlplane.cluster import ControlPlane
from webhook.audit.exposure import json as as_json
from webhook.audit.exposure import table
from webhook.audit.exposure.draw import expose
from webhook.audit.exposure.jsonschema import text as schema_text
from webhook.audit.exposure.manifests import gathered
from webhook.audit.exposure.model import ExposureMap
from webhook.cli import main

SCHEMA = Path(__file__).parents[3] / "docs" / "exposure.schema.json"
OPEN = "{podSelector: {}, policyTypes: [Ingress]%s}"
CLUSTER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 443, targetPort: http}]}
"""
EDGE = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: edge, namespace: edge}
spec:
  template:
    metadata: {labels: {app: edge}}
    spec: {containers: [{name: main, ports: [{containerPort: 443}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: edge, namespace: edge}
spec: {type: LoadBalancer, selector: {app: edge}, ports: [{port: 443}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
    - host: shop.example.com
      http: {paths: [{backend: {service: {name: web, port: {number: 443}}}}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}
"""


def mapped(*texts: str) -> ExposureMap:
    inputs = list(parsed("\n---\n".join(texts), "all.yaml"))
    traffic, unread = gathered(inputs, "default")
    return expose(traffic, NOTHING_KNOWN, Declared(), unread)


def policy(spec: str, name: str = "own", namespace: str = "shop") -> str:
    return f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: {namespace}}}
spec: {spec}
"""


def way(found: ExposureMap, kind: str) -> Any:
    (one,) = [one for one in found.ways if one.kind == kind]
    return one


@pytest.mark.parametrize(
    ("rules", "verdict", "policies", "networks"),
    [
        (None, "allowed", (), ()),
        ("", "blocked", ("shop/own",), ()),
        (", ingress: [{}]", "allowed", (), ()),
        (", ingress: [{ports: [{port: http}]}]", "allowed", (), ()),
        (", ingress: [{ports: [{port: 81}]}]", "blocked", ("shop/own",), ()),
        (", ingress: [{ports: [{port: 8000, endPort: 9000}]}]", "allowed", (), ()),
        (", ingress: [{from: [{podSelector: {}}]}]", "blocked", ("shop/own",), ()),
        (", ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]", "allowed", (), ()),
        (
            ", ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]",
            "narrowed", ("shop/own",), ("0.0.0.0/0 without 10.0.0.0/8",),
        ),
        (
            ", ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]",
            "narrowed", ("shop/own",), ("198.51.100.0/24",),
        ),
    ],
)  # fmt: skip
def test_policies_between(
    rules: str | None, verdict: str, policies: tuple[str, ...], networks: tuple[str, ...]
) -> None:
    found = mapped(CLUSTER, *([] if rules is None else [policy(OPEN % rules)]))
    (behind,) = way(found, "load balancer").behind
    assert (behind.target, behind.port) == ("Deployment shop/web", "TCP 8080")
    assert (behind.verdict, behind.policies, behind.networks) == (verdict, policies, networks)


def test_a_block_that_holds_all_source_ranges_narrows_nothing() -> None:
    ranged = CLUSTER.replace(
        "type: LoadBalancer", "type: LoadBalancer, loadBalancerSourceRanges: [198.51.100.0/28]"
    )
    block = policy(OPEN % ", ingress: [{from: [{ipBlock: {cidr: 198.51.100.0/24}}]}]")
    found = way(mapped(ranged, block), "load balancer")
    assert (found.reach, found.sources) == ("restricted", ("198.51.100.0/28",))
    assert found.behind[0].verdict == "allowed"


def test_load_balancers_open_node_ports_as_well_unless_told_not_to() -> None:
    assert way(mapped(CLUSTER), "node port").opens == ("TCP (not allocated yet)",)
    without = CLUSTER.replace(
        "type: LoadBalancer", "type: LoadBalancer, allocateLoadBalancerNodePorts: false"
    )
    assert [one.kind for one in mapped(without).ways] == ["load balancer"]


def test_the_marker_of_a_provider_makes_it_internal() -> None:
    marker = "annotations: {service.beta.kubernetes.io/azure-load-balancer-internal: 'true'}"
    internal = CLUSTER.replace(
        "{name: web, namespace: shop}\nspec: {type",
        f"{{name: web, namespace: shop, {marker}}}\nspec: {{type",
    )
    assert way(mapped(CLUSTER), "load balancer").reach == "public"
    assert way(mapped(internal), "load balancer").reach == "internal"
    wide = "type: LoadBalancer, loadBalancerSourceRanges: [0.0.0.0/0]"
    assert (
        way(mapped(CLUSTER.replace("type: LoadBalancer", wide)), "load balancer").reach == "public"
    )
    ranged = way(mapped(internal.replace("type: LoadBalancer", wide)), "load balancer")
    assert (ranged.reach, ranged.sources) == ("internal", ("0.0.0.0/0",))


def test_pods_on_their_node() -> None:
    loopback = "{containerPort: 81, hostPort: 81, hostIP: 127.0.0.1}"
    ports = f"[{{containerPort: 80, hostPort: 8080}}, {loopback}]"
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: shop}\nspec: %s"
    found = mapped(
        pod % ("port", f"{{containers: [{{name: main, ports: {ports}}}]}}"),
        pod
        % (
            "net",
            "{hostNetwork: true, containers: [{name: main, ports: [{containerPort: 9100}]}]}",
        ),
        policy(OPEN % ""),
    )
    port, net = way(found, "host port"), way(found, "host network")
    assert (port.opens, port.reach) == (("TCP 8080",), "nodes")
    assert [(one.port, one.verdict) for one in port.behind] == [("TCP 80", "blocked")]
    assert (net.opens, net.behind[0].verdict) == (("TCP 9100",), "allowed")
    assert [one.name for one in found.workloads if one.hostNetwork] == ["net"]


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ("", "blocked"),
        (", ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]", "blocked"),
        (
            ", ingress: [{from: [{namespaceSelector: {matchLabels: "
            "{kubernetes.io/metadata.name: edge}}}]}]",
            "allowed",
        ),
    ],
)  # fmt: skip
def test_an_ingress_is_judged_by_who_brings_its_requests(rules: str, verdict: str) -> None:
    found = way(mapped(CLUSTER, EDGE, policy(OPEN % rules)), "Ingress")
    assert (found.opens, found.addresses) == (("shop.example.com",), ("203.0.113.9",))
    assert (found.reach, found.via) == ("public", ("Deployment edge/edge",))
    assert [one.verdict for one in found.behind] == [verdict]


def test_without_a_known_controller_the_verdict_is_unknown() -> None:
    text = EDGE.replace("203.0.113.9", "203.0.113.10", 1)
    assert way(mapped(CLUSTER, text, policy(OPEN % "")), "Ingress").behind[0].verdict == "unknown"
    assert way(mapped(CLUSTER, text), "Ingress").behind[0].verdict == "allowed"


def test_gateways_and_routes() -> None:
    found = mapped(
        CLUSTER,
        """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: edge}
spec: {listeners: [{name: a, port: 443, protocol: HTTPS, hostname: "*.example.com"}]}
status: {addresses: [{value: 203.0.113.9}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  hostnames: [shop.example.com]
  parentRefs: [{name: public, namespace: edge}]
  rules: [{backendRefs: [{name: web, port: 443}]}]
""",
        EDGE,
    )
    gateway, route = way(found, "Gateway"), way(found, "route")
    assert gateway.opens == ("HTTPS 443 for *.example.com",)
    assert (gateway.reach, route.reach) == ("public", "public")
    assert (route.opens, route.via) == (("shop.example.com",), ("Deployment edge/edge",))
    assert route.behind[0].target == "Deployment shop/web"


def test_what_has_another_shape_is_named_and_the_rest_mapped() -> None:
    found = mapped(CLUSTER, "apiVersion: v1\nkind: Service\nmetadata: {name: odd}\nspec: 7")
    assert [one.path for one in found.unread] == ["all.yaml:16"]
    assert way(found, "load balancer")


def test_json_keeps_to_its_published_schema() -> None:
    assert SCHEMA.read_text() == schema_text(), "make docs"
    out = io.StringIO()
    as_json.write(mapped(CLUSTER, EDGE, policy(OPEN % "")), out)
    document = json.loads(out.getvalue())
    jsonschema.Draft202012Validator(json.loads(schema_text())).validate(document)
    assert document["kind"] == "ExposureReport"
    assert len(document["pairs"]) == 4


def test_the_table_tells_ways_and_pairs() -> None:
    out = io.StringIO()
    table.write(mapped(CLUSTER, EDGE, policy(OPEN % "")), out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "5 ways in from outside"
    assert "    Deployment shop/web  TCP 8080  blocked  by shop/own" in lines
    assert lines[-2].split()[-4:] == ["nothing", "from", "edge,", "shop"]
    assert lines[-1] == f"  {table.LEGEND}"


def test_an_empty_map_needs_no_legend() -> None:
    out = io.StringIO()
    table.write(mapped(), out)
    assert "isolated" not in out.getvalue()


@pytest.mark.cluster
def test_a_live_cluster(
    control_plane: ControlPlane,
    namespace: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    documents = [one for one in yaml.safe_load_all(CLUSTER) if one]
    for one in documents:
        one["metadata"]["namespace"] = namespace
    documents[0]["spec"]["selector"] = {"matchLabels": {"app": "web"}}
    documents[0]["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:1"
    text = yaml.safe_dump_all([*documents, yaml.safe_load(policy(OPEN % "", namespace=namespace))])
    control_plane.kubectl("apply", "-f", "-", stdin=text)
    capsys.readouterr()
    code = main(
        ["exposure", "-n", namespace, "-o", "json", "--kubeconfig", str(control_plane.kubeconfig)]
    )
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert {one["kind"] for one in found["ways"]} == {"load balancer", "node port"}
    assert all(one["behind"][0]["verdict"] == "blocked" for one in found["ways"])
    (pair,) = [one for one in found["pairs"] if one["source"] == one["target"] == namespace]
    assert pair["reach"] == "nothing"
    elsewhere = ["exposure", "-n", "nowhere", "--kubeconfig", str(control_plane.kubeconfig)]
    assert main(elsewhere) == 2
    assert "there is no namespace 'nowhere'" in capsys.readouterr().err
    neighbour = json.dumps({**documents[0], "metadata": {"name": "web", "namespace": "default"}})
    control_plane.kubectl("apply", "-f", "-", stdin=neighbour)
    page = tmp_path / "audit.html"
    where = ("-n", namespace, "--kubeconfig", str(control_plane.kubeconfig))
    assert main(["audit", "-o", f"html={page}", *where]) == 1
    data = json.loads(page.read_text().partition('id="data">')[2].partition("</script>")[0])
    assert {one[0] for one in data["exposure"]["ways"]} == {"load balancer", "node port"}
    assert {"default", namespace} <= set(data["exposure"]["names"])
    control_plane.kubectl("delete", "-f", "-", stdin=neighbour)


@pytest.mark.parametrize(
    ("text", "said"), [(None, "No such file"), ("kind: [", "broken.yaml:"), ("", "")], ids=str
)
def test_what_cannot_be_read_is_no_part_of_a_complete_map(
    text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.yaml"
    if text is not None:
        file.write_text(text)
    code = main(["exposure", str(file)])
    out = capsys.readouterr().out
    assert (code, "cannot read" in out) == ((2, True) if said else (0, False)), out
    assert said in out
