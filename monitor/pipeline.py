"""
The flow, end to end; read this file first::

    source.read          collect   what was published since the cursor
    | stream.accept      stream    items and cursor, in one step
    | filter.judge       filter    what the post says, and whether it matters
    | stream.publish     stream    matches, and the item acknowledged, in one step
    | policy.plan        alert     who gets it: now, later or never
    | stream.fanout      stream    references to them, in one step
    | sink.send          alert     tell them (`deliver`)
    | stream.settle      stream    what became of it, in one step
    | archive.store      archive   items, matches and deliveries, for ever

Each function here is one turn of a stage: what was taken is decided, and committed.
A crash between two lines repeats the turn, and every commit may be repeated.
`stage` turns them for ever; a replay runs the same decisions on the past.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from monitor import log, trouble
from monitor.alert import Subscriber
from monitor.alert.policy import Subscribers, plan
from monitor.clock import Clock
from monitor.collect import Source
from monitor.filter import Filter
from monitor.item import (
    OURSELVES,
    Delivery,
    Envelope,
    Item,
    Match,
    Note,
    Origin,
    Reading,
)
from monitor.stream import (
    DELIVERIES,
    Accepted,
    Correction,
    Damaged,
    Entry,
    Stream,
)
from monitor.stream.archive import Archive
from monitor.web import Web

T = TypeVar("T", bound=msgspec.Struct)
D = TypeVar("D")

Judged = Match | Correction | Note

TRIES = 5  # an entry that was taken more often without an end has felled its takers


@dataclass(frozen=True, slots=True)
class Brought:
    """
    What one read of a source brought.

    Attributes:
        gap: Posts may be missing between the read before and this one.
    """

    accepted: Accepted
    gap: bool = False


LATE = timedelta(hours=1)  # not read for so long: what is found now is no news
# What is dated so long before the last read may have shown up after it: publishers date
# to the minute, and are late.  Where that is not so, it is told once more, as late.
HIDDEN = timedelta(minutes=15)
ALL = datetime.max.replace(tzinfo=UTC)  # posts without a date are dated as of now


async def collect(  # noqa: PLR0913 - a read, and what is remembered of the one before
    source: Source,
    stream: Stream,
    web: Web,
    clock: Clock,
    *,
    mark: datetime | None = None,
    known: datetime | None = None,
) -> Brought:
    """
    Read *source* once, and accept each batch as it comes.

    The first batch of a new source is the past: it is marked as seen.  After a pause in
    reading, what was published long ago is late: it is told, but not as of now.

    Args:
        mark: When it was read last, before Redis lost what it knew of that.  What was
            published since is not the past, and all that is found is late.
        known: When it was read last, as far as we remember: a mark as well if Redis
            knows nothing of the source.

    Raises:
        Transient, Rejected, Gone: as `Source.read` says; what was accepted before
            stays, and the next read goes on from there.
    """
    name, now = source.origin.source, clock.now()
    before = await stream.progress(name)
    new = not before.cursor
    mark = mark or (known if before.read is None else None)
    paused = before.read is not None and now - before.read > LATE
    since = mark - HIDDEN if mark else None
    late = ALL if mark else now - LATE if paused else None
    total, gap = Accepted(turn=before.turn), False
    async for batch in source.read(before.cursor, web):
        total += await stream.accept(
            name,
            batch.items,
            batch.cursor,
            notes=batch.notes,
            baseline=new,
            since=since,
            late_before=late,
            after=total.turn,
        )
        if since and new and batch.items:  # it shows its newest, maybe not all since
            gap = all(item.published > since for item in batch.items)
        gap, new = gap or batch.gap, False
    return Brought(total, gap)


async def judge(
    entries: Sequence[Entry[Item]],
    filter_: Filter,
    origins: Mapping[str, Origin],
    stream: Stream,
    clock: Clock,
) -> None:
    """Decide which items matter, publish those, and note why the others do not."""

    def judged(entry: Entry[Item], item: Item) -> tuple[Entry[Item], Judged]:
        match, why = _weighed(item, filter_, origins)
        if match and match.rules:
            return entry, match
        note = _noted(item, why, clock.now())
        return entry, Correction(match, note) if match else note

    for some in await _portions(entries, stream):
        verdicts = await _decided(judged, some, stream)
        if verdicts:
            await stream.publish(verdicts)


def verdict(item: Item, filter_: Filter, origins: Mapping[str, Origin]) -> Match | None:
    """
    Return *item* as a match, or None if it matters to nobody.

    An edit or a deletion that matters no more is a match without rules: the stream
    passes it on if an earlier version of the post mattered.
    """
    return _weighed(item, filter_, origins)[0]


async def address(
    entries: Sequence[Entry[Match]],
    subscribers: Subscribers,
    origins: Mapping[str, Origin],
    stream: Stream,
    clock: Clock,
) -> None:
    """Decide who is told of matches, and put them onto their way."""

    def planned(
        entry: Entry[Match], match: Match
    ) -> tuple[Entry[Match], Sequence[Envelope], Sequence[Delivery | Note]]:
        told = plan(match, entry.was, subscribers, _origin(match.item, origins))
        now, among = clock.now(), told.among
        if not among:
            return entry, (), [_unconcerned(match.item, now)]
        untold = [
            _untold(match.item.key, subscribers.get(name), why, now, among)
            for name, why in told.suppressed
        ]
        envelopes = [
            replace(one, late=entry.late, among=among) for one in told.envelopes
        ]
        return entry, envelopes, untold

    for some in await _portions(entries, stream):
        plans = await _decided(planned, some, stream)
        if plans:
            await stream.fanout(plans)


async def keep(entries: Sequence[Entry[Any]], archive: Archive, stream: Stream) -> None:
    """
    Acknowledge entries of any kind once the archive holds them.

    Damaged ones are acknowledged too: the stage that works on the stream sets them
    aside.  On deliveries no other works.
    """
    for some in _together(entries):
        sound = [entry for entry in some if not isinstance(entry.value, Damaged)]
        await asyncio.to_thread(_store, archive, [entry.value for entry in sound])
        for entry in some:
            if isinstance(entry.value, Damaged) and entry.queue == DELIVERIES.name:
                await set_aside(entry, entry.value.why, stream)
        queue, group = some[0].queue, some[0].group
        await stream.ack(queue, group, [entry.id for entry in some])


async def set_aside(entry: Entry[Any], why: str, stream: Stream) -> None:
    """Bury *entry*, and tell a person that something waits for one."""
    await stream.bury(entry, why)
    log.get("pipeline").error(
        "entry_set_aside", queue=entry.queue, entry=entry.id, why=why
    )


def named(error: Exception) -> str:
    """Return what an error is that nobody foresaw, in one line."""
    return f"{type(error).__name__}: {error}"


def _origin(item: Item, origins: Mapping[str, Origin]) -> Origin:
    return origins.get(item.source) or Origin(source=item.source)


def _weighed(
    item: Item, filter_: Filter, origins: Mapping[str, Origin]
) -> tuple[Match | None, str]:
    """Return *item* as a match; without rules, or if it is none, also why."""
    if item.source == OURSELVES:
        return trouble.judged(item), ""
    found = filter_.weigh(item, _origin(item, origins))
    if found.match is None and item.change != "new":
        reading = found.reading if item.text else Reading()
        return Match(item=item, reading=reading), found.why
    return found.match, found.why


def _noted(item: Item, why: str, now: datetime) -> Note:
    """Return the note that *item* matters to nobody."""
    source, id_, version = item.source, item.id, item.version
    if item.change == "deleted":
        why = "it was deleted, and had not mattered"
    return Note(
        source=source, id=id_, version=version, what="filtered", why=why, at=now
    )


def _unconcerned(item: Item, now: datetime) -> Note:
    """Return the note that *item* matters, but to no subscriber there is."""
    source, id_, version = item.source, item.id, item.version
    return Note(source=source, id=id_, version=version, what="unconcerned", at=now)


def _untold(
    item: str, subscriber: Subscriber | None, why: str, now: datetime, among: int
) -> Delivery:
    return Delivery(
        item=item,
        subscriber=subscriber.name if subscriber else "",
        sink=subscriber.sink if subscriber else "",
        outcome="suppressed",
        at=now,
        why=why,
        among=among,
    )


def _store(archive: Archive, values: Iterable[Any]) -> None:
    values = list(values)
    archive.store(
        items=[value for value in values if isinstance(value, Item)],
        matches=[value for value in values if isinstance(value, Match)],
        deliveries=[value for value in values if isinstance(value, Delivery)],
        notes=[value for value in values if isinstance(value, Note)],
    )


async def _portions(
    entries: Sequence[Entry[T]], stream: Stream
) -> list[Sequence[Entry[T]]]:
    """
    Return *entries* in portions that are decided and committed one after the other.

    Those that were taken before, by somebody who came to no end, come one by one: the
    first that is left is then the one that ended the process, and no innocent one
    behind it is set aside in its place.
    """
    if entries and entries[0].attempts > TRIES:
        first, *entries = entries
        await set_aside(first, f"taken {first.attempts} times without an end", stream)
    return _together(entries)


def _together(entries: Sequence[Entry[T]]) -> list[Sequence[Entry[T]]]:
    again = [entry for entry in entries if entry.attempts > 1]
    fresh = [entry for entry in entries if entry.attempts <= 1]
    portions: list[Sequence[Entry[T]]] = [[entry] for entry in again]
    return [*portions, fresh] if fresh else portions


async def _decided(
    decide: Callable[[Entry[T], T], D], entries: Sequence[Entry[T]], stream: Stream
) -> list[D]:
    """Return what is decided of *entries*; set aside those that cannot be worked on."""
    decided = []
    for entry in entries:
        if isinstance(entry.value, Damaged):
            await set_aside(entry, entry.value.why, stream)
            continue
        try:
            decided.append(decide(entry, entry.value))
        except Exception as error:  # noqa: BLE001 - the seam: deciding is pure, it would end so again
            await set_aside(entry, named(error), stream)
        await asyncio.sleep(0)  # a long text takes long; others want their turn
    return decided
