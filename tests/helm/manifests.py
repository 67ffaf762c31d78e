"""Writes what below deploy/ is made from something else: `make manifests`.

The chart's rules from the policies, the schema of its values from that of the configuration, and
from the chart the manifests for those who install without Helm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.helm.build import CHART
from tests.helm.render import parse, template
from webhook.config import registration
from webhook.config.jsonschema import schema

DEPLOY = CHART.parent
STAGES = ("audit", "warn", "enforce")
FIRST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "Namespace")
"""kubectl works through a file from the top, when it deletes as well: nobody must wait for a gate
that is about to go."""
OF_A_STAGE = (
    ("ConfigMap", "netreeve-config"),
    ("ConfigMap", "netreeve-webhooks"),
    ("ValidatingAdmissionPolicyBinding", "netreeve-excluded"),
    ("ValidatingAdmissionPolicyBinding", "netreeve-pod-addresses"),
)
OF_THE_CHART = ("apiVersion", "kind", "stage")
HEAD = "# Rendered from deploy/chart by `make manifests`: change that.\n"
BESIDE = """\
# It needs one of deploy/stages beside it, so that applying it again leaves the stage as it is:
#   kubectl apply -f deploy/install.yaml -f deploy/stages/audit/stage.yaml
"""


def values_schema() -> str:
    """values.schema.json with the present schema of the configuration as the value ``config``."""
    whole = json.loads((CHART / "values.schema.json").read_text())
    config = schema()
    definitions = config.pop("$defs")
    del config["$schema"], config["required"]
    for name in OF_THE_CHART:
        del config["properties"][name]
    config["title"] = "GateConfig without what the chart sets"
    whole["$defs"] = {"config": config, **definitions}
    return json.dumps(whole, indent=2) + "\n"


def install() -> str:
    """What is the same in every stage, in the order in which it may also be deleted."""
    documents = _documents(template({"namespace": {"create": True}}))
    chosen = [text for text in documents if _identity(text) not in OF_A_STAGE]
    ranks = {kind: rank for rank, kind in enumerate(FIRST)}
    chosen.sort(key=lambda text: ranks.get(_identity(text)[0], len(FIRST)))
    return HEAD + BESIDE + "".join(f"---\n{text}" for text in chosen)


def stage(name: str) -> str:
    """What is different in a stage: all that install.yaml has not."""
    documents = _documents(template({"stage": name}))
    chosen = [text for text in documents if _identity(text) in OF_A_STAGE]
    return HEAD + "".join(f"---\n{text}" for text in chosen)


def generated() -> dict[Path, Callable[[], str]]:
    """Every file with what makes it, in the order in which they build on each other."""
    return {
        CHART / "files" / "registration.yaml": registration.text,
        CHART / "values.schema.json": values_schema,
        DEPLOY / "install.yaml": install,
        **{
            DEPLOY / "stages" / name / "stage.yaml": lambda name=name: stage(name)  # type: ignore[misc]
            for name in STAGES
        },
    }


def _documents(text: str) -> list[str]:
    """The objects of a rendered chart as text, without the names of the templates."""
    parts = re.split(r"^---\n", text, flags=re.MULTILINE)
    plain = (re.sub(r"^# Source: .*\n", "", part).strip() + "\n" for part in parts)
    return [part for part in plain if parse(part)]


def _identity(text: str) -> tuple[str, str]:
    """Kind and name."""
    (found,) = parse(text)
    return str(found["kind"]), str(found["metadata"]["name"])


def main() -> None:
    """Write all of them."""
    for path, make in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make())


if __name__ == "__main__":
    main()
