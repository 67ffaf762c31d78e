"""What the webhook configurations should be: the files of a folder, completed by a CA bundle.

Pure but for reading the folder, which the kubelet fills from a ConfigMap. Knows the defaults of
the API server (admissionregistration.k8s.io/v1), so that what is live can be compared with it.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

VALIDATING, MUTATING = "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"
RESOURCES = {
    VALIDATING: "validatingwebhookconfigurations",
    MUTATING: "mutatingwebhookconfigurations",
}
FILES = {"validating.yaml": VALIDATING, "mutating.yaml": MUTATING}
API_VERSION = "admissionregistration.k8s.io/v1"
Json = dict[str, Any]

_DEFAULTS: Mapping[str, Any] = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "matchConditions": [],
    "timeoutSeconds": 10,
}
_RULE_DEFAULTS: Mapping[str, Any] = {"scope": "*"}
_SERVICE_DEFAULTS: Mapping[str, Any] = {"port": 443}


class WantedError(Exception):
    """The folder does not hold webhook configurations; the text names the place."""


class Wanted(NamedTuple):
    """One configuration, without CA bundles."""

    kind: str
    name: str
    webhooks: tuple[Json, ...]


def read(folder: Path) -> tuple[Wanted, ...]:
    """Those of ``validating.yaml`` and ``mutating.yaml``. Raises WantedError."""
    return tuple(_read(folder / name, kind) for name, kind in FILES.items())


def complete(webhook: Mapping[str, Any], kind: str, bundle: bytes | None = None) -> Json:
    """A webhook with every default written out, so that nobody else's value stays.

    bundle: its CA bundle; None leaves what it has.
    """
    more = {"reinvocationPolicy": "Never"} if kind == MUTATING else {}
    full: Json = copy.deepcopy({**_DEFAULTS, **more, **webhook})
    full["rules"] = [{**_RULE_DEFAULTS, **rule} for rule in full.get("rules") or ()]
    client = full["clientConfig"] = dict(full.get("clientConfig") or {})
    if "service" in client:
        client["service"] = {**_SERVICE_DEFAULTS, **(client["service"] or {})}
    if bundle is not None:
        client["caBundle"] = base64.b64encode(bundle).decode()
    return full


def filled(wanted: Wanted, bundle: bytes) -> list[Json]:
    """The webhooks of a configuration with this CA bundle."""
    return [complete(one, wanted.kind, bundle) for one in wanted.webhooks]


def is_filled(wanted: Wanted, bundle: bytes, live: Sequence[Mapping[str, Any]]) -> bool:
    """Whether live webhooks are the wanted ones, in every field."""
    return filled(wanted, bundle) == [complete(one, wanted.kind) for one in live]


def tightens(wanted: Wanted, live: Sequence[Mapping[str, Any]]) -> bool:
    """Whether requests may fail afterwards that could not before, if no server denies rightly."""
    before = _failing(live)
    after = _failing(wanted.webhooks)
    return any(name not in before or (fails and not before[name]) for name, fails in after.items())


def loosens(wanted: Wanted, live: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a webhook that fails closed will fail open: the stage was enforce, and is not."""
    after = _failing(wanted.webhooks)
    return any(fails and not after.get(name, True) for name, fails in _failing(live).items())


def _failing(webhooks: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """By name: whether what it is asked about fails while nobody answers."""
    return {str(one.get("name")): one.get("failurePolicy", "Fail") == "Fail" for one in webhooks}


def bundles(live: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """The CA bundle of each webhook; b"" for one without."""
    found = ((one.get("clientConfig") or {}).get("caBundle") or "" for one in live)
    return [base64.b64decode(one) for one in found]


def _read(file: Path, kind: str) -> Wanted:
    try:
        found = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise WantedError(f"{file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise WantedError(f"{file}: no YAML: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != kind:
        raise WantedError(f"{file}: must be a {kind}")
    name = (found.get("metadata") or {}).get("name")
    webhooks = found.get("webhooks")
    if not isinstance(name, str) or not isinstance(webhooks, list) or not webhooks:
        raise WantedError(f"{file}: must have metadata.name and webhooks")
    for at, one in enumerate(webhooks):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise WantedError(f"{file}: webhooks[{at}]: must have a name")
    return Wanted(kind, name, tuple(webhooks))
