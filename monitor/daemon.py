"""
The composition root: start in order, reload by difference, stop in reverse.

`Daemon.run` is one straight line on purpose: nearly every step needs what the one
before made, and read from top to bottom it lists what the program consists of.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, timedelta
from functools import partial
from time import CLOCK_MONOTONIC, clock_gettime_ns
from typing import Any, TypeVar

import msgspec
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from monitor import config, log, pipeline
from monitor.alert import Sink
from monitor.alert.policy import Subscribers
from monitor.clock import Clock
from monitor.config import Settings
from monitor.deliver import Courier, Lane
from monitor.errors import Misconfigured, Transient
from monitor.ground import connect, embedded, only_us, tend, watch
from monitor.health import Health
from monitor.house import House
from monitor.item import Item, Match
from monitor.poll import Poller
from monitor.stage import SENDING, Lease, Stage, Stages
from monitor.stream import ITEMS, MATCHES, QUEUES, Entry, Reader, Server, Stream, outbox
from monitor.stream.dayfile import Damaged
from monitor.systemd import notify, watchdog_interval
from monitor.waiting import unless, within
from monitor.web import Web

T = TypeVar("T", bound=msgspec.Struct)

ROLES = ("collect", "filter", "alert", "deliver", "archive")
DRAIN = timedelta(seconds=8)  # SIGKILL follows SIGTERM after ten, or so people expect
LIFE = 15.0  # seconds between two looks at our own health where no watchdog asks
PORTION = 64  # items judged at a stretch: some 25 ms in which nothing else happens
DAILY = CronTrigger(hour=0, minute=10, timezone=UTC)
MINUTELY = CronTrigger(second=30, timezone=UTC)
SETTLED_IN = timedelta(minutes=1)  # then house is kept, whenever it was kept last
ASIDE = ("state", "redis", "sinks", "allow", "pace")  # taken up by a restart only


class Daemon:
    """The roles of one process, at work until they are told to stop."""

    def __init__(
        self, settings: Settings, clock: Clock, roles: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._subscribers = Subscribers(settings.subscribers)
        self._origins = settings.origins
        self._clock = clock
        self._roles = tuple(roles) or ROLES
        self._health = Health(clock)
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Event()
        self._poller: Poller | None = None
        self._couriers: list[Courier] = []
        self._log = log.get("daemon")

    async def run(self) -> None:
        """
        Do the work of the roles until `stop` is called, or SIGTERM or SIGINT come.

        Raises:
            Unavailable: Redis is of no use to us, or another process does this work.
        """
        settings, roles, clock = self._settings, self._roles, self._clock
        async with AsyncExitStack() as stack:
            stack.enter_context(self._signals())
            stack.enter_context(only_us(settings, roles))
            server = embedded(settings, clock)
            if server:
                stack.push_async_callback(server.stop)
            stream = await unless(self._stopping, connect(settings, clock, server))
            if stream is None:  # told to stop before there was anything to stop
                return
            stack.push_async_callback(stream.aclose)
            web = Web(clock, allow=settings.allow, pace=settings.pace)
            stack.push_async_callback(web.aclose)
            stages: list[Stage] = []
            if "collect" in roles:
                stages.append(self._collecting(stack, stream, web))
            if "filter" in roles:
                stages.append(self._filtering(stream))
            if "alert" in roles:
                stages.append(self._alerting(stream))
            if "deliver" in roles:
                await self._tell_of_orphans(stream)
                stages += self._delivering(stream, web)
            if "archive" in roles:
                stages += self._archiving(stack, stream)
            await self._work(stages, server, stream)
        self._log.info("daemon_stopped")

    def stop(self) -> None:
        """Finish what is in flight, and end; see `DRAIN`."""
        self._stopping.set()

    def reload(self) -> None:
        """Take up the configuration as it stands now; a bad one changes nothing."""
        self._reloading.set()

    def _collecting(self, stack: AsyncExitStack, stream: Stream, web: Web) -> Stage:
        poller = self._poller = Poller(stream, web, self._clock)
        poller.replace(self._settings.sources)
        stack.push_async_callback(poller.pause)

        async def turn() -> None:
            await unless(self._stopping, poller.rest())
            poller.turn()

        lease = Lease("collect", stream, self._clock)
        return Stage(turn, lease, lose=poller.pause)

    def _filtering(self, stream: Stream) -> Stage:
        async def judge(entries: Sequence[Entry[Item]]) -> None:
            filter_, origins = self._settings.filter, self._origins
            await pipeline.judge(entries, filter_, origins, stream, self._clock)

        reader = stream.reader(ITEMS, "filter")
        return self._reading("filter", reader, stream, judge)

    def _alerting(self, stream: Stream) -> Stage:
        async def address(entries: Sequence[Entry[Match]]) -> None:
            subscribers, origins = self._subscribers, self._origins
            await pipeline.address(entries, subscribers, origins, stream, self._clock)

        reader = stream.reader(MATCHES, "alert")
        return self._reading("alert", reader, stream, address)

    def _delivering(self, stream: Stream, web: Web) -> Iterator[Stage]:
        for sink in self._settings.sinks:
            reader = stream.reader(outbox(sink.name), "deliver")
            lease = Lease(f"deliver:{sink.name}", stream, self._clock, tail=SENDING)
            lane = Lane(partial(self._next, reader), lease.held)
            courier = Courier(sink, lane, stream, web, self._clock)
            self._introduce(courier)
            self._couriers.append(courier)
            yield Stage(courier.turn, lease, reader.begin, courier.lose)

    async def _tell_of_orphans(self, stream: Stream) -> None:
        """Tell of what waits for a sink that is no more, or has another name now."""
        ours = {outbox(sink.name).name for sink in self._settings.sinks}
        try:
            depths = await stream.depths()
        except Transient:  # the stages tell of it
            return
        for depth in depths:
            waits = depth.queue.startswith("outbox:") and depth.length
            if waits and depth.queue not in ours:
                self._log.error("outbox_without_sink", outbox=depth.queue,
                                alerts=depth.length)  # fmt: skip

    def _archiving(self, stack: AsyncExitStack, stream: Stream) -> Iterator[Stage]:
        house = House(self._settings.state / "archive", stream, self._clock)
        stack.callback(house.close)
        self._keep_calendar(stack, house)

        async def keep(entries: Sequence[Entry[Any]]) -> None:
            archive = house.archive
            try:
                await pipeline.keep(entries, archive, stream)
            except Damaged:
                await house.mend(archive)
                raise

        for queue in QUEUES:
            reader = stream.reader(queue, "archive")
            yield self._reading(f"archive:{queue.name}", reader, stream, keep)

    def _keep_calendar(self, stack: AsyncExitStack, house: House) -> None:
        async def keep() -> None:
            await house.keep(self._origins)

        calendar = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True}
        )
        soon = self._clock.now() + SETTLED_IN
        calendar.add_job(keep, DAILY, next_run_time=soon)
        calendar.add_job(house.trim, MINUTELY)
        calendar.start()
        stack.callback(calendar.shutdown, wait=False)

    def _reading(
        self,
        name: str,
        reader: Reader[T],
        stream: Stream,
        work: Callable[[Sequence[Entry[T]]], Awaitable[None]],
    ) -> Stage:
        """Return the stage that works on what its reader brings."""

        async def turn() -> None:
            entries = await self._next(reader)
            if entries:
                await work(entries)

        return Stage(turn, Lease(name, stream, self._clock), reader.begin)

    async def _next(self, reader: Reader[T]) -> Sequence[Entry[T]]:
        """Take entries, unless the program is told to stop before there are any."""
        return await unless(self._stopping, reader.next(PORTION)) or ()

    async def _work(
        self, stages: Sequence[Stage], server: Server | None, stream: Stream
    ) -> None:
        """Turn the stages until the end, then give them time to finish theirs."""
        turning = Stages(self._clock, self._health, self._stopping)
        state = self._settings.state
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(turning.run(stage)) for stage in stages]
            aside = [group.create_task(self._reloads()),
                     group.create_task(self._show_life()),
                     group.create_task(tend(server, self._clock)),
                     group.create_task(watch(stream, state, self._clock))]  # fmt: skip
            notify("READY=1", f"STATUS={' '.join(self._roles)}")
            self._log.info("daemon_started", roles=" ".join(self._roles),
                           sources=len(self._settings.sources))  # fmt: skip
            await self._stopping.wait()
            notify("STOPPING=1")
            drains = [group.create_task(one.stop()) for one in self._couriers]
            late = await within(self._clock, DRAIN, [*loops, *drains])
            for task in (*late, *aside):
                task.cancel()

    async def _reloads(self) -> None:
        """Load the configuration again as often as we are asked to."""
        while True:
            await self._reloading.wait()
            self._reloading.clear()
            now = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
            notify("RELOADING=1", f"MONOTONIC_USEC={now}")
            await self._load()
            notify("READY=1", f"STATUS={' '.join(self._roles)}")

    async def _load(self) -> None:
        """Take up the configuration if it is good."""
        file, today = self._settings.file, self._clock.now().date()
        try:  # it takes a second or two, in which alerts go on
            settings = await asyncio.to_thread(config.load, file, today)
        except Misconfigured as mistakes:
            self._log.error("reload_refused", mistakes=str(mistakes))
        except Exception:  # noqa: BLE001 - the seam: no file may end what works
            self._log.exception("reload_failed")
        else:
            if _names(settings.sinks) != _names(self._settings.sinks):
                # who is told by a sink that does not run would wait in its outbox
                why = "the sinks changed: restart to take that up; nothing has changed"
                self._log.error("reload_refused", mistakes=why)
                return
            self._take_up(settings)
            self._log.info("reloaded", sources=len(settings.sources))

    def _take_up(self, settings: Settings) -> None:
        old, self._settings = self._settings, settings
        self._subscribers = Subscribers(settings.subscribers)
        self._origins = settings.origins
        if self._poller:
            self._poller.replace(settings.sources)
        for courier in self._couriers:
            self._introduce(courier)
        for warning in settings.warnings:
            self._log.warning("settings_doubtful", what=str(warning))
        for name in ASIDE:
            if getattr(old, name) != getattr(settings, name):
                self._log.warning("restart_needed", changed=name)

    def _introduce(self, courier: Courier) -> None:
        """Let *courier* know whom it carries to, and what of."""
        settings = self._settings
        courier.know(settings.subscribers, self._origins, settings.names)

    async def _show_life(self) -> None:
        """Feed the service manager's watchdog as long as every stage gets somewhere."""
        interval, told = watchdog_interval(), list[str]()
        while True:
            stalled = self._health.stalled()
            if stalled and stalled != told:
                self._log.error("stages_stalled", stages=stalled)
            elif told and not stalled:
                self._log.info("stages_go_on")
            told = stalled
            if interval and not stalled:
                notify("WATCHDOG=1")
            await self._clock.sleep(timedelta(seconds=(interval or LIFE) / 3))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Obey SIGTERM, SIGINT and SIGHUP while the block runs."""
        loop = asyncio.get_running_loop()
        acts = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGHUP: self.reload,
        }
        for number, act in acts.items():
            loop.add_signal_handler(number, act)
        try:
            yield
        finally:
            for number in acts:
                loop.remove_signal_handler(number)


def _names(sinks: Iterable[Sink]) -> set[str]:
    return {sink.name for sink in sinks}
