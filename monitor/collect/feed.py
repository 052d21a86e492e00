"""
Feeds: RSS 0.9 to 2.0, Atom, RDF, JSON Feed.

Most reads bring nothing: the server says 304, or sends the very bytes of last time,
which are known by their hash and not parsed.  A feed is a window on the newest entries;
where two reads share none, some may have passed unseen between them, and that is said.

The first read of a source is its past, and so is what has an older date although the
first read found nothing, and what stands at another address that the settings name now
(unless it shares entries with the old one).  What is the past is left out for as long
as it stands in the feed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import msgspec

from monitor.collect.feed_entry import Entry, short
from monitor.collect.feed_identity import Known, known, named
from monitor.collect.feed_json import entries_of_json, is_json
from monitor.collect.feed_xml import entries_of_xml
from monitor.collect.source import Batch
from monitor.errors import Rejected
from monitor.item import Item, Origin
from monitor.web import Answer, Web

ENTRIES = 500
REMEMBERED = ENTRIES  # a twin that is forgotten takes the id of the other
BACKDATED = timedelta(minutes=10)  # a post may be older than its coming out
LONGEST_VALIDATOR = 1024
NOT_MODIFIED = 304


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What the cursor holds.

    Attributes:
        etag, modified: The server's own marks of what it sent last.
        digest: Ours.
        ids: Hashes of the ids that the last read with entries brought.
        known: Those of its entries that have no id of the publisher's.
        place: Hash of the address that was read.
        begun: When the first read found nothing (Unix time), until one finds something.
        past: Hashes of the ids that are left out.
    """

    etag: str = ""
    modified: str = ""
    digest: str = ""
    ids: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    place: str = ""
    begun: int = 0
    past: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed, at *url*."""

    origin: Origin
    every: timedelta = timedelta(minutes=5)
    url: str

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield what the feed holds, if it has changed; see `Source.read`."""
        memory = _at(_recall(cursor), short(self.url))
        answer = await web.get(self.url, headers=_conditions(memory))
        if answer.status == NOT_MODIFIED:
            if not memory.digest:
                raise Rejected("304 Not Modified, although we know nothing yet")
            yield Batch(items=(), cursor=cursor)
            return
        digest = blake2b(answer.body, digest_size=16).hexdigest()
        if digest == memory.digest:
            yield Batch(items=(), cursor=_write(_noted(memory, answer, digest)))
            return
        # A long feed takes feedparser a second; nothing else shall wait for it.
        items, recent = await asyncio.to_thread(self._found, answer, memory.known)
        ids = tuple(short(item.id) for item in items)
        compared = memory.digest and memory.ids and ids and not memory.begun
        gap = bool(compared) and not _shared(memory, ids)
        begun = memory.begun if memory.digest else int(answer.received.timestamp())
        past = _past(memory, items) if cursor else ()
        memory = msgspec.structs.replace(
            _noted(memory, answer, digest),
            ids=ids[-REMEMBERED:] or memory.ids,
            known=recent[-REMEMBERED:] if ids else memory.known,
            begun=0 if ids else begun,
            past=past,
        )
        news = tuple(item for item in items if short(item.id) not in past)
        yield Batch(items=news, cursor=_write(memory), gap=gap)

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return the entries of one feed; see `Source.parse`."""
        entries = _ordered(_entries(body, url), received)
        return _items(_newest(named(entries)), source, received)

    def _found(
        self, answer: Answer, before: Sequence[Known]
    ) -> tuple[tuple[Item, ...], tuple[Known, ...]]:
        """Return what *answer* holds, and what to know it by *before* another."""
        content_type = answer.headers.get("content-type", "")
        entries = _entries(answer.body, answer.url, content_type)
        newest = _newest(named(_ordered(entries, answer.received), before))
        return _items(newest, self.origin.source, answer.received), known(newest)


def _entries(body: bytes, url: str, content_type: str = "") -> list[Entry]:
    if is_json(body):
        return entries_of_json(body, url)
    return entries_of_xml(body, url, content_type)


def _newest(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return dict(list(entries.items())[-ENTRIES:])


def _items(
    entries: Mapping[str, Entry], source: str, received: datetime
) -> tuple[Item, ...]:
    return tuple(entry.item(source, name, received) for name, entry in entries.items())


def _ordered(entries: Sequence[Entry], received: datetime) -> list[Entry]:
    """
    Return *entries*, oldest first, and each of the publisher's own ids once.

    Feeds list the newest first; so those are turned round that have no dates, or the
    same, and of two entries with one id the first counts.
    """
    found: dict[str | int, Entry] = {}
    for place, entry in enumerate(entries):
        found.setdefault(entry.id.strip() or place, entry)
    ordered = list(found.values())[::-1]
    ordered.sort(key=lambda entry: entry.appeared(received))
    return ordered


def _recall(cursor: str) -> Memory:
    try:
        return msgspec.json.decode(cursor or "{}", type=Memory)
    except msgspec.MsgspecError as error:
        raise Rejected(f"the cursor is damaged: {error}") from None


def _conditions(memory: Memory) -> dict[str, str]:
    marks = {"If-None-Match": memory.etag, "If-Modified-Since": memory.modified}
    return {name: mark for name, mark in marks.items() if mark}


def _at(memory: Memory, place: str) -> Memory:
    """Return *memory* as far as it is of use at this *place*."""
    if memory.place in {"", place}:
        return msgspec.structs.replace(memory, place=place)
    return Memory(ids=memory.ids, known=memory.known, place=place, past=memory.past)


def _past(memory: Memory, items: Sequence[Item]) -> tuple[str, ...]:
    """Return the ids of *items* that are the past, although this read is no first."""
    before = memory.begun and datetime.fromtimestamp(memory.begun, UTC) - BACKDATED
    ids = {short(item.id): item for item in items}
    if not items:
        return memory.past
    if not memory.digest and not _shared(memory, ids):  # the first at another place
        return tuple(ids)
    return tuple(
        name
        for name, item in ids.items()
        if name in memory.past or (before and item.published < before)
    )


def _noted(memory: Memory, answer: Answer, digest: str) -> Memory:
    marks = [answer.headers.get(name, "") for name in ("etag", "last-modified")]
    etag, modified = [m if len(m) <= LONGEST_VALIDATOR else "" for m in marks]
    return msgspec.structs.replace(memory, etag=etag, modified=modified, digest=digest)


def _shared(memory: Memory, ids: Iterable[str]) -> bool:
    return not set(memory.ids).isdisjoint(ids)


def _write(memory: Memory) -> str:
    return msgspec.json.encode(memory).decode()
