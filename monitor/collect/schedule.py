"""
When each source is read next: one heap, and a wait that grows while reads fail.

Pure bookkeeping on monotonic seconds.  A source that is being read is not in the
heap, so that it is never read twice at a time.
"""

import heapq
from datetime import timedelta
from hashlib import blake2b

LONGEST_WAIT = timedelta(minutes=30).total_seconds()
TIMES = 15  # its own rhythm: what is read every 20 s is tried every 5 minutes at least
LONGEST_AWAY = timedelta(seconds=30).total_seconds()
FIRST_READS = 5.0  # seconds over which the first reads are spread


class Schedule:
    """The sources that wait for their turn."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._away: dict[str, int] = {}

    def planned(self, name: str) -> float | None:
        """Return when *name* is read next; None if it waits for nothing."""
        return self._due.get(name)

    def add(self, name: str, at: float) -> None:
        """Read *name* at the moment *at*; an earlier plan for it is dropped."""
        self._due[name] = at
        heapq.heappush(self._heap, (at, name))

    def drop(self, name: str) -> None:
        """Read *name* no more."""
        self._due.pop(name, None)
        self._failures.pop(name, None)
        self._away.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Take the sources out whose turn it is, the longest due first."""
        ready = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._due.get(name) == at:
                del self._due[name]
                ready.append(name)
        return ready

    def next(self) -> float | None:
        """Return when the next source is due, if one is waiting."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def succeeded(self, name: str, now: float, every: timedelta) -> int:
        """Plan the next read of *name*; return how often it had failed before."""
        failures = self._failures.pop(name, 0)
        self._away.pop(name, None)
        self.add(name, now + every.total_seconds())
        return failures

    def failed(
        self,
        name: str,
        now: float,
        every: timedelta,
        retry_after: timedelta | None = None,
    ) -> int:
        """
        Plan another try; return how often *name* has failed in a row.

        The wait doubles from the source's own rhythm up to fifteen times that, but not
        above half an hour, and is never shorter than the publisher asked for.
        """
        failures = self._failures.get(name, 0) + 1
        self._failures[name] = failures
        usual = every.total_seconds()
        longest = max(min(usual * TIMES, LONGEST_WAIT), usual)
        wait = min(usual * 2 ** min(failures - 1, 20), longest)
        asked = retry_after.total_seconds() if retry_after else 0.0
        self.add(name, now + max(wait, asked))
        return failures

    def put_off(self, name: str, now: float) -> None:
        """Plan another try of *name*, which failed by no fault of its own: soon."""
        times = self._away.get(name, 0)
        self._away[name] = times + 1
        self.add(name, now + min(2.0 ** min(times, 16), LONGEST_AWAY))


def first_wait(name: str, every: timedelta) -> float:
    """
    Return after how many seconds to read *name* first.

    Sources with one rhythm are spread over it, each always at its own place, but
    over five seconds at most: whoever starts the program wants to see it work.
    """
    part = int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) / 2**32
    return part * min(every.total_seconds(), FIRST_READS)
