"""Values for the tests of the archive, and short ways to look into it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from monitor.item import Delivery, Item
from monitor.stream.archive import Archive

DAY = date(2026, 5, 24)
NEXT = date(2026, 5, 25)
LATER = date(2026, 6, 30)
NOON = datetime(2026, 5, 24, 12, tzinfo=UTC)
EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
ONE = timedelta(microseconds=1)


def post(number: int = 1, **fields: object) -> Item:
    """Return an item; the higher its number, the later it was seen."""
    seen = NOON + timedelta(seconds=number)
    item = Item(
        source="governor",
        id=str(number),
        published=NOON,
        seen=seen,
        text=f"тривога {number}",
    )
    return msgspec.structs.replace(item, **fields)


def told(number: int = 1, **fields: object) -> Delivery:
    """Return a delivery of the item with this number."""
    delivery = Delivery(
        item=f"governor/{number}/1",
        subscriber="desk",
        sink="chat",
        outcome="delivered",
        at=NOON + timedelta(seconds=number),
    )
    return msgspec.structs.replace(delivery, **fields)


def file_of(archive: Archive, day: date = DAY, kind: str = "items") -> Path:
    """Return where the file of a day is."""
    return archive.folder / f"{kind}-{day}.ndjson.zst"


def read(archive: Archive) -> list[Item]:
    """Return all items."""
    return list(archive.items(*EVER))


def filed(archive: Archive, *items: Item) -> Path:
    """Store *items* of one day, write its file, and prune the base."""
    archive.store(items=items)
    archive.roll(LATER)
    archive.prune(LATER)
    return file_of(archive)
