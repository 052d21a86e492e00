"""
The archive: everything that was accepted, matched and delivered, for ever.

The last days are kept in a hot base (`hotbase`, SQLite), every finished day in files
of zstd NDJSON (`dayfile`), all in one folder::

    hot.sqlite                       the last days, and what became of each day
    items-2023-05-24.ndjson.zst      a file a kind and day, in UTC, by `seen`
    matches-…   deliveries-…  notes-…   the same; deliveries and notes by `at`
    ….damaged-2023-05-26             found broken that day; set aside, never deleted
    lock                             held while files are written

It holds no progress: the caller acknowledges its streams after `Archive.store`, and a
batch that comes again, because of a crash between the two, changes nothing.  Either
form heals the other: a day is written anew from the base, the base from the days.
"""

import fcntl
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from monitor.errors import Transient
from monitor.item import Delivery, Item, Match, Note, from_json
from monitor.stream import dayfile, hotbase, kinds
from monitor.stream.dayfile import Damaged
from monitor.stream.hotbase import Row, State
from monitor.stream.kinds import DELIVERIES, ITEMS, KINDS, MATCHES, NOTES, Kind, Window

T = TypeVar("T", bound=msgspec.Struct)

BASE = "hot.sqlite"
PRIVATE = 0o700
LOAD = 10_000  # rows a transaction while a base is rebuilt


@dataclass(frozen=True, slots=True)
class Rolled:
    """
    What `Archive.roll` did.

    Attributes:
        written: Day files that were written, new or anew.
        aside: Day files found damaged, under the names they have now; what was
            intact in them is in the new file.  A person should look for a copy.
        missing: Day files that should be there and are not; late rows for them
            wait in the base until a copy is put back.
    """

    written: tuple[Path, ...] = ()
    aside: tuple[Path, ...] = ()
    missing: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Pruned:
    """
    What `Archive.prune` did.

    Attributes:
        rows: How many it removed from the base.
        kept: Why a day was not touched, one sentence each.
    """

    rows: int = 0
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """
    What `Archive.rebuild` did.

    Attributes:
        rows: How many the new base has; 0 if the old one was sound.
        aside: The damaged base, under the name it has now; None if there was none.
        damaged: Day files of which only the intact part could be read.
    """

    rows: int = 0
    aside: Path | None = None
    damaged: tuple[Path, ...] = ()


