"""
Whether there is room for more.  When there is not, nothing more is read, before the
server refuses anything: what was accepted goes on, and sources keep what they have.
"""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from monitor.clock import Clock
from monitor.stream import Stream
from monitor.stream.doctor import scarcity

LOOK = timedelta(seconds=2)  # at 5,000 posts a second, some 10 MB come in meanwhile


def free_in(folder: Path) -> int:
    """Return how many bytes may still be written to the disk of *folder*."""
    return shutil.disk_usage(folder).free


class Intake:
    """Asks the server and the disk, and remembers what they said for a little."""

    def __init__(
        self,
        stream: Stream,
        state: Path,
        clock: Clock,
        free: Callable[[Path], int] = free_in,
    ) -> None:
        """Look at the server of *stream* and at the disk that *state* lies on."""
        self._stream, self._state, self._clock = stream, state, clock
        self._free = free
        self._why = ""
        self._next = 0.0

    async def __call__(self) -> str:
        """
        Return why nothing more may be read now, or nothing.

        Raises:
            Away: The server does not answer.
        """
        now = self._clock.monotonic()
        if now >= self._next:
            stopped = bool(self._why)
            full = await self._stream.database.shortage(stopped=stopped)
            self._why = full or scarcity(self._free(self._state), stopped=stopped)
            self._next = now + LOOK.total_seconds()
        return self._why
