"""
Sends that a chat has accepted, until it is known that the program has recorded them.

A process that is killed between the two sends once more: that copy is allowed, and no
other.  So when one dies, its acceptances are looked up in the program's own records,
before another one can change them.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from monitor.errors import Transient, Unavailable
from monitor.stream.door import Door
from monitor.stream.notes import told

SETTLED_IN = 0.3  # seconds; to ask sooner would mostly be to ask again
ROUND = 0.5  # seconds between two looks
KEPT = 20_000  # ends of acceptances that are remembered

End = Literal["kill", "stop"]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A message that is in a chat."""

    message: str
    post: str
    subscriber: str
    at: float


class Acceptances:
    """
    What was accepted, and how that ended which nobody recorded.

    Attributes:
        counts: How many of them nobody had recorded when the process was killed, or
            had stopped; those that could not be looked up are counted apart.  "Left
            behind" are those whose chat was sent something else before they were.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.counts: Counter[str] = Counter()
        self._open: dict[str, Acceptance] = {}
        self._ends: dict[str, End] = {}

    def accepted(self, message: str, post: str, subscriber: str) -> None:
        """Note that a chat has accepted a new message."""
        now = time.monotonic()
        self._open[message] = Acceptance(message, post, subscriber, now)

    def end_of(self, message: str) -> End | None:
        """Return how that process ended which did not record *message*, if one did."""
        return self._ends.get(message)

    def __len__(self) -> int:
        return len(self._open)

    async def watch(self, door: Door) -> None:
        """Drop what is recorded, again and again."""
        while True:
            await asyncio.sleep(ROUND)
            await self._look(door, time.monotonic() - SETTLED_IN)

    async def close(self, door: Door, end: End) -> int:
        """Account for what is open, as its process has ended; return how much it is."""
        known = await self._look(door, time.monotonic())
        left = len(self._open)
        self.counts[end if known else f"{end}, unknown"] += left
        if known:  # no chat is sent the next message before the last is recorded
            chats = {one.subscriber for one in self._open.values()}
            self.counts["left behind"] += left - len(chats)
        self._ends |= dict.fromkeys(self._open, end)
        self._open.clear()
        for message in list(self._ends)[:-KEPT]:
            del self._ends[message]
        return left

    async def _look(self, door: Door, before: float) -> bool:
        """Drop what was accepted *before* and is recorded; return whether we know."""
        for one in [one for one in self._open.values() if one.at <= before]:
            try:
                found = await told(door, one.post, [one.subscriber])
            except (Transient, Unavailable):
                return False
            if one.subscriber in found and found[one.subscriber].message == one.message:
                self._open.pop(one.message, None)
        return True
