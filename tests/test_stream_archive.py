"""The archive: nothing is lost, nothing is doubled, and days are as they were."""

import fcntl
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import Transient
from monitor.item import WIRE, Item, Match, Media, Reading, from_wire, to_json, to_wire
from monitor.stream import dayfile
from monitor.stream.archive import Archive, Rolled
from tests.archived import (
    DAY,
    EVER,
    LATER,
    NEXT,
    NOON,
    ONE,
    file_of,
    filed,
    post,
    read,
    told,
)  # fmt: skip

V = TypeVar("V", bound=msgspec.Struct)


def again(values: Sequence[V]) -> list[V]:
    """Return *values* as they come from the stream another time."""
    return [from_wire({WIRE: to_wire(value)}, type(value)) for value in values]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive."""
    with Archive(tmp_path / "archive") as archive:
        yield archive


def test_a_batch_that_comes_again_changes_nothing(archive: Archive) -> None:
    """What was not acknowledged in time is delivered again, and stored once."""
    items, matches, deliveries = (
        [post(1), post(2)],
        [Match(item=post(1), reading=Reading())],
        [told()],
    )
    first = archive.store(items=items, matches=matches, deliveries=deliveries)
    second = archive.store(
        items=again(items), matches=again(matches), deliveries=again(deliveries)
    )

    assert (4, 0) == (first, second)
    assert items == read(archive)
    assert matches == list(archive.matches(*EVER))
    assert deliveries == list(archive.deliveries(*EVER))


def test_versions_that_begin_anew_hide_nothing(archive: Archive) -> None:
    """
    After a flush, other posts come under keys that are known; all of them are kept,
    in base and file.
    """
    items = [
        post(1, text="Отбой"),
        post(1, text="Ракетная опасность"),
        post(1, text="Отбой", seen=NOON + timedelta(hours=1)),
    ]
    for item in items:
        assert 1 == archive.store(items=[item])
        archive.roll(LATER)
    assert items == read(archive)
    archive.prune(LATER)
    assert items == read(archive)
    one = Match(item=items[0], reading=Reading())
    another = Match(item=items[0], reading=Reading(), rules=("another",))
    assert 2 == archive.store(matches=[one, another])


def test_what_differs_in_any_part_is_kept(archive: Archive) -> None:
    """Sources and subscribers with slashes in their names are not mixed up."""
    items = [post(source="a/b", id="c"), post(source="a", id="b/c"), post(version=2)]
    deliveries = [
        told(),
        told(subscriber="other"),
        told(outcome="edited"),
        told(at=NOON + ONE),
        told(item='x", "desk', subscriber="y"),
        told(item="x", subscriber='desk", "y'),
    ]

    assert 9 == archive.store(items=items, deliveries=deliveries)


def test_an_empty_batch_is_no_work(archive: Archive) -> None:
    """Nothing to store is stored at once."""
    assert 0 == archive.store()


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_values_come_back_byte_for_byte(data: st.DataObject) -> None:
    """
    Any text, with U+2028, NUL and line breaks, is the same out of base and file.
    """
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    text |= st.sampled_from(["a\u2028b\u2029\x85", "\x00", "\r\n", "🇺🇦\u200d", '"}\n{'])
    moment = st.timedeltas(timedelta(days=-1), timedelta(days=1)).map(NOON.__add__)
    item = st.builds(
        Item,
        published=moment,
        seen=moment,
        edited=st.none() | moment,
        source=text,
        id=text,
        version=st.integers(1, 2**31),
        text=text,
        title=text,
        author=text,
        forward=st.none() | text,
        reply_to=st.none() | text,
        media=st.lists(st.builds(Media, url=text)).map(tuple),
    )
    key = lambda item: (item.source, item.id, item.version)  # noqa: E731 - one line
    items = data.draw(st.lists(item, unique_by=key, max_size=8))
    expected = sorted(items, key=lambda item: (item.seen, item.source))
    with tempfile.TemporaryDirectory() as folder, Archive(Path(folder)) as archive:
        archive.store(items=items)
        hot = read(archive)
        archive.roll(LATER)
        archive.prune(LATER)

        assert [to_json(item) for item in expected] == list(map(to_json, hot))
        assert [to_json(item) for item in expected] == list(map(to_json, read(archive)))


def test_what_zstdcat_prints_is_one_json_a_line(archive: Archive) -> None:
    """The usual tools read a day file, and its lines are the stored JSON."""
    zstdcat = shutil.which("zstdcat")
    if zstdcat is None:
        pytest.skip("zstdcat is not installed")
    items = [post(1, text="\u2028"), post(2, text="x" * (3 << 20)), post(3)]
    path = filed(archive, *items)

    printed = subprocess.run([zstdcat, path], capture_output=True, check=True).stdout  # noqa: S603 - found on PATH

    assert [*map(to_json, items), b""] == printed.split(b"\n")


def test_order_is_by_time_then_source_then_as_stored(archive: Archive) -> None:
    """Posts of one moment keep the order in which they were accepted, 10 after 9."""
    same = {"seen": NOON}
    stored = [
        post(10, **same, source="b"),
        post(9, **same, source="b"),
        post(1, seen=NOON + ONE, source="a"),
        post(8, **same, source="a"),
    ]
    archive.store(items=stored)
    expected = [stored[3], stored[0], stored[1], stored[2]]
    hot = read(archive)
    archive.roll(LATER)
    archive.prune(LATER)

    assert expected == hot
    assert expected == read(archive)


@pytest.mark.parametrize("pruned", [False, True])
def test_reading_ends_before_its_end(archive: Archive, *, pruned: bool) -> None:
    """A period has its first moment and not its last, and sources are chosen."""
    midnight = datetime(2026, 5, 25, tzinfo=UTC)
    last, first = post(seen=midnight - ONE), post(id="2", seen=midnight, source="b")
    archive.store(items=[last, first])
    if pruned:
        archive.roll(LATER)
        archive.prune(LATER)

    assert [last] == list(archive.items(midnight - ONE, midnight))
    assert [first] == list(archive.items(midnight, midnight + ONE))
    assert [] == list(archive.items(midnight + ONE, EVER[1]))
    assert [first] == list(archive.items(*EVER, sources=["b", "c"]))
    assert [] == list(archive.items(*EVER, sources=[]))


def test_days_are_those_of_utc(archive: Archive) -> None:
    """Items lie by when they were seen, deliveries by when they were settled."""
    midnight = datetime(2026, 5, 25, tzinfo=UTC)
    archive.store(
        items=[post(seen=midnight - ONE), post(id="2", seen=midnight)],
        deliveries=[told(at=midnight)],
    )

    rolled = archive.roll(LATER)

    assert {
        file_of(archive, DAY),
        file_of(archive, NEXT),
        file_of(archive, NEXT, "deliveries"),
    } == set(rolled.written)


def test_only_finished_days_are_written(archive: Archive) -> None:
    """Today's rows stay in the base until the day is over."""
    archive.store(items=[post(1)])

    assert Rolled() == archive.roll(DAY)
    assert Rolled(written=(file_of(archive),)) == archive.roll(NEXT)
    assert Rolled() == archive.roll(NEXT)


