"""
The flow, end to end; read this file first::

    source.read          collect   what was published since the cursor
    | stream.accept      stream    items and cursor, in one step
    | filter.judge       filter    what the post says, and whether it matters
    | stream.publish     stream    matches, and the item acknowledged, in one step
    | policy.plan        alert     who gets it: now, later or never
    | stream.fanout      stream    references to them, in one step
    | sink.send          alert     tell them (`deliver.py`)
    | stream.settle      stream    what became of it, in one step
    | archive.store      archive   items, matches and deliveries, for ever

Each function here is one turn of a stage: take what there is, decide, commit.
A crash between two lines repeats the turn, and every commit may be repeated.
`daemon` turns them for ever; a replay runs the same decisions on the past.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from monitor.alert import Subscriber
from monitor.alert.policy import Subscribers, plan
from monitor.clock import Clock
from monitor.collect import Source
from monitor.filter import Filter
from monitor.item import Delivery, Item, Match, Origin, Reading
from monitor.stream import Accepted, Damaged, Entry, Reader, Stream
from monitor.stream.archive import Archive
from monitor.web import Web

T = TypeVar("T", bound=msgspec.Struct)

TRIES = 5  # an entry that was taken more often without an end has felled its takers


async def collect(source: Source, stream: Stream, web: Web) -> Accepted:
    """
    Read *source* once, and accept each batch as it comes.

    The first batch of a new source is the past: it is marked as seen.

    Raises:
        Transient, Rejected, Gone: as `Source.read` says; what was accepted before
            stays, and the next read goes on from there.
    """
    name = source.origin.source
    cursor = await stream.cursor(name)
    new = not cursor
    total = Accepted()
    async for batch in source.read(cursor, web):
        total += await stream.accept(name, batch.items, batch.cursor, baseline=new)
        new = False
    return total


async def judge(
    reader: Reader[Item], filter_: Filter, origins: Mapping[str, Origin], stream: Stream
) -> int:
    """Take items, decide which matter, and publish those; return how many came."""
    entries = await reader.next()
    verdicts = [
        (entry, verdict(item, filter_, origins))
        for entry, item in await _sound(entries, stream)
    ]
    if verdicts:
        await stream.publish(verdicts)
    return len(entries)


def verdict(item: Item, filter_: Filter, origins: Mapping[str, Origin]) -> Match | None:
    """
    Return *item* as a match, or None if it matters to nobody.

    An edit or a deletion that matters no more is a match without rules: the stream
    passes it on if an earlier version of the post mattered.
    """
    origin = origins.get(item.source) or Origin(source=item.source)
    match = filter_.judge(item, origin)
    if match is None and item.change != "new":
        reading = filter_.read(item, origin) if item.text else Reading()
        return Match(item=item, reading=reading)
    return match


async def address(
    reader: Reader[Match],
    subscribers: Subscribers,
    origins: Mapping[str, Origin],
    stream: Stream,
    clock: Clock,
) -> int:
    """Take matches, decide who is told, and fan out; return how many came."""
    entries = await reader.next()
    plans = []
    for entry, match in await _sound(entries, stream):
        item = match.item
        origin = origins.get(item.source) or Origin(source=item.source)
        told = plan(match, entry.was, subscribers, origin)
        now = clock.now()
        untold = [
            _untold(item.key, subscribers.get(name), why, now)
            for name, why in told.suppressed
        ]
        plans.append((entry, told.envelopes, untold))
    if plans:
        await stream.fanout(plans)
    return len(entries)


def _untold(
    item: str, subscriber: Subscriber | None, why: str, now: datetime
) -> Delivery:
    return Delivery(
        item=item,
        subscriber=subscriber.name if subscriber else "",
        sink=subscriber.sink if subscriber else "",
        outcome="suppressed",
        at=now,
        why=why,
    )


async def keep(reader: Reader[Any], archive: Archive, stream: Stream) -> int:
    """
    Take entries of any kind, and acknowledge them once the archive holds them.

    Damaged ones are acknowledged too: the stage that works on the stream has set
    them aside with the reason.
    """
    entries = await reader.next()
    if entries:
        values = [e.value for e in entries if not isinstance(e.value, Damaged)]
        await asyncio.to_thread(
            archive.store,
            items=[v for v in values if isinstance(v, Item)],
            matches=[v for v in values if isinstance(v, Match)],
            deliveries=[v for v in values if isinstance(v, Delivery)],
        )
        await stream.ack(reader.queue, reader.group, [entry.id for entry in entries])
    return len(entries)


async def _sound(
    entries: Sequence[Entry[T]], stream: Stream
) -> list[tuple[Entry[T], T]]:
    """Return the entries that can be worked on; set the others aside, with why."""
    sound = []
    for entry in entries:
        if isinstance(entry.value, Damaged):
            await stream.bury(entry, entry.value.why)
        elif entry.attempts > TRIES:
            await stream.bury(entry, f"taken {entry.attempts} times without an end")
        else:
            sound.append((entry, entry.value))
    return sound
