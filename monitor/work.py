"""
The stages of one process, built from the parts it is handed, and turned to the end.

Everything that touches the world comes from outside: settings with their sources and
sinks, the stream, the web, the clock, the archive.  `daemon` hands over real ones; a
simulation hands over its own, and turns the very same stages.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec

from monitor import log, pipeline
from monitor.alert.policy import Subscribers
from monitor.clock import Clock
from monitor.config import Settings
from monitor.deliver import SENDING, STALE_AFTER, Courier, Lane
from monitor.errors import Transient
from monitor.health import Health
from monitor.house import House
from monitor.item import Item, Match, Origin
from monitor.poll import Marks, Poller, always
from monitor.stage import Lease, Stage, Stages
from monitor.stream import ITEMS, MATCHES, QUEUES, Entry, Reader, Stream, outbox
from monitor.stream.dayfile import Damaged
from monitor.waiting import unless, within
from monitor.web import Web

T = TypeVar("T", bound=msgspec.Struct)

DRAIN = timedelta(seconds=8)  # SIGKILL follows SIGTERM after ten, or so people expect
BLOCK = timedelta(seconds=2)
PORTION = 64  # items judged at a stretch: some 25 ms in which nothing else happens


class Work:
    """
    The stages of the roles of one process.

    Attributes:
        health: Which of them got somewhere of late.
    """

    def __init__(  # noqa: PLR0913 - the world it works in
        self,
        settings: Settings,
        stream: Stream,
        web: Web,
        clock: Clock,
        stopping: asyncio.Event,
        *,
        intake: Callable[[], Awaitable[str]] = always,
        marks: Marks | None = None,
        block: timedelta = BLOCK,
    ) -> None:
        """
        Prepare for *settings*; nothing is begun yet.

        Args:
            stopping: Once it is set, `turn` finishes what is in flight, and ends.
            intake: Says why nothing more may be read now, or nothing.
            marks: Where to go on after Redis lost how far the sources were read.
            block: How long a stage waits at a time for something to do; a lost
                connection shows some seconds after it.
        """
        self.health = Health(clock)
        self._stopping = stopping
        self._settings = settings
        self._subscribers = _people(settings)
        self._origins: Mapping[str, Origin] = settings.origins
        self._stream, self._web, self._clock = stream, web, clock
        self._intake, self._marks, self._block = intake, marks, block
        self._log = log.get("daemon")
        self._poller: Poller | None = None
        self._couriers: list[Courier] = []

    def take_up(self, settings: Settings) -> None:
        """Work by other settings from now on; the sinks are those of before."""
        self._settings = settings
        self._subscribers = _people(settings)
        self._origins = settings.origins
        if self._poller:
            self._poller.replace(settings.sources)
        for courier in self._couriers:
            self._introduce(courier)

    async def turn(
        self,
        roles: Sequence[str],
        house: House | None = None,
        ready: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Turn the stages of *roles* until told to stop, then give them time to finish.

        Args:
            house: Where what flows is archived; needed for the role ``archive``.
            ready: Called when the stages have begun.
        """
        stages = [*self._stages(roles, house)]
        turning = Stages(self._clock, self.health, self._stopping)
        try:
            async with asyncio.TaskGroup() as group:
                if self._couriers:
                    await self._tell_of_orphans()
                loops = [group.create_task(turning.run(stage)) for stage in stages]
                ready()
                await self._stopping.wait()
                drains = [group.create_task(one.stop()) for one in self._couriers]
                for late in await within(self._clock, DRAIN, [*loops, *drains]):
                    late.cancel()
        finally:
            if self._poller:
                await self._poller.pause()

    def _stages(self, roles: Sequence[str], house: House | None) -> Iterator[Stage]:
        if "collect" in roles:
            yield self._collecting()
        if "filter" in roles:
            yield self._filtering()
        if "alert" in roles:
            yield self._alerting()
        if "deliver" in roles:
            yield from self._delivering()
        if "archive" in roles and house:
            yield from self._archiving(house)

    def _collecting(self) -> Stage:
        stream, web, clock = self._stream, self._web, self._clock
        poller = self._poller = Poller(
            stream, web, clock, intake=self._intake, marks=self._marks
        )
        poller.replace(self._settings.sources)

        async def turn() -> None:
            await unless(self._stopping, poller.rest())
            poller.turn()

        return Stage(turn, Lease("collect", stream, clock), lose=poller.pause)

    def _filtering(self) -> Stage:
        async def judge(entries: Sequence[Entry[Item]]) -> None:
            filter_, origins = self._settings.filter, self._origins
            await pipeline.judge(entries, filter_, origins, self._stream, self._clock)

        return self._reading("filter", self._stream.reader(ITEMS, "filter"), judge)

    def _alerting(self) -> Stage:
        async def address(entries: Sequence[Entry[Match]]) -> None:
            subscribers, origins = self._subscribers, self._origins
            await pipeline.address(
                entries, subscribers, origins, self._stream, self._clock
            )

        return self._reading("alert", self._stream.reader(MATCHES, "alert"), address)

    def _delivering(self) -> Iterator[Stage]:
        for sink in self._settings.sinks:
            reader = self._stream.reader(outbox(sink.name), "deliver")
            name = f"deliver:{sink.name}"
            lease = Lease(name, self._stream, self._clock, tail=SENDING)
            lane = Lane(partial(self._next, reader), name, lease.held)
            courier = Courier(sink, lane, self._stream, self._web, self._clock)
            self._introduce(courier)
            self._couriers.append(courier)
            yield Stage(
                courier.turn, lease, reader.begin, courier.lose, end=courier.stop
            )

    async def _tell_of_orphans(self) -> None:
        """Tell of what waits for a sink that is no more, or has another name now."""
        ours = {outbox(sink.name).name for sink in self._settings.sinks}
        try:
            depths = await self._stream.depths()
        except Transient:  # the stages tell of it
            return
        for depth in depths:
            waits = depth.queue.startswith("outbox:") and depth.length
            if waits and depth.queue not in ours:
                self._log.error("outbox_without_sink", outbox=depth.queue,
                                alerts=depth.length)  # fmt: skip

    def _archiving(self, house: House) -> Iterator[Stage]:
        async def keep(entries: Sequence[Entry[Any]]) -> None:
            archive = house.archive
            try:
                await pipeline.keep(entries, archive, self._stream)
            except Damaged:
                await house.mend(archive)
                raise

        for queue in QUEUES:
            reader = self._stream.reader(queue, "archive")
            yield self._reading(f"archive:{queue.name}", reader, keep)

    def _reading(
        self,
        name: str,
        reader: Reader[T],
        work: Callable[[Sequence[Entry[T]]], Awaitable[None]],
    ) -> Stage:
        """Return the stage that works on what its reader brings."""

        async def turn() -> None:
            entries = await self._next(reader)
            if entries:
                await work(entries)

        return Stage(turn, Lease(name, self._stream, self._clock), reader.begin)

    async def _next(
        self, reader: Reader[T], count: int = PORTION
    ) -> Sequence[Entry[T]]:
        """
        Take entries, unless the program is told to stop before there are any.

        If some that were taken before are gone by another hand, that is told.
        """
        entries = await unless(self._stopping, reader.next(count, self._block)) or ()
        if lost := reader.lost:
            reader.lost = 0
            queue, why = reader.queue.name, "somebody removed them by hand"
            self._log.error("entries_missing", queue=queue, entries=lost, why=why)
        return entries

    def _introduce(self, courier: Courier) -> None:
        """Let *courier* know whom it carries to, and what of."""
        settings, sink = self._settings, courier.sink.name
        stale_after = settings.stale_after.get(sink, STALE_AFTER)
        people, origins, names = settings.subscribers, self._origins, settings.names
        courier.know(people, origins, names, stale_after)


def _people(settings: Settings) -> Subscribers:
    return Subscribers(settings.subscribers, settings.operators)
