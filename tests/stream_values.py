"""Values to put onto streams, and a look at what is there."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.item import Change, Delivery, Envelope, Item, Match, Note, Outcome, Reading
from monitor.stream import Entry, Queue, Stream
from monitor.stream.door import Door
from monitor.stream.queues import T
from monitor.stream.reader import decoded

NOW = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)


def post(id_: str, text: str = "siren", change: Change = "new") -> Item:
    """Return a post as a source yields it."""
    return Item(
        source="town", id=id_, published=NOW, seen=NOW, text=text, change=change
    )


def posts(count: int, size: int = 20) -> list[Item]:
    """Return different posts, oldest first, of texts *size* characters long."""
    return [post(str(n), f"{n} ".ljust(size, "x")) for n in range(count)]


def match(item: Item, *rules: str) -> Match:
    """Return *item* as a match of *rules*."""
    return Match(item=item, reading=Reading(), rules=rules, severity="critical")


def envelope(of: Match, *recipients: str) -> Envelope:
    """Return *of* on its way to some subscribers in chat."""
    return Envelope(match=of, sink="chat", recipients=recipients)


def delivery(
    item: str, subscriber: str, outcome: Outcome = "delivered", message: str = ""
) -> Delivery:
    """Return what became of the item of this key for one subscriber."""
    return Delivery(
        item=item,
        subscriber=subscriber,
        sink="chat",
        outcome=outcome,
        at=NOW,
        message=message,
    )


def verdicts(
    entries: Sequence[Entry[Item]],
) -> list[tuple[Entry[Item], Match | Note | None]]:
    """Return every item as a match of one rule."""
    return [
        (entry, match(entry.value, "danger"))
        for entry in entries
        if isinstance(entry.value, Item)
    ]


async def everything(door: Door, queue: Queue[T]) -> list[Any]:
    """Return all values that stand in *queue*."""
    found = await door.call("XRANGE", door.key(queue.name), "-", "+")
    return [decoded(queue, fields)[0] for _, fields in found]


async def drained(reader: Any, count: int = 256) -> list[Any]:
    """Return all entries that *reader* has for us now."""
    got: list[Any] = []
    while some := await reader.next(count, block=NOW - NOW):
        got += some
    return got


async def matched(stream: Stream, items: Sequence[Item]) -> list[Entry[Match]]:
    """Bring *items* all the way to the alerting stage, as matches of one rule."""
    await stream.accept("town", items, "c")
    entries = await drained(stream.reader("items", "filter"))
    await stream.publish(verdicts(entries))
    return await drained(stream.reader("matches", "alert"))


async def posted(
    stream: Stream, items: Sequence[Item], *recipients: str
) -> list[Entry[Envelope]]:
    """Bring *items* all the way to the delivering stage."""
    for entry in await matched(stream, items):
        assert isinstance(entry.value, Match)
        await stream.fanout([(entry, [envelope(entry.value, *recipients)], [])])
    return await drained(stream.reader("outbox:chat:0", "deliver"))
