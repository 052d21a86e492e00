"""When to give up a message that a sink refuses again and again: bookkeeping."""

from dataclasses import dataclass
from datetime import timedelta

from monitor.errors import Transient

GIVE_UP = timedelta(minutes=10)  # on what the sink refuses while it takes others
TIMES = 5  # that it was refused although the sink took something in between


@dataclass(slots=True)
class Refusals:
    """How long a message has been refused while the sink took those of others."""

    since: float | None = None
    asked: float | None = None
    last: float = float("inf")
    times: int = 0

    def due(self, now: float) -> bool:
        """Return whether it is time to see if the sink takes something else."""
        if self.asked is None:
            self.asked = now
        if now - self.asked < GIVE_UP.total_seconds():
            return False
        self.asked = now
        return True

    def hopeless(self, failure: Transient, now: float, took: float) -> bool:
        """
        Note a refusal; return whether to give up.

        It counts if the sink took something since the one before: right after an
        outage the first who are served say nothing about the others.
        """
        if failure.everywhere:
            self.since, self.times = None, 0
        elif took > self.last:
            self.since, self.times = self.since or now, self.times + 1
        self.last = now
        long = self.since is not None and now - self.since > GIVE_UP.total_seconds()
        return long and self.times >= TIMES
