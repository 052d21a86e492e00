"""A stage goes on whatever happens, and only one instance turns it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from monitor.deliver import SENDING
from monitor.errors import Away, Transient, Unavailable
from monitor.health import LONGEST, Health
from monitor.item import Item
from monitor.stage import (
    LEASE,
    LONGEST_AWAY,
    LONGEST_LEASE,
    LONGEST_WAIT,
    RENEWAL,
    STANDBY,
    Lease,
    Stage,
    Stages,
)
from monitor.stream import ITEMS, Entry, Stream
from monitor.stream.door import PATIENCE, Door
from tests.clock import FakeClock
from tests.parts import events, logged, post

SOON = timedelta(milliseconds=5)
Work = Callable[[Sequence[Entry[Item]]], Awaitable[None]]


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def turning(
    stage: Stage, clock: FakeClock, health: Health | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    """Turn a stage while the block runs; afterwards it is told to stop."""
    stopping = asyncio.Event()
    stages = Stages(clock, health or Health(clock), stopping)
    task = asyncio.create_task(stages.run(stage))
    try:
        yield task
        stopping.set()
        await asyncio.wait_for(task, 5)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def filtering(stream: Stream, clock: FakeClock, work: Work) -> Stage:
    """Return a stage that takes items and works on them."""
    reader = stream.reader(ITEMS, "filter")

    async def turn() -> None:
        entries = await reader.next(block=SOON)
        if entries:
            await work(entries)

    return Stage(turn, Lease("filter", stream, clock), reader.begin)


async def accepted(stream: Stream, *ids: str) -> None:
    """Put posts onto the stream."""
    await stream.accept("governor", [post(id_) for id_ in ids], "c")


@pytest.mark.parametrize("failure", [Away("cut"), KeyError("bug"), Unavailable("no")])
async def test_a_failed_turn_leaves_nothing_behind(
    stream: Stream, clock: FakeClock, failure: Exception
) -> None:
    """What was taken and not committed comes again, before anything new."""
    seen: list[list[str]] = []
    failures = [failure]

    async def work(entries: Sequence[Entry[Item]]) -> None:
        seen.append([entry.value.id for entry in entries])  # type: ignore[union-attr]
        if failures:
            await accepted(stream, "3")
            raise failures.pop()
        await stream.ack(ITEMS, "filter", [entry.id for entry in entries])

    await accepted(stream, "1", "2")
    with logged():
        async with turning(filtering(stream, clock, work), clock):
            await until(lambda: sum(map(len, seen)) >= 5)

    assert [["1", "2"], ["1", "2"], ["3"]] == seen


@pytest.mark.parametrize(
    ("failure", "longest"),
    [(Transient("the disk is full"), LONGEST_WAIT), (Away("cut"), LONGEST_AWAY)],
)
async def test_failures_are_told_once_and_their_end_once(
    stream: Stream, clock: FakeClock, failure: Transient, longest: timedelta
) -> None:
    """
    The waits grow to half a minute, or to five seconds where it is Redis that is away;
    a person reads two lines, not a hundred.
    """
    left = [failure] * 20

    async def turn() -> None:
        if left:
            raise left.pop()

    stage = Stage(turn, Lease("archive", stream, clock))
    with logged("info") as lines:
        async with turning(stage, clock):
            await until(lambda: "stage_recovered" in events(lines))

    assert ["stage_waits", "stage_recovered"] == events(lines)
    assert timedelta(milliseconds=200) == clock.slept[0]
    assert longest == max(clock.slept)
    assert clock.slept[:20] == sorted(clock.slept[:20])


async def test_a_bug_is_told_with_its_place_until_it_is_another(
    stream: Stream, clock: FakeClock
) -> None:
    """The same traceback is not repeated; a new one is told."""
    left = [KeyError("two"), KeyError("two"), KeyError("one"), KeyError("one")]

    async def turn() -> None:
        if left:
            raise left.pop()

    stage = Stage(turn, Lease("filter", stream, clock))
    with logged("info") as lines:
        async with turning(stage, clock):
            await until(lambda: "stage_recovered" in events(lines))

    assert ["stage_failed", "stage_failed", "stage_recovered"] == events(lines)
    assert ["KeyError: 'one'", "KeyError: 'two'"] == [
        line["exception"].splitlines()[-1] for line in lines[:2]
    ]


async def test_of_many_that_wait_for_redis_one_tells(
    stream: Stream, clock: FakeClock
) -> None:
    """All stages of a process lose Redis at once, which is one piece of news."""
    stopping, away = asyncio.Event(), asyncio.Event()
    done: set[str] = set()

    def stage(name: str) -> Stage:
        async def turn() -> None:
            if not away.is_set():
                raise Away("redis: gone")
            done.add(name)

        return Stage(turn, Lease(name, stream, clock))

    with logged("info") as lines:
        stages = Stages(clock, Health(clock), stopping)
        names = ("filter", "alert", "archive")
        tasks = [asyncio.create_task(stages.run(stage(name))) for name in names]
        await until(lambda: len(clock.slept) > 30)
        away.set()
        await until(lambda: len(done) == len(names))
        stopping.set()
        await asyncio.gather(*tasks)

    assert ["stage_waits", "stage_recovered"] == events(lines)


async def test_a_stage_that_hangs_is_missed(stream: Stream, clock: FakeClock) -> None:
    """From its very first turn on, one that gets nowhere does not count as alive."""
    begun, over, health = asyncio.Event(), asyncio.Event(), Health(clock)

    async def turn() -> None:
        begun.set()
        await over.wait()

    async with turning(Stage(turn, Lease("filter", stream, clock)), clock, health):
        await begun.wait()
        assert [] == health.stalled()
        clock.advance(LONGEST + SOON)
        assert ["filter"] == health.stalled()
        over.set()


async def test_to_wait_for_redis_is_no_hanging(
    stream: Stream, clock: FakeClock
) -> None:
    """A stage that tries again and again is alive, for a restart would not help it."""
    health = Health(clock)

    async def turn() -> None:
        raise Away("redis: gone")

    with logged():
        stage = Stage(turn, Lease("filter", stream, clock))
        async with turning(stage, clock, health):
            for _ in range(50):
                await asyncio.sleep(0.001)
                assert [] == health.stalled()


async def test_a_second_instance_stands_by(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """It does nothing while the first one works, and is at work when that one ends."""
    turns: list[str] = []

    def stage(of: Stream, name: str) -> Stage:
        async def turn() -> None:
            turns.append(name)
            await asyncio.sleep(0.001)

        return Stage(turn, Lease("filter", of, clock))

    with logged("info") as lines:
        async with turning(stage(stream, "first"), clock):
            await until(lambda: bool(turns))
            second = turning(stage(other, "second"), clock)
            task = await second.__aenter__()
            await until(lambda: "stage_stands_by" in events(lines))
            assert {"first"} == set(turns)
        await until(lambda: "second" in turns)
        assert not task.done()
        await second.__aexit__(None, None, None)

    assert ["stage_stands_by", "stage_taken_over"] == events(lines)


async def test_who_lost_a_lease_lets_go_of_the_work(
    stream: Stream, other: Stream, door: Door, clock: FakeClock
) -> None:
    """The stage is told before it waits, and begins with what was left afterwards."""
    told: list[str] = []

    async def turn() -> None:
        told.append("turn")
        await asyncio.sleep(0.001)

    async def lose() -> None:
        told.append("lose")

    lease = Lease("filter", stream, clock)
    stage = Stage(turn, lease, lambda: told.append("begin"), lose)
    with logged("info") as lines:
        async with turning(stage, clock):
            await until(lambda: len(told) > 2)
            await door.call("DEL", door.key("lease:filter"))  # it expired, and …
            await other.take("filter", timedelta(minutes=1))
            clock.advance(RENEWAL)
            await until(lambda: "lose" in told)
            assert not lease.held()
            await other.release("filter")
            await until(lambda: told[-1] == "turn")

    assert ["begin", "turn"] == told[:2]
    after = told[told.index("lose") :]
    assert ["lose", "begin", "turn"] == after[:3]
    assert 1 == told.count("lose")
    assert ["stage_lost", "stage_taken_over"] == events(lines)


async def test_a_lease_is_held_no_longer_than_it_was_asked_for(
    stream: Stream, clock: FakeClock
) -> None:
    """Nobody has to tell us that it ended; and what takes long is begun in time."""
    lease = Lease("deliver:chat", stream, clock, tail=SENDING)
    assert not lease.held()
    assert await lease.keep()
    clock.advance(LONGEST_LEASE - SENDING - SOON)
    assert lease.held()
    clock.advance(2 * SOON)
    assert not lease.held()
    assert await lease.keep()
    assert lease.held()
    await lease.release()
    assert not lease.held()


async def test_the_lease_outlives_what_was_begun(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """On the server it lasts for the tail as well, and is over within a minute."""
    lease = Lease("deliver:chat", stream, clock, tail=SENDING)
    await lease.keep()
    left: Any = await door.call("PTTL", door.key("lease:deliver:chat"))
    held = LONGEST_LEASE - SENDING

    assert timedelta(milliseconds=left) > held + SENDING - timedelta(seconds=1)
    assert timedelta(milliseconds=left) + 2 * STANDBY < timedelta(minutes=1)


async def test_a_slow_disk_costs_no_lease(stream: Stream, clock: FakeClock) -> None:
    """A lease is renewed so early that an answer may take long, and sending goes on."""
    lease = Lease("deliver:chat", stream, clock, tail=SENDING)
    await lease.keep()
    clock.advance(RENEWAL + timedelta(seconds=PATIENCE))

    assert lease.held()


async def test_a_lease_that_ran_out_may_have_been_anybodys(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """Whoever slept that long begins anew, though nobody seems to have come between."""
    told: list[str] = []

    async def turn() -> None:
        told.append("turn")
        await asyncio.sleep(0.001)

    async def lose() -> None:
        told.append("lose")

    stage = Stage(
        turn, Lease("filter", stream, clock), lambda: told.append("begin"), lose
    )
    async with turning(stage, clock):
        await until(lambda: "turn" in told)
        await stream.release("filter")
        assert await other.take("filter", timedelta(minutes=1))
        assert await other.release("filter")
        told.clear()
        clock.advance(LEASE)
        await until(lambda: len(told) > 2)

    assert ["lose", "begin", "turn"] == told[told.index("lose") :][:3]


async def test_what_is_on_its_way_is_ended_before_another_takes_over(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """At the end the lease is kept until nothing is in flight."""
    ending, ended = asyncio.Event(), asyncio.Event()

    async def end() -> None:
        ending.set()
        await ended.wait()

    stopping = asyncio.Event()
    stage = Stage(
        partial(asyncio.sleep, 0.001), Lease("filter", stream, clock), end=end
    )
    running = asyncio.create_task(Stages(clock, Health(clock), stopping).run(stage))
    await until(lambda: stage.lease.ours)
    stopping.set()
    await ending.wait()
    taken = await other.take("filter", timedelta(minutes=1))
    ended.set()
    await running

    assert not taken
    assert await other.take("filter", timedelta(minutes=1))
