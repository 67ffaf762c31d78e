"""Where the API server is and how to prove who we are: a pod's service account or a kubeconfig.

The client library reads both, credential plugins included; this module makes its errors
readable. Knows nothing of connections.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from kubernetes.aio.client import Configuration
from kubernetes.aio.config import list_kube_config_contexts, load_kube_config
from kubernetes.aio.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from webhook.cluster import impersonation
from webhook.cluster.errors import CredentialsError

PLUGIN_SECONDS = 60.0
"""How long a credential plugin may take; some ask a browser or an identity provider."""


class Credentials(Configuration):
    """What the client library knows, and what it leaves out. impersonated: whom to act as."""

    impersonated: impersonation.Headers = ()


class Source(Protocol):
    """A place to load credentials from; loaded again whenever they are not accepted any more.

    proxied: whether proxies of the environment stand between us and this API server.
    """

    proxied: ClassVar[bool]

    async def load(self) -> Credentials:
        """Raises CredentialsError. The text of the source (``str``) names it in messages."""


@dataclass(frozen=True)
class InCluster:
    """The service account of the pod we run in; its token is read again every minute."""

    # As a rule NO_PROXY has the ranges of the cluster, which Go reads and Python does not.
    proxied: ClassVar[bool] = False

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    token_file: str = SERVICE_TOKEN_FILENAME
    ca_file: str = SERVICE_CERT_FILENAME

    def __str__(self) -> str:
        return f"the service account token {self.token_file}"

    async def load(self) -> Credentials:
        configuration = _configuration()
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            self.token_file, self.ca_file, environ=self.environ
        )
        try:
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        except Exception as error:
            raise CredentialsError(
                f"no service account of a pod can be used ({error}; looked at the variables"
                f" KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, {self.token_file} and"
                f" {self.ca_file}): outside of a cluster name a kubeconfig, inside of one set"
                " automountServiceAccountToken: true"
            ) from error
        return configuration


@dataclass(frozen=True)
class Kubeconfig:
    """A kubeconfig file, and the context to use of it ("" for its current one)."""

    proxied: ClassVar[bool] = True

    path: str
    context: str = ""

    def __str__(self) -> str:
        return f"the kubeconfig {self.path}" + (f", context {self.context}" * bool(self.context))

    def active(self) -> str:
        """The name of the context; "" where the file cannot be read."""
        try:
            return self.context or str(list_kube_config_contexts(self.path)[1]["name"])  # type: ignore[no-untyped-call]
        except Exception:  # whatever a loader of hand-written YAML can raise; `load` says what
            return ""

    async def load(self) -> Credentials:
        # The library only logs that a file is missing, and fails later without its name.
        if not await asyncio.to_thread(Path(self.path).expanduser().is_file):
            raise CredentialsError(f"{self} does not exist: name one that does")
        configuration = _configuration()
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                loader = await load_kube_config(  # type: ignore[no-untyped-call]
                    self.path, self.context or None, configuration, persist_config=False
                )
            configuration.impersonated = impersonation.headers(loader._user and loader._user.value)
        except TimeoutError as error:
            raise CredentialsError(
                f"{self} gave no credentials in {PLUGIN_SECONDS:.0f} s: run its plugin by hand"
            ) from error
        except Exception as error:  # whatever a loader of hand-written YAML can raise
            # Its texts quote parts of the file in braces, tokens included: not even as a cause.
            reason = re.sub(r"\{.*\}", "{...}", str(error) or type(error).__name__, flags=re.S)
            raise CredentialsError(f"{self} cannot be used: {reason}") from None
        self._check_plugin(loader, configuration)
        return configuration

    def _check_plugin(self, loader: Any, configuration: Credentials) -> None:
        """The library logs that a plugin failed and goes on as nobody; that helps nobody."""
        user = loader._user or {}
        if "exec" not in user:
            return
        if "BearerToken" not in configuration.api_key and not configuration.cert_file:
            raise CredentialsError(
                f"{self}: the plugin {user['exec']['command']} gave no credentials (what it said"
                " is in the log above): run it by hand"
            )
        if hasattr(loader, "exec_plugin_expiry"):
            configuration.refresh_api_key_hook = _plugin_hook(loader)


def _configuration() -> Credentials:
    configuration = Credentials()
    # Python 3.13 and later refuse certificates without key identifiers, which Go accepts and
    # some clusters have; what kubectl can talk to, we can.
    configuration.disable_strict_ssl_verification = True
    return configuration


def _plugin_hook(loader: Any) -> Any:
    """Called before every request; the loader runs the plugin again shortly before its expiry."""

    async def refresh(configuration: Configuration) -> None:
        async with asyncio.timeout(PLUGIN_SECONDS):
            await loader.load_from_exec_plugin()
        configuration.api_key["BearerToken"] = loader.token

    return refresh
