"""Does the API server itself get a no for what is known to be bad?"""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Action
from webhook.config import GateConfig
from webhook.doctor.finding import Check, Finding, error, info
from webhook.doctor.seen import Seen

ADMITTED = error("known-bad-admitted", "The gate is there, and lets through what it should deny.")
FAILED = error("call-failed", "The API server cannot call the webhook, and denies the request.")
NOT_DENIED = info(
    "known-bad-not-denied", "Right where the configuration says so; nothing was proven by it."
)
REFUSED = info("known-bad-refused-by-others", "Nothing was proven by this request.")
POLICY = "host-network"


def run(seen: Seen) -> Iterator[Finding]:
    proof = seen.proof
    if proof is None:
        return
    where = f"a Deployment with hostNetwork in {proof.namespace}, as a dry run"
    logs = f"kubectl logs -n {seen.namespace} deployment/netreeve-serve"
    ours = [one.webhook.name for one in seen.ours]
    if any(f'failed calling webhook "{name}"' in proof.message for name in ours):
        yield FAILED.found(where, proof.message, f"{logs}; the other findings say more")
    elif proof.status < 300:
        if _denied(seen.config):
            yield ADMITTED.found(where, "was admitted", logs)
        else:
            text = f"was admitted: {_configured(seen.config)}"
            yield NOT_DENIED.found(where, text, f"look at what it says of {POLICY}")
    elif not any(f'webhook "{name}" denied' in proof.message for name in ours):
        remedy = "ask for the right to create deployments, or look at who refuses it"
        yield REFUSED.found(where, f"was refused by somebody else: {proof.message}", remedy)


def _denied(config: GateConfig | None) -> bool:
    """Whether the policy denies in every namespace; not known without the configuration."""
    if config is None or config.stage != "enforce" or config.profile == "audit":
        return False
    mentioned = [config.policies, *(one.policies for one in config.overrides)]
    actions = [some[POLICY].action or Action.DENY for some in mentioned if POLICY in some]
    return all(one is Action.DENY for one in actions)


def _configured(config: GateConfig | None) -> str:
    if config is None:
        return "the configuration is not known"
    return f"the configuration has the stage {config.stage} and the profile {config.profile}"


CHECK = Check(
    id="proof",
    title="the API server calls the webhooks, and what is known to be bad is denied",
    kinds=(ADMITTED, FAILED, NOT_DENIED, REFUSED),
    run=run,
    needs=("hooks", "namespaces"),
    about="an enforcing gate",
)
