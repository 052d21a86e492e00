"""The archive on a bad day: damage, full disks, and kills at every line."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from monitor.errors import Transient, Unavailable
from monitor.item import Item, to_json
from monitor.stream import dayfile, hotbase
from monitor.stream.archive import Archive, Rebuilt, Rolled
from monitor.stream.dayfile import Damaged
from tests.archived import EVER, LATER, NEXT, file_of, filed, post, read, told


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive."""
    with Archive(tmp_path / "archive") as archive:
        yield archive


def blocks() -> list[Item]:
    """Return three posts that fill three blocks of a file."""
    return [post(number, text=os.urandom(1 << 19).hex()) for number in (1, 2, 3)]


@pytest.mark.parametrize("cut", [1, 48, 49, 300_000])
def test_a_truncated_file_is_noticed_and_mended(archive: Archive, cut: int) -> None:
    """Reading says so, and all that is intact is in the file that follows it."""
    items = blocks()
    path = filed(archive, *items)
    content = path.read_bytes()[:-cut]
    path.write_bytes(content)
    kept = items if cut < 49 else items[:-1]

    with pytest.raises(Damaged, match="damaged"):
        read(archive)
    mended = archive.mend(LATER)

    assert Rolled((path,), (path.with_name(f"{path.name}.damaged-{LATER}"),)) == mended
    assert kept == read(archive)
    assert content == mended.aside[0].read_bytes()
    assert Rolled() == archive.mend(LATER)


def test_a_damaged_block_costs_that_block(archive: Archive) -> None:
    """The blocks after a bad one are found again."""
    first, _, last = items = blocks()
    path = filed(archive, *items)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    archive.mend(LATER)

    assert [first, last] == read(archive)


def test_late_rows_heal_a_damaged_file(archive: Archive) -> None:
    """What comes again for a day whose file was damaged fills the gap."""
    path = filed(archive, post(1), post(2))
    path.write_bytes(b"")
    archive.store(items=[post(2)])

    rolled = archive.roll(LATER)

    assert (path.with_name(f"{path.name}.damaged-{LATER}"),) == rolled.aside
    assert [post(2)] == read(archive)


def test_a_pruned_day_without_its_file_is_said(archive: Archive) -> None:
    """Late rows wait for the file, and do not pass for the whole day."""
    path = filed(archive, post(1))
    copy = path.read_bytes()
    path.unlink()
    with pytest.raises(Damaged, match="missing"):
        read(archive)
    archive.store(items=[post(2)])
    with pytest.raises(Damaged, match="missing"):
        read(archive)

    assert (path,) == archive.roll(LATER).missing

    path.write_bytes(copy)

    assert (path,) == archive.roll(LATER).written
    assert [post(1), post(2)] == read(archive)


def test_a_line_of_something_else_is_said(archive: Archive) -> None:
    """A file that is whole and holds no items is no day of items."""
    dayfile.write(file_of(archive), [to_json(post(1)), b'{"id": 7}'])

    with pytest.raises(Damaged, match="line 2"):
        read(archive)


def test_a_newer_base_is_refused(archive: Archive) -> None:
    """A base of a later schema is neither read nor set aside."""
    archive.close()
    base = sqlite3.connect(archive.folder / "hot.sqlite")
    base.execute("PRAGMA user_version = 99")
    base.close()
    for act in (Archive, lambda folder: Archive.rebuild(folder, LATER)):
        with pytest.raises(Unavailable, match="schema 99, made by a newer program"):
            act(archive.folder)


def test_an_older_base_is_rebuilt(archive: Archive) -> None:
    """What an older program stored is all there, whether it is in a file or not."""
    archive.store(items=[post(1)], deliveries=[told()])
    archive.roll(LATER)
    archive.store(items=[post(2), post(100_000)])
    archive.close()
    with closing(sqlite3.connect(archive.folder / "hot.sqlite")) as base, base:
        base.execute("UPDATE rows SET key = '8/governor/' || seq || '/1'")
        base.execute("PRAGMA user_version = 1")
    with pytest.raises(Damaged, match="schema 1, made by an older program"):
        Archive(archive.folder)

    rebuilt = Archive.rebuild(archive.folder, LATER)

    assert 4 == rebuilt.rows
    with Archive(archive.folder) as anew:
        assert 0 == anew.store(items=[post(1), post(2)], deliveries=[told()])
        anew.roll(LATER)
        assert [post(1), post(2), post(100_000)] == read(anew)


