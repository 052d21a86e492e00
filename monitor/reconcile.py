"""
Accounts, gathered from the archive and the streams; and looked at every ten minutes.

What flows only goes on: from an item to its match, from there to the outbox, and at
last into the archive.  So it is looked for in that order, and what moves meanwhile is
found further on.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import msgspec

from monitor import findings, log
from monitor.account import Account, Books, Waiting, accounts, newest
from monitor.clock import Clock
from monitor.config import Settings
from monitor.errors import Transient, Unavailable
from monitor.findings import Kept, Window
from monitor.house import House
from monitor.item import Delivery, Envelope, Item, Match, Note
from monitor.stream import (
    DELIVERIES,
    ITEMS,
    MATCHES,
    NOTES,
    QUEUES,
    Entry,
    Queue,
    Stream,
    outbox,
)
from monitor.stream.archive import Archive
from monitor.trouble import Teller

LEASE = timedelta(minutes=9)  # a little less than from one look to the next
GOING = timedelta(seconds=10)  # what was seen so lately may be between two streams
BEFORE, AFTER = timedelta(hours=1), timedelta(days=1)  # where most endings are found
FAR = timedelta(days=90)  # where the rest may be: after a long outage, a clock set back
BACK = (timedelta(days=1), timedelta(days=8), FAR)  # where a channel's last number is
LETTERS = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What stands in the streams.

    Attributes:
        waiting: What is not done with.
    """

    waiting: Waiting = field(default_factory=Waiting)
    items: tuple[Item, ...] = ()
    matches: tuple[Match, ...] = ()
    notes: tuple[Note, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


async def standing(stream: Stream, now: datetime) -> Standing:
    """
    Return what stands in the streams, what is not archived yet included.

    Raises:
        Away, Unavailable: as for `Stream`.
    """
    unjudged = await _values(stream, ITEMS, "filter")
    items = await _values(stream, ITEMS, "archive")
    unaddressed = await _values(stream, MATCHES, "alert")
    matches = await _values(stream, MATCHES, "archive")
    sends, among = dict[str, list[str]](), dict[str, int]()
    async for entry in stream.backlog.outboxes():
        if isinstance(entry.value, Envelope):
            key = entry.value.match.item.key
            sends.setdefault(key, []).extend(entry.value.recipients)
            among[key] = entry.value.among
    return Standing(
        Waiting(
            items=frozenset(one.key for one in unjudged),
            matches=frozenset(one.item.key for one in unaddressed),
            sends=sends,
            among=among,
            since=now - GOING,
        ),
        items=tuple(items),
        matches=tuple(matches),
        deliveries=tuple(await _values(stream, DELIVERIES, "archive")),
        notes=tuple(await _values(stream, NOTES, "archive")),
    )


async def _values(stream: Stream, queue: Queue[Any], group: str) -> list[Any]:
    """Return what *group* has not acknowledged, as far as it can be read."""
    entries: list[Entry[Any]] = [e async for e in stream.backlog.of(queue, group)]
    return [entry.value for entry in entries if isinstance(entry.value, queue.kind)]


@dataclass(frozen=True, slots=True)
class Records:
    """
    What was written down.

    Its methods block as long as the disk takes.

    Attributes:
        sources: Only of these; None for all.

    Raises:
        Damaged, Unavailable: as for `Archive.items`.
    """

    archive: Archive
    standing: Standing
    sources: Collection[str] | None = None

    def closed(
        self, window: Window, counting: Collection[str], last: Mapping[str, int]
    ) -> tuple[list[Account], dict[str, int]]:
        """
        Return the accounts of a window, and the newest numbers of the channels in it.

        Args:
            counting: Sources that number all they publish.
            last: Their last numbers before the window.
        """
        books = self._entered(window, BEFORE, AFTER)
        found = accounts(books, self.standing.waiting, counting, last)
        if not all(account.adds_up for account in found):
            books = self._entered(window, FAR, FAR)
            found = accounts(books, self.standing.waiting, counting, last)
        return found, newest(books)

    def _entered(self, window: Window, before: timedelta, after: timedelta) -> Books:
        """Return the books of a window, with what was written down around it."""
        archive, now, sources = self.archive, self.standing, self.sources
        books = Books(*window)
        since, until = window.since - before, window.until + after
        for item in chain(now.items, archive.items(since, until, sources)):
            if self._is_ours(item.source):
                books.item(item)
        for match in chain(now.matches, archive.matches(*window, sources)):
            if self._is_ours(match.item.source):
                books.match(match)
        for note in chain(now.notes, archive.notes(since, until, sources)):
            if self._is_ours(note.source):
                books.note(note)
        for delivery in chain(now.deliveries, archive.deliveries(since, until)):
            books.delivery(delivery)
        return books

    def _is_ours(self, source: str) -> bool:
        return self.sources is None or source in self.sources


def last_numbers(
    archive: Archive, before: datetime, counting: Collection[str]
) -> dict[str, int]:
    """Return the last number of each channel that was seen *before* then, if any."""
    found: dict[str, int] = {}
    for back in BACK:
        left = frozenset(counting) - found.keys()
        if not left:
            break
        books = Books(before - back, before)
        for item in archive.items(before - back, before, left):
            books.item(item)
        for note in archive.notes(before - back, before, left):
            books.note(note)
        found |= newest(books)
    return found


class Reconciler:
    """Keeps account of what was seen, and tells the operators of what is left over."""

    def __init__(
        self,
        house: House,
        stream: Stream,
        clock: Clock,
        settings: Callable[[], Settings],
    ) -> None:
        """Account for what is in the archive of *house*, and on *stream*."""
        self._house, self._stream, self._clock = house, stream, clock
        self._settings = settings
        self._teller = Teller("account", stream, clock)
        self._log = log.get("account")

    async def turn(self) -> None:
        """Account for what is long enough ago; if something is away, another time."""
        try:
            if await self._is_ours():
                await self._account()
        except (Transient, Unavailable) as failure:
            self._log.warning("account_not_kept", why=str(failure))

    async def _is_ours(self) -> bool:
        """Whether all is archived by us; the archive of another is not here."""
        if not await self._stream.take("reconcile", LEASE):
            return False
        leases = [f"archive:{queue.name}" for queue in QUEUES]
        return await self._stream.backlog.holds(self._stream.owner, *leases)

    async def _account(self) -> None:
        stream, settings = self._stream, self._settings()
        kept = _kept(await self._teller.kept())
        now, archived = self._clock.now(), await stream.backlog.oldest("archive")
        window = kept.window(now, archived)
        if window:
            kept = await self._closed(kept, window, settings.channels)
        missing = await stream.database.missing()
        once = findings.removed(missing, kept.missing)
        kept = msgspec.structs.replace(kept, missing=missing)
        outboxes = {outbox(sink.name).name for sink in settings.sinks}
        current = {
            **kept.found,
            **findings.letters(await stream.dead(LETTERS)),
            **findings.orphans(await stream.depths(), outboxes),
        }
        text = msgspec.json.encode(kept).decode()
        for item in await self._teller.tell(current, once, kept=text):
            tell = self._log.error if item.change == "new" else self._log.info
            tell("account_told", what=item.text)

    async def _closed(
        self, kept: Kept, window: Window, channels: Collection[str]
    ) -> Kept:
        """Return *kept* as it is when the account of a window is closed."""
        archive, last = self._house.archive, dict(kept.last)
        now = await standing(self._stream, self._clock.now())
        if kept.until is None:
            last = await asyncio.to_thread(
                last_numbers, archive, window.since, channels
            )
        records = Records(archive, now)
        found, numbers = await asyncio.to_thread(records.closed, window, channels, last)
        for source, number in numbers.items():
            last[source] = max(number, last.get(source, 0))
        self._log.info("account_closed", until=str(window.until), sources=len(found))
        return Kept(
            until=window.until,
            last={name: last[name] for name in sorted(last) if name in channels},
            found=findings.found(found, window),
            missing=kept.missing,
        )


def _kept(text: str) -> Kept:
    try:
        return msgspec.json.decode(text or "{}", type=Kept)
    except msgspec.MsgspecError:
        return Kept()
