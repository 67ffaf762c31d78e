"""The known-bad object: what every gate denies, so that anybody can see that it denies.

A real violation will not do: whether it is denied is what the configuration decides. This one
takes the same way, from the bytes of a review to the answer, and no configuration excuses it.
Its kind exists nowhere, so no API server ever asks about it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from policies.model import CREATE, Action, NoParams, Policy, Request, Rule, Violation
from policies.objects import Object
from policies.resources import Resource

GROUP, RESOURCE = "netreeve.io", "proofs"
RULE = Rule(GROUP, RESOURCE, frozenset({CREATE}))


class Proof(Object):
    """good: never true of a proof."""

    good: bool | None = None


def validate(proof: Proof, request: Request, params: NoParams) -> Iterator[Violation]:
    if not proof.good:
        yield Violation("good", "must be true", "nothing, this is how a server is seen to deny")


POLICY: Policy[Proof, NoParams] = Policy(
    id="proof",
    title="What is known to be bad is denied",
    why="A server that does not deny this denies nothing.",
    fix="None: no API server ever asks about it.",
    rules=(RULE,),
    standard=Action.DENY,
    strict=Action.DENY,
    params=NoParams,
    exemptable=False,
    validate=validate,
)
READER = Resource(
    GROUP, RESOURCE, "Proof", msgspec.json.Decoder(Proof).decode, lambda proof: (proof,)
)
UID = "proof"
REVIEW = msgspec.json.encode(
    {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": UID,
            "operation": CREATE,
            "kind": {"group": GROUP, "version": "v1", "kind": "Proof"},
            "resource": {"group": GROUP, "version": "v1", "resource": RESOURCE},
            "name": "known-bad",
            "object": {"metadata": {"name": "known-bad"}, "good": False},
        },
    }
)
"""What to send to /validate; the answer to it must be no."""
