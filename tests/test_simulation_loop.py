"""Time that passes only while everybody waits."""

import asyncio
import gc
import threading
from datetime import timedelta

import pytest

from monitor.clock import Clock
from tests.simulation.loop import (
    START,
    Stuck,
    Unhandled,
    VirtualClock,
    VirtualLoop,
    run,
)

HOUR = timedelta(hours=1)


def test_a_day_passes_at_once_and_in_order() -> None:
    """Who waits for less comes first, and at exactly the moment it waited for."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    came: list[tuple[str, float]] = []

    async def come(name: str, hours: int) -> None:
        await clock.sleep(hours * HOUR)
        came.append((name, clock.monotonic() - 1000))

    async def main() -> None:
        await asyncio.gather(come("last", 24), come("first", 1), come("second", 2))

    run(main(), loop)

    assert [("first", 3600.0), ("second", 7200.0), ("last", 86400.0)] == came
    assert START + 24 * HOUR == clock.now()


def test_a_clock_that_is_set_does_not_move_what_waits() -> None:
    """A jump changes the wall time of one machine, and no interval."""
    loop = VirtualLoop()
    mine: Clock = VirtualClock(loop)
    theirs = VirtualClock(loop)

    async def main() -> None:
        theirs.jump(-2 * HOUR)
        await asyncio.wait_for(mine.sleep(HOUR), 3601)

    run(main(), loop)

    assert (START + HOUR, 4600.0) == (mine.now(), mine.monotonic())
    assert (START - HOUR, 4600.0) == (theirs.now(), theirs.monotonic())
    assert (START - HOUR).timestamp() == theirs.timestamp()


def test_a_deadline_comes_in_virtual_time() -> None:
    """`asyncio.timeout` counts the seconds of the loop."""
    loop = VirtualLoop()

    async def main() -> None:
        async with asyncio.timeout(30):
            await asyncio.sleep(31)

    with pytest.raises(TimeoutError):
        run(main(), loop)
    assert 30.0 == loop.time()


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def test_waiting_for_nobody_is_an_error() -> None:
    """When nothing is scheduled, the run ends and says who waits where."""
    with pytest.raises(Stuck, match=r"at 0\.000000 s; .* waits in forever:\d+"):
        run(forever())


def test_running_in_circles_is_an_error() -> None:
    """When time does not pass for too long, the run ends and says who is at work."""
    loop = VirtualLoop()

    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match="time stands still"):
        run(spin(), loop)


async def fails() -> None:
    raise LookupError("nobody looks")


def test_a_task_that_fails_unseen_fails_the_run() -> None:
    """An exception of a task that nobody awaits is not only logged."""

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(1)
        assert task.done()
        del task
        gc.collect()
        await asyncio.sleep(1)
        pytest.fail("it went on")

    with pytest.raises(Unhandled, match="never retrieved") as caught:
        run(main())
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_task_that_fails_last_fails_the_run() -> None:
    """What fails just before the end is found as well."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(asyncio.create_task, fails())
        for _ in range(3):
            await asyncio.sleep(0)

    with pytest.raises(Unhandled):
        run(main())


def test_a_callback_that_fails_fails_the_run() -> None:
    """A callback has nobody who awaits it."""

    async def main() -> None:
        nothing: dict[str, str] = {}
        asyncio.get_running_loop().call_later(1, nothing.__getitem__, "no such key")
        await asyncio.sleep(2)

    with pytest.raises(Unhandled) as caught:
        run(main())
    assert isinstance(caught.value.__cause__, KeyError)


def test_threads_are_done_without() -> None:
    """What is given to a thread runs at once, and others run before its answer."""
    order: list[str] = []

    def work(fail: bool) -> int:  # noqa: FBT001 - what `to_thread` hands on
        order.append("work")
        if fail:
            raise OSError("disk")
        return threading.get_ident()

    async def beside() -> None:
        order.append("beside")

    async def main() -> int:
        task = asyncio.create_task(beside())
        thread = await asyncio.to_thread(work, fail=False)
        order.append("answer")
        await task
        with pytest.raises(OSError, match="disk"):
            await asyncio.to_thread(work, fail=True)
        return thread

    assert threading.get_ident() == run(main())
    assert ["work", "beside", "answer", "work"] == order


def test_there_is_no_network() -> None:
    """A simulation that dials somebody by name is told so."""
    with pytest.raises(RuntimeError, match="no network"):
        run(asyncio.wait_for(_dial(), 60))


async def _dial() -> None:
    await asyncio.open_connection("example.org", 80)
