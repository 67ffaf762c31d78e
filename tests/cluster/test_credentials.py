"""Who we are to the API server: service accounts, kubeconfigs, plugins, and what they get wrong."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from kubernetes.client import (
    AuthenticationV1TokenRequest,
    CoreV1Api,
    V1ObjectMeta,
    V1ServiceAccount,
    V1TokenRequestSpec,
)

from tests.cluster.background import running
from tests.cluster.users import Grant
from tests.controlplane.certs import Authority
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for
from webhook.cluster.cache import ClusterCache
from webhook.cluster.connection import Connection
from webhook.cluster.credentials import InCluster, Kubeconfig, Source
from webhook.cluster.errors import ClusterError, CredentialsError, RefusedError, UnreachableError

SECRET = "do-not-tell-anybody"
ACCOUNTS = "system:serviceaccounts:default"
PLUGIN = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
with (folder / "runs").open("a") as runs:
    runs.write("x")
status = json.loads((folder / "answer").read_text())
print(json.dumps(dict(apiVersion="client.authentication.k8s.io/v1", kind="ExecCredential",
                      status=status)))
"""


def ask(source: Source, path: str = "/api/v1/namespaces") -> bytes:
    async def once() -> bytes:
        async with Connection(source, timeout=5) as connection:
            return await connection.read(path, {"limit": "1"})

    return asyncio.run(once())


@pytest.fixture(scope="module")
def token(api: CoreV1Api, grant: Grant) -> str:
    """Of a service account that may read."""
    grant(ACCOUNTS, "namespaces, nodes")
    account = V1ServiceAccount(metadata=V1ObjectMeta(name="netreeve"))
    api.create_namespaced_service_account("default", account)
    request = AuthenticationV1TokenRequest(spec=V1TokenRequestSpec(audiences=[]))
    made = api.create_namespaced_service_account_token("netreeve", "default", request)
    assert made.status
    return str(made.status.token)


@pytest.fixture
def pod(plane: ControlPlane, tmp_path: Path, token: str) -> InCluster:
    """What the kubelet gives to a pod."""
    (tmp_path / "token").write_text(token + "\n")
    (tmp_path / "ca.crt").write_bytes(plane.ca_file.read_bytes())
    address = urlsplit(plane.url)
    environ = {
        "KUBERNETES_SERVICE_HOST": str(address.hostname),
        "KUBERNETES_SERVICE_PORT": str(address.port),
    }
    return InCluster(environ, str(tmp_path / "token"), str(tmp_path / "ca.crt"))


def write_kubeconfig(folder: Path, cluster: dict[str, Any], user: dict[str, Any]) -> Kubeconfig:
    file = folder / "kubeconfig"
    config = {
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "mine", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "mine",
    }
    file.write_text(json.dumps(config))
    return Kubeconfig(str(file))


Configure = Callable[[dict[str, Any]], Kubeconfig]


@pytest.fixture
def configure(plane: ControlPlane, tmp_path: Path) -> Configure:
    """A kubeconfig for the API server, with a user that is given."""
    cluster = {"server": plane.url, "certificate-authority": str(plane.ca_file)}
    return lambda user: write_kubeconfig(tmp_path, cluster, user)


@pytest.mark.cluster
def test_service_account_of_a_pod(pod: InCluster) -> None:
    assert b'"kind":"NamespaceList"' in ask(pod)