def test_a_day_without_its_file_is_written_again(archive: Archive) -> None:
    """A file that went missing is made good while the base has its rows."""
    archive.store(items=[post(1)])
    archive.roll(NEXT)
    content = file_of(archive).read_bytes()
    file_of(archive).unlink()

    assert (file_of(archive),) == archive.roll(NEXT).written
    assert content == file_of(archive).read_bytes()


def test_late_rows_of_a_written_day_are_written_too(archive: Archive) -> None:
    """A row that comes after its day's file was written gets into it."""
    archive.store(items=[post(2)])
    archive.roll(NEXT)
    archive.store(items=[post(1)])

    archive.roll(NEXT)

    assert [to_json(post(1)), to_json(post(2))] == list(dayfile.lines(file_of(archive)))


def test_late_rows_of_a_pruned_day_are_merged(archive: Archive) -> None:
    """They are read at once, and neither they nor what comes again is doubled."""
    filed(archive, post(2), post(4))
    archive.store(items=[post(4), post(3), post(1)])
    expected = [post(number) for number in (1, 2, 3, 4)]
    before = read(archive)
    archive.roll(LATER)
    between = read(archive)
    removed = archive.prune(LATER).rows

    assert [expected] * 3 == [before, between, read(archive)]
    assert list(map(to_json, expected)) == list(dayfile.lines(file_of(archive)))
    assert 3 == removed


def test_a_base_that_was_lost_overwrites_no_day(archive: Archive) -> None:
    """A new base that knows less than a day's file adds to it."""
    archive.store(items=[post(1)])
    archive.roll(LATER)
    archive.close()
    for path in archive.folder.glob("hot.sqlite*"):
        path.unlink()
    with Archive(archive.folder) as anew:
        anew.store(items=[post(2)])
        seen = read(anew)
        anew.roll(LATER)

        assert [post(1), post(2)] == seen == read(anew)
        assert 2 == dayfile.verify(file_of(anew)).lines


