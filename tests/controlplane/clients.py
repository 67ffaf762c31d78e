"""Who talks to the API server, and with what: kubeconfigs and clients per user.

Owns every credential file of one control plane and every client it handed out.
"""

import hashlib
import json
import os
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, Configuration

from tests.controlplane.certs import Authority, Pair

PROBE_TIMEOUT = 5.0
KUBECTL_TIMEOUT = 60.0


class Credentials:
    """Client certificates of one authority for one server; the same user gets the same files."""

    def __init__(self, folder: Path, authority: Authority, server: str) -> None:
        self._folder = folder
        self._authority = authority
        self._server = server
        self._pairs: dict[str, Pair] = {}
        self._clients: list[ApiClient] = []
        folder.mkdir(parents=True, exist_ok=True)

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig file with a client certificate for `user` in `groups`."""
        path = self._folder / f"{_file_name(user, groups)}.kubeconfig"
        if not path.exists():
            path.write_text(json.dumps(self._config(user, self._pair(user, groups)), indent=2))
        return path

    def api_client(self, user: str, groups: Sequence[str] = ()) -> ApiClient:
        """A client of its own for `user`; `close` closes it, if nobody did before."""
        pair = self._pair(user, groups)
        # Not through the kubeconfig: the library's loader copies certificates to temporary
        # files that it keeps at module level.
        configuration = Configuration()
        configuration.host = self._server
        configuration.ssl_ca_cert = str(self._authority.pair.cert)
        configuration.cert_file = str(pair.cert)
        configuration.key_file = str(pair.key)
        # It takes the proxy from the environment even for loopback.
        configuration.proxy = None
        client = ApiClient(configuration)
        self._clients.append(client)
        return client

    def tls(self, user: str, groups: Sequence[str] = ()) -> ssl.SSLContext:
        """A context that trusts the authority and shows the certificate of `user`."""
        context = ssl.create_default_context(cafile=self._authority.pair.cert)
        pair = self._pair(user, groups)
        context.load_cert_chain(pair.cert, pair.key)
        return context

    def close(self) -> None:
        """Close every client, so that no test run ends with open sockets."""
        while self._clients:
            self._clients.pop().close()  # type: ignore[no-untyped-call]

    def _pair(self, user: str, groups: Sequence[str]) -> Pair:
        name = _file_name(user, groups)
        if name not in self._pairs:
            self._pairs[name] = self._authority.client(name, user, groups)
        return self._pairs[name]

    def _config(self, user: str, pair: Pair) -> dict[str, Any]:
        """The kubeconfig as data; JSON is YAML, so kubectl and every client reads it."""
        cluster = {"server": self._server, "certificate-authority": str(self._authority.pair.cert)}
        identity = {"client-certificate": str(pair.cert), "client-key": str(pair.key)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "control-plane", "cluster": cluster}],
            "users": [{"name": user, "user": identity}],
            "contexts": [{"name": user, "context": {"cluster": "control-plane", "user": user}}],
            "current-context": user,
        }


def kubectl(
    program: Path,
    args: Sequence[str | Path],
    *,
    stdin: str | None,
    kubeconfig: Path,
    home: Path,
    check: bool,
) -> subprocess.CompletedProcess[str]:
    """Run kubectl as the user of `kubeconfig`, with nothing of our environment but PATH.

    Raises CalledProcessError, with what kubectl said as a note, unless `check` is off.
    """
    result = subprocess.run(
        [program, *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=KUBECTL_TIMEOUT,
        check=False,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
        },
    )
    if check and result.returncode:
        command = ["kubectl", *args]
        error = subprocess.CalledProcessError(
            result.returncode, command, result.stdout, result.stderr
        )
        error.add_note(result.stderr.strip())
        raise error
    return result


def probe(url: str, tls: ssl.SSLContext | None = None) -> str | None:
    """What `url` says, if it answers with success. Loopback only: no proxy is asked."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )
    try:
        with opener.open(url, timeout=PROBE_TIMEOUT) as response:
            body: bytes = response.read()
    except OSError:  # refused, reset, timed out, or an HTTP status that is not a success
        return None
    return body.decode()


def _file_name(user: str, groups: Sequence[str]) -> str:
    """Readable, safe on any file system, and different for different users and groups."""
    digest = hashlib.sha256(json.dumps([user, *groups]).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9.-]', '-', user)}-{digest}"
