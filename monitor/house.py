"""
What has to be done by the calendar, so that the program runs for years.

Finished days of the archive are written, what is long past leaves the hot base, and
the stream forgets what every group has done with.  Called by `daemon`, which has the
calendar; nothing here waits.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

from monitor import log
from monitor.clock import Clock
from monitor.errors import Transient, Unavailable
from monitor.stream import Stream
from monitor.stream.archive import Archive
from monitor.stream.dayfile import Damaged
from monitor.waiting import within

T = TypeVar("T")

HOT = timedelta(days=90)  # how long the archive is searched without its day files
PATIENCE = timedelta(seconds=5)  # with a rebuild, before a turn ends in vain
MISSING = "somebody removed them, so they may not have been told: see who has `xadd`"
SEEN = timedelta(days=30)  # for so long a source may hide a post and show it again


class House:
    """
    The archive of this machine, and the upkeep of it and of the stream.

    Attributes:
        archive: Open until `close`.
    """

    def __init__(self, folder: Path, stream: Stream, clock: Clock) -> None:
        """Open the archive in *folder*; a damaged one waits to be mended."""
        self._folder, self._stream, self._clock = folder, stream, clock
        self._log = log.get("house")
        self._mending: asyncio.Task[Archive] | None = None
        self.archive = self._open()

    def close(self) -> None:
        """Let go of the archive; a rebuild that is not done begins anew next time."""
        self.archive.close()
        if self._mending and not self._mending.cancel():
            with suppress(Transient, Unavailable):  # it failed, and that was told
                self._mending.result().close()

    async def mend(self, damaged: Archive) -> None:
        """
        Rebuild the archive if the one in use is still the *damaged* one.

        It takes minutes where the archive is large.  They are not waited for: nobody
        but the archive needs it, and a stage that answers nobody looks like a dead one.

        Raises:
            Transient: It is not done yet, or has to be tried again: what is to be
                stored waits in its stream.
            Unavailable: Somebody has to do what the text says.
        """
        if self.archive is not damaged:
            return
        if self._mending is None:
            damaged.give_up()
            self._mending = asyncio.create_task(_aside(self._rebuild))
        mending = self._mending
        if await within(self._clock, PATIENCE, [mending]):
            raise Transient("the archive is being rebuilt; what it is to keep waits")
        if self._mending is mending:
            self._mending = None
            self.archive = mending.result()

    def _open(self) -> Archive:
        try:
            return Archive(self._folder)
        except Damaged as damage:
            self._log.error("archive_damaged", why=str(damage))
            return Archive(self._folder, damage)

    def _rebuild(self) -> Archive:
        today = self._clock.now().date()
        rebuilt = Archive.rebuild(self._folder, today, since=today - HOT)
        aside = str(rebuilt.aside or "")
        self._log.warning("archive_rebuilt", rows=rebuilt.rows, aside=aside)
        return Archive(self._folder)

    async def trim(self) -> None:
        """
        Remove from the stream what is done with; if Redis is away, another time.

        Entries that are gone by another hand are told of: they may not have been told.
        """
        with suppress(Transient):
            before = await self._stream.database.missing()
            await self._stream.trim()
            now = await self._stream.database.missing()
            gone = {name: n - before.get(name, 0) for name, n in now.items()}
            for name in sorted(name for name, n in gone.items() if n > 0):
                self._log.error("entries_missing", queue=name, entries=gone[name],
                                why=MISSING)  # fmt: skip

    async def keep(self, sources: Iterable[str]) -> None:
        """Write the finished days, and forget what is long past; once a day."""
        today = self._clock.now().date()
        try:
            for source in sources:
                await self._stream.forget(source, SEEN)
            await self._file(today)
        except (Transient, Unavailable) as failure:  # nothing is lost by tomorrow
            self._log.error("house_not_kept", why=str(failure))

    async def _file(self, today: date) -> None:
        if self._mending:
            await self.mend(self.archive)
        archive = self.archive
        try:
            rolled = await asyncio.to_thread(archive.roll, today)
            pruned = await asyncio.to_thread(archive.prune, today - HOT)
        except Damaged:
            await self.mend(archive)
            raise
        doubts = [*rolled.aside, *rolled.missing, *pruned.kept]
        if doubts:
            self._log.error("archive_doubtful", what=[str(doubt) for doubt in doubts])
        self._log.info("days_written", files=len(rolled.written), pruned=pruned.rows)


async def _aside(work: Callable[[], T]) -> T:
    """
    Return what *work* returns, done in a thread that the program's end does not await.

    Raises:
        Transient: It failed by a bug, which Python has printed.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    outcome: list[T | Transient | Unavailable] = []

    def run() -> None:
        try:
            outcome.append(work())
        except (Transient, Unavailable) as failure:
            outcome.append(failure)
        finally:
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, daemon=True).start()
    await done.wait()
    if not outcome:
        raise Transient("the archive was not rebuilt: see the log")
    if isinstance(outcome[0], Transient | Unavailable):
        raise outcome[0]
    return outcome[0]
