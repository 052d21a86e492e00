"""Waiting for something to come to be so."""

import asyncio
import time
from collections.abc import Awaitable, Callable

GLANCE = 0.02  # seconds between two looks


async def until(true: Callable[[], Awaitable[bool]], seconds: float) -> float | None:
    """Return after how long something came to be so; None if it did not in time."""
    began = time.monotonic()
    while not await true():
        if time.monotonic() - began > seconds:
            return None
        await asyncio.sleep(GLANCE)
    return time.monotonic() - began
