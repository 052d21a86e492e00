"""
The one clock.  Everything below `daemon` that needs the time is handed it.

Wall time is for people and for the archive; intervals are measured with
`monotonic`, which no operator and no time server can turn back.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

# The usual monotonic clock stands still while a machine sleeps: a lease would seem to
# be ours for hours after it ended, and what is hours old would seem to be news.
UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What time it is, and how to wait."""

    def now(self) -> datetime:
        """Return the wall time in UTC, for people and for the archive."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; it never goes back."""

    async def sleep(self, duration: timedelta) -> None:
        """Wait for *duration*."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds since the machine started, asleep or not."""
        return time.clock_gettime(UPTIME)

    async def sleep(self, duration: timedelta) -> None:
        """Wait for *duration* of real time."""
        await asyncio.sleep(duration.total_seconds())
