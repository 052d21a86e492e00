"""The four commits: a whole batch each, in one step, and safe to repeat."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from monitor.errors import Away
from monitor.item import (
    WIRE,
    Delivery,
    Envelope,
    Item,
    Match,
    Note,
    Outcome,
    content_hash,
    to_wire,
    to_wire_first,
)
from monitor.stream.door import Argument, Door, Script
from monitor.stream.notes import MILLISECOND, START
from monitor.stream.queues import (
    DEAD,
    DELIVERIES,
    ITEMS,
    MATCHES,
    NOTES,
    outbox,
    sending,
)
from monitor.stream.reader import Damaged, Entry

ACCEPT, PUBLISH = Script("accept"), Script("publish")
FANOUT, SETTLE = Script("fanout"), Script("settle")
GONE, PAST, LATE = 1, 2, 4  # flags of a post; see accept.lua

MOST = 512  # things a script: some 5 ms in which the server answers nobody else
ORDINARY = 2048  # characters; a longer text counts for more than one thing
MATCHED_KEPT = timedelta(days=14) // timedelta(seconds=1)  # how long edits are followed
LEDGER_KEPT = timedelta(days=30) // timedelta(seconds=1)
RANK: Final[dict[Outcome, int]] = {  # see record.lua
    "suppressed": 0,
    "dead": 1,
    "delivered": 2,
    "edited": 2,
}

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Correction:
    """
    A match without rules, which corrects one that had some.

    Attributes:
        note: Stands for it if no earlier version of the post mattered.
    """

    match: Match
    note: Note


Verdict = tuple[Entry[Item], Match | Correction | Note | None]
Plan = tuple[Entry[Match], Sequence[Envelope], Sequence[Delivery | Note]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    How many posts of a read were put onto the stream as what, and how many not.

    Attributes:
        turn: How many reads of the source were accepted, this one included.
    """

    new: int = 0
    edited: int = 0
    deleted: int = 0
    unchanged: int = 0
    turn: int = field(default=0, compare=False)

    def __add__(self, other: "Accepted") -> "Accepted":
        return Accepted(
            self.new + other.new,
            self.edited + other.edited,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
            other.turn,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one read of a source brought, and when; see `Stream.accept`."""

    source: str
    items: Sequence[Item]
    cursor: str
    now: datetime
    notes: Sequence[Note] = ()
    baseline: bool = False
    since: datetime | None = None
    late_before: datetime | None = None
    after: int | None = None

    def flags(self, item: Item) -> bytes:
        """Return what the script has to know of *item*."""
        then = item.published
        late = self.late_before is not None and then < self.late_before
        past = self._is_past(item)
        return bytes((GONE * (item.change == "deleted") + PAST * past + LATE * late,))

    def past(self, item: Item) -> bytes:
        """Return the note that *item* was there before, or nothing if it is no past."""
        if not self._is_past(item):
            return b""
        return to_wire(Note(source=self.source, id=item.id, what="past", at=self.now))

    def _is_past(self, item: Item) -> bool:
        then = item.published
        return self.baseline and (self.since is None or then <= self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """
    What became of an envelope for some of its recipients.

    Attributes:
        done: It is done with for all of them: acknowledge and delete it.
        others: Recipients for whom it has ended, and of whom nothing is to be written,
            since that was done before.
    """

    entry: Entry[Envelope]
    deliveries: Sequence[Delivery]
    done: bool
    others: Sequence[str] = ()


async def accept(door: Door, read: Read) -> Accepted:
    """Put what is new or changed onto `items`; see `Stream.accept`."""
    # Were two states of one post in a batch, repeating it would find both changed.
    last: dict[str, Item] = {}
    for item in read.items:
        last.pop(item.id, None)
        last[item.id] = item
    items = [*last.values()]
    try:
        return await _accept(door, read, items)
    except UnicodeEncodeError:
        return await _accept(door, read, [*map(_mended, items)])


async def _accept(door: Door, read: Read, items: Sequence[Item]) -> Accepted:
    things: list[Item | Note] = [*items, *read.notes]
    portions = list(_portions(things, _bulk)) or [[]]
    since_1970 = read.now - START
    day, now_ms = since_1970.days, since_1970 // MILLISECOND
    keys = [ITEMS.name, f"seen:{read.source}", "cursor", "reads", NOTES.name]
    total = Accepted()
    for n, portion in enumerate(portions, start=1):
        moves = n == len(portions)  # not before the last of its items is in
        some = [one for one in portion if isinstance(one, Item)]
        pasts = [past for item in some if (past := read.past(item))]
        arguments: list[Argument] = [WIRE, read.source, day, now_ms]
        after = "" if read.after is None else read.after
        arguments += (int(moves), read.cursor, len(some), len(pasts), after)
        for item in some:
            mark = content_hash(item) + read.flags(item)
            arguments += (item.id, mark, to_wire_first(item))
        arguments += pasts
        for note in (one for one in portion if isinstance(one, Note)):
            arguments += (note.id, f"{note.what:8.8}", to_wire(note))
        answer = await door.run(ACCEPT, keys, arguments)
        if not answer:
            raise Away(f"another read of {read.source} was accepted meanwhile")
        total += Accepted(*answer)
    return total


async def publish(door: Door, verdicts: Sequence[Verdict]) -> int:
    """Acknowledge items, and add matches and notes; see `Stream.publish`."""
    added = 0
    for portion in _portions(verdicts, lambda _: 1):
        plain = [entry.id for entry, found in portion if found is None]
        keys = [ITEMS.name, MATCHES.name, NOTES.name]
        arguments: list[Argument] = [WIRE, "filter", MATCHED_KEPT, len(plain), *plain]
        noted = [(entry, why) for entry, why in portion if isinstance(why, Note)]
        arguments.append(len(noted))
        for entry, note in noted:
            arguments += (entry.id, to_wire(note))
        for entry, found in portion:
            match = found.match if isinstance(found, Correction) else found
            if isinstance(match, Match):
                keys.append(f"matched:{match.item.post}")
                new, matters = match.item.change == "new", bool(match.rules)
                arguments += (entry.id, int(new), int(matters), int(entry.late))
                arguments += (to_wire(match), _otherwise(found))
        added += await door.run(PUBLISH, keys, arguments)
    return added


async def fanout(door: Door, plans: Sequence[Plan]) -> int:
    """Acknowledge matches, and add envelopes; see `Stream.fanout`."""
    added = 0
    for portion in _portions(plans, _spread):
        keys = _Keys([MATCHES.name, DELIVERIES.name, "lanes", NOTES.name])
        arguments: list[Argument] = [WIRE, "alert"]
        for entry, envelopes, written in portion:
            suppressed = [one for one in written if isinstance(one, Delivery)]
            notes = [one for one in written if isinstance(one, Note)]
            arguments += (entry.id, len(envelopes))
            for envelope in envelopes:
                name = outbox(envelope.sink).name
                arguments += (keys.number(name), name, to_wire(envelope))
            arguments += (len(suppressed), *map(to_wire, suppressed))
            arguments.append(to_wire(notes[0]) if notes else b"")
        added += await door.run(FANOUT, keys.names, arguments)
    return added


async def settle(door: Door, settlements: Sequence[Settlement]) -> int:
    """Write down what became of envelopes of one outbox; see `Stream.settle`."""
    news = 0
    for portion in _portions(settlements, lambda one: 1 + len(one.deliveries)):
        queue = portion[0].entry.queue
        keys = _Keys([queue, DELIVERIES.name, DEAD, sending(queue)])
        arguments: list[Argument] = [WIRE, "deliver", LEDGER_KEPT, queue]
        for one in portion:
            envelope = one.entry.value
            again = isinstance(envelope, Envelope) and envelope.again
            arguments += (one.entry.id, int(one.done), int(again))
            arguments += (len(one.others), *one.others, len(one.deliveries))
            for plain in one.deliveries:
                delivery = _counted(plain, envelope)
                arguments += _recorded(keys, delivery)
                arguments += _letter(one.entry, delivery)
        news += await door.run(SETTLE, keys.names, arguments)
    return news


class _Keys:
    """The keys of one call, each named once and then by its number from 1."""

    def __init__(self, fixed: list[str]) -> None:
        self.names = fixed
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        if name not in self._numbers:
            self.names.append(name)
            self._numbers[name] = len(self.names)
        return self._numbers[name]


def _recorded(keys: _Keys, delivery: Delivery) -> tuple[Argument, ...]:
    post, _, version = delivery.item.rpartition("/")
    return (
        keys.number(f"ledger:{post}"),
        delivery.subscriber,
        int(version),
        RANK[delivery.outcome],
        to_wire(delivery),
    )


def _otherwise(found: Match | Correction | Note | None) -> bytes:
    return to_wire(found.note) if isinstance(found, Correction) else b""


def _counted(delivery: Delivery, envelope: Envelope | Damaged) -> Delivery:
    """Return *delivery* with how many there must be, for the account."""
    if not isinstance(envelope, Envelope):
        return delivery
    return msgspec.structs.replace(delivery, among=envelope.among)


def _letter(entry: Entry[Envelope], delivery: Delivery) -> tuple[Argument, ...]:
    """Return what a dead delivery leaves behind, to be put back for it alone."""
    envelope = entry.value
    if delivery.outcome != "dead" or not isinstance(envelope, Envelope):
        return (0,)
    own = msgspec.structs.replace(
        envelope, recipients=(delivery.subscriber,), again=True
    )
    return 1, to_wire(own), delivery.why, entry.attempts, delivery.at.isoformat()


def _portions(things: Sequence[A], weigh: Callable[[A], int]) -> Iterator[Sequence[A]]:
    """Yield *things* in portions that weigh about `MOST`, at least one each."""
    start = weight = 0
    for at, thing in enumerate(things):
        more = weigh(thing)
        if at > start and weight + more > MOST:
            yield things[start:at]
            start, weight = at, 0
        weight += more
    if start < len(things):
        yield things[start:]


def _mended(item: Item) -> Item:
    """Return *item* without half characters: JSON may have them, UTF-8 may not."""
    return msgspec.convert(_whole(msgspec.to_builtins(item)), Item)


def _whole(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {name: _whole(part) for name, part in value.items()}
        case list() | tuple():
            return [_whole(part) for part in value]
    return value


def _bulk(thing: Item | Note) -> int:
    return 1 + len(thing.text) // ORDINARY if isinstance(thing, Item) else 1


def _spread(plan: Plan) -> int:
    return 1 + len(plan[1]) + len(plan[2])
