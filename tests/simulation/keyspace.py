"""The keys of the simulated store: their values, and when they expire."""

import heapq
from collections.abc import Iterator
from typing import Any, TypeVar

from tests.simulation.replies import WRONGTYPE, Refused
from tests.simulation.streams import Stream

V = TypeVar("V")


class Members(dict[bytes, None]):
    """A set, in the order in which its members came."""

    def copy(self) -> "Members":
        """Return one that changes by itself."""
        return Members(self)


Value = bytes | dict[bytes, bytes] | Members | Stream


class Keyspace:
    """
    All keys.

    Attributes:
        now: Milliseconds since 1970; it stands still during a command or script.
        grown: Streams that got an entry, and keys that went or came otherwise, since
            this was last looked at: somebody may be waiting for them.
        blocking: Whether a read may wait; one in a script never does.
        old: The server is a 7.0, which makes a consumer only when there is something
            for it, and is less careful about how much a group has read.
    """

    def __init__(self, *, old: bool = False) -> None:
        self.old = old
        self.now = 0
        self.grown: dict[bytes, None] = {}
        self.blocking = True
        self._values: dict[bytes, Value] = {}
        self._expiries: dict[bytes, int] = {}
        self._due: list[tuple[int, bytes]] = []

    def find(self, key: bytes, kind: type[V]) -> V | None:
        """
        Return the value of *key*, or None.

        Raises:
            Refused: It is of another kind.
        """
        value = self._values.get(key)
        if value is None:
            return None
        if type(value) is not kind:
            raise Refused(WRONGTYPE)
        return value

    def stream(self, key: bytes) -> Stream | None:
        """Return the stream *key*; see `find`."""
        return self.find(key, Stream)

    def fields(self, key: bytes) -> dict[bytes, bytes] | None:
        """Return the hash *key*; see `find`."""
        return self.find(key, dict)

    def members(self, key: bytes) -> Members | None:
        """Return the set *key*; see `find`."""
        return self.find(key, Members)

    def get(self, key: bytes) -> Value | None:
        """Return the value of *key*, of whatever kind."""
        return self._values.get(key)

    def put(self, key: bytes, value: Value) -> None:
        """Set *key* to a new value, which keeps the time at which it expires."""
        if type(self._values.get(key)) is Stream:
            self.grown[key] = None
        self._values[key] = value

    def remove(self, key: bytes) -> bool:
        """Delete *key*; return False if it is not there."""
        if self._values.pop(key, None) is None:
            return False
        self._expiries.pop(key, None)
        self.grown[key] = None
        return True

    def clear(self) -> None:
        """Delete everything."""
        for key in [*self._values]:
            self.remove(key)

    def expire(self, key: bytes, at: int | None) -> None:
        """Let *key* expire after a millisecond, or never."""
        if at is None:
            self._expiries.pop(key, None)
            return
        self._expiries[key] = at
        heapq.heappush(self._due, (at, key))
        if len(self._due) > 2 * len(self._expiries) + 1000:
            self._due = [(when, name) for name, when in self._expiries.items()]
            heapq.heapify(self._due)

    def expiry(self, key: bytes) -> int | None:
        """Return the millisecond after which *key* expires, if it does."""
        return self._expiries.get(key)

    def advance(self, now: int) -> list[bytes]:
        """Let it be *now*; return the keys that have expired and are gone."""
        self.now = now
        gone: list[bytes] = []
        while self._due and self._due[0][0] < now:
            at, key = heapq.heappop(self._due)
            if self._expiries.get(key) == at:
                self.remove(key)
                gone.append(key)
        return gone

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._values)

    def copy(self) -> "Keyspace":
        """Return one that changes by itself."""
        other = Keyspace(old=self.old)
        other.now = self.now
        other._values = {
            key: value if isinstance(value, bytes) else value.copy()
            for key, value in self._values.items()
        }
        for key, at in self._expiries.items():
            other.expire(key, at)
        return other


def kind_of(value: Any) -> bytes:
    """Return what TYPE calls a value."""
    names: dict[type, bytes] = {
        bytes: b"string", dict: b"hash", Members: b"set", Stream: b"stream"
    }  # fmt: skip
    return names[type(value)]
