"""
The hot base of the archive: SQLite, one file, the rows of the last days.

One table holds the rows of all kinds, exactly as they are written to the day
files; another says, for each kind and day, what has become of it::

    rows  seq      the order in which rows were stored
          kind     items, matches, deliveries or notes
          moment   microseconds since 1970, by which days are told apart
          source   who published it; empty for deliveries
          key      moment and digest of the body: no two rows of a kind have the same
          body     the value as JSON

    days  kind, day
          stored   rows stored of this day since the base began
          filed    what `stored` was when the day file was written
          lines, digest   the seal of that file
          partial  the file has rows that the base has not
          pruned   what `stored` was when the rows were removed
"""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from monitor.errors import Transient, Unavailable
from monitor.stream.dayfile import MODE, Damaged, Seal, aside, seal_of, sync_folder

VERSION = 2
PATIENCE = 10.0  # seconds; a checkpoint of a large base takes one or two
CACHE = -16_384  # KiB: keeps the upper pages of both indexes of a few million rows
JOURNAL = 4_000  # pages, 16 MB, between checkpoints: 1,000 are a fifth slower
FULL = {errno.ENOSPC, errno.EDQUOT}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1) // MICROSECOND
SCHEMA = (
    """CREATE TABLE rows (
        seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, moment INTEGER NOT NULL,
        source TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX rows_key ON rows (kind, key)",
    "CREATE INDEX rows_moment ON rows (kind, moment, source)",
    """CREATE TABLE days (
        kind TEXT NOT NULL, day TEXT NOT NULL, stored INTEGER NOT NULL,
        filed INTEGER, lines INTEGER, digest BLOB,
        partial INTEGER NOT NULL DEFAULT 0, pruned INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (kind, day)) STRICT, WITHOUT ROWID""",
    f"PRAGMA user_version = {VERSION}",
)
INSERT = """
    INSERT INTO rows (kind, moment, source, key, body)
    VALUES (?, ?, ?, ?, CAST(? AS TEXT))
    ON CONFLICT (kind, key) DO NOTHING"""
COUNT = """
    INSERT INTO days (kind, day, stored) VALUES (?, ?, ?)
    ON CONFLICT (kind, day) DO UPDATE SET stored = stored + excluded.stored"""
FILED = """
    UPDATE days SET filed = ?, lines = ?, digest = ?, partial = ?
    WHERE kind = ? AND day = ?"""
# `+source`: by moment, always; the order would need a sort otherwise
SELECT = """
    SELECT kind, moment, source, key, CAST(body AS BLOB) FROM rows
    WHERE kind = ?1 AND moment >= ?2 AND moment < ?3
      AND (?4 IS NULL OR +source IN (SELECT value FROM json_each(?4)))
    ORDER BY moment, source, seq"""
FORWARDS = "SELECT kind, CAST(body AS BLOB) FROM rows ORDER BY seq"
BACKWARDS = FORWARDS + " DESC"
STATES = """
    SELECT day, stored, filed, lines, digest, partial, pruned FROM days
    WHERE kind = ?"""


class Row(NamedTuple):
    """One row; its body is JSON, and stays byte for byte what it was."""

    kind: str
    moment: int
    source: str
    key: str
    body: bytes


class State(NamedTuple):
    """What has become of one day of one kind; see the table `days` above."""

    stored: int
    filed: int | None = None
    lines: int | None = None
    digest: bytes | None = None
    partial: int = 0
    pruned: int = 0

    @property
    def is_pruned(self) -> bool:
        """Whether the base has no row of the day left."""
        return self.pruned == self.stored

    @property
    def seal(self) -> Seal | None:
        """The seal of the day file as it was last written, if it was."""
        if self.lines is None or self.digest is None:
            return None
        return Seal(self.lines, self.digest)


def connect(path: Path) -> sqlite3.Connection:
    """
    Return a connection to the base at *path*, made if it is not there.

    It may be used by any thread, by one at a time.  Nothing is committed until
    it is on the disk.

    Raises:
        Damaged: It is no base any more, or an older program made it.
        Unavailable: It may not be opened, or a newer program made it.
    """
    with speaking(path):
        if not path.exists():
            path.touch(MODE)  # SQLite gives its -wal and -shm the same mode
        if path.stat().st_mode & 0o777 != MODE:
            path.chmod(MODE)
        with ExitStack() as undo:
            base = sqlite3.connect(
                path, PATIENCE, isolation_level=None, check_same_thread=False
            )
            undo.callback(base.close)
            _prepare(base, path)
            undo.pop_all()
    return base


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute(f"PRAGMA cache_size = {CACHE}")
    base.execute(f"PRAGMA wal_autocheckpoint = {JOURNAL}")
    if version(base) == 0:
        with base:
            base.execute("BEGIN IMMEDIATE")
            if version(base) == 0:  # nobody else was faster
                for statement in SCHEMA:
                    base.execute(statement)
    if version(base) < VERSION:
        raise Damaged(
            path,
            f"it is of schema {version(base)}, made by an older program; `monitor run`"
            " rebuilds it by itself, which loses nothing",
        )
    if version(base) > VERSION:
        raise Unavailable(
            f"{path} is of schema {version(base)}, made by a newer program;"
            f" this one knows {VERSION}: run the newer one, or move the file away"
            " and have the base rebuilt from the day files"
        )


def connect_reading(path: Path) -> sqlite3.Connection:
    """Return a connection to what may be damaged, and shall not be changed."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def is_sound(path: Path) -> bool:
    """
    Read the whole base at *path*, and tell whether it is one.

    Raises:
        Unavailable: It may not be opened, or a newer program made it.
    """
    try:
        with speaking(path), closing(connect(path)) as base:
            found = base.execute("PRAGMA integrity_check(1)").fetchall()
    except Damaged:
        return False
    return found == [("ok",)]


def settle(base: sqlite3.Connection) -> int:
    """Bring all of a new *base* into its one file; return how many rows it has."""
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.execute("PRAGMA journal_mode = DELETE")
    (rows,) = base.execute("SELECT count(*) FROM rows").fetchone()
    return int(rows)


def replace(path: Path, fresh: Path, today: date) -> Path | None:
    """
    Put *fresh* in the place of the base, and return where that one is now.

    At each moment one of the two is there; the old one's journal goes with it, for
    SQLite would apply it to whatever has this name.
    """
    kept = aside(path, today)
    found = path.exists()
    if found:
        os.link(path, kept)
    for suffix in ("-wal", "-shm"):
        journal = path.with_name(path.name + suffix)
        if journal.exists():
            journal.rename(kept.with_name(kept.name + suffix))
    fresh.replace(path)
    sync_folder(path.parent)
    return kept if found else None


def version(base: sqlite3.Connection) -> int:
    """Return the schema version of *base*; 0 if it is new."""
    (found,) = base.execute("PRAGMA user_version").fetchone()
    return int(found)


@contextmanager
def speaking(path: Path) -> Iterator[None]:
    """
    Tell failures of SQLite and of the disk in our own words.

    Raises:
        Transient: The disk is full; try again when there is room.
        Damaged: The base is no base any more; have it rebuilt.
        Unavailable: Somebody has to mend what the text says.
    """
    try:
        yield
    except sqlite3.Error as error:
        if (failure := _failure(error, path)) is None:
            raise
        raise failure from error
    except OSError as error:
        if error.errno in FULL:
            raise Transient(f"{path.parent}: {error.strerror}") from error
        raise Unavailable(f"{error.filename or path}: {error.strerror}") from error


def store(base: sqlite3.Connection, kind: str, day: date, rows: Iterable[Row]) -> int:
    """Add those *rows* of one day that are not there yet; return how many."""
    new = base.executemany(INSERT, rows).rowcount
    if new:
        base.execute(COUNT, (kind, day.isoformat(), new))
    return new


def select(
    base: sqlite3.Connection, kind: str, start: int, end: int, sources: str | None
) -> Iterator[Row]:
    """
    Yield the rows of *kind* from *start* until before *end*, in order.

    Args:
        sources: Their names as a JSON array; None for all.
    """
    found = base.execute(SELECT, (kind, start, end, sources))
    return map(Row._make, found)


def has_all_of(path: Path, state: State) -> bool:
    """
    Tell whether the base, with a day in this *state*, has all that its file has.

    It has not where rows were pruned, or where the file is not the one it wrote:
    the base was lost meanwhile, or put back from a copy.
    """
    if state.partial:
        return False
    if not path.exists():
        return True
    return state.seal is not None and seal_of(path) in {None, state.seal}


def keys(base: sqlite3.Connection, kind: str, day: date) -> set[str]:
    """Return the keys of all rows of one day."""
    found = base.execute(
        "SELECT key FROM rows WHERE kind = ? AND moment >= ? AND moment < ?",
        (kind, *bounds(day)),
    )
    return {key for (key,) in found}


def states(base: sqlite3.Connection, kind: str) -> dict[date, State]:
    """Return what has become of each day of *kind* that the base knows of."""
    return {
        date.fromisoformat(day): State(*state)
        for day, *state in base.execute(STATES, (kind,))
    }


def mark_filed(
    base: sqlite3.Connection, kind: str, day: date, state: State, seal: Seal
) -> None:
    """
    Remember that the day file holds the rows that *state* counted.

    Args:
        state: With `partial` as it is now.
    """
    partial = state.partial
    base.execute(FILED, (state.stored, *seal, partial, kind, day.isoformat()))


def mark_doubtful(base: sqlite3.Connection, kind: str, day: date) -> None:
    """Remember that the day file has to be written again."""
    base.execute(
        "UPDATE days SET filed = NULL WHERE kind = ? AND day = ?",
        (kind, day.isoformat()),
    )


def remove(base: sqlite3.Connection, kind: str, day: date, state: State) -> int:
    """Remove the rows of one day, if it is in this *state* yet; return how many."""
    if states(base, kind)[day] != state:
        return 0  # rows came meanwhile
    base.execute(
        "UPDATE days SET partial = 1, pruned = stored WHERE kind = ? AND day = ?",
        (kind, day.isoformat()),
    )
    return base.execute(
        "DELETE FROM rows WHERE kind = ? AND moment >= ? AND moment < ?",
        (kind, *bounds(day)),
    ).rowcount


def salvage(base: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """
    Yield kind and body of every row that a damaged base still gives.

    It reads from the first row on until it meets damage, and then from the last
    one backwards, so that one bad page costs what lies between.  A row may come
    twice.
    """
    for direction in (FORWARDS, BACKWARDS):
        try:
            yield from base.execute(direction)
        except sqlite3.DatabaseError:
            continue
        return


def moment_of(time: datetime) -> int:
    """Return *time* as microseconds since 1970."""
    return (time - EPOCH) // MICROSECOND


def day_of(moment: int) -> date:
    """Return the day in UTC that a moment belongs to."""
    return date.fromordinal(EPOCH.toordinal() + moment // DAY)


def bounds(day: date) -> tuple[int, int]:
    """Return the first moment of *day* and that of the next one."""
    start = (day.toordinal() - EPOCH.toordinal()) * DAY
    return start, start + DAY


def _failure(error: sqlite3.Error, path: Path) -> Exception | None:
    """Return what an error of SQLite means for us; None if it is a bug of ours."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest are details
    match code:
        case sqlite3.SQLITE_FULL:
            return Transient(f"{path}: {error}")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Damaged(path, f"{error}; have it rebuilt from the day files")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable(
                f"{path} is locked by another process for {PATIENCE:.0f} s:"
                " end the second archiver, or the sqlite3 shell that holds it"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return Unavailable(
                f"{path}: {error}; the folder and its files have to belong to the"
                " user who runs the program, and the disk must be writable"
            )
        case sqlite3.SQLITE_IOERR:
            return Unavailable(f"{path}: {error}; look at the disk (dmesg)")
    return None
