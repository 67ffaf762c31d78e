"""A cluster in miniature, for the plan of a rotation: everything that can be late, is.

Two controllers with clocks that are off and copies that are old, two API servers that hear late of
two configurations that are written one after the other, and servers whose Secrets arrive late.
Nothing is slower than what a real cluster promises: `HEARD` and `MOUNTED`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding

from certs.issue import Pair
from certs.plan import (
    Authority,
    State,
    Step,
    bundle,
    carry,
    certificates,
    due,
    is_issued,
    take,
)
from webhook.controller.certificates.sources import published

NAMES = ("netreeve-serve.netreeve.svc",)
HEARD = timedelta(seconds=30)
"""Until every API server and every controller that runs has heard of a change."""
MOUNTED = timedelta(seconds=120)
"""Until the kubelet has written a changed Secret."""
OVERLAP = 60.0
CONFIGURATIONS = ("validating", "mutating")


@dataclass(frozen=True)
class Stored:
    """An object of the API server. version: changes with every write."""

    version: int
    authorities: tuple[Authority, ...] = ()
    leaf: Pair | None = None
    bundle: bytes = b""
    asked: bool = False


Objects = dict[str, Stored]
"""``ca`` and ``tls``, absent or not, and the configurations, whose bundle is b"" while empty."""


@dataclass
class Controller:
    """offset: of its clock. alive: hears of changes; while it is not, it may still write."""

    offset: timedelta
    copy: Objects = field(default_factory=dict)
    carried: dict[str, float] = field(default_factory=dict)
    alive: bool = True


class World:
    def __init__(self, offsets: tuple[timedelta, timedelta]) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.objects: Objects = {name: Stored(0) for name in CONFIGURATIONS}
        self.controllers = [Controller(one) for one in offsets]
        self.api_servers: list[Objects] = [dict(self.objects), dict(self.objects)]
        self.servers: list[Pair | None] = [None] * 2
        self._version = 0
        self._unmounted = timedelta(0)
        for one in self.controllers:
            one.copy = dict(self.objects)

    def write(self, name: str, seen: Stored | None, **content: object) -> bool:
        """As the API server takes it: only if it is as it was seen."""
        current = self.objects.get(name)
        if (current and current.version) != (seen and seen.version):
            return False
        self._version += 1
        base = current or Stored(0)
        self.objects[name] = replace(base, version=self._version, **content)  # type: ignore[arg-type]
        return True

    def act(self, who: int, *, writes: int = 9) -> Step | None:
        """One pass of a controller, which dies after so many writes; what it found due."""
        one = self.controllers[who]
        ca, tls = one.copy.get("ca"), one.copy.get("tls")
        state = self._state(one, ca, tls)
        now = self.now + one.offset
        step = due(state, NAMES, now)
        if step and writes:
            writes -= 1
            after = take(step, state, NAMES, now)
            if step in (Step.ISSUE, Step.PUBLISH):
                done = self.write("tls", tls, leaf=after.leaf, bundle=after.bundle, asked=False)
            else:
                done = self.write("ca", ca, authorities=after.authorities, asked=False)
            if not done:
                return step
        if wanted := bundle(state.authorities):
            self._fill(one, published(wanted, self._live(one), list(state.served)), writes)
        return step

    def _fill(self, one: Controller, wanted: bytes, writes: int) -> None:
        for name in CONFIGURATIONS:
            seen = one.copy[name]
            proven = any(trusts(wanted, leaf, self.now) for leaf in self.servers)
            if writes and seen.bundle != wanted and (seen.bundle or proven):
                writes -= 1
                self.write(name, seen, bundle=wanted)

    def _state(self, one: Controller, ca: Stored | None, tls: Stored | None) -> State:
        live = self._live(one)
        at = self.now.timestamp()
        one.carried = carry(one.carried, live, at)
        known = frozenset(name for name, since in one.carried.items() if at - since >= OVERLAP)
        return State(
            authorities=ca.authorities if ca else (),
            leaf=tls.leaf if tls else None,
            bundle=tls.bundle if tls else b"",
            served=frozenset(leaf.certificate for leaf in self.servers if leaf),
            live=b"".join(live),
            carried=known if live else None,
            renew=bool(tls and tls.asked),
            rotate=bool(ca and ca.asked),
        )

    def _live(self, one: Controller) -> list[bytes]:
        found = (one.copy[name].bundle for name in CONFIGURATIONS)
        return [bundle for bundle in found if bundle]

    def hear(self, who: int, name: str) -> None:
        """A watch brings one object; those of several kinds are not ordered among each other."""
        _bring(self.controllers[who].copy, self.objects, name)

    def tell(self, api_server: int, name: str) -> None:
        """An API server hears of a configuration."""
        _bring(self.api_servers[api_server], self.objects, name)

    def mount(self, server: int) -> None:
        """The kubelet writes the Secret, and the server takes it up."""
        if tls := self.objects.get("tls"):
            self.servers[server] = tls.leaf

    def wait(self, seconds: float) -> None:
        """Time passes; what takes no longer than that has happened."""
        end = self.now + timedelta(seconds=seconds)
        settled = self.now + 2 * MOUNTED
        while self.now < end:
            # When all has arrived that was under way, the rest of the time changes nothing.
            step = min(end - self.now, HEARD) if self.now < settled else end - self.now
            self.now += step
            self._mature(step)

    def _mature(self, passed: timedelta) -> None:
        """What could be late is not any more."""
        self._unmounted += passed
        if passed >= HEARD:
            for who, one in enumerate(self.controllers):
                for name in ("ca", "tls", *CONFIGURATIONS) if one.alive else ():
                    self.hear(who, name)
            for api_server in range(len(self.api_servers)):
                for name in CONFIGURATIONS:
                    self.tell(api_server, name)
        if self._unmounted >= MOUNTED:
            self._unmounted = timedelta(0)
            for server in range(len(self.servers)):
                self.mount(server)

    def settle(self, who: int) -> None:
        """A controller that is left alone for a while finds nothing more to do."""
        for _ in range(20):
            self.wait(HEARD.total_seconds())
            if self.act(who) is None and self.is_settled():
                return
        raise AssertionError("does not converge")

    def is_settled(self) -> bool:
        tls, ca = self.objects.get("tls"), self.objects.get("ca")
        if tls is None or ca is None:
            return False
        wanted = bundle(ca.authorities)
        configured = all(self.objects[name].bundle == wanted for name in CONFIGURATIONS)
        return configured and all(one == tls.leaf for one in self.servers)

    def failures(self) -> list[str]:
        """Handshakes that would fail now."""
        return [
            f"API server {at}, {name}, server {number}"
            for at, api_server in enumerate(self.api_servers)
            for name in CONFIGURATIONS
            for number, leaf in enumerate(self.servers)
            if api_server[name].bundle and not trusts(api_server[name].bundle, leaf, self.now)
        ]


@cache
def trusts(bundle: bytes, pair: Pair | None, now: datetime) -> bool:
    """Whether a client with this bundle accepts a server with this pair now."""
    if pair is None:
        return False
    leaf = certificates(pair.certificate)[0]
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        return False
    return any(
        one.not_valid_before_utc <= now <= one.not_valid_after_utc
        and is_issued(pair.certificate, one.public_bytes(Encoding.PEM))
        for one in certificates(bundle)
    )


def _bring(copy: Objects, objects: Objects, name: str) -> None:
    if name in objects:
        copy[name] = objects[name]
    else:
        copy.pop(name, None)