def test_a_base_put_back_from_a_copy_overwrites_no_day(
    archive: Archive, tmp_path: Path
) -> None:
    """An older base adds to the files that were written after it was copied."""
    archive.store(items=[post(1)])
    archive.roll(LATER)
    copy = shutil.copytree(archive.folder, tmp_path / "copy")
    archive.store(items=[post(2)])
    archive.roll(LATER)
    shutil.copy(file_of(archive), copy)
    with Archive(copy) as restored:
        seen = read(restored)
        restored.store(items=[post(3)])
        restored.roll(LATER)

        assert [post(1), post(2)] == seen
        assert [post(1), post(2), post(3)] == read(restored)


def test_only_rows_whose_file_was_proved_are_pruned(archive: Archive) -> None:
    """A day stays in the base while its file is not written, damaged, or another."""
    archive.store(items=[post(1)])
    unwritten = archive.prune(LATER)
    archive.roll(LATER)
    path, content = file_of(archive), file_of(archive).read_bytes()
    path.write_bytes(content[:-1])
    damaged = archive.prune(LATER)
    dayfile.write(path, [to_json(post(7))])
    other = archive.prune(LATER)

    assert [0, 0, 0] == [pruned.rows for pruned in (unwritten, damaged, other)]
    assert [1, 1, 1] == [len(pruned.kept) for pruned in (unwritten, damaged, other)]
    assert [post(1), post(7)] == read(archive)
    assert (path,) == archive.roll(LATER).written
    assert 1 == archive.prune(LATER).rows
    assert [post(1), post(7)] == read(archive)


def test_a_day_that_is_not_past_is_not_pruned(archive: Archive) -> None:
    """The days from the given one on stay."""
    archive.store(items=[post(1)])
    archive.roll(LATER)

    assert 0 == archive.prune(DAY).rows
    assert 1 == archive.prune(NEXT).rows
    assert 0 == archive.prune(NEXT).rows


def test_files_with_other_names_are_left_alone(archive: Archive) -> None:
    """A copy that somebody made beside the days is not read."""
    path = filed(archive, post(1))
    shutil.copy(path, path.with_name("items-before-the-move.ndjson.zst"))

    assert [post(1)] == read(archive)


def test_reading_sees_one_moment(archive: Archive) -> None:
    """What is pruned or stored while somebody reads does not change the reading."""
    archive.store(items=[post(1), post(3)])
    reading = archive.items(*EVER)
    first = next(reading)
    archive.store(items=[post(2)])
    archive.roll(LATER)
    archive.prune(LATER)

    assert [post(1), post(3)] == [first, *reading]
    assert [post(1), post(2), post(3)] == read(archive)


def test_threads_store_side_by_side(archive: Archive) -> None:
    """Batches of several threads are all kept, and days are written meanwhile."""

    def store(first: int) -> None:
        for number in range(first, first + 40, 4):
            archive.store(items=[post(number + i) for i in range(4)])
            archive.roll(LATER) if first == 0 else archive.prune(DAY)

    def free(first: int) -> None:
        try:
            store(first)
        except Transient:
            archive.store(items=[post(number) for number in range(first, first + 40)])

    threads = [threading.Thread(target=free, args=(40 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    archive.roll(LATER)

    assert [post(number) for number in range(160)] == read(archive)


def test_files_are_written_by_one(archive: Archive) -> None:
    """While another process writes files, one is told to try again."""
    with (archive.folder / "lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for act in (archive.roll, archive.prune, archive.mend):
            with pytest.raises(Transient, match="elsewhere"):
                act(LATER)
        with pytest.raises(Transient, match="elsewhere"):
            Archive.rebuild(archive.folder, LATER)


def test_only_the_owner_can_read_it(archive: Archive) -> None:
    """The folder is 0700 and each file 0600, made so again when it is opened."""
    filed(archive, post(1))
    archive.store(items=[post(2)])
    files = {path: path.stat().st_mode & 0o777 for path in archive.folder.iterdir()}
    archive.folder.chmod(0o755)
    (archive.folder / "hot.sqlite").chmod(0o644)
    Archive(archive.folder).close()

    assert set(files.values()) == {0o600}
    assert 0o700 == archive.folder.stat().st_mode & 0o777
    assert 0o600 == (archive.folder / "hot.sqlite").stat().st_mode & 0o777
