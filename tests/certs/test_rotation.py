"""Whatever happens in whatever order, no handshake fails, and in the end everything is in place."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from certs.plan import Step
from tests.certs.world import CONFIGURATIONS, HEARD, World

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
DAY = 86_400.0
EXAMPLES = 1000 if os.environ.get("NETREEVE_SCALE") == "full" else 100
controllers = st.integers(0, 1)
others = st.integers(0, 1)
names = st.sampled_from(("ca", "tls", *CONFIGURATIONS))


class Rotation(RuleBasedStateMachine):
    """Two controllers that may both believe that they lead, die between any two writes, and come
    back; people that ask for rotations and delete Secrets; years that pass."""

    @initialize(first=st.sampled_from((-HOUR, 0 * HOUR, HOUR)),
                second=st.sampled_from((-HOUR, 0 * HOUR, HOUR)))  # fmt: skip
    def install(self, first: timedelta, second: timedelta) -> None:
        self.world = World((first, second))
        self.world.settle(0)

    @rule(who=controllers, writes=st.integers(0, 3))
    def act(self, who: int, writes: int) -> None:
        self.world.act(who, writes=writes)

    @rule(who=controllers, passes=st.integers(1, 5))
    def work(self, who: int, passes: int) -> None:
        """Pass after pass in no time, as fast as a watch can bring what the last one wrote."""
        for _ in range(passes):
            for name in ("ca", "tls", *CONFIGURATIONS):
                if self.world.controllers[who].alive:
                    self.world.hear(who, name)
            self.world.act(who)

    @rule(who=controllers, name=names)
    def hear(self, who: int, name: str) -> None:
        self.world.hear(who, name)

    @rule(api_server=others, name=st.sampled_from(CONFIGURATIONS))
    def tell(self, api_server: int, name: str) -> None:
        self.world.tell(api_server, name)

    @rule(server=others)
    def mount(self, server: int) -> None:
        self.world.mount(server)

    @rule(seconds=st.sampled_from((1.0, 10.0, 60.0, 90.0)))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(who=controllers, days=st.sampled_from((1, 10, 25)))
    def live_on(self, who: int, days: int) -> None:
        """One of the controllers works, as long as it is not this one that is frozen."""
        world = self.world
        who = who if world.controllers[who].alive else 1 - who
        world.settle(who)
        world.wait(days * DAY)

    @rule(name=st.sampled_from(("ca", "tls")))
    def ask(self, name: str) -> None:
        """`netreeve certs rotate`."""
        if seen := self.world.objects.get(name):
            self.world.write(name, seen, asked=True)

    @rule(who=controllers)
    @precondition(lambda self: all(one.alive for one in self.world.controllers))
    def freeze(self, who: int) -> None:
        """It hears of nothing any more, and may wake up at any time and write what it knows."""
        self.world.controllers[who].alive = False

    @rule()
    def thaw(self) -> None:
        """A process that was killed and started again remembers nothing."""
        for one in self.world.controllers:
            if not one.alive:
                one.alive, one.carried, one.copy = True, {}, dict(self.world.objects)

    @rule(name=st.sampled_from(("ca", "tls")))
    def delete(self, name: str) -> None:
        """Somebody deletes a Secret; mounted ones stay."""
        self.world.objects.pop(name, None)

    @invariant()
    def no_handshake_fails(self) -> None:
        if hasattr(self, "world"):
            assert self.world.failures() == []

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.thaw()
            for who in (0, 1, 0):
                self.world.settle(who)
                self.no_handshake_fails()


Rotation.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRotation = Rotation.TestCase


@pytest.mark.parametrize("writes", range(4))
def test_a_controller_that_always_dies_early_gets_there_too(writes: int) -> None:
    """As long as it does anything at all; a rotation has a dozen writes."""
    world = World((timedelta(0), HOUR))
    world.settle(0)
    before = world.objects["tls"].leaf
    world.write("ca", world.objects["ca"], asked=True)
    for turn in range(60):
        world.wait(HEARD.total_seconds())
        world.act(turn % 2, writes=writes)
        assert world.failures() == []
    if writes:
        world.settle(0)
    assert (world.objects["tls"].leaf != before) == bool(writes)


def test_five_years_pass() -> None:
    world = World((timedelta(0), timedelta(0)))
    world.settle(0)
    issued = set()
    for month in range(60):
        world.settle(month % 2)
        world.wait(30 * DAY)
        assert world.failures() == []
        assert len(world.objects["ca"].authorities) <= 2
        leaf = world.objects["tls"].leaf
        assert leaf
        issued.add(leaf)
    assert 25 < len(issued) < 35
    assert Step.ADD not in [world.act(0)]
