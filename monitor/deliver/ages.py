"""How old what waits is, whatever is done to the wall clock meanwhile."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.clock import Clock

LEAST = timedelta(seconds=1)  # by which a clock is set; less is the clocks' own drift
REMEMBERED = 16  # jumps


@dataclass(frozen=True, slots=True)
class _Jump:
    """The wall clock was set: from which time to which."""

    before: datetime
    after: datetime

    @property
    def by(self) -> timedelta:
        """How far it was set forward."""
        return self.after - self.before


class Ages:
    """
    The ages of posts, measured by two clocks.

    Only the wall clock knows how old a post was when it came to us, and it may be set:
    an hour forward, and all that is on its way would be an hour old.  So jumps that we
    witness are taken out again, and what happened under our eyes is measured with the
    monotonic clock, which cannot be set.  Of a jump while we were not running nothing
    is known; then what the wall clock says counts, and where it may be taken in two
    ways, the younger age does: nobody is to miss a warning.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin to watch *clock*."""
        self._clock = clock
        self._jumps: deque[_Jump] = deque(maxlen=REMEMBERED)
        self._wall, self._monotonic = clock.now(), clock.monotonic()

    def look(self) -> None:
        """Note if the wall clock was set since the last look."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        expected = self._wall + timedelta(seconds=monotonic - self._monotonic)
        if abs(wall - expected) >= LEAST:
            self._jumps.append(_Jump(expected, wall))
        self._wall, self._monotonic = wall, monotonic

    def of(self, seen: datetime, taken: float) -> timedelta:
        """
        Return the age of what was first *seen* then.

        Args:
            taken: The monotonic moment at which it came to us.
        """
        self.look()
        known = timedelta(seconds=self._monotonic - taken)
        set_since = timedelta()
        end = self._wall
        for jump in reversed(self._jumps):
            if jump.after <= seen <= end:
                break
            set_since += jump.by
            end = jump.before
        if seen > end:  # no clock of ours has shown that: it is as young as it may be
            return known
        age = self._wall - seen
        if set_since < timedelta() <= age:  # it may have been wrong when we began
            return max(age, known)
        return max(age - set_since, known)
