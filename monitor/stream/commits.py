"""The four commits: a whole batch each, in one step, and safe to repeat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

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
from monitor.stream.queues import DELIVERIES, ITEMS, MATCHES, outbox
from monitor.stream.reader import Entry

ACCEPT, PUBLISH = Script("accept"), Script("publish")
FANOUT, SETTLE = Script("fanout"), Script("settle")

MOST = 512  # a script: some 5 ms in which the server answers nobody else
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
    chunks = list(_chunks(list(last.values()))) or [[]]
    keys = [ITEMS.name, f"seen:{read.source}", "cursor"]
    total = Accepted()
    for n, chunk in enumerate(chunks, start=1):
        moves = n == len(chunks)  # not before the last of its items is in
        arguments: list[Argument] = [WIRE, read.source, read.day, int(read.baseline)]
        arguments += (int(moves), read.cursor)
        for item in chunk:
            gone = int(item.change == "deleted")
            arguments += (item.id, content_hash(item), gone, *to_wire_cut(item))
        total += Accepted(*await door.run(ACCEPT, keys, arguments))
    return total


async def publish(door: Door, verdicts: Sequence[Verdict]) -> int:
    """Acknowledge items, and add matches; see `Stream.publish`."""
    added = 0
    for chunk in _chunks(verdicts):
        plain = [entry.id for entry, match in chunk if match is None]
        keys = [ITEMS.name, MATCHES.name]
        arguments: list[Argument] = [WIRE, "filter", MATCHED_KEPT, len(plain), *plain]
        for entry, match in chunk:
            if match is not None:
                keys.append(f"matched:{match.item.post}")
                new, matters = match.item.change == "new", bool(match.rules)
                arguments += (entry.id, int(new), int(matters), to_wire(match))
        added += await door.run(PUBLISH, keys, arguments)
    return added


async def fanout(door: Door, plans: Sequence[Plan]) -> int:
    """Acknowledge matches, and add envelopes; see `Stream.fanout`."""
    added = 0
    for some in _by_weight(plans):
        keys = _Keys([MATCHES.name, DELIVERIES.name, "lanes"])
        arguments: list[Argument] = [WIRE, "alert", LEDGER_KEPT]
        for entry, envelopes, suppressed in some:
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
    keys = _Keys([entry.queue, DELIVERIES.name])
    arguments: list[Argument] = [WIRE, "deliver", LEDGER_KEPT, entry.id, int(done)]
    for delivery in deliveries:
        arguments += _recorded(keys, delivery)
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


def _chunks(things: Sequence[A]) -> Iterator[Sequence[A]]:
    for start in range(0, len(things), MOST):
        yield things[start : start + MOST]


def _by_weight(plans: Sequence[Plan]) -> Iterator[list[Plan]]:
    """Yield plans in groups that write about `MOST` things, at least one plan each."""
    some: list[Plan] = []
    weight = 0
    for plan in plans:
        more = 1 + len(plan[1]) + len(plan[2])
        if some and weight + more > MOST:
            yield some
            some, weight = [], 0
        some.append(plan)
        weight += more
    if some:
        yield some
