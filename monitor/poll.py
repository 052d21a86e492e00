"""
Every source, read when its turn has come.

Each read is a task of its own: a slow or hostile source delays no other, and the
web's pace for a host is waited out by those who want something of that host.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from monitor import log, pipeline
from monitor.clock import Clock
from monitor.collect import Source
from monitor.collect.schedule import Schedule, first_wait
from monitor.errors import Away, Failure, Gone, Transient
from monitor.pipeline import Brought
from monitor.stream import Stream
from monitor.waiting import unless
from monitor.web import Web

LONGEST_NAP = 1.0  # seconds; then the lease is renewed
SHORTEST_NAP = 0.001  # seconds; a clock of microseconds never gets over less
LONGEST_READ = 600.0  # seconds; 250 pages of a channel take some five minutes


async def always() -> str:
    """Have room for more, always."""
    return ""


class Marks(Protocol):
    """Where to go on if Redis lost how far the sources were read; see `loss.Memory`."""

    async def look(self, *, count: bool = False) -> None:
        """See whether it did."""

    def mark(self, source: str) -> datetime | None:
        """Return since when *source* is to be caught up with, if it is."""

    def known(self, source: str) -> datetime | None:
        """Return when we remember *source* to have been read last."""

    def caught_up(self, source: str) -> None:
        """Catch up with *source* no more."""


class Poller:
    """Reads the sources it was given, each in its rhythm."""

    def __init__(
        self,
        stream: Stream,
        web: Web,
        clock: Clock,
        *,
        intake: Callable[[], Awaitable[str]] = always,
        marks: Marks | None = None,
    ) -> None:
        """
        Read into *stream*.

        Args:
            intake: Asked before reads are begun: why there is no room for more, or
                nothing.
            marks: Where to go on after a loss; without, a source that Redis does not
                know begins with its present.
        """
        self._stream, self._web, self._clock = stream, web, clock
        self._intake, self._marks = intake, marks
        self._log = log.get("collect")
        self._schedule = Schedule()
        self._sources: dict[str, Source] = {}
        self._reads: dict[str, asyncio.Task[None]] = {}
        self._began: dict[str, float] = {}  # reads, and when, until they are told of
        self._away = False
        self._full = ""  # why no read is begun
        self._planned = asyncio.Event()

    def replace(self, sources: Iterable[Source]) -> None:
        """
        Read *sources* from now on; those equal to before go on undisturbed.

        One that was given up is tried again: somebody may have mended it.
        """
        wanted = {source.origin.source: source for source in sources}
        now = self._clock.monotonic()
        for name in self._sources.keys() - wanted.keys():
            self._schedule.drop(name)
            self._cancel(name)
        for name, source in wanted.items():
            if self._sources.get(name) != source:
                self._cancel(name)
                self._schedule.drop(name)
            if self._schedule.planned(name) is None and name not in self._reads:
                self._schedule.add(name, now + first_wait(name, source.every))
        self._sources = wanted
        self._planned.set()

    @property
    def reading(self) -> frozenset[str]:
        """The names of the sources that are being read now."""
        return frozenset(self._reads)

    def wait(self) -> float:
        """Return after how many seconds the next turn is to come."""
        due = self._schedule.next()
        if due is None or self._full:
            return LONGEST_NAP
        return min(max(due - self._clock.monotonic(), 0.0), LONGEST_NAP)

    async def rest(self) -> None:
        """
        Wait until a source is due or something is planned anew, and see whether there
        is room for more.

        Raises:
            Away: Redis does not say.
        """
        self._planned.clear()
        nap = timedelta(seconds=max(self.wait(), SHORTEST_NAP))
        await unless(self._planned, self._clock.sleep(nap))
        if self._marks:
            await self._marks.look(count=True)
        full = await self._intake()
        if full and not self._full:
            self._away = False  # that is why reads failed
            self._log.error("intake_stopped", why=full)
        elif self._full and not full:
            self._log.info("intake_goes_on")
        self._full = full

    def turn(self) -> list[str]:
        """Begin to read the sources that are due, and return their names."""
        now = self._clock.monotonic()
        names = [] if self._full else self._schedule.due(now)
        for name in names:
            self._reads[name] = asyncio.create_task(self._read(self._sources[name]))
            self._began[name] = now
        for name, began in list(self._began.items()):
            if began < now - LONGEST_READ:
                del self._began[name]
                self._log.error("source_hangs", source=name, seconds=now - began)
        return names

    async def pause(self) -> None:
        """End every read; what it had not accepted yet is read in the next turn."""
        reads, now = dict(self._reads), self._clock.monotonic()
        for name in reads:
            self._cancel(name)
            self._schedule.add(name, now)
        await asyncio.gather(*reads.values(), return_exceptions=True)

    def _cancel(self, name: str) -> None:
        self._began.pop(name, None)
        read = self._reads.pop(name, None)
        if read:
            read.cancel()

    async def _read(self, source: Source) -> None:
        """Read one source, and plan when it is read next."""
        name = source.origin.source
        try:
            brought = await self._collected(source)
        except Away as failure:
            self._put_off(name, failure)
        except Gone as failure:
            self._log.error("source_gone", source=name, why=str(failure))
        except Failure as failure:
            self._failed(source, failure)
        except Exception as error:  # noqa: BLE001 - the seam: a bug in one source stops no other
            self._failed(source, error)
        else:
            self._succeeded(source, brought)
        finally:
            self._planned.set()
            if self._reads.get(name) is asyncio.current_task():
                del self._reads[name]
                self._began.pop(name, None)

    async def _collected(self, source: Source) -> Brought:
        name, marks = source.origin.source, self._marks
        brought = await pipeline.collect(
            source,
            self._stream,
            self._web,
            self._clock,
            mark=marks.mark(name) if marks else None,
            known=marks.known(name) if marks else None,
        )
        if marks:
            marks.caught_up(name)
        return brought

    def _succeeded(self, source: Source, brought: Brought) -> None:
        name, now = source.origin.source, self._clock.monotonic()
        failures = self._schedule.succeeded(name, now, source.every)
        if failures:
            self._log.info("source_recovered", source=name, failures=failures)
        if self._away:
            self._away = False
            self._log.info("intake_goes_on")
        if brought.gap:
            self._log.warning("posts_may_be_missing", source=name)
        accepted = brought.accepted
        counts = {"new": accepted.new, "edited": accepted.edited}
        changes = counts | {"deleted": accepted.deleted}
        if any(changes.values()):
            self._log.info("items_accepted", source=name, **changes)

    def _put_off(self, name: str, failure: Away) -> None:
        """Plan another try: it is not the source's fault that Redis takes nothing."""
        self._schedule.put_off(name, self._clock.monotonic())
        if not self._away:
            self._away = True
            self._log.warning("intake_waits", why=str(failure))

    def _failed(self, source: Source, error: Exception) -> None:
        """Plan another try, and tell of the first failure of a row."""
        name, now = source.origin.source, self._clock.monotonic()
        after = error.retry_after if isinstance(error, Transient) else None
        if self._schedule.failed(name, now, source.every, after) > 1:
            return
        again = round((self._schedule.planned(name) or now) - now, 1)
        if isinstance(error, Failure):
            self._log.warning(
                "source_failed", source=name, why=str(error), again_in=again
            )
        else:
            self._log.error("source_broke", source=name, again_in=again, exc_info=error)
