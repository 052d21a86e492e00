"""
Feeds: RSS 0.9 to 2.0, Atom, RDF, JSON Feed.

Most reads bring nothing: the server says 304, or sends the very bytes of last time,
which are known by their hash and not parsed.  A feed is a window on the newest entries;
where two reads share none, some may have passed unseen between them, and that is said.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
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
        items = await asyncio.to_thread(
            _items,
            answer.body,
            source=self.origin.source,
            url=answer.url,
            received=answer.received,
            content_type=answer.headers.get("content-type", ""),
        )
        ids = tuple(_short(item.id) for item in items[-REMEMBERED:])
        gap = bool(memory.ids and ids) and not _shared(memory.ids, items)
        memory = _noted(memory, answer, digest, ids or memory.ids)
        yield Batch(items=items, cursor=_write(memory), gap=gap)

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return the entries of one feed; see `Source.parse`."""
        return _items(body, source=source, url=url, received=received, content_type="")


def _items(
    body: bytes, *, source: str, url: str, received: datetime, content_type: str
) -> tuple[Item, ...]:
    """Return a feed's entries, oldest first; of one that is long, the newest 500."""
    if is_json(body):
        entries = entries_of_json(body, url)
    else:
        entries = entries_of_xml(body, url, content_type)
    return tuple(entry.item(source, received) for entry in _newest(entries, received))


def _newest(entries: Sequence[Entry], received: datetime) -> list[Entry]:
    """
    Return the newest 500 of *entries*, oldest first, each id once.

    Feeds list the newest first; so those are turned round that have no dates, or the
    same, and of two entries with one id the first counts.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.identity(), entry)
    ordered = list(found.values())[::-1]
    ordered.sort(key=lambda entry: entry.appeared(received))
    return ordered[-ENTRIES:]


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