@pytest.mark.cluster
def test_refused_credentials_are_read_again(
    pod: InCluster, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Path(pod.token_file).write_text(SECRET)
    connection = Connection(pod)
    cache = ClusterCache(connection)
    with running(connection, cache.run):
        wait_for(lambda: "401 Unauthorized" in cache.nodes.failure, 5, "the refusal")
        assert f"does not accept the service account token {pod.token_file}" in cache.nodes.failure
        assert not cache.synced
        Path(pod.token_file).write_text(token)
        wait_for(lambda: cache.synced, 20, "both lists")
    assert SECRET not in caplog.text
    assert token not in caplog.text


@pytest.mark.cluster
def test_an_authority_that_changes_is_read_again(pod: InCluster, tmp_path: Path) -> None:
    good = Path(pod.ca_file).read_bytes()
    Path(pod.ca_file).write_bytes(Authority(tmp_path / "other").pair.cert.read_bytes())
    connection = Connection(pod)
    cache = ClusterCache(connection)
    with running(connection, cache.run):
        wait_for(lambda: "certificate verify failed" in cache.nodes.failure, 5, "the distrust")
        assert f"; is its authority that of the service account token {pod.token_file}?" in (
            cache.nodes.failure
        )
        Path(pod.ca_file).write_bytes(good)
        wait_for(lambda: cache.synced, 20, "both lists")


@pytest.mark.cluster
def test_without_the_right_the_refusal_says_what_to_grant(plane: ControlPlane) -> None:
    with pytest.raises(RefusedError, match=r'User "nobody" cannot list .* in a ClusterRole$'):
        ask(Kubeconfig(str(plane.kubeconfig_for("nobody"))))


@pytest.mark.cluster
def test_token_of_a_kubeconfig(configure: Configure, token: str) -> None:
    assert b"NamespaceList" in ask(configure({"token": token}))


@pytest.mark.cluster
def test_whom_a_kubeconfig_says_to_act_as(plane: ControlPlane, configure: Configure) -> None:
    whoami = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    admin = yaml.safe_load(plane.kubeconfig.read_text())["users"][0]["user"]
    user = {"as": "anna", "as-uid": "u-1", "as-groups": ["system:authenticated", "net admins"],
            "as-user-extra": {"example.com/Scopes%": ["view", "edit"]}}  # fmt: skip

    async def asked() -> Any:
        async with Connection(configure(admin | user), timeout=5) as connection:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            return json.loads(await connection.write("POST", whoami, json.dumps(body).encode()))

    assert asyncio.run(asked())["status"]["userInfo"] == {
        "username": "anna",
        "uid": "u-1",
        "groups": ["system:authenticated", "net admins"],
        "extra": {"example.com/scopes%": ["view", "edit"]},
    }


@pytest.mark.cluster
def test_context_by_name(plane: ControlPlane) -> None:
    path = str(plane.kubeconfig)
    assert b"NamespaceList" in ask(Kubeconfig(path, "kubernetes-admin"))
    with pytest.raises(CredentialsError, match=r"context other cannot be used: .*name other"):
        ask(Kubeconfig(path, "other"))


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, Any]:
    """The user entry for a credential plugin that says what is in the file ``answer``."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": ["-I", str(tmp_path / "plugin.py"), str(tmp_path)],
        }
    }


@pytest.mark.cluster
def test_credential_plugin_is_run_again_when_it_must_be(
    configure: Configure, plugin: dict[str, Any], token: str, tmp_path: Path
) -> None:
    answer, runs = tmp_path / "answer", tmp_path / "runs"

    async def ask_thrice() -> None:
        async with Connection(configure(plugin), timeout=5) as connection:
            for _ in range(3):
                await connection.read("/api/v1/nodes", {})

    answer.write_text(json.dumps({"token": token}))
    asyncio.run(ask_thrice())
    assert runs.read_text() == "x"
    answer.write_text(json.dumps({"token": token, "expirationTimestamp": "2100-01-01T00:00:00Z"}))
    asyncio.run(ask_thrice())
    assert runs.read_text() == "xx"
    answer.write_text(json.dumps({"token": token, "expirationTimestamp": "2000-01-01T00:00:00Z"}))
    asyncio.run(ask_thrice())
    assert runs.read_text() == "xx" + "x" + "xxx"


@pytest.mark.cluster
def test_credential_plugin_that_fails(configure: Configure, plugin: dict[str, Any]) -> None:
    source = configure(plugin)
    with pytest.raises(CredentialsError) as caught:
        ask(source)
    assert str(caught.value) == (
        f"{source}: the plugin {sys.executable} gave no credentials (what it said is in the log"
        " above): run it by hand"
    )


@pytest.mark.cluster
def test_proxies_of_the_environment(
    pod: InCluster, reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert b"NamespaceList" in ask(pod)
    assert b"NamespaceList" in ask(Kubeconfig(str(reader)))
    far = write_kubeconfig(tmp_path, {"server": "https://192.0.2.1"}, {"token": SECRET})
    with pytest.raises(UnreachableError, match=r"Connect call failed \('127.0.0.1', 1\)"):
        ask(far)


def test_outside_of_a_cluster() -> None:
    with pytest.raises(CredentialsError, match="outside of a cluster name a kubeconfig"):
        ask(InCluster({}))


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none"
    with pytest.raises(CredentialsError) as caught:
        ask(Kubeconfig(str(path)))
    assert str(caught.value) == f"the kubeconfig {path} does not exist: name one that does"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just words",
        f'users: [{{name: me, user: {{token: "{SECRET}',
        "current-context: mine",
        "current-context: mine\ncontexts: []\nclusters: []",
    ],
)
def test_a_kubeconfig_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(CredentialsError, match=f"the kubeconfig {path} cannot be used: ") as caught:
        ask(Kubeconfig(str(path)))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "user",
    [
        {"client-certificate": "missing.crt", "client-key": "missing.key"},
        {"client-certificate-data": "bm8gY2VydGlmaWNhdGU=", "client-key-data": "bm8ga2V5"},
        {"auth-provider": {"name": "oidc", "config": {"refresh-token": SECRET}}},
        {"auth-provider": {"name": "gcp"}, "token": SECRET},
        {"as-groups": ["system:masters"], "token": SECRET},
        {"as": ["anna"], "token": SECRET},
        {"as": "anna\r\nImpersonate-Group: system:masters", "token": SECRET},
    ],
)
def test_a_user_that_is_none(tmp_path: Path, user: dict[str, Any]) -> None:
    source = write_kubeconfig(tmp_path, {"server": "https://127.0.0.1:1"}, user)
    with pytest.raises(CredentialsError, match=str(source)) as caught:
        ask(source)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or SECRET not in repr(caught.value.__context__)


def test_nobody_listens(tmp_path: Path) -> None:
    source = write_kubeconfig(tmp_path, {"server": "https://127.0.0.1:1"}, {"token": SECRET})
    with pytest.raises(UnreachableError, match=r"^https://127.0.0.1:1/.*Connect call failed"):
        ask(source)


def test_every_error_is_one_of_ours() -> None:
    assert {CredentialsError, RefusedError, UnreachableError} <= set(ClusterError.__subclasses__())
