"""Image references, split as container runtimes split them.

Source: distribution/reference, ParseNormalizedNamed and splitDockerDomain. Knows no registry.
"""

from __future__ import annotations

from typing import NamedTuple


class Image(NamedTuple):
    """An image reference in full: ``docker.io/istio/proxyv2``, tag and digest "" where absent."""

    repository: str
    tag: str
    digest: str

    def covers(self, other: Image) -> bool:
        """Whether ``other`` is of this repository and, where these are given, tag or digest.

        A runtime that is given both goes by the digest, so a tag beside another digest is no
        proof of anything.
        """
        if self.repository != other.repository:
            return False
        if self.digest:
            return self.digest == other.digest
        return not self.tag or (self.tag == other.tag and not other.digest)


def parse(reference: str) -> Image:
    """The parts of ``[registry[:port]/]repository[:tag][@digest]``; never raises."""
    name, _, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return Image(_full_name(f"{folder}{slash}{last}"), tag, digest)


def _full_name(name: str) -> str:
    registry, slash, path = name.partition("/")
    if not slash or not _is_registry(registry):
        registry, path = "docker.io", name
    if registry == "index.docker.io":
        registry = "docker.io"
    if registry == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{registry}/{path}"


def _is_registry(part: str) -> bool:
    return "." in part or ":" in part or part == "localhost" or part != part.lower()
