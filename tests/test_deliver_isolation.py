"""
A chat or a sink in trouble delays no other.

Time is virtual, so how long a message took is what the courier did, not the machine.
"""

import asyncio
from datetime import timedelta

import pytest

from monitor.alert.telegram import PACE
from monitor.errors import Gone, Rejected, Transient
from tests.parts import logged
from tests.virtual import LATENCY, Manners, Service, Town, lived

PEOPLE, POSTS, EVERY = 50, 7, 10  # seconds between two posts
HANGS = 30.0
WITHIN = 1.1  # of what it takes where nobody is in trouble


async def life(town: Town) -> None:
    """Post regularly, and let the last one arrive."""
    for n in range(POSTS):
        await town.post(str(n))
        await asyncio.sleep(EVERY)
    await asyncio.sleep(6 * EVERY)


def p99(waits: list[float]) -> float:
    """Return what 99 of 100 took at most."""
    return waits[len(waits) * 99 // 100]


def hanging(*chats: str, error: bool = True) -> Manners:
    """Return manners of chats of which some hang, and then fail or do not."""

    def manners(to: str, _: float) -> float:
        return HANGS if to in chats else LATENCY

    def failing(to: str, _: float) -> float:
        return FAILING if to in chats else LATENCY

    return failing if error else manners


FAILING = 1e9  # the courier gives it up


def answering(chat: str, answer: Exception) -> Manners:
    """Return manners by which one chat always answers so."""

    def manners(to: str, _: float) -> float:
        if to == chat:
            raise answer
        return LATENCY

    return manners


@pytest.fixture(scope="module")
def calm(redis_url: str) -> float:
    """What 99 of 100 messages take where nobody is in trouble."""
    service = Service(pace=PACE)
    town = lived(redis_url, "calm:{0}:", [service], PEOPLE, life)
    assert PEOPLE * POSTS == len(service.arrivals)
    return p99(town.waits(service))


MANY = [f"p{n:03}" for n in range(0, PEOPLE, 5)] + [f"p{n:03}" for n in range(40, 50)]

TROUBLES = {
    "one hangs": hanging("p000"),
    "one hangs, and takes it": hanging("p007", error=False),
    "twenty hang": hanging(*MANY),
    "twenty hang, and take it": hanging(*MANY, error=False),
    "the last ones hang": hanging(*(f"p{n:03}" for n in range(30, 50))),
    "one is closed": answering("p001", Gone("blocked")),
    "one refuses": answering("p001", Rejected("no")),
    "one is flooded": answering("p001", Transient("429", timedelta(seconds=35))),
    "one is broken": answering("p001", Transient("500")),
    "one is a bug": answering("p001", KeyError("message_id")),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_chat_in_trouble_delays_no_other(
    redis_url: str, prefix: str, calm: float, trouble: str
) -> None:
    """Whoever is well is told as soon as if all were, within a tenth."""
    ill = {chat for chat in MANY if "twenty" in trouble} or {
        f"p{n:03}" for n in range(30, 50) if "last" in trouble
    }
    ill |= {"p000", "p001", "p007"} if "one" in trouble else set()
    service = Service(pace=PACE, manners=TROUBLES[trouble])

    with logged("error"):
        town = lived(redis_url, prefix, [service], PEOPLE, life)

    waits = town.waits(service, but=ill)
    assert (PEOPLE - len(ill)) * POSTS == len(waits)
    assert p99(waits) <= calm * WITHIN


@pytest.mark.parametrize(
    "answer", [None, Transient("no connection"), Gone("revoked", everywhere=True),
               Transient("429", timedelta(seconds=60), everywhere=True)]
)  # fmt: skip
def test_a_sink_in_trouble_delays_no_other(
    redis_url: str, prefix: str, calm: float, answer: Exception | None
) -> None:
    """While one sink hangs, refuses or is closed to us, the other is as ever."""

    def ill(_: str, __: float) -> float:
        if answer:
            raise answer
        return FAILING

    well = Service(name="well", pace=PACE)

    town = lived(
        redis_url, prefix, [Service(name="ill", manners=ill), well], PEOPLE, life
    )

    assert PEOPLE * POSTS == len(well.arrivals)
    assert p99(town.waits(well)) <= calm * WITHIN
