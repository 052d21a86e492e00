"""Whether a sink takes nothing from anybody, and when to ask it again."""

import math

FAILING = 3  # recipients; two chats may well be in trouble by themselves
FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0  # seconds between two questions


class Outage:
    """
    Bookkeeping about a sink that has ceased to answer, on monotonic seconds.

    While it lasts, one recipient's message after the other asks whether it is over,
    instead of all of them at once: each may have been taken without our knowing it.

    Attributes:
        on: It lasts.
        ended: When the last one ended.
    """

    def __init__(self) -> None:
        """Take the sink to be there."""
        self.on = False
        self.ended = -math.inf
        self._unanswered: set[str] = set()
        self._answered = -math.inf
        self._wait = FIRST_WAIT
        self._next = -math.inf

    def failed(self, name: str, began: float) -> None:
        """Note that what was *began* for a recipient then got no answer."""
        if began >= self._answered:  # else the sink has been there since
            self._unanswered.add(name)
            self.on = len(self._unanswered) >= FAILING

    def answered(self, now: float) -> bool:
        """Note an answer, be it a refusal; return whether it ends an outage."""
        ended, self.on = self.on, False
        self._unanswered.clear()
        self._answered, self._wait = now, FIRST_WAIT
        if ended:
            self.ended = now
        return ended

    def begun(self, now: float) -> None:
        """Note that somebody's message asks the sink now."""
        if self.on:
            self._next = now + self._wait
            self._wait = min(self._wait * 2, LONGEST_WAIT)

    def ready_at(self) -> float:
        """Return from when on the sink may be asked."""
        return self._next if self.on else -math.inf
