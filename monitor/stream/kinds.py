"""
What the archive keeps: four kinds of values, as rows of its base and its files.

A row carries the value's JSON as it was first written.  It is never written anew
from a value read back, so that no later version of the program can change it.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import msgspec

from monitor.item import Delivery, Item, Match, Note, from_json, to_json
from monitor.stream import dayfile, hotbase
from monitor.stream.dayfile import Damaged
from monitor.stream.hotbase import Row

T = TypeVar("T", bound=msgspec.Struct)

SUFFIX = ".ndjson.zst"
DIGEST = 12  # bytes: enough to tell apart what happened in one microsecond


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """
    One kind of value that is kept.

    Attributes:
        name: Begins the names of its day files.
        place: Returns when a value happened, and who published it.
    """

    name: str
    type: type[T]
    place: Callable[[T], tuple[datetime, str]]

    def row(self, value: T) -> Row:
        """Return *value* as it is stored."""
        return self._row(value, to_json(value))

    def parse(self, body: bytes) -> Row:
        """
        Return the row whose body this is.

        Raises:
            msgspec.DecodeError: It is no value of this kind.
        """
        return self._row(from_json(body, self.type), body)

    def _row(self, value: T, body: bytes) -> Row:
        time, source = self.place(value)
        moment = hotbase.moment_of(time)
        return Row(self.name, moment, source, _key(moment, body), body)


def _key(moment: int, body: bytes) -> str:
    """
    Return what only the same value has that is met again.

    Not its source, id and version: those come again for another value when Redis was
    flushed, or a post was forgotten and returns.  By the moment first, as new rows
    then go to the end of the index.
    """
    return f"{moment:x}-{blake2b(body, digest_size=DIGEST).hexdigest()}"


def _of_item(item: Item) -> tuple[datetime, str]:
    return item.seen, item.source


def _of_match(match: Match) -> tuple[datetime, str]:
    return _of_item(match.item)


def _of_delivery(delivery: Delivery) -> tuple[datetime, str]:
    return delivery.at, ""


def _of_note(note: Note) -> tuple[datetime, str]:
    return note.at, note.source


ITEMS = Kind("items", Item, _of_item)
MATCHES = Kind("matches", Match, _of_match)
DELIVERIES = Kind("deliveries", Delivery, _of_delivery)
NOTES = Kind("notes", Note, _of_note)
KINDS: dict[str, Kind[Any]] = {
    kind.name: kind for kind in (ITEMS, MATCHES, DELIVERIES, NOTES)
}


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows a reader wants: moments from `start` until before `end`."""

    start: int
    end: int
    sources: frozenset[str] | None = None

    def within(self, day: date) -> Self | None:
        """Return the part of it that falls into *day*, if there is one."""
        first, after = hotbase.bounds(day)
        start, end = max(self.start, first), min(self.end, after)
        return type(self)(start, end, self.sources) if start < end else None

    def holds(self, row: Row) -> bool:
        """Tell whether *row* is wanted."""
        return self.start <= row.moment < self.end and (
            self.sources is None or row.source in self.sources
        )

    def question(self) -> tuple[int, int, str | None]:
        """Return it as `hotbase.select` wants it."""
        names = None if self.sources is None else json.dumps(sorted(self.sources))
        return self.start, self.end, names


def path_of(folder: Path, kind: Kind[Any], day: date) -> Path:
    """Return where the file of *day* is, or will be."""
    return folder / f"{kind.name}-{day}{SUFFIX}"


def filed(folder: Path, kind: Kind[Any]) -> Iterator[tuple[date, Path]]:
    """Yield the days that have a file, and the file."""
    for path in folder.glob(f"{kind.name}-*{SUFFIX}"):
        with suppress(ValueError):  # a copy that somebody named otherwise
            name = path.name.removeprefix(f"{kind.name}-").removesuffix(SUFFIX)
            yield date.fromisoformat(name), path


def merged(
    filed: Iterable[Row], hot: Iterable[Row], doubtful: set[str]
) -> Iterator[Row]:
    """Yield the rows of both in order; of two with a *doubtful* key, the first."""
    given = set[str]()
    for row in heapq.merge(filed, hot, key=lambda row: (row.moment, row.source)):
        if row.key in doubtful:
            if row.key in given:
                continue
            given.add(row.key)
        yield row


def parsed(path: Path, kind: Kind[Any], lines: Iterable[bytes]) -> Iterator[Row]:
    """
    Yield the rows that these *lines* of *path* hold.

    Raises:
        Damaged: One of them holds none.
    """
    for number, line in enumerate(lines, 1):
        try:
            row = kind.parse(line)
        except msgspec.DecodeError as error:
            raise Damaged(path, f"line {number}: {error}") from error
        yield row


def trusted(
    path: Path, kind: Kind[Any], today: date
) -> tuple[Iterator[Row], Path | None]:
    """Return what is intact in *path*, and where it has to go if that is not all."""
    if dayfile.is_whole(path):
        return parsed(path, kind, dayfile.lines(path)), None
    return parsed(path, kind, dayfile.salvage(path)), dayfile.aside(path, today)


def salvaged(path: Path) -> Iterator[Row]:
    """Yield the rows that a damaged base still gives; some may come twice."""
    if not path.exists():
        return
    with closing(hotbase.connect_reading(path)) as base:
        for name, body in hotbase.salvage(base):
            with suppress(msgspec.DecodeError, KeyError):
                yield KINDS[name].parse(body)
