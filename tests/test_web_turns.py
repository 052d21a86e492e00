"""Whose turn it is at which host."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import Transient
from monitor.turns import HOSTS, Turns
from tests.clock import FakeClock

SECOND = timedelta(seconds=1)


async def take(turns: Turns, name: str, log: list[str], label: str = "") -> None:
    """Have one turn, and note that it was had."""
    async with turns.at(name):
        log.append(label or name)


@given(st.lists(st.floats(0, 5), min_size=1, max_size=20), st.floats(0, 3))
def test_starts_are_never_closer_than_the_pace(rests: list[float], pace: float) -> None:
    """However long the rests between requests, the pace lies between two starts."""
    clock = FakeClock()
    turns = Turns(clock, timedelta(seconds=pace))
    starts = []

    async def run() -> None:
        for rest in rests:
            clock.advance(timedelta(seconds=rest))
            async with turns.at("a"):
                starts.append(clock.monotonic())

    asyncio.run(run())

    gaps = [after - before for before, after in pairwise(starts)]
    assert all(gap >= pace - 0.00001 for gap in gaps)


async def test_first_come_first_served() -> None:
    """Those who wait for one host have their turns in the order in which they came."""
    turns, log = Turns(FakeClock(), SECOND), list[str]()

    await asyncio.gather(*(take(turns, "a", log, str(n)) for n in range(9)))

    assert list("012345678") == log


async def test_a_turn_that_fails_ends() -> None:
    """An error within a turn leaves the host to the next."""
    turns, log = Turns(FakeClock(), SECOND), list[str]()

    with pytest.raises(LookupError):
        async with turns.at("a"):
            raise LookupError
    await take(turns, "a", log)

    assert ["a"] == log


async def test_the_wall_clock_does_not_matter() -> None:
    """An operator who sets the clock back does not stop the requests."""
    clock, log = FakeClock(), list[str]()
    turns = Turns(clock, SECOND)
    turns.hold("a", SECOND)
    clock.turn(timedelta(hours=-1))
    clock.advance(SECOND)

    await take(turns, "a", log)

    assert ["a"] == log


async def test_hosts_at_rest_are_forgotten() -> None:
    """Of very many hosts only those are remembered that have to be."""
    clock, log = FakeClock(), list[str]()
    turns = Turns(clock, SECOND)
    turns.hold("held", timedelta(hours=6))
    for n in range(HOSTS * 2):
        await take(turns, f"h{n}", [])
        clock.advance(SECOND)

    await take(turns, f"h{HOSTS * 2 - 1}", log)
    with pytest.raises(Transient):
        await take(turns, "held", log)

    assert 1 == len(log)
    assert len(turns) <= HOSTS


async def test_a_host_with_a_queue_is_not_forgotten() -> None:
    """While a turn is had, no second one begins, however many hosts come between."""
    clock, log = FakeClock(), list[str]()
    turns = Turns(clock, timedelta())
    async with turns.at("a"):
        clock.advance(SECOND)
        for n in range(HOSTS + 1):
            await take(turns, f"h{n}", [])
            clock.advance(SECOND)
        second = asyncio.create_task(take(turns, "a", log))
        for _ in range(5):
            await asyncio.sleep(0)
        during = list(log)
    await second

    assert ([], ["a"]) == (during, log)
