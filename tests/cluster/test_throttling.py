"""An API server with no room for us: 429 with Retry-After, from its priority and fairness."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from kubernetes.client import CoreV1Api, V1ConfigMap, V1ObjectMeta
from kubernetes.client.exceptions import ApiException

from tests.cluster.audit import Asked, asked
from tests.cluster.background import running
from tests.cluster.users import Grant
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.apply import Writer, path
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import Kubeconfig
from webhook.cluster.errors import RefusedError

pytestmark = pytest.mark.cluster

USER, GROUP = "throttled", "throttled-readers"
# One request of this user at a time, and one that takes as long as an answer does not come.
NO_ROOM = """
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: throttled}
spec:
  type: Limited
  limited: {nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse: {type: Reject}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: throttled}
spec:
  priorityLevelConfiguration: {name: throttled}
  matchingPrecedence: 10
  rules:
  - subjects: [{kind: User, user: {name: throttled}}]
    resourceRules:
    - {verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: throttled, namespace: default}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: throttled, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: throttled}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: throttled}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: throttled}
webhooks:
- name: slow.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  timeoutSeconds: 30
  clientConfig: {url: "https://127.0.0.1:%(port)d/"}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  matchConditions: [{name: user, expression: "request.userInfo.username == 'throttled'"}]
"""


def status(ask: Callable[[], object]) -> int:
    """The HTTP status of a request."""
    try:
        ask()
    except ApiException as error:
        return int(error.status or 0)
    return 200


@pytest.fixture
def throttled(plane: ControlPlane, grant: Grant) -> Iterator[None]:
    """All the room of the user is taken by a request that waits for an admission webhook."""
    grant(GROUP, "namespaces, nodes")
    api = CoreV1Api(plane.api_client(USER, (GROUP,)))
    body = V1ConfigMap(metadata=V1ObjectMeta(generate_name="slow-"))
    # The listener, which accepts and never says a word, closes first: that ends the request.
    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as deaf:
        objects = NO_ROOM % {"port": deaf.getsockname()[1]}
        plane.kubectl("apply", "-f", "-", stdin=objects)

        def taken() -> bool:
            pool.submit(api.create_namespaced_config_map, "default", body)
            return status(api.list_node) == 429

        wait_for(taken, 20, "the room to be taken")
        yield
        plane.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=objects)
        pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.usefixtures("throttled")
def test_waits_as_long_as_the_server_asks(plane: ControlPlane, agent: str) -> None:
    kubeconfig = plane.kubeconfig_for(USER, (GROUP,))
    connection = Connection(Kubeconfig(str(kubeconfig)), user_agent=agent)
    cache = ClusterCache(connection)

    def refused() -> list[Asked]:
        return [one for one in asked(plane, agent) if one.code == 429 and "nodes" in one.uri]

    with running(connection, cache.run):
        wait_for(lambda: len(refused()) >= 3, 20, "three refusals")
        assert "429 " in cache.nodes.failure
        assert not cache.synced
        plane.kubectl("delete", "flowschema", "throttled")
        wait_for(lambda: cache.synced, 30, "both lists")
    # The API server asks for one second; what is random comes on top of that.
    assert all((later.at - one.at).total_seconds() >= 1 for one, later in pairwise(refused()))


@pytest.mark.usefixtures("throttled")
def test_a_refused_write_says_how_long_to_wait(plane: ControlPlane) -> None:
    kubeconfig = plane.kubeconfig_for(USER, (GROUP,))

    async def annotate() -> None:
        async with Connection(Kubeconfig(str(kubeconfig))) as connection:
            where = path("v1", "namespaces", name="default")
            await Writer(connection).merge_patch(where, {"metadata": {"annotations": {"a": "b"}}})

    with pytest.raises(RefusedError) as refused:
        asyncio.run(annotate())
    assert (refused.value.status, refused.value.retry_after) == (429, 1.0)
