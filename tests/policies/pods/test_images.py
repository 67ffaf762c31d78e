"""Image references mean what a container runtime takes them to mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pods.images import Image, parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nginx", Image("docker.io/library/nginx", "", "")),
        ("nginx:1.29", Image("docker.io/library/nginx", "1.29", "")),
        ("istio/proxyv2", Image("docker.io/istio/proxyv2", "", "")),
        ("docker.io/nginx", Image("docker.io/library/nginx", "", "")),
        ("index.docker.io/istio/proxyv2:1", Image("docker.io/istio/proxyv2", "1", "")),
        ("localhost/nginx", Image("localhost/nginx", "", "")),
        ("localhost:5000/nginx:1", Image("localhost:5000/nginx", "1", "")),
        ("registry:5000/a/b/c:x", Image("registry:5000/a/b/c", "x", "")),
        ("Registry/nginx", Image("Registry/nginx", "", "")),
        ("registry:5000", Image("docker.io/library/registry", "5000", "")),
        (f"quay.io/a/b@{DIGEST}", Image("quay.io/a/b", "", DIGEST)),
        (f"quay.io/a/b:1@{DIGEST}", Image("quay.io/a/b", "1", DIGEST)),
        ("", Image("docker.io/library/", "", "")),
    ],
)
def test_a_reference_is_split_and_completed(reference: str, expected: Image) -> None:
    assert parse(reference) == expected


@pytest.mark.parametrize(
    ("allowed", "image", "expected"),
    [
        ("istio/proxyv2", "docker.io/istio/proxyv2:1.30.3", True),
        ("istio/proxyv2", f"docker.io/istio/proxyv2:1@{DIGEST}", True),
        ("istio/proxyv2", "istio/proxyv2evil", False),
        ("istio/proxyv2", "istio/proxyv2/evil", False),
        ("istio/proxyv2", "evil.io/istio/proxyv2", False),
        ("istio/proxyv2", "docker.io.evil.io/istio/proxyv2", False),
        ("istio/proxyv2", "docker.io:443/istio/proxyv2", False),
        ("istio/proxyv2", "docker.io/library/istio/proxyv2", False),
        ("istio/proxyv2", " istio/proxyv2", False),
        ("istio/proxyv2:1", "istio/proxyv2:1", True),
        ("istio/proxyv2:1", "istio/proxyv2:1.30", False),
        ("istio/proxyv2:1", "istio/proxyv2", False),
        ("istio/proxyv2:1", f"istio/proxyv2:1@{DIGEST}", False),
        (f"istio/proxyv2@{DIGEST}", f"istio/proxyv2@{DIGEST}", True),
        (f"istio/proxyv2@{DIGEST}", f"istio/proxyv2:any@{DIGEST}", True),
        (f"istio/proxyv2@{DIGEST}", "istio/proxyv2@sha256:1", False),
        (f"istio/proxyv2@{DIGEST}", "istio/proxyv2:1", False),
    ],
)
def test_an_allowed_image_covers_itself_and_nothing_beside_it(
    allowed: str, image: str, expected: bool
) -> None:
    assert parse(allowed).covers(parse(image)) is expected


@given(st.text())
def test_any_text_is_split_without_an_error(reference: str) -> None:
    image = parse(reference)
    assert "/" in image.repository
    assert "@" not in image.repository
