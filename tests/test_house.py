"""What the calendar does: the archive's days, and what may be forgotten."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import Transient, Unavailable
from monitor.house import HOT, SEEN, House
from monitor.stream import ITEMS, Stream
from monitor.stream.archive import BASE, Archive
from monitor.stream.dayfile import Damaged
from monitor.stream.upkeep import SHOWN
from tests.archived import EVER
from tests.clock import FakeClock
from tests.parts import events, logged, post
from tests.stream_values import drained

DAY = timedelta(days=1)


def files(folder: Path) -> list[str]:
    """Return the names of the files of items."""
    return [path.name for path in folder.glob("items-*")]


async def test_finished_days_are_written(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """The day after, what was archived has its file; long after, the base is small."""
    with logged("info") as lines:
        house = House(tmp_path, stream, clock)
        house.archive.store(items=[post("1")])
        await house.keep([])
        assert [] == files(tmp_path)
        clock.advance(DAY)
        await house.keep([])
        assert ["items-2023-05-22.ndjson.zst"] == files(tmp_path)
        clock.advance(HOT + DAY)
        await house.keep([])

    counts = [(line["files"], line["pruned"]) for line in lines]
    assert [(0, 0), (1, 0), (0, 1)] == counts
    assert ["1"] == [item.id for item in house.archive.items(*EVER)]
    house.close()


async def test_what_was_long_unseen_is_forgotten(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """Of a busy source a post that was away for a month is new again, no other is."""
    house = House(tmp_path, stream, clock)
    await stream.accept("governor", [post("1")], "c")
    await stream.accept("quiet", [post("1")], "c")
    clock.advance(SEEN - DAY)
    many = [post(str(n)) for n in range(2, 2 + SHOWN)]
    await stream.accept("governor", many, "c")
    clock.advance(2 * DAY)
    await stream.accept("governor", many[:1], "c")
    await house.keep(["governor", "quiet"])
    again = await stream.accept("governor", [post("1"), post("2")], "c")
    quiet = await stream.accept("quiet", [post("1")], "c")

    assert (1, 1) == (again.new, again.unchanged)
    assert 1 == quiet.unchanged
    house.close()


async def test_what_is_done_with_leaves_the_stream(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """Only what every group has acknowledged, the archive too, is trimmed."""
    house = House(tmp_path, stream, clock)
    await stream.accept("governor", [post(str(n)) for n in range(300)], "c")
    for group in ("filter", "archive"):
        await house.trim()
        assert 300 == next(d.length for d in await stream.depths() if d.group == group)
        entries = await drained(stream.reader(ITEMS, group))
        await stream.ack(ITEMS, group, [entry.id for entry in entries])
    await house.trim()

    assert (await stream.depths())[0].length < 300
    house.close()


def break_base(folder: Path) -> None:
    """Write nonsense over the beginning of a base."""
    base = folder / BASE
    base.write_bytes(b"\x00" * 4096 + base.read_bytes()[4096:])


def ruined(folder: Path) -> None:
    """Leave an archive that is damaged already when it is opened."""
    with Archive(folder) as archive:
        archive.store(items=[post("1")])
    break_base(folder)


@contextmanager
def busy(folder: Path) -> Iterator[None]:
    """Write files elsewhere while the block runs, so that a rebuild has to wait."""
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def mended(house: House, damaged: Archive) -> None:
    """Have the archive mended, as a stage does that is told to come again."""
    async with asyncio.timeout(20):
        while house.archive is damaged:
            with suppress(Transient):
                await house.mend(damaged)


async def test_a_damaged_archive_is_rebuilt_after_the_start(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """The program starts at once; what the days' files have comes back, and is told."""
    house = House(tmp_path, stream, clock)
    house.archive.store(items=[post("1")])
    clock.advance(DAY)
    await house.keep([])
    house.close()
    break_base(tmp_path)
    with logged() as lines:
        house = House(tmp_path, stream, clock)
        assert ["archive_damaged"] == events(lines)
        damaged = house.archive
        with pytest.raises(Damaged):
            damaged.store(items=[post("2")])
        await mended(house, damaged)
        house.archive.store(items=[post("2")])

    assert ["1", "2"] == [item.id for item in house.archive.items(*EVER)]
    assert ["archive_damaged", "archive_rebuilt"] == events(lines)
    house.close()


async def test_an_archive_is_mended_once_for_all(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """Of several stages that meet the damage, the first has the archive rebuilt."""
    house = House(tmp_path, stream, clock)
    damaged = house.archive
    damaged.store(items=[post("1")])
    break_base(tmp_path)
    with logged() as lines:
        await asyncio.gather(*(mended(house, damaged) for _ in range(3)))
        with pytest.raises(Damaged):
            damaged.store(items=[post("2")])
        rebuilt = house.archive
        await house.mend(damaged)

    assert rebuilt is house.archive is not damaged
    assert ["archive_rebuilt"] == events(lines)
    house.archive.store(items=[post("2")])
    assert "2" in [item.id for item in house.archive.items(*EVER)]
    house.close()


async def test_a_long_rebuild_holds_nobody_up(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """While it lasts, whoever wants to store is told to come again, and again."""
    ruined(tmp_path)
    house = House(tmp_path, stream, clock)
    damaged = house.archive
    with busy(tmp_path):
        for _ in range(3):
            with pytest.raises(Transient, match=r"being (rebuilt|written elsewhere)"):
                await house.mend(damaged)
    with logged() as lines:
        await mended(house, damaged)

    assert 1 == house.archive.store(items=[post("2")])
    assert ["archive_rebuilt"] == events(lines)
    house.close()


async def test_the_calendar_mends_what_nobody_stores_into(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """Damage that is met while days are written is mended from there."""
    ruined(tmp_path)
    with logged() as lines:
        house = House(tmp_path, stream, clock)
        damaged = house.archive
        async with asyncio.timeout(20):
            while house.archive is damaged:
                await house.keep([])

    told = {"archive_damaged", "house_not_kept", "archive_rebuilt"}
    assert told <= {*events(lines)}
    house.close()


async def test_the_end_does_not_wait_for_a_rebuild(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """A house can be closed at any moment of a rebuild; the next one goes on."""
    for naps in range(4):
        ruined(tmp_path)
        house = House(tmp_path, stream, clock)
        with suppress(Transient):
            await house.mend(house.archive)
        for _ in range(naps):
            await asyncio.sleep(0)
        house.close()
        async with asyncio.timeout(20):  # the thread lets go of the folder
            house = House(tmp_path, stream, clock)
            await mended(house, house.archive)
        house.close()


async def test_a_day_that_cannot_be_written_waits_for_the_next(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """The failure is told, and the program goes on."""
    house = House(tmp_path / "archive", stream, clock)
    house.archive.store(items=[post("1")])
    clock.advance(DAY)
    lock = tmp_path / "archive" / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # what should be a file is a folder
    with logged() as lines:
        await house.keep([])
        assert ["house_not_kept"] == events(lines)
        lock.rmdir()
        await house.keep([])

    assert ["house_not_kept", "days_written"] == events(lines)
    house.close()


def test_a_folder_that_cannot_be_used_is_told(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """The program does not start on an archive that it cannot write."""
    (tmp_path / "archive").write_text("not a folder")
    with pytest.raises(Unavailable) as why:
        House(tmp_path / "archive", stream, clock)

    assert not isinstance(why.value, Damaged)