class Archive:
    """
    One folder of the archive, open for reading and writing.

    All methods block as long as the disk takes.  Any thread and process may call any
    at any time: writing goes through one connection under one lock, each reading has
    its own and sees the archive as it was when its first value was taken.

    Raises:
        Damaged: The base is no base any more; call `rebuild`, then open again.
        Unavailable: The folder cannot be used; the text says what to do.
    """

    def __init__(self, folder: Path, damage: Damaged | None = None) -> None:
        self.folder = folder
        self._base = folder / BASE
        _open_folder(folder)
        self._writer = damage or hotbase.connect(self._base)  # known: only to say so
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the base; readings that have begun may go on."""
        with self._lock:
            if isinstance(self._writer, sqlite3.Connection):
                self._writer.close()

    def give_up(self) -> None:
        """Close it for a rebuild: whoever stores into it is told that it is damaged."""
        with self._lock:
            self.close()
            self._writer = Damaged(self._base, "it is being rebuilt; open it again")

    def store(
        self,
        *,
        items: Iterable[Item] = (),
        matches: Iterable[Match] = (),
        deliveries: Iterable[Delivery] = (),
        notes: Iterable[Note] = (),
    ) -> int:
        """
        Keep these values, all or none, and return how many were new.

        They are on the disk when it returns: acknowledge them now, and not before.
        What is there already stays as it is.

        Raises:
            Transient: The disk is full; nothing was stored.
            Damaged: The base is no base any more; call `rebuild`.
            Unavailable: Somebody has to do what the text says.
        """
        rows = [
            *map(ITEMS.row, items),
            *map(MATCHES.row, matches),
            *map(DELIVERIES.row, deliveries),
            *map(NOTES.row, notes),
        ]
        if not rows:
            return 0
        with self._writing() as base:
            return _store(base, rows)

    def items(
        self, since: datetime, until: datetime, sources: Collection[str] | None = None
    ) -> Iterator[Item]:
        """
        Yield the items seen from *since* until before *until*, of all *sources* or
        of these: by `seen`, then source, then in the order they were stored.

        Raises:
            Damaged: What came before is right; a file or the base is not.
            Unavailable: Somebody has to do what the text says.
        """
        return self._read(ITEMS, since, until, sources)

    def matches(
        self, since: datetime, until: datetime, sources: Collection[str] | None = None
    ) -> Iterator[Match]:
        """Yield the matches whose item was seen then; as `items` does."""
        return self._read(MATCHES, since, until, sources)

    def deliveries(self, since: datetime, until: datetime) -> Iterator[Delivery]:
        """Yield the deliveries settled then, by `at`; as `items` does."""
        return self._read(DELIVERIES, since, until, None)

    def notes(
        self, since: datetime, until: datetime, sources: Collection[str] | None = None
    ) -> Iterator[Note]:
        """Yield the notes made then, by `at`; as `items` does."""
        return self._read(NOTES, since, until, sources)

    def roll(self, today: date) -> Rolled:
        """
        Write the files of all finished days with rows that are not in them yet.

        Each appears whole, on the disk, in one step; so it may be stopped anywhere
        and called again.

        Args:
            today: In UTC; it and later days are not finished.

        Raises:
            Transient: The disk is full, or files are being written elsewhere.
            Unavailable: Somebody has to do what the text says.
        """
        with _locked(self.folder), hotbase.speaking(self._base):
            for left in self.folder.glob("*.tmp*"):
                left.unlink()  # of a run that was stopped
            return _sum(self._write(kind, day, today) for kind, day in self._due(today))

    def mend(self, today: date) -> Rolled:
        """
        Read every day file through, and write those anew that are damaged.

        The new one has what the base still holds and what is intact in the old one,
        which is set aside: put a copy back, if any, and what it has more will be read.

        Raises:
            Transient: The disk is full, or files are being written elsewhere.
            Unavailable: Somebody has to do what the text says.
        """
        with _locked(self.folder), hotbase.speaking(self._base):
            return _sum(
                self._write(kind, day, today)
                for kind in KINDS.values()
                for day, path in sorted(kinds.filed(self.folder, kind))
                if not dayfile.is_whole(path)
            )

    def prune(self, before: date) -> Pruned:
        """
        Remove the rows of the days *before* from the base, once their files have
        been read through and found to hold them.

        Raises:
            Transient: Files are being written elsewhere.
            Unavailable: Somebody has to do what the text says.
        """
        removed, kept = 0, list[str]()
        with _locked(self.folder), hotbase.speaking(self._base):
            for kind, day, state in self._known(before):
                if state.is_pruned:
                    continue
                if why := self._doubt(kind, day, state):
                    kept.append(f"{kind.name} of {day}: {why}")
                    continue
                with self._writing() as base:
                    removed += hotbase.remove(base, kind.name, day, state)
        return Pruned(removed, tuple(kept))

    @classmethod
    def rebuild(cls, folder: Path, today: date, since: date = date.min) -> Rebuilt:
        """
        Make a new base out of the day files and of what a damaged one still gives.

        The damaged one is set aside, a sound one stays as it is.  Nobody may have the
        archive open meanwhile.

        Args:
            today: In UTC; for the name of what is set aside.
            since: The first day that is to be in the base again.

        Raises:
            Transient: The disk is full, or files are being written elsewhere.
            Unavailable: Somebody has to do what the text says.
        """
        base = folder / BASE
        _open_folder(folder)
        with _locked(folder), hotbase.speaking(base):
            if base.exists() and hotbase.is_sound(base):
                return Rebuilt()
            fresh = base.with_suffix(".new.tmp")
            fresh.unlink(missing_ok=True)
            with closing(hotbase.connect(fresh)) as target:
                damaged = tuple(_load_files(target, folder, since))
                _load(target, kinds.salvaged(base))
                rows = hotbase.settle(target)
            aside = hotbase.replace(base, fresh, today)
        return Rebuilt(rows, aside, damaged)

    def _read(
        self,
        kind: Kind[T],
        since: datetime,
        until: datetime,
        sources: Collection[str] | None,
    ) -> Iterator[T]:
        window = Window(
            hotbase.moment_of(since),
            hotbase.moment_of(until),
            None if sources is None else frozenset(sources),
        )
        with (
            hotbase.speaking(self._base),
            closing(hotbase.connect(self._base)) as base,
        ):
            base.execute("BEGIN")  # one view of the base, whatever is pruned meanwhile
            states = hotbase.states(base, kind.name)
            filed = (day for day, _ in kinds.filed(self.folder, kind))
            for day in sorted({*states, *filed}):
                if part := window.within(day):
                    for row in self._rows(base, kind, day, states.get(day), part):
                        yield from_json(row.body, kind.type)

    def _rows(
        self,
        base: sqlite3.Connection,
        kind: Kind[T],
        day: date,
        state: State | None,
        window: Window,
    ) -> Iterator[Row]:
        """Return the rows of one day: of the base, of the file, or of both."""
        path = self._path(kind, day)
        hot = hotbase.select(base, kind.name, *window.question())
        if state and hotbase.has_all_of(path, state):
            return hot
        filed = filter(window.holds, kinds.parsed(path, kind, dayfile.lines(path)))
        if state is None or state.is_pruned:
            return filed
        return kinds.merged(filed, hot, hotbase.keys(base, kind.name, day))

    def _due(self, today: date) -> list[tuple[Kind[Any], date]]:
        return [
            (kind, day)
            for kind, day, state in self._known(today)
            if state.filed != state.stored or not self._path(kind, day).exists()
        ]

    def _write(self, kind: Kind[Any], day: date, today: date) -> Rolled:
        path = self._path(kind, day)
        with closing(hotbase.connect(self._base)) as base:
            base.execute("BEGIN")  # rows that come meanwhile are for the next time
            state = hotbase.states(base, kind.name).get(day, State(0))
            rows = hotbase.select(base, kind.name, *hotbase.bounds(day), None)
            keys, aside = hotbase.keys(base, kind.name, day), None
            if path.exists() and (state.partial or dayfile.seal_of(path) != state.seal):
                filed, aside = kinds.trusted(path, kind, today)
                rows = kinds.merged(filed, rows, keys)
            elif state.partial:
                return Rolled(missing=(path,))
            seal = dayfile.write(path, (row.body for row in rows), aside)
        state = state._replace(partial=seal.lines > len(keys))
        with self._writing() as base:
            hotbase.mark_filed(base, kind.name, day, state, seal)
        return Rolled(written=(path,), aside=(aside,) if aside else ())

    def _doubt(self, kind: Kind[Any], day: date, state: State) -> str:
        """Return why the file of *day* may not stand for its rows, or nothing."""
        if state.filed != state.stored:
            return "rows wait to be written to its file"
        why = ""
        try:
            if dayfile.verify(self._path(kind, day)) != state.seal:
                why = "its file holds other rows than were written; it will be merged"
        except Damaged as damage:
            why = str(damage)
        if why:
            with self._writing() as base:
                hotbase.mark_doubtful(base, kind.name, day)
        return why

    def _known(self, before: date) -> list[tuple[Kind[Any], date, State]]:
        """Return what the base knows of all days *before*, oldest first."""
        with closing(hotbase.connect(self._base)) as base:
            return sorted(
                (
                    (kind, day, state)
                    for kind in KINDS.values()
                    for day, state in hotbase.states(base, kind.name).items()
                    if day < before
                ),
                key=lambda known: known[1],
            )

    def _path(self, kind: Kind[Any], day: date) -> Path:
        return kinds.path_of(self.folder, kind, day)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, hotbase.speaking(self._base):
            if isinstance(self._writer, Damaged):
                raise self._writer.with_traceback(None)
            with self._writer as base:
                base.execute("BEGIN IMMEDIATE")
                yield base


def _sum(results: Iterable[Rolled]) -> Rolled:
    parts = tuple(results)
    return Rolled(
        written=tuple(path for part in parts for path in part.written),
        aside=tuple(path for part in parts for path in part.aside),
        missing=tuple(path for part in parts for path in part.missing),
    )


def _open_folder(folder: Path) -> None:
    with hotbase.speaking(folder):
        folder.mkdir(PRIVATE, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o777 != PRIVATE:
            folder.chmod(PRIVATE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only one, of all threads and processes, who writes files."""
    with (
        hotbase.speaking(folder),
        open(folder / "lock", "wb", opener=dayfile.private) as lock,
    ):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Transient(f"{folder}: files are being written elsewhere") from error
        yield


def _store(base: sqlite3.Connection, rows: Iterable[Row]) -> int:
    days = defaultdict[tuple[str, date], list[Row]](list)
    for row in rows:
        days[row.kind, hotbase.day_of(row.moment)].append(row)
    return sum(
        hotbase.store(base, kind, day, part) for (kind, day), part in days.items()
    )


def _load_files(base: sqlite3.Connection, folder: Path, since: date) -> Iterator[Path]:
    """Put the day files into a new *base*; yield those that are not whole."""
    for kind in KINDS.values():
        for day, path in sorted(kinds.filed(folder, kind)):
            if day < since:
                continue
            rows, aside = kinds.trusted(path, kind, day)
            _load(base, rows)
            seal, state = dayfile.seal_of(path), hotbase.states(base, kind.name)
            if aside:
                yield path
            elif seal and day in state:
                with base:
                    hotbase.mark_filed(base, kind.name, day, state[day], seal)


def _load(base: sqlite3.Connection, rows: Iterator[Row]) -> None:
    while part := list(islice(rows, LOAD)):
        with base:
            base.execute("BEGIN")
            _store(base, part)
