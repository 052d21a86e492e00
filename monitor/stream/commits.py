"""The four commits: a whole batch each, in one step, and safe to repeat."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec

from monitor.item import (
    WIRE,
    Delivery,
    Envelope,
    Item,
    Match,
    Outcome,
    content_hash,
    to_wire,
    to_wire_cut,
)
from monitor.stream.door import Argument, Door, Script
from monitor.stream.queues import DEAD, DELIVERIES, ITEMS, MATCHES, outbox
from monitor.stream.reader import Entry

ACCEPT, PUBLISH = Script("accept"), Script("publish")
FANOUT, SETTLE = Script("fanout"), Script("settle")

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

Verdict = tuple[Entry[Item], Match | None]
Plan = tuple[Entry[Match], Sequence[Envelope], Sequence[Delivery]]
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Accepted:
    """How many posts of a read were put onto the stream as what, and how many not."""

    new: int = 0
    edited: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: "Accepted") -> "Accepted":
        return Accepted(
            self.new + other.new,
            self.edited + other.edited,
            self.deleted + other.deleted,
            self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True)
class Read:
    """What one read of a source brought, and when; see `Stream.accept`."""

    source: str
    items: Sequence[Item]
    cursor: str
    day: int
    baseline: bool = False


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
    portions = list(_portions(items, _bulk)) or [[]]
    keys = [ITEMS.name, f"seen:{read.source}", "cursor"]
    total = Accepted()
    for n, portion in enumerate(portions, start=1):
        moves = n == len(portions)  # not before the last of its items is in
        arguments: list[Argument] = [WIRE, read.source, read.day, int(read.baseline)]
        arguments += (int(moves), read.cursor)
        for item in portion:
            gone = int(item.change == "deleted")
            arguments += (item.id, content_hash(item), gone, *to_wire_cut(item))
        total += Accepted(*await door.run(ACCEPT, keys, arguments))
    return total


async def publish(door: Door, verdicts: Sequence[Verdict]) -> int:
    """Acknowledge items, and add matches; see `Stream.publish`."""
    added = 0
    for portion in _portions(verdicts, lambda _: 1):
        plain = [entry.id for entry, match in portion if match is None]
        keys = [ITEMS.name, MATCHES.name]
        arguments: list[Argument] = [WIRE, "filter", MATCHED_KEPT, len(plain), *plain]
        for entry, match in portion:
            if match is not None:
                keys.append(f"matched:{match.item.post}")
                new, matters = match.item.change == "new", bool(match.rules)
                arguments += (entry.id, int(new), int(matters), to_wire(match))
        added += await door.run(PUBLISH, keys, arguments)
    return added


async def fanout(door: Door, plans: Sequence[Plan]) -> int:
    """Acknowledge matches, and add envelopes; see `Stream.fanout`."""
    added = 0
    for portion in _portions(plans, _spread):
        keys = _Keys([MATCHES.name, DELIVERIES.name, "lanes"])
        arguments: list[Argument] = [WIRE, "alert", LEDGER_KEPT]
        for entry, envelopes, suppressed in portion:
            arguments += (entry.id, len(envelopes))
            for envelope in envelopes:
                name = outbox(envelope.sink).name
                arguments += (keys.number(name), name, to_wire(envelope))
            arguments.append(len(suppressed))
            for delivery in suppressed:
                arguments += _recorded(keys, delivery)
        added += await door.run(FANOUT, keys.names, arguments)
    return added


async def settle(
    door: Door, entry: Entry[Envelope], deliveries: Sequence[Delivery], *, done: bool
) -> int:
    """Write down what became of an envelope; see `Stream.settle`."""
    keys = _Keys([entry.queue, DELIVERIES.name, DEAD])
    envelope = entry.value
    again = isinstance(envelope, Envelope) and envelope.again
    arguments: list[Argument] = [WIRE, "deliver", LEDGER_KEPT, entry.id]
    arguments += (int(done), int(again), entry.queue)
    for delivery in deliveries:
        arguments += _recorded(keys, delivery)
        arguments += _letter(entry, delivery)
    news: int = await door.run(SETTLE, keys.names, arguments)
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


def _letter(entry: Entry[Envelope], delivery: Delivery) -> tuple[Argument, ...]:
    """Return what a dead delivery leaves behind, to be put back for it alone."""
    envelope = entry.value
    if delivery.outcome != "dead" or not isinstance(envelope, Envelope):
        return "", "", 0, ""
    own = msgspec.structs.replace(
        envelope, recipients=(delivery.subscriber,), again=True
    )
    return to_wire(own), delivery.why, entry.attempts, delivery.at.isoformat()


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


def _bulk(item: Item) -> int:
    return 1 + len(item.text) // ORDINARY


def _spread(plan: Plan) -> int:
    return 1 + len(plan[1]) + len(plan[2])
