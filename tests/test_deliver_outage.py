"""
After hours without the Bot API everybody is told of them in one message, news first.

``OUTAGE=24x500x500`` says for how many hours, for how many people, and how much each of
them misses; a run of that size takes two minutes.
"""

import asyncio
import os
from datetime import timedelta

import pytest

from monitor.alert.telegram import PACE
from monitor.deliver.slots import IN_FLIGHT
from monitor.errors import Transient
from monitor.stream import Stream
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.couriers import TIME, match, put
from tests.virtual import LATENCY, Life, Manners, Service, Town, lived

HOUR = 3600.0
HOURS, PEOPLE, MISSED = map(int, os.environ.get("OUTAGE", "3x60x60").split("x"))
RATE = PACE.overall_per_second or 0
GLANCE = 5.0  # seconds; hours are long


def away(until: float, *, hangs: bool) -> Manners:
    """Return manners of a service that is not there until a moment."""

    def manners(_: str, now: float) -> float:
        if now >= until:
            return LATENCY
        if hangs:
            return HOUR  # the courier gives it up
        raise Transient("no connection")

    return manners


def outage(length: float, missed: int) -> Life:
    """Return the life of a town that misses so many alerts of the first hours."""

    async def life(town: Town) -> None:
        for n in range(missed):
            await town.post(str(n), "critical" if n % 7 == 0 else "info")
            await asyncio.sleep((length - 7200) / missed)
        await asyncio.sleep(length - 5 - town.now())
        await town.post("before")
        await asyncio.sleep(10)
        await town.post("after")
        while not await town.settled():
            await asyncio.sleep(1)

    return life


@pytest.mark.timeout(600)
@pytest.mark.parametrize("hangs", [False, True])
def test_hours_without_the_service(redis_url: str, prefix: str, *, hangs: bool) -> None:
    """
    All is settled in minutes; each chat gets what is news, as fast as the service takes
    it, and after that one message of the rest.
    """
    end = HOURS * HOUR
    service = Service(pace=PACE, manners=away(end, hangs=hangs))
    life = outage(end, MISSED)

    town = lived(redis_url, prefix, [service], PEOPLE, life, glance=GLANCE)

    told = {(one.to, one.item) for one in service.arrivals}
    assert PEOPLE * (MISSED + 2) == len(told) == len(service.arrivals)
    assert {3} == set(service.messages.values())
    assert town.now() - end <= 600
    found_out = 35 + 15 if hangs else 15  # a question that hangs, and the one after it
    before, after = arrivals(service, "before"), arrivals(service, "after")
    assert before[-1] - end <= found_out + PEOPLE / RATE
    assert after[-1] - end <= found_out + 2 * PEOPLE / RATE + GLANCE
    first = min(one.at for one in service.arrivals if not one.live)
    waiting = [at for at in before if at > first] if not hangs else []
    assert len(waiting) <= IN_FLIGHT


def arrivals(service: Service, id_: str) -> list[float]:
    """Return when a post arrived, with everybody in turn."""
    key = f"governor/{id_}/1"
    return sorted(one.at for one in service.arrivals if one.item == key)


@pytest.mark.parametrize("people", [1, 2, 5])
def test_few_people_are_told_soon_after(
    redis_url: str, prefix: str, people: int
) -> None:
    """Where nobody else can find out that it is over, everybody asks for themselves."""
    end = 3 * HOUR
    service = Service(pace=PACE, manners=away(end, hangs=False))
    life = outage(end, 5)

    town = lived(redis_url, prefix, [service], people, life, glance=GLANCE)

    assert town.now() - end <= 90
    assert {3} == set(service.messages.values())


async def test_a_day_of_backlog_is_small(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """Half a thousand alerts for half a thousand people are a few megabytes."""
    count, people = 50, [f"night-desk-{n:03}" for n in range(500)]
    for n in range(count):
        await put(stream, match(str(n), seen=TIME + timedelta(seconds=n)), people)

    used = await door.call("MEMORY", "USAGE", door.key("outbox:chat:0"), "SAMPLES", 0)
    assert used * 500 / count < 8 * 2**20
    del clock