def damage(archive: Archive, at: int, length: int = 64) -> bytes:
    """Close the archive, overwrite a part of its base, and return what that is now."""
    archive.close()
    base = archive.folder / "hot.sqlite"
    content = bytearray(base.read_bytes())
    content[at : at + length] = b"\xff" * length
    base.write_bytes(content)
    return bytes(content)


def test_what_is_no_base_is_set_aside_and_rebuilt(archive: Archive) -> None:
    """The days come back out of their files, and the broken base stays beside."""
    filed(archive, post(1))
    archive.store(items=[post(100_000)], deliveries=[told()])
    archive.roll(LATER)
    broken = damage(archive, 0)
    with pytest.raises(Damaged, match="rebuilt"):
        Archive(archive.folder)

    rebuilt = Archive.rebuild(archive.folder, LATER)

    aside = archive.folder / f"hot.sqlite.damaged-{LATER}"
    assert Rebuilt(3, aside) == rebuilt
    assert broken == aside.read_bytes()
    with Archive(archive.folder) as anew:
        assert [post(1), post(100_000)] == read(anew)
        assert [told()] == list(anew.deliveries(*EVER))
        assert Rolled() == anew.roll(LATER)
        assert 3 == anew.prune(LATER).rows


def test_rows_that_are_in_no_file_are_saved_from_a_damaged_base(
    archive: Archive,
) -> None:
    """All but what lay in the damaged page is in the new base, in order."""
    items = [post(number, text="x" * 500) for number in range(400)]
    archive.store(items=items)
    archive.close()
    content = (archive.folder / "hot.sqlite").read_bytes()
    page = content.index(b'"id":"200"') // 4096
    damage(archive, page * 4096, 4096)

    rebuilt = Archive.rebuild(archive.folder, LATER)

    with Archive(archive.folder) as anew:
        saved = read(anew)
        assert [item for item in items if item in saved] == saved
        assert 380 <= len(saved) == rebuilt.rows < 400
        assert (file_of(anew),) == anew.roll(LATER).written


def test_a_sound_base_is_not_rebuilt(archive: Archive) -> None:
    """Nothing is set aside without need."""
    archive.store(items=[post(1)])
    archive.close()

    assert Rebuilt() == Archive.rebuild(archive.folder, LATER)
    with Archive(archive.folder) as same:
        assert [post(1)] == read(same)


def test_a_lost_base_is_rebuilt(archive: Archive) -> None:
    """Without a base, the days from the given one on become hot again."""
    filed(archive, post(1))
    filed(archive, post(100_000))
    archive.close()
    (archive.folder / "hot.sqlite").unlink()
    (archive.folder / "hot.sqlite-wal").write_bytes(b"of the old one")

    assert Rebuilt(1) == Archive.rebuild(archive.folder, LATER, since=NEXT)
    with Archive(archive.folder) as anew:
        assert [post(1), post(100_000)] == read(anew)


def test_a_rebuilt_base_takes_what_is_intact_in_a_file(archive: Archive) -> None:
    """A damaged day is said, and written anew at the next roll."""
    first, second, _ = items = blocks()
    path = filed(archive, *items)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 5 // 6])
    damage(archive, 0)

    rebuilt = Archive.rebuild(archive.folder, LATER)

    assert (2, (path,)) == (rebuilt.rows, rebuilt.damaged)
    with Archive(archive.folder) as anew:
        anew.roll(LATER)

        assert [first, second] == read(anew)
        assert 2 == dayfile.verify(path).lines


def test_damage_met_at_work_is_said(archive: Archive) -> None:
    """A base that breaks while it is open asks to be rebuilt."""
    archive.store(items=[post(number) for number in range(2000)])
    damage(archive, 8192, 200_000)
    with Archive(archive.folder) as open_, pytest.raises(Damaged, match="rebuilt"):
        read(open_)


