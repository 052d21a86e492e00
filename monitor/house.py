"""
What has to be done by the calendar, so that the program runs for years.

Finished days of the archive are written, what is long past leaves the hot base, and
the stream forgets what every group has done with.  Called by `daemon`, which has the
calendar; nothing here waits.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from monitor import log
from monitor.clock import Clock
from monitor.errors import Transient, Unavailable
from monitor.stream import Stream
from monitor.stream.archive import Archive
from monitor.stream.dayfile import Damaged

HOT = timedelta(days=90)  # how long the archive is searched without its day files
SEEN = timedelta(days=30)  # for so long a source may hide a post and show it again


class House:
    """
    The archive of this machine, and the upkeep of it and of the stream.

    Attributes:
        archive: Open until `close`.
    """

    def __init__(self, folder: Path, stream: Stream, clock: Clock) -> None:
        """Open the archive in *folder*; a damaged one is rebuilt from its files."""
        self._folder, self._stream, self._clock = folder, stream, clock
        self._log = log.get("house")
        self._mending = asyncio.Lock()
        self.archive = self._open()

    def close(self) -> None:
        """Let go of the archive."""
        self.archive.close()

    async def mend(self, damaged: Archive) -> None:
        """Rebuild the archive if the one in use is still the *damaged* one."""
        async with self._mending:
            if self.archive is damaged:
                damaged.close()
                self.archive = await asyncio.to_thread(self._rebuild)

    def _open(self) -> Archive:
        try:
            return Archive(self._folder)
        except Damaged as damage:
            self._log.error("archive_damaged", why=str(damage))
            return self._rebuild()

    def _rebuild(self) -> Archive:
        today = self._clock.now().date()
        rebuilt = Archive.rebuild(self._folder, today, since=today - HOT)
        aside = str(rebuilt.aside or "")
        self._log.warning("archive_rebuilt", rows=rebuilt.rows, aside=aside)
        return Archive(self._folder)

    async def trim(self) -> None:
        """Remove from the stream what is done with; if Redis is away, another time."""
        with suppress(Transient):
            await self._stream.trim()

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
        rolled = await asyncio.to_thread(self.archive.roll, today)
        pruned = await asyncio.to_thread(self.archive.prune, today - HOT)
        doubts = [*rolled.aside, *rolled.missing, *pruned.kept]
        if doubts:
            self._log.error("archive_doubtful", what=[str(doubt) for doubt in doubts])
        self._log.info("days_written", files=len(rolled.written), pruned=pruned.rows)
