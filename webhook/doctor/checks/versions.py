"""Do the versions of Kubernetes, of the servers and of this command fit?"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.doctor import names
from webhook.doctor.finding import Check, Finding, error, warning
from webhook.doctor.seen import Seen

TOO_OLD = error(
    "kubernetes-too-old",
    "matchConditions keep the webhooks away from what must not wait; they are stable since 1.30.",
)
MIXED = warning("images-differ", "The two programs are released together, and tested so.")
SKEW = warning("command-skew", "This command judges by what its own version needs.")
OLDEST = (1, 30)


def run(seen: Seen) -> Iterator[Finding]:
    if seen.served.kubernetes < OLDEST:
        where = f"Kubernetes {seen.kubernetes}"
        yield TOO_OLD.found(where, "is older than 1.30", "upgrade the cluster first")
    images = {name: _image(seen, name) for name in (names.SERVE, names.CONTROL)}
    if len({one for one in images.values() if one}) > 1:
        details = [f"{name}: {image}" for name, image in images.items()]
        where = f"Deployments in {seen.namespace}"
        yield MIXED.found(where, "run different images", names.upgrade(seen.namespace), details)
    tag = _tag(images[names.SERVE])
    if tag and seen.command and tag != seen.command:
        where = f"Deployment {seen.namespace}/{names.SERVE}"
        text = f"runs {tag}, this command is {seen.command}"
        yield SKEW.found(where, text, f"use netreeve {tag} for this cluster")


def _image(seen: Seen, name: str) -> str:
    deployment = seen.deployment(name)
    return next((one.image or "" for one in (deployment.containers if deployment else ())), "")


def _tag(image: str) -> str:
    """A version, of an image that has one: neither a digest nor ``latest``."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2].removeprefix("v")
    return tag if tag[:1].isdecimal() else ""


CHECK = Check(
    id="versions",
    title="Kubernetes, the servers and this command are of versions that fit",
    kinds=(TOO_OLD, MIXED, SKEW),
    run=run,
    needs=("deployments",),
)
