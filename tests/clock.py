"""A clock that a test turns by hand."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)


class FakeClock:
    """
    A `monitor.clock.Clock` that stands still until it is told otherwise.

    `sleep` does not wait: it moves the clock by the whole duration, and lets every
    other task that is ready run once.  `slept` keeps what was asked for, in order.
    """

    def __init__(self, start: datetime = START) -> None:
        """Stand at *start*; `monotonic` starts at 1000 seconds."""
        self._start = start
        self._passed = timedelta()
        self._turned = timedelta()
        self.slept: list[timedelta] = []

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return self._start + self._passed + self._turned

    def monotonic(self) -> float:
        """Return 1000 seconds and what has passed since; never set back."""
        return 1000.0 + self._passed.total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        """Let *duration* pass at once, and the other tasks run."""
        self.slept.append(duration)
        self.advance(max(duration, timedelta()))
        await asyncio.sleep(0)

    def advance(self, duration: timedelta) -> None:
        """Let *duration* pass, on the wall and on the monotonic clock."""
        if duration < timedelta():
            raise ValueError("time does not go back; use turn() for the wall clock")
        self._passed += duration

    def turn(self, duration: timedelta) -> None:
        """Set the wall clock forward or back, as an operator does."""
        self._turned += duration
