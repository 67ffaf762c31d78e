"""A plain client of the API server for JSON, shared by many threads; insists where it has to."""

import json
import ssl
from pathlib import Path
from typing import Any

import httpx

from tests.controlplane.cluster import ControlPlane
from tests.controlplane.wait import wait_for

SECONDS = 60.0
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
Json = dict[str, Any]


class Api:
    """The user of a kubeconfig. Every method answers with the object, or raises HTTPStatusError."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        identity = config["users"][0]["user"]
        tls = ssl.create_default_context(cafile=plane.ca_file)
        tls.load_cert_chain(identity["client-certificate"], identity["client-key"])
        self._client = httpx.Client(
            base_url=plane.url, verify=tls, trust_env=False, timeout=SECONDS
        )

    def close(self) -> None:
        self._client.close()

    def get(self, path: str) -> Json:
        return self._ask("GET", path)

    def create(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """A merge patch."""
        return self._ask("PATCH", path, body, MERGE_PATCH)

    def delete(self, path: str, **params: str | int) -> None:
        """Of an object or a collection; one that is gone is fine."""
        answer = self._client.delete(path, params=params)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def insist(self, path: str, body: Json) -> None:
        """Create the object, or find it created; API servers restart, ServiceAccounts are late."""
        self._until_taken("POST", path, body)

    def insist_on_patch(self, path: str, body: Json) -> None:
        """A merge patch that may be repeated."""
        self._until_taken("PATCH", path, body, MERGE_PATCH)

    def _until_taken(self, method: str, path: str, body: Json, kind: str = JSON) -> None:
        headers = {"content-type": kind}

        def done() -> bool:
            try:
                answer = self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                return False
            if answer.status_code in (403, 429) or answer.is_server_error:
                return False
            if answer.status_code != httpx.codes.CONFLICT:
                answer.raise_for_status()
            return True

        wait_for(done, 2 * SECONDS, f"the API server to take a {method} of {path}")

    def _ask(self, method: str, path: str, body: Json | None = None, kind: str = JSON) -> Json:
        content = None if body is None else json.dumps(body)
        answer = self._client.request(method, path, content=content, headers={"content-type": kind})
        answer.raise_for_status()
        found: Json = answer.json()
        return found
