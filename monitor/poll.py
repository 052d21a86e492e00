"""
Every source, read when its turn has come.

Each read is a task of its own: a slow or hostile source delays no other, and the
web's pace for a host is waited out by those who want something of that host.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from monitor import log, pipeline
from monitor.clock import Clock
from monitor.collect import Source
from monitor.collect.schedule import Schedule, first_wait
from monitor.errors import Away, Failure, Gone, Transient
from monitor.stream import Accepted, Stream
from monitor.web import Web

LONGEST_NAP = 1.0  # seconds; a reload or a stop is noticed after it


class Poller:
    """Reads the sources it was given, each in its rhythm."""

    def __init__(self, stream: Stream, web: Web, clock: Clock) -> None:
        self._stream, self._web, self._clock = stream, web, clock
        self._log = log.get("collect")
        self._schedule = Schedule()
        self._sources: dict[str, Source] = {}
        self._reads: dict[str, asyncio.Task[None]] = {}

    def replace(self, sources: Iterable[Source]) -> None:
        """Read *sources* from now on; those equal to before go on undisturbed."""
        wanted = {source.origin.source: source for source in sources}
        now = self._clock.monotonic()
        for name in self._sources.keys() - wanted.keys():
            self._schedule.drop(name)
            self._cancel(name)
        for name, source in wanted.items():
            if self._sources.get(name) != source:
                self._cancel(name)
                self._schedule.drop(name)
                self._schedule.add(name, now + first_wait(name, source.every))
        self._sources = wanted

    async def turn(self) -> int:
        """Wait until a source is due, and begin to read those that are."""
        now = self._clock.monotonic()
        due = self._schedule.next()
        nap = LONGEST_NAP if due is None else min(max(due - now, 0.0), LONGEST_NAP)
        if nap:
            await self._clock.sleep(timedelta(seconds=nap))
        names = self._schedule.due(self._clock.monotonic())
        for name in names:
            self._reads[name] = asyncio.create_task(self._read(self._sources[name]))
        return len(names)

    async def stop(self) -> None:
        """End every read; what it had not accepted yet is read again next time."""
        reads = list(self._reads.values())
        for name in list(self._reads):
            self._cancel(name)
        await asyncio.gather(*reads, return_exceptions=True)

    def _cancel(self, name: str) -> None:
        read = self._reads.pop(name, None)
        if read:
            read.cancel()

    async def _read(self, source: Source) -> None:
        """Read one source, and plan when it is read next."""
        name = source.origin.source
        try:
            accepted = await pipeline.collect(source, self._stream, self._web)
        except Away:  # not the source's fault, and the daemon tells of it
            self._schedule.add(name, self._clock.monotonic() + LONGEST_NAP)
        except Gone as failure:
            self._log.error("source_gone", source=name, why=str(failure))
        except Failure as failure:
            self._failed(source, failure)
        except Exception as error:  # noqa: BLE001 - the seam: a bug in one source stops no other
            self._log.exception("source_broke", source=name)
            self._failed(source, error)
        else:
            now = self._clock.monotonic()
            failures = self._schedule.succeeded(name, now, source.every)
            if failures:
                self._log.info("source_recovered", source=name, failures=failures)
            self._tell(name, accepted)
        finally:
            if self._reads.get(name) is asyncio.current_task():
                del self._reads[name]

    def _tell(self, name: str, accepted: Accepted) -> None:
        counts = {"new": accepted.new, "edited": accepted.edited}
        changes = counts | {"deleted": accepted.deleted}
        if any(changes.values()):
            self._log.info("items_accepted", source=name, **changes)

    def _failed(self, source: Source, error: Exception) -> None:
        """Plan another try, and tell of the first failure of a row."""
        name, now = source.origin.source, self._clock.monotonic()
        after = error.retry_after if isinstance(error, Transient) else None
        if self._schedule.failed(name, now, source.every, after) == 1:
            self._log.warning("source_failed", source=name, why=str(error))
