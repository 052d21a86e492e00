"""What the calendar does: the archive's days, and what may be forgotten."""

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import Unavailable
from monitor.house import HOT, SEEN, House
from monitor.stream import ITEMS, Stream
from monitor.stream.archive import BASE
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


async def test_a_damaged_archive_is_rebuilt_at_the_start(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> None:
    """What the day files have is there again, and a person is told."""
    house = House(tmp_path, stream, clock)
    house.archive.store(items=[post("1")])
    clock.advance(DAY)
    await house.keep([])
    house.close()
    break_base(tmp_path)
    with logged() as lines:
        house = House(tmp_path, stream, clock)

    assert ["1"] == [item.id for item in house.archive.items(*EVER)]
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
        await house.mend(damaged)
        mended = house.archive
        await house.mend(damaged)

    assert mended is house.archive is not damaged
    assert ["archive_rebuilt"] == events(lines)
    house.archive.store(items=[post("2")])
    assert "2" in [item.id for item in house.archive.items(*EVER)]
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
