"""
Taking entries from a stream: as one of a group, or as an onlooker.

A group read whose answer is lost leaves its entries in limbo: the server thinks we have
them.  So a reader that is new, or whose last read failed, first takes what it was given
before, then what other consumers left lying, and only then anything new.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Literal

import msgspec

from monitor.clock import Clock
from monitor.item import WIRE, Match, from_wire
from monitor.stream.door import Door, NoGroup, Script
from monitor.stream.queues import Queue, T

ADOPT = Script("adopt")
GROUPS = Script("groups")

LONGEST = timedelta(seconds=30)  # a blocking read; a lost connection shows after it
GRACE = 5.0  # seconds that the answer may come after the blocking has ended
LOOK = timedelta(seconds=30)  # between two looks at what others left lying
ABANDONED = timedelta(seconds=60)  # for so long nobody worked on it


class Damaged(msgspec.Struct, frozen=True):
    """An entry that cannot be read: it is to be buried, with this reason."""

    why: str


class Entry(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """
    One entry of a stream.

    Attributes:
        id: Names it within its queue.
        queue: The queue's name.
        group: For whom it was read; empty for an onlooker.
        was: In `matches`: the match that this one corrects.
        late: Its post was found only long after it was published.
        attempts: How often the group was given it, this time included.  A new start of
            the reader counts, a read that has to be repeated does not.
    """

    id: str
    queue: str
    group: str
    value: T | Damaged
    was: Match | None = None
    late: bool = False
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Consumer:
    """For which group something is read, and under which name."""

    group: str
    owner: str


class Reader(Generic[T]):
    """
    One consumer of a group.

    Its name is the owner's, and the same after a restart.  What it returned may come
    again after a failed read, if it has not been acknowledged by then.

    Attributes:
        queue: What it reads.
        group: For whom.
        lost: Entries that were gone from the stream before they were acknowledged.
            Anything but 0 means that somebody deleted or trimmed them by hand.
    """

    def __init__(
        self, door: Door, queue: Queue[T], consumer: Consumer, clock: Clock
    ) -> None:
        """Use `Stream.reader`."""
        self.queue = queue
        self.group = consumer.group
        self.lost = 0
        self._door = door
        self._owner = consumer.owner
        self._clock = clock
        self._sure = False  # that nothing was given to us that we do not know of
        self._first = True  # this is the first pass over what was given to us before
        self._phase: Literal["mine", "others", "new"] = "mine"
        self._after = "-"
        self._idle = timedelta()
        self._adopting = False  # what others left is to be ours before we go on
        self._alone = False  # nobody else reads for the group, or should
        self._next_look = 0.0

    async def next(
        self, count: int = 256, block: timedelta = timedelta(seconds=2)
    ) -> list[Entry[T]]:
        """
        Return up to *count* entries, or none if none came for *block*.

        Raises:
            Away: Read again; nothing is lost.
            Unavailable: This server cannot be used as it is.
        """
        if not self._sure:
            self._start_over()
        self._sure = False
        try:
            entries = await self._left(count) or await self._new(count, block)
            if entries and self._phase == "new" and await self._is_snatched():
                self._adopting = True
                self._start_over()
                entries = await self._left(count)
        except NoGroup:
            await make_groups(self._door, [(self.queue, self.group)])
            return []
        self._sure = True
        return entries

    def begin(self) -> None:
        """
        Begin with what was left lying, whoever had it: we alone read from now on.

        To be called when the lease of what is read has come to us.
        """
        self._idle = timedelta()
        self._adopting = self._alone = True
        self._sure = False

    async def _is_snatched(self) -> bool:
        """
        Return whether somebody else was given what is ours to read.

        Whoever had the lease before may still be waiting for new entries, and is served
        before us; what it got comes before what we have got.
        """
        if not self._alone:
            return False
        key = self._door.key(self.queue.name)
        *_, consumers = await self._door.call("XPENDING", key, self.group)
        return any(name.decode() != self._owner for name, _ in consumers or ())

    def _start_over(self) -> None:
        self._first = self._first and (self._phase, self._after) == ("mine", "-")
        self._phase, self._after = "mine", "-"

    async def _left(self, count: int) -> list[Entry[T]]:
        """Return what was given to somebody before, page by page."""
        if self._adopting:
            await self._adopt(count)
        if self._phase == "new" and self._clock.monotonic() >= self._next_look:
            self._phase, self._after = "others", "-"
        while self._phase != "new":
            entries = await self._page(self._phase, count)
            if entries:
                return entries
        return []

    async def _adopt(self, count: int) -> None:
        """
        Make ours what others left, to be read with our own in the order of the stream.

        Another one may have died while it took over from us: then what it had got so
        far is older than what it had not.
        """
        size = count
        while size == count:
            size, last, _, lost = await self._door.run(
                ADOPT,
                [self.queue.name],
                [self.group, self._owner, "others", self._after, count, 0, 0],
            )
            self.lost += lost
            self._after = "(" + last.decode()
        self._adopting, self._after = False, "-"

    async def _page(
        self, whose: Literal["mine", "others"], count: int
    ) -> list[Entry[T]]:
        counts = int(whose == "others" or self._first)
        idle = _ms(self._idle)
        size, last, taken, lost = await self._door.run(
            ADOPT,
            [self.queue.name],
            [self.group, self._owner, whose, self._after, count, idle, counts],
        )
        self.lost += lost
        self._after = "(" + last.decode()
        if size < count:
            self._turn(whose)
        return [self._entry(*one) for one in taken]

    def _turn(self, done: Literal["mine", "others"]) -> None:
        self._after = "-"
        if done == "mine":
            self._phase, self._first = "others", False
        else:
            self._phase = "new"
            self._idle = timedelta() if self._alone else ABANDONED
            self._next_look = self._clock.monotonic() + LOOK.total_seconds()

    async def _new(self, count: int, block: timedelta) -> list[Entry[T]]:
        key = self._door.key(self.queue.name)
        wait = min(block, LONGEST)
        blocking = ("BLOCK", _ms(wait)) if wait else ()  # BLOCK 0 is for ever
        answer = await self._door.call(
            "XREADGROUP", "GROUP", self.group, self._owner, "COUNT", count, *blocking,
            "STREAMS", key, ">",
            patience=wait.total_seconds() + GRACE,
        )  # fmt: skip
        if not answer:
            return []
        return [self._entry(id_, fields, 1) for id_, fields in answer[0][1]]

    def _entry(self, id_: bytes, fields: Sequence[bytes], attempts: int) -> Entry[T]:
        return _entry(self.queue, id_, fields, self.group, attempts)


async def follow(
    door: Door, queue: Queue[T], block: timedelta, back: int
) -> AsyncIterator[Entry[T]]:
    """Yield the last *back* entries of *queue*, and then every new one."""
    key = door.key(queue.name)
    newest = await door.call("XREVRANGE", key, "+", "-", "COUNT", max(back, 1))
    for id_, fields in newest[::-1] if back else []:
        yield _entry(queue, id_, fields, "", 1)
    last = newest[0][0] if newest else b"0-0"
    wait = min(block, LONGEST)
    while True:
        answer = await door.call(
            "XREAD", "COUNT", 256, "BLOCK", max(_ms(wait), 1), "STREAMS", key, last,
            patience=wait.total_seconds() + GRACE,
        )  # fmt: skip
        if answer:
            last = answer[0][1][-1][0]
            for id_, fields in answer[0][1]:
                yield _entry(queue, id_, fields, "", 1)


async def make_groups(door: Door, wanted: Sequence[tuple[Queue[Any], str]]) -> int:
    """Make the groups of *wanted* that are missing; return how many were."""
    if not wanted:
        return 0
    queues = [queue.name for queue, _ in wanted]
    made: int = await door.run(GROUPS, queues, [group for _, group in wanted])
    return made


def decoded(
    queue: Queue[T], fields: Sequence[bytes]
) -> tuple[T | Damaged, Match | None]:
    """Return what an entry's fields hold, and the match that it corrects."""
    by_name = dict(zip(fields[::2], fields[1::2], strict=False))
    try:
        was = by_name.get(b"was")
        corrected = from_wire({WIRE: was}, Match) if was else None
        return from_wire(by_name, queue.kind), corrected
    except ValueError as error:
        return Damaged(str(error)), None


def _entry(
    queue: Queue[T], id_: bytes, fields: Sequence[bytes], group: str, attempts: int
) -> Entry[T]:
    found = decoded(queue, fields)
    return Entry(
        id=id_.decode(),
        queue=queue.name,
        group=group,
        value=found[0],
        was=found[1],
        late=b"late" in fields[::2],
        attempts=attempts,
    )


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
