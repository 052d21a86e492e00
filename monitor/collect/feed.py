"""
Feeds: RSS 0.9 to 2.0, Atom, RDF, JSON Feed.

Most reads bring nothing: the server says 304, or sends the very bytes of last time,
which are known by their hash and not parsed.  A feed is a window on the newest entries;
where two reads share none, some may have passed unseen between them, and that is said.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from monitor.collect.feed_entry import Entry
from monitor.collect.feed_json import entries_of_json, is_json
from monitor.collect.feed_xml import entries_of_xml
from monitor.collect.source import Batch
from monitor.errors import Rejected
from monitor.item import Item, Origin
from monitor.web import Answer, Web

ENTRIES = 500
REMEMBERED = 200  # ids
LONGEST_VALIDATOR = 1024
NOT_MODIFIED = 304


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What the cursor holds.

    Attributes:
        etag, modified: The server's own marks of what it sent last.
        digest: Ours.
        ids: Hashes of the ids that the last read with entries brought.
    """

    etag: str = ""
    modified: str = ""
    digest: str = ""
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed, at *url*."""

    origin: Origin
    every: timedelta = timedelta(minutes=5)
    url: str

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield what the feed holds, if it has changed; see `Source.read`."""
        memory = _recall(cursor)
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
        items = await asyncio.to_thread(self._items, answer, frozenset(memory.ids))
        ids = tuple(_short(item.id) for item in items[-REMEMBERED:])
        gap = bool(memory.ids and ids) and not _shared(memory.ids, items)
        memory = _noted(memory, answer, digest, ids or memory.ids)
        yield Batch(items=items, cursor=_write(memory), gap=gap)

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return the entries of one feed; see `Source.parse`."""
        named = _named(_ordered(_entries(body, url), received))
        return _items(named, source, received)

    def _items(self, answer: Answer, known: AbstractSet[str]) -> tuple[Item, ...]:
        content_type = answer.headers.get("content-type", "")
        entries = _entries(answer.body, answer.url, content_type)
        named = _named(_ordered(entries, answer.received), known)
        return _items(named, self.origin.source, answer.received)


def _entries(body: bytes, url: str, content_type: str = "") -> list[Entry]:
    if is_json(body):
        return entries_of_json(body, url)
    return entries_of_xml(body, url, content_type)


def _items(
    named: Mapping[str, Entry], source: str, received: datetime
) -> tuple[Item, ...]:
    """Return the newest 500 of entries as items."""
    newest = list(named.items())[-ENTRIES:]
    return tuple(entry.item(source, name, received) for name, entry in newest)


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


def _named(
    entries: Iterable[Entry], known: AbstractSet[str] = frozenset()
) -> dict[str, Entry]:
    """
    Return *entries* by their ids, in their order.

    Of those that share their usual id, the oldest has it.  One that was *known* by its
    words keeps to that when the older one has left the feed.
    """
    found: dict[str, Entry] = {}
    groups: set[str] = set()
    for entry in entries:
        usual, full = entry.identities()
        oldest = usual not in groups and _short(full) not in known
        groups.add(usual)
        found[usual if usual == full or oldest else full] = entry
    return found


def _recall(cursor: str) -> Memory:
    try:
        return msgspec.json.decode(cursor or "{}", type=Memory)
    except msgspec.MsgspecError as error:
        raise Rejected(f"the cursor is damaged: {error}") from None


def _conditions(memory: Memory) -> dict[str, str]:
    marks = {"If-None-Match": memory.etag, "If-Modified-Since": memory.modified}
    return {name: mark for name, mark in marks.items() if mark}


def _noted(
    memory: Memory, answer: Answer, digest: str, ids: tuple[str, ...] | None = None
) -> Memory:
    marks = [answer.headers.get(name, "") for name in ("etag", "last-modified")]
    etag, modified = [m if len(m) <= LONGEST_VALIDATOR else "" for m in marks]
    kept = memory.ids if ids is None else ids
    return Memory(etag=etag, modified=modified, digest=digest, ids=kept)


def _shared(known: Sequence[str], items: Sequence[Item]) -> bool:
    return not set(known).isdisjoint(_short(item.id) for item in items)


def _short(identity: str) -> str:
    return blake2b(identity.encode(), digest_size=8).hexdigest()


def _write(memory: Memory) -> str:
    return msgspec.json.encode(memory).decode()