def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    """SQLite's own refusal on a full disk, and the system's, mean to try again."""
    base = sqlite3.connect(tmp_path / "small.sqlite")
    base.execute("CREATE TABLE t (x)")
    base.execute("PRAGMA max_page_count = 3")
    with (
        pytest.raises(Transient, match="full"),
        hotbase.speaking(tmp_path / "small.sqlite"),
    ):
        base.execute("INSERT INTO t VALUES (zeroblob(100000))")
    base.close()
    with pytest.raises(Transient, match="No space"), hotbase.speaking(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    """On a disk that fills, what was answered for is there, and room heals it."""
    stuffing, asked = small_disk / "stuffing", [0]
    with Archive(small_disk / "archive") as archive:

        def store(number: int) -> None:
            asked.append(number)
            archive.store(items=[post(number, text=os.urandom(20_000).hex())])

        archive.store(items=[post(0)])
        stuffing.write_bytes(b"x" * (5 << 20))
        with pytest.raises(Transient):
            deque(map(store, count(1)), maxlen=0)
        with pytest.raises(Transient):
            archive.roll(LATER)
        left = sorted(path.name for path in archive.folder.glob("*.zst*"))
        full = [item.id for item in read(archive)]
        stuffing.unlink()
        store(asked.pop())
        archive.roll(LATER)

        assert [] == left
        assert [str(number) for number in asked[:-1]] == full
        assert len(asked) == len(read(archive))
        assert len(asked) == dayfile.verify(file_of(archive)).lines


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, where this machine lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:  # noqa: S603 - the system's own
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)  # noqa: S603, S607 - the system's own


def test_a_locked_base_is_said(archive: Archive) -> None:
    """A foreign lock that does not go away is named, with what to do."""
    path = archive.folder / "hot.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    mine = sqlite3.connect(path, 0, isolation_level=None)
    with pytest.raises(Unavailable, match="locked by another"), hotbase.speaking(path):
        mine.execute("BEGIN IMMEDIATE")
    mine.close()
    other.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file where the folder belongs is no archive, and the text names it."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(Unavailable, match="state"):
        Archive(tmp_path / "state" / "archive")


def test_a_base_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """A folder where the base belongs is refused, with what to do."""
    (tmp_path / "hot.sqlite").mkdir()
    with pytest.raises(Unavailable, match="belong to the user"):
        Archive(tmp_path)


def test_our_own_mistakes_are_not_taken_for_the_disks(tmp_path: Path) -> None:
    """An error of SQLite that no operator can mend passes as it is."""
    base = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError), hotbase.speaking(tmp_path):
        base.execute("SELECT nothing")
    base.close()


KILLED = """
import os, shutil, sys
from pathlib import Path
from tests.archived import LATER, post, told, read, file_of
from monitor.stream.archive import Archive

template, work = Path(sys.argv[1]), Path(sys.argv[2])
act = {
    "store": lambda archive: archive.store(items=[post(5), post(100_005)]),
    "roll": lambda archive: archive.roll(LATER),
    "prune": lambda archive: archive.prune(LATER),
    "rebuild": lambda archive: Archive.rebuild(archive, LATER),
}[sys.argv[3]]
rebuilding, every = sys.argv[3] == "rebuild", int(sys.argv[4])


def killed_at(point):
    lines = 0
    def count(frame, event, arg):
        nonlocal lines
        if event == "call" and "/stream/" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        if lines >= point:
            os._exit(9)
        return count
    return count


def survives(point):
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(template, work)
    child = os.fork()
    if child == 0:
        subject = work if rebuilding else Archive(work)
        sys.settrace(killed_at(point))
        act(subject)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if rebuilding:
        Archive.rebuild(work, LATER)
    with Archive(work) as archive:
        assert expected <= {item.id for item in read(archive)}, point
        act(archive if not rebuilding else work)
        once = read(archive)
        archive.roll(LATER)
        archive.prune(LATER)
        assert once == read(archive), point
        assert expected <= {item.id for item in once}, point
        assert len(once) == len({item.id for item in once}), point
        assert not list(work.glob("*.tmp*")), point
    return os.waitstatus_to_exitcode(status)


expected = {"1", "2", "3", "100000"}
point = 1
while survives(point):
    point += every
print(point)
"""


@pytest.mark.parametrize(
    ("act", "every"), [("store", 29), ("roll", 97), ("prune", 61), ("rebuild", 127)]
)
def test_a_kill_at_any_line_loses_nothing(
    archive: Archive, tmp_path: Path, act: str, every: int
) -> None:
    """
    Whatever was stored is there after a kill, and the same act then succeeds.
    """
    filed(archive, post(1), post(3))
    archive.store(items=[post(2), post(3), post(100_000)])
    if act in ("prune", "rebuild"):
        archive.roll(LATER)
    archive.close()
    if act == "rebuild":
        damage(archive, 0)
    every = int(os.environ.get("EVERY", every))
    words = [archive.folder, tmp_path / "work", act, every]

    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", KILLED, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "" == done.stderr
    assert int(done.stdout) > 20
