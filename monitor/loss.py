"""
When Redis lost what it knew, by a flush, a replacement or an old backup put back.

The state folder remembers which database we worked on, how far it was counted there
and when each source was last read.  So a loss is noticed, and each source is caught up
with from where it was, instead of its present being taken for the past.
"""

import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar
from uuid import uuid4

import msgspec

from monitor import log
from monitor.clock import Clock
from monitor.item import OURSELVES
from monitor.stream import Pulse, Stream

LOOK = timedelta(seconds=2)  # between two looks at the database
# So many counts, 6 s, may go with the last second of a server whose power was cut: the
# sources are simply read again.
SLACK = 3
KNOWN = "known"  # its file
OLDER = (
    "an old state of it was put back: each source is read again from there, and what "
    "was told since is told once more, as late"
)

ANOTHER = (
    "it was flushed or replaced, or is the wrong one: each source is caught up with"
    " since its last read, as late; what waited to be sent is gone"
)
OURS = f"{OURSELVES}/"  # nobody publishes there: there is nothing to catch up with

T = TypeVar("T")


class Known(msgspec.Struct, frozen=True):
    """What the state folder remembers of the database."""

    epoch: str
    count: int
    reads: dict[str, datetime]


class Loss(msgspec.Struct, frozen=True):
    """
    What Redis lost.

    Attributes:
        kind: `another` database: flushed, replaced, or the wrong one; or an `older`
            state of the same one, as a backup holds it.
        since: When a source was last read before it; None if none was.
    """

    kind: Literal["another", "older"]
    since: datetime | None = None


def known_of(state: Path) -> Known | None:
    """Return what the folder *state* remembers, if it does."""
    return _read(state / KNOWN, Known)


def lost(known: Known, now: Pulse) -> Loss | None:
    """Return what was lost between what is *known* and what is there *now*."""
    since = max(known.reads.values(), default=None)
    if now.epoch != known.epoch:
        return Loss("another", since)
    if now.count < known.count - SLACK:
        return Loss("older", since)
    return None


class Memory:
    """
    What is remembered beside Redis, and which sources have to be caught up with.

    One process uses it, the one that collects.

    Attributes:
        loss: The last one that was noticed, in this process's life.
    """

    def __init__(self, stream: Stream, state: Path, clock: Clock) -> None:
        """Remember in the folder *state* what is in the database of *stream*."""
        self.loss: Loss | None = None
        self._stream, self._clock = stream, clock
        self._known_file, self._marks_file = state / KNOWN, state / "marks"
        self._known = known_of(state)
        self._marks = _read(self._marks_file, dict[str, datetime]) or {}
        self._next = 0.0
        self._log = log.get("daemon")

    @property
    def behind(self) -> frozenset[str]:
        """The sources that were not caught up with yet."""
        return frozenset(self._marks)

    async def look(self, *, count: bool = False) -> None:
        """
        Compare the database with what is remembered, and remember it as it is now.

        Args:
            count: We work on it: count on.

        Raises:
            Away: It cannot be asked.
        """
        if self._clock.monotonic() < self._next:
            return
        now = await self._stream.database.pulse(count=count)
        self._next = self._clock.monotonic() + LOOK.total_seconds()
        loss = lost(self._known, now) if self._known else None
        if self._known and loss:
            self.loss = loss
            reads = self._known.reads.items()
            theirs = {name: at for name, at in reads if not name.startswith(OURS)}
            self._marks = theirs | self._marks
            self._keep_marks()
            if loss.kind == "older":
                self._log.error("redis_is_older", why=OLDER)
        self._known = Known(now.epoch, now.count, dict(now.reads))
        with suppress(OSError):  # such as a full disk: the next look tries again
            _write(self._known_file, self._known)

    def told(self) -> dict[str, str]:
        """Return what operators are to be told of the last loss, by its own key."""
        if self.loss is None or self._known is None:
            return {}
        kind, since = self.loss.kind, self.loss.since
        what = "Redis is another one" if kind == "another" else "Redis is an older one"
        why = ANOTHER if kind == "another" else OLDER
        when = f"{since:%Y-%m-%dT%H:%M:%S}" if since else "never read"
        return {f"{kind}:{self._known.epoch}:{when}": f"{what}: {why}."}

    def mark(self, source: str) -> datetime | None:
        """Return since when *source* is to be caught up with, if it is."""
        return self._marks.get(source)

    def known(self, source: str) -> datetime | None:
        """Return when we remember *source* to have been read last."""
        return self._known.reads.get(source) if self._known else None

    def caught_up(self, source: str) -> None:
        """Catch up with *source* no more: it was read to its end."""
        if self._marks.pop(source, None):
            self._keep_marks()

    def _keep_marks(self) -> None:
        with suppress(OSError):
            if self._marks:
                _write(self._marks_file, self._marks, surely=True)
            else:
                self._marks_file.unlink(missing_ok=True)


def _read(file: Path, kind: type[T]) -> T | None:
    """Return what *file* holds; None if there is none, or it was cut off."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(file: Path, value: object, *, surely: bool = False) -> None:
    """Replace *file* as a whole, and let it survive a power cut if it *surely* must."""
    fresh = file.with_name(f"{file.name}.{uuid4().hex}")
    try:
        with fresh.open("wb") as out:
            out.write(msgspec.json.encode(value))
            if surely:
                out.flush()
                os.fsync(out.fileno())
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
