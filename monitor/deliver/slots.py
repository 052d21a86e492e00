"""
How many messages of one sink are on their way at a time.

A chat that hangs must not take the place of another.  So a message that takes long
gives its place back and counts elsewhere, and whose last one hung waits at a narrow
gate, with others of that kind.
"""

import asyncio
from collections.abc import Callable

IN_FLIGHT = 8  # httpx slows down with every further connection of one client
LONG = 64  # that have taken longer
NARROW = 8  # to those whose last one hung
SLOW = 0.5  # seconds after which a message counts as one that takes long
HUNG = 5.0  # seconds until a failure; to wait for so long tells of the chat
SLUGGISH = 20.0  # seconds until an answer; whoever needs more takes others' places


class Place:
    """
    A message's place, until it is released; to release it again does nothing.

    Attributes:
        narrow: It is at the narrow gate.
    """

    def __init__(self, slots: "Slots", name: str) -> None:
        """Use `Slots.take`."""
        self._slots, self._name = slots, name
        self._began = asyncio.get_running_loop().time()
        self.narrow = slots.is_hung(name)
        self._kind = "narrow" if self.narrow else "quick"
        self._slow: asyncio.TimerHandle | None = None
        slots.count(self._kind, 1)
        if self._kind == "quick":
            self._watch()

    def release(self, *, failed: bool = False) -> None:
        """Give it back: the message has arrived, or has not."""
        if not self._kind:
            return
        if self._slow:
            self._slow.cancel()
        took = asyncio.get_running_loop().time() - self._began
        hung = took >= (HUNG if failed else SLUGGISH)
        self._slots.note(self._name, hung=hung)
        kind, self._kind = self._kind, ""
        self._slots.count(kind, -1)

    def _watch(self) -> None:
        self._slow = asyncio.get_running_loop().call_later(SLOW, self._make_room)

    def _make_room(self) -> None:
        if self._slots.has_room("long"):
            self._kind = "long"
            self._slots.count("long", 1)
            self._slots.count("quick", -1)
        else:
            self._watch()


class Slots:
    """The places of one sink."""

    def __init__(self, freed: Callable[[], object]) -> None:
        """Call *freed* whenever there is a place again."""
        self._freed = freed
        self._most = {"quick": IN_FLIGHT, "long": LONG, "narrow": NARROW}
        self._taken = dict.fromkeys(self._most, 0)
        self._hung: set[str] = set()

    def has_room(self, kind: str) -> bool:
        """Return whether there is a place: ``quick``, ``long`` or ``narrow``."""
        return self._taken[kind] < self._most[kind]

    def is_hung(self, name: str) -> bool:
        """Return whether the last message to this recipient hung."""
        return name in self._hung

    def take(self, name: str) -> Place:
        """Take a place for a message to this recipient."""
        return Place(self, name)

    def forgive(self) -> None:
        """Take nobody to be hanging any more: it was not their fault."""
        self._hung.clear()

    def note(self, name: str, *, hung: bool) -> None:
        """Remember whether the last message to this recipient hung."""
        if hung:
            self._hung.add(name)
        else:
            self._hung.discard(name)

    def count(self, kind: str, more: int) -> None:
        """Count places of a kind that are taken or given back."""
        self._taken[kind] += more
        if more < 0:
            self._freed()
