"""How fast the archive stores, gives back and rolls, on this machine's disk."""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

from monitor.item import Item
from monitor.stream.archive import Archive

ITEMS = 50_000
BATCH = 256
START = datetime(2026, 5, 24, tzinfo=UTC)
TEXT = "В Грайворонском округе объявлена ракетная опасность, спуститесь в подвал. "


def measure() -> dict[str, float]:
    """Return how fast it is; each batch of items is on the disk when it returns."""
    with tempfile.TemporaryDirectory() as folder, Archive(Path(folder)) as archive:
        return dict(_measured(archive))


def _measured(archive: Archive) -> Iterator[tuple[str, float]]:
    items = [_item(number) for number in range(ITEMS)]
    yield (
        f"store, batches of {BATCH}, items/s",
        ITEMS / _seconds(lambda: _store(archive, items)),
    )
    yield (
        "store again what is there, items/s",
        ITEMS / _seconds(lambda: _store(archive, items)),
    )
    yield "first item out of the base, ms", 1000 * _seconds(lambda: _read(archive, 1))
    yield (
        "read out of the base, items/s",
        ITEMS / _seconds(lambda: _read(archive, ITEMS)),
    )
    yield "write a day file, items/s", ITEMS / _seconds(lambda: archive.roll(date.max))
    (file,) = archive.folder.glob("*.zst")
    yield "an item in a day file, bytes", file.stat().st_size / ITEMS
    yield (
        "an item in the base, bytes",
        (archive.folder / "hot.sqlite").stat().st_size / ITEMS,
    )
    yield (
        "verify and remove from the base, items/s",
        ITEMS / _seconds(lambda: archive.prune(date.max)),
    )
    yield "first item out of a day file, ms", 1000 * _seconds(lambda: _read(archive, 1))
    yield (
        "read out of a day file, items/s",
        ITEMS / _seconds(lambda: _read(archive, ITEMS)),
    )


def _item(number: int) -> Item:
    return Item(
        source=f"source-{number % 97}",
        id=str(number // 97),
        url=f"https://t.me/source_{number % 97}/{number // 97}",
        published=START,
        seen=START + timedelta(milliseconds=number),
        text=f"{number} {TEXT * (number % 9)}",
    )


def _store(archive: Archive, items: list[Item]) -> None:
    for start in range(0, len(items), BATCH):
        archive.store(items=items[start : start + BATCH])


def _read(archive: Archive, count: int) -> None:
    end = datetime.max.replace(tzinfo=UTC)
    found = sum(1 for _ in islice(archive.items(START, end), count))
    if found != count:
        raise RuntimeError(f"{found} of {count} items were read")


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start
