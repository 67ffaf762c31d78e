"""`python -m tests.bench`: measure, print, and check every verdict on the way.

Exit code 0 when all verdicts were right, 1 when one was wrong or a server failed; with
`--fail-on-missed` also when a target is missed, which a busy machine alone can cause.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.audit.seeded import PER_NAMESPACE, Cost, seed
from tests.audit.seeded import measure as measure_audit
from tests.bench import load, machine, report, servers, stages
from tests.bench.client import VerdictError
from tests.bench.pinned import cores
from tests.bench.rounds import Plan, measure
from tests.bench.scenarios import scenarios
from tests.controller.adoption import Adopted, adopt
from tests.controller.protected import protected_cluster, scaled
from tests.controlplane.build import BuildError, to_stderr
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.process import ProcessFailedError
from tests.controlplane.toolchain import ToolchainError

FAILURES = (
    *(VerdictError, load.LoadError, ProcessFailedError, BuildError, ToolchainError),
    *(OSError, TimeoutError),
)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    options = _parser().parse_args(argv)
    if options.profile:
        stages.show(scenarios()[options.profile])
        return 0
    try:
        return _bench(options)
    except FAILURES as error:
        to_stderr(f"tests.bench: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    names = tuple(scenarios())
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=_positive, default=1, help="of one run (default: %(default)s)")
    add("--rounds", type=_positive, default=7, help="(default: %(default)s)")
    add("--connections", type=_positive, nargs="+", default=[8, 32], help="(default: 8 32)")
    add(
        "--namespaces",
        type=int,
        default=scaled(200, 2000),
        help="that the controller adopts at once (default: %(default)s; 0: measure no controller)",
    )
    add(
        "--stored",
        type=int,
        default=scaled(1000, 10_000),
        help="objects to audit, about (default: %(default)s; 0: measure no audit)",
    )
    add(
        "--idle",
        type=_positive,
        default=10,
        help="seconds in which nothing is changed, after both (default: %(default)s)",
    )
    add("--scenario", choices=names, nargs="+", default=names, help="(default: all)")
    add("--generator", choices=("wrk", load.GO_LOAD), help="(default: wrk where it is installed)")
    add("--json", type=Path, metavar="FILE", help="write every run there")
    add("--fail-on-missed", action="store_true", help="exit 1 when a target is missed")
    add("--profile", choices=names, help="print where the time of one review goes, and end")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def _bench(options: argparse.Namespace) -> int:
    chosen = scenarios()
    plan = Plan(
        tuple(chosen[name] for name in options.scenario),
        tuple(options.connections),
        options.rounds,
        options.seconds,
    )
    own, other = ((cores() or [0])[index] for index in (0, -1))
    generator = load.find(other, options.generator)
    about = machine.describe(generator, own)
    with tempfile.TemporaryDirectory(prefix="netreeve-bench-") as scratch:
        folder = Path(scratch)
        with servers.running(servers.NAMES, folder, own) as started:
            results = measure(plan, started, generator, folder, to_stderr)
        adopted = _adopted(folder / "cluster", options.namespaces, options.idle)
        audited = _audited(options.stored, options.idle)
    targets = list(report.targets(results, chosen))
    report.show(about, plan, results, targets)
    for one in (adopted, audited):
        print(*one.lines() if one else (), sep="\n")
    if options.json:
        found = report.as_json(about, plan, results, targets)
        found["controller"] = adopted and report.controller_as_json(adopted)
        found["audit"] = audited and {**audited._asdict(), "again": dict(audited.again)}
        text = json.dumps(found, indent=2)
        options.json.write_text(f"{text}\n")
    return int(options.fail_on_missed and not all(target.met for target in targets))


def _adopted(folder: Path, count: int, idle: int) -> Adopted | None:
    """The controller on a real control plane; it is not pinned, as the API server is not."""
    if count <= 0:
        return None
    to_stderr(f"{count} namespaces for the controller")
    with protected_cluster(folder) as protected:
        return adopt(protected, protected.controller(), count, idle=idle)


def _audited(objects: int, idle: int) -> Cost | None:
    """Of an API server alone, so that nothing else changes what is stored."""
    namespaces = objects // PER_NAMESPACE
    if namespaces <= 0:
        return None
    to_stderr(f"{namespaces * PER_NAMESPACE} objects to audit")
    with ControlPlane() as plane:
        seed(plane, namespaces)
        return measure_audit(plane, namespaces * PER_NAMESPACE, idle=idle)


if __name__ == "__main__":
    sys.exit(main())
