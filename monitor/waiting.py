"""Waiting for one of two things, on the clock that is handed in."""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from monitor.clock import Clock

T = TypeVar("T")


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """
    Return what *work* returns, or None if *event* comes first.

    Then *work* is cancelled, and has ended when this returns.
    """
    if event.is_set():
        work.close()
        return None
    working = asyncio.create_task(work)
    coming = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([working, coming], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        coming.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # a cancelled caller does not ask for it


async def within(
    clock: Clock, limit: timedelta, tasks: Iterable[asyncio.Task[Any]]
) -> list[asyncio.Task[Any]]:
    """Wait for *tasks*, but no longer than *limit*; return those not done, in order."""
    all_ = [*tasks]
    left = set(all_)
    limiting = asyncio.create_task(clock.sleep(limit))
    try:
        while left and not limiting.done():
            _, left = await asyncio.wait(
                [*left, limiting], return_when=asyncio.FIRST_COMPLETED
            )
            left.discard(limiting)
    finally:
        limiting.cancel()
    return [task for task in all_ if task in left]
