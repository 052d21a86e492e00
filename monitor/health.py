"""
Is the program alive?  Each loop beats; whoever asks sees which one has stopped.

A loop that only turns without getting anywhere does not beat: it beats when its
wait for work has ended, with work or without, and the commit of it has returned.
"""

from datetime import timedelta

from monitor.clock import Clock

LONGEST = timedelta(seconds=45)  # a turn waits 2 s for work, and a failed one 30 s


class Health:
    """The last beat of every loop of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, float] = {}

    def beat(self, loop: str) -> None:
        """Note that *loop* got somewhere just now."""
        self._beats[loop] = self._clock.monotonic()

    def forget(self, loop: str) -> None:
        """Expect no more of *loop*: it was stopped on purpose."""
        self._beats.pop(loop, None)

    def stalled(self) -> list[str]:
        """Return the loops that have not got anywhere for too long, by name."""
        before = self._clock.monotonic() - LONGEST.total_seconds()
        return sorted(loop for loop, at in self._beats.items() if at < before)
