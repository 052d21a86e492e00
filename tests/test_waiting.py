"""Waiting for one of two things."""

import asyncio
from datetime import timedelta

import pytest

from monitor.clock import SystemClock
from monitor.waiting import unless, within
from tests.clock import FakeClock

HOUR = timedelta(hours=1)


async def forever(ended: list[str]) -> str:
    """Wait until it is cancelled, and note that it was."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")
    return "never"


async def test_work_that_is_done_first_counts() -> None:
    """Its result is returned; its error is raised."""
    event = asyncio.Event()

    async def fail() -> None:
        raise KeyError("one")

    assert 3 == await unless(event, asyncio.sleep(0, 3))
    with pytest.raises(KeyError):
        await unless(event, fail())


async def test_work_is_ended_by_the_event() -> None:
    """It is cancelled, and has ended when the waiting has."""
    event, ended = asyncio.Event(), list[str]()
    asyncio.get_running_loop().call_soon(event.set)

    assert None is await unless(event, forever(ended))
    assert ["ended"] == ended


async def test_nothing_is_begun_after_the_event() -> None:
    """Where it has come already, the work is not even started."""
    event, ended = asyncio.Event(), list[str]()
    event.set()

    assert None is await unless(event, forever(ended))
    assert [] == ended


async def test_who_waits_may_be_cancelled() -> None:
    """Then the work ends, too."""
    ended: list[str] = []
    waiting = asyncio.create_task(unless(asyncio.Event(), forever(ended)))
    await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ["ended"] == ended


async def test_tasks_have_a_time_limit(clock: FakeClock) -> None:
    """Those that are done in time are waited for, the others are returned."""
    ended: list[str] = []
    late = asyncio.create_task(forever(ended))
    quick = [asyncio.create_task(asyncio.sleep(0.001 * n)) for n in range(3)]

    assert [] == await within(SystemClock(), HOUR, quick)
    assert [late] == await within(clock, HOUR, [*quick, late])
    assert [HOUR] == clock.slept
    assert [] == await within(clock, HOUR, [])
    late.cancel()
