"""
Dead letters: entries that nobody can work on, set aside with the reason.

They stay until a person puts them back or drops them.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from monitor.item import WIRE, Delivery, Envelope, Item, Match, Note, to_wire
from monitor.stream.door import Door, Script
from monitor.stream.queues import DEAD, NOTES, named
from monitor.stream.reader import Damaged, Entry, decoded

KEPT = b"entry:"  # what the fields of the entry itself are called in a letter
ID = re.compile(r"\d{1,19}-\d{1,19}")  # people type them
BURY, RETRY = Script("bury"), Script("retry")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """
    An entry that was set aside.

    Attributes:
        id: By which it is put back or dropped.
        queue: Where it came from, and goes back to.
        entry: Its id there.
    """

    id: str
    queue: str
    group: str
    entry: str
    why: str
    attempts: int
    at: datetime
    value: Item | Match | Envelope | Delivery | Damaged


async def bury(
    door: Door, entry: Entry[Any], why: str, attempts: int, at: datetime
) -> bool:
    """Set *entry* aside; return False if it had been acknowledged before."""
    said: dict[str, str | int] = {
        "queue": entry.queue,
        "group": entry.group,
        "entry": entry.id,
        "why": why,
        "attempts": attempts,
        "at": at.isoformat(),
    }
    lane = int(named(entry.queue).lane)
    fields = [text for pair in said.items() for text in pair]
    keys = [entry.queue, DEAD, NOTES.name]
    note = _note(entry.value, why, at)
    arguments = [entry.group, entry.id, lane, WIRE, note, *fields]
    return bool(await door.run(BURY, keys, arguments))


async def letters(door: Door, count: int) -> list[Letter]:
    """Return the oldest *count* letters."""
    found = await door.call("XRANGE", door.key(DEAD), "-", "+", "COUNT", count)
    return [_letter(id_, fields) for id_, fields in found]


async def retry(door: Door, letter: str) -> bool:
    """Put a letter back at the end of its queue; return False if it cannot be."""
    if not ID.fullmatch(letter):
        return False
    found = await door.call("XRANGE", door.key(DEAD), letter, letter)
    if not found:
        return False
    return bool(await door.run(RETRY, [DEAD, _letter(*found[0]).queue], [letter]))


async def drop(door: Door, letter: str) -> bool:
    """Delete a letter for ever; return False if it is not there."""
    if not ID.fullmatch(letter):
        return False
    return bool(await door.call("XDEL", door.key(DEAD), letter))


def _note(value: Any, why: str, at: datetime) -> bytes:
    """Return the note that an item ends here, or nothing where nobody can tell."""
    item = value.item if isinstance(value, Match) else value
    if not isinstance(item, Item):
        return b""
    id_, version = item.id, item.version
    return to_wire(
        Note(source=item.source, id=id_, version=version, what="dead", why=why, at=at)
    )


def _letter(id_: bytes, fields: Sequence[bytes]) -> Letter:
    pairs = list(zip(fields[::2], fields[1::2], strict=True))
    said = {name.decode(): text.decode() for name, text in pairs if name[:6] != KEPT}
    kept = [
        part
        for name, text in pairs
        if name[:6] == KEPT
        for part in (name.removeprefix(KEPT), text)
    ]
    return Letter(
        id=id_.decode(),
        queue=said["queue"],
        group=said["group"],
        entry=said["entry"],
        why=said["why"],
        attempts=int(said["attempts"]),
        at=datetime.fromisoformat(said["at"]),
        value=decoded(named(said["queue"]), kept)[0],
    )
