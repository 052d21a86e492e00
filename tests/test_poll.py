"""Every source is read in its rhythm, and none delays another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.collect import Source
from monitor.errors import Away, Gone, Rejected, Transient
from monitor.poll import LONGEST_READ, Poller
from monitor.stream import ITEMS, Stream
from monitor.stream.door import Door
from monitor.web import Web
from tests.clock import FakeClock
from tests.parts import Scripted, batch, events, logged, post, scripted
from tests.stream_values import drained

WELL = [batch()]


@dataclass
class Desk:
    """A poller at work, and the time that it works by."""

    poller: Poller
    clock: FakeClock
    stream: Stream
    lines: list[dict[str, Any]] = field(default_factory=list)
    hanging: set[str] = field(default_factory=set)

    async def until(self, true: Callable[[], bool], longest: float = 10_000) -> float:
        """Let time pass until something is so; return how many seconds it took."""
        began = self.clock.monotonic()
        async with asyncio.timeout(10):
            while not true():
                begun = set(self.poller.turn())
                await asyncio.sleep(0.02 if begun & self.hanging else 0)
                while self.poller.reading - self.hanging and not true():
                    await asyncio.sleep(0.0002)  # for a real Redis
                if not true():
                    wait = max(self.poller.wait(), 0.001)
                    self.clock.advance(timedelta(seconds=wait))
                assert self.clock.monotonic() - began < longest
        return self.clock.monotonic() - began

    async def reads(self, source: Scripted, count: int) -> float:
        """Let time pass until the read of *source* of this number is done."""
        took = await self.until(lambda: len(source.reads) >= count)
        while self.poller.reading - self.hanging:
            await asyncio.sleep(0.0002)
        return took

    async def told(self, event: str) -> dict[str, Any]:
        """Let time pass until an event is logged; return its line."""
        await self.until(lambda: event in events(self.lines))
        return next(line for line in self.lines if line["event"] == event)


@pytest.fixture
async def desk(stream: Stream, clock: FakeClock) -> AsyncIterator[Desk]:
    """A poller without sources, and all that is logged."""
    web = Web(clock)
    with logged() as lines:
        poller = Poller(stream, web, clock)
        yield Desk(poller, clock, stream, lines)
        await poller.pause()
    await web.aclose()


async def test_a_source_is_read_soon_and_then_in_its_rhythm(desk: Desk) -> None:
    """The first read comes within five seconds, the next after the rhythm."""
    source = scripted(WELL)
    desk.poller.replace([source])

    assert await desk.reads(source, 1) <= 6
    assert 19.9 <= await desk.reads(source, 2) <= 22
    assert 19.9 <= await desk.reads(source, 3) <= 22
    assert ["", "c", "c"] == source.reads


async def test_a_failing_source_is_told_once_and_its_recovery_once(
    desk: Desk,
) -> None:
    """The waits grow; a person learns of the first failure and of the end of it."""
    source = scripted(
        WELL, [Transient("busy")], [Rejected("nonsense")], [KeyError("id")], WELL
    )
    desk.poller.replace([source])
    await desk.reads(source, 2)
    line = await desk.told("source_failed")
    waits = [await desk.reads(source, count) for count in (3, 4, 5)]
    recovered = await desk.told("source_recovered")

    assert ("busy", 20.0) == (line["why"], line["again_in"])
    assert [20, 40, 80] == [round(wait, -1) for wait in waits]
    assert 3 == recovered["failures"]
    assert ["source_failed", "source_recovered"] == events(desk.lines)


async def test_a_bug_is_told_with_its_place(desk: Desk) -> None:
    """What no source may raise is logged as an error, and the source goes on."""
    source = scripted([KeyError("id")], WELL)
    desk.poller.replace([source])
    line = await desk.told("source_broke")

    assert "error" == line["level"]
    assert "parts.py" in line["exception"]
    await desk.told("source_recovered")


async def test_a_publisher_is_waited_for(desk: Desk) -> None:
    """Who asks for an hour is not read before."""
    source = scripted([Transient("429", timedelta(hours=1))], WELL)
    desk.poller.replace([source])
    line = await desk.told("source_failed")
    await desk.reads(source, 1)

    assert 3600.0 == line["again_in"]
    assert await desk.reads(source, 2) >= 3598


async def test_a_hanging_source_delays_no_other(desk: Desk) -> None:
    """While one read never ends, the others come in their rhythm; and it is told."""
    hanging = scripted([asyncio.Event()], name="hanging")
    source = scripted(WELL)
    desk.hanging.add("hanging")
    desk.poller.replace([hanging, source])
    await desk.reads(hanging, 1)
    done = len(source.reads)
    waits = [await desk.reads(source, done + n) for n in range(1, 30)]
    line = await desk.told("source_hangs")

    assert max(waits) <= 22
    assert 1 == len(hanging.reads)
    assert ("hanging", True) == (line["source"], line["seconds"] > LONGEST_READ)
    await desk.reads(source, len(source.reads) + 5)
    assert ["source_hangs"] == events(desk.lines)


async def test_a_source_that_is_gone_is_left_alone(desk: Desk) -> None:
    """It is told and never read again, until the sources are given anew."""
    source, other = scripted([Gone("410")], WELL), scripted(WELL, name="other")
    desk.poller.replace([source, other])
    line = await desk.told("source_gone")
    await desk.reads(other, 200)

    assert ("governor", "error") == (line["source"], line["level"])
    assert 1 == len(source.reads)
    desk.poller.replace([source, other])
    await desk.reads(source, 2)


async def test_what_did_not_change_is_not_disturbed(desk: Desk) -> None:
    """A reload neither repeats nor delays the reads of equal sources."""
    source = scripted(WELL)
    desk.poller.replace([source])
    await desk.reads(source, 1)
    desk.clock.advance(timedelta(seconds=14))
    desk.poller.replace([replace(source)])

    assert 1 <= await desk.reads(source, 2) <= 7


async def test_a_changed_source_is_read_anew(desk: Desk) -> None:
    """Its old read ends, and the new one comes soon and in the new rhythm."""
    held = asyncio.Event()
    before = scripted([held], every=timedelta(hours=1))
    desk.hanging.add("governor")
    desk.poller.replace([before])
    await desk.reads(before, 1)
    after = scripted(WELL)
    desk.poller.replace([after])
    desk.hanging.clear()
    held.set()

    assert await desk.reads(after, 1) <= 6
    assert [""] == before.reads
    assert await desk.reads(after, 2) <= 22


async def test_a_source_that_was_taken_out_is_read_no_more(desk: Desk) -> None:
    """Even a read that is under way brings nothing any more."""
    held = asyncio.Event()
    source = scripted([batch(cursor="c"), held, batch(post("1"), cursor="d")])
    other = scripted(WELL, name="other")
    desk.hanging.add("governor")
    desk.poller.replace([source, other])
    await desk.reads(source, 1)
    desk.poller.replace([other])
    held.set()
    await desk.reads(other, 5)

    assert 1 == len(source.reads)
    assert [] == await drained(desk.stream.reader(ITEMS, "filter"))


async def test_redis_being_away_is_no_failure_of_the_source(desk: Desk) -> None:
    """The read is repeated within a second, and the intake is told of once."""
    sources: list[Source] = [
        scripted([Away("redis: gone")], [Away("redis: gone")], WELL, name=name)
        for name in ("one", "two")
    ]
    desk.poller.replace(sources)
    await desk.told("intake_waits")
    await desk.told("intake_goes_on")

    assert ["intake_waits", "intake_goes_on"] == events(desk.lines)


async def test_a_full_redis_stops_the_intake_alone(
    desk: Desk, door: Door, stream: Stream
) -> None:
    """While nothing is accepted no cursor moves, and afterwards nothing is missing."""
    await stream.accept("governor", [], "c")
    source = scripted([batch(post("1"), cursor="d")])
    await door.call("CONFIG", "SET", "maxmemory", "1")
    try:
        desk.poller.replace([source])
        line = await desk.told("intake_waits")
        await desk.reads(source, 6)
        assert "maxmemory" in line["why"]
        assert "c" == await stream.cursor("governor")
    finally:
        await door.call("CONFIG", "SET", "maxmemory", "0")
    await desk.told("intake_goes_on")

    assert 1 == len(await drained(stream.reader(ITEMS, "filter")))


async def test_what_came_and_what_may_be_missing_is_told(desk: Desk) -> None:
    """News are counted, and a gap is a warning."""
    source = scripted(WELL, [batch(post("1"), post("2"), gap=True)])
    desk.poller.replace([source])
    missing = await desk.told("posts_may_be_missing")
    counts = await desk.told("items_accepted")

    assert ("governor", "warning") == (missing["source"], missing["level"])
    assert (2, 0, 0) == (counts["new"], counts["edited"], counts["deleted"])


async def test_a_pause_loses_no_source(desk: Desk) -> None:
    """Reads that were broken off are due at once when the work goes on."""
    held = asyncio.Event()
    source = scripted([held], WELL)
    desk.hanging.add("governor")
    desk.poller.replace([source])
    await desk.reads(source, 1)
    await desk.poller.pause()

    assert 0 == desk.poller.wait()
    assert await desk.reads(source, 2) <= 1
