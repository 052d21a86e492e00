"""
The composition root: start in order, reload by difference, stop in reverse.

`Daemon.run` is one straight line on purpose: nearly every step needs what the one
before made, and read from top to bottom it lists what the program consists of.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import CLOCK_MONOTONIC, clock_gettime_ns
from typing import Any
from uuid import uuid4

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from monitor import config, log, pipeline
from monitor.alert.policy import Subscribers
from monitor.clock import Clock
from monitor.config import Settings
from monitor.deliver import Courier
from monitor.errors import Misconfigured, Transient, Unavailable
from monitor.health import Health
from monitor.poll import Poller
from monitor.secret import Secret
from monitor.stream import ITEMS, MATCHES, QUEUES, Reader, Server, Stream, outbox
from monitor.stream.archive import Archive
from monitor.stream.dayfile import Damaged
from monitor.systemd import lock_of, notify, only_one, watchdog_interval
from monitor.web import Web

ROLES = ("collect", "filter", "alert", "deliver", "archive")
DRAIN = 8.0  # seconds; systemd and people follow SIGTERM by SIGKILL after ten
LEASE = timedelta(seconds=30)  # a dead owner's work is taken over after it
STANDBY = 1.0  # seconds between two looks at a lease that another owner holds
LONGEST_WAIT = 30.0  # seconds between two tries of a stage that fails
PATIENCE = timedelta(seconds=60)  # with a Redis that is not there yet at the start
HOT = timedelta(days=90)  # how long the archive is searched without its day files
SEEN = timedelta(days=30)  # how long a post may be away before it is new again


@dataclass(frozen=True, slots=True)
class Stage:
    """A loop: its name, one turn of it, and the readers that only one owner may use."""

    name: str
    turn: Callable[[], Awaitable[object]]
    readers: tuple[Reader[Any], ...] = ()


class Daemon:
    """The roles of one process, at work until they are told to stop."""

    def __init__(
        self, settings: Settings, clock: Clock, roles: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._subscribers = Subscribers(settings.subscribers)
        self._clock = clock
        self._roles = tuple(roles) or ROLES
        self._health = Health(clock)
        self._stopping = asyncio.Event()
        self._server: Server | None = None
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
            self._lock(stack)
            stream = await self._connect(stack)
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
                stages += self._delivering(stream, web)
            if "archive" in roles:
                stages += self._archiving(stack, stream)
            with self._signals():
                await self._work(stages, stream)
        self._log.info("daemon_stopped")

    def stop(self) -> None:
        """Finish what is in flight, and end; see `DRAIN`."""
        self._stopping.set()

    def reload(self) -> None:
        """Take up the configuration as it stands now; a bad one changes nothing."""
        now = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
        notify("RELOADING=1", f"MONOTONIC_USEC={now}")
        try:
            settings = config.load(self._settings.file, self._clock.now().date())
        except Misconfigured as mistakes:
            self._log.error("reload_refused", mistakes=str(mistakes))
        else:
            self._take_up(settings)
            self._log.info("reloaded", sources=len(settings.sources))
        notify("READY=1")

    def _take_up(self, settings: Settings) -> None:
        old, self._settings = self._settings, settings
        self._subscribers = Subscribers(settings.subscribers)
        if self._poller:
            self._poller.replace(settings.sources)
        for courier in self._couriers:
            _introduce(settings, courier)
        for name in ("state", "redis", "sinks", "allow", "pace"):
            if getattr(old, name) != getattr(settings, name):
                self._log.warning("restart_needed", changed=name)

    def _lock(self, stack: AsyncExitStack) -> None:
        """Keep a second instance from this state's roles and from our accounts."""
        for role in self._roles:
            path = self._settings.state / "lock" / role
            stack.enter_context(only_one(path, f"{self._settings.state} ({role})"))
        if "deliver" in self._roles:
            for sink in self._settings.sinks:
                token = getattr(sink, "token", None)
                if isinstance(token, Secret):
                    stack.enter_context(only_one(lock_of(token), f"sink {sink.name}"))

    async def _connect(self, stack: AsyncExitStack) -> Stream:
        """Return the stream, on a server of one's own or on the embedded one."""
        settings = self._settings
        if settings.redis:
            url = settings.redis.reveal()
        else:
            self._server = Server(settings.state, clock=self._clock)
            stack.push_async_callback(self._server.stop)
            url = await self._server.ensure()
        owner = _instance(settings.state)
        sinks = [sink.name for sink in settings.sinks]
        stream = await self._reached(url, owner, sinks)
        stack.push_async_callback(stream.aclose)
        for fact in stream.facts:
            if fact.judgement == "warn":
                said = f"{fact.name} is {fact.value}: {fact.advice}"
                self._log.warning("redis_unfit", why=said)
        return stream

    async def _reached(self, url: str, owner: str, sinks: Sequence[str]) -> Stream:
        """Connect to a Redis that may come up only after us."""
        deadline = self._clock.monotonic() + PATIENCE.total_seconds()
        while True:
            try:
                return await Stream.connect(url, owner, sinks=sinks, clock=self._clock)
            except Transient as failure:
                if self._clock.monotonic() > deadline:
                    raise Unavailable(str(failure)) from None
                self._log.warning("redis_awaited", why=str(failure))
                await self._clock.sleep(timedelta(seconds=2))

    def _collecting(self, stack: AsyncExitStack, stream: Stream, web: Web) -> Stage:
        poller = self._poller = Poller(stream, web, self._clock)
        poller.replace(self._settings.sources)
        stack.push_async_callback(poller.stop)
        return Stage("collect", poller.turn)

    def _filtering(self, stream: Stream) -> Stage:
        reader = stream.reader(ITEMS, "filter")

        async def turn() -> None:
            settings = self._settings
            await pipeline.judge(reader, settings.filter, settings.origins, stream)

        return Stage("filter", turn, (reader,))

    def _alerting(self, stream: Stream) -> Stage:
        reader = stream.reader(MATCHES, "alert")

        async def turn() -> None:
            origins = self._settings.origins
            await pipeline.address(
                reader, self._subscribers, origins, stream, self._clock
            )

        return Stage("alert", turn, (reader,))

    def _delivering(self, stream: Stream, web: Web) -> Iterator[Stage]:
        for sink in self._settings.sinks:
            reader = stream.reader(outbox(sink.name), "deliver")
            courier = Courier(sink, reader, stream, web, self._clock)
            _introduce(self._settings, courier)
            self._couriers.append(courier)
            yield Stage(f"deliver:{sink.name}", courier.turn, (reader,))

    def _archiving(self, stack: AsyncExitStack, stream: Stream) -> Iterator[Stage]:
        archive = self._open_archive()
        stack.callback(archive.close)
        calendar = AsyncIOScheduler(timezone="UTC")
        calendar.add_job(
            self._keep_house, CronTrigger(hour=0, minute=10), args=(archive, stream)
        )
        calendar.add_job(self._trim, CronTrigger(second=30), args=(stream,))
        calendar.start()
        stack.callback(calendar.shutdown, wait=False)
        for queue in QUEUES:
            reader = stream.reader(queue, "archive")

            async def turn(reader: Reader[Any] = reader) -> None:
                await pipeline.keep(reader, archive, stream)

            yield Stage(f"archive:{queue.name}", turn, (reader,))

    def _open_archive(self) -> Archive:
        """Return the archive; one whose base is damaged is rebuilt from its files."""
        folder = self._settings.state / "archive"
        try:
            return Archive(folder)
        except Damaged as damage:
            self._log.error("archive_damaged", why=str(damage))
            today = self._clock.now().date()
            rebuilt = Archive.rebuild(folder, today, since=today - HOT)
            self._log.warning("archive_rebuilt", rows=rebuilt.rows,
                              aside=str(rebuilt.aside))  # fmt: skip
            return Archive(folder)

    async def _trim(self, stream: Stream) -> None:
        with suppress(Transient):  # in a minute is soon enough
            await stream.trim()

    async def _keep_house(self, archive: Archive, stream: Stream) -> None:
        """Once a day: write the finished days, and forget what is long past."""
        today = self._clock.now().date()
        try:
            rolled = await asyncio.to_thread(archive.roll, today)
            pruned = await asyncio.to_thread(archive.prune, today - HOT)
            for source in self._settings.sources:
                await stream.forget(source.origin.source, today - SEEN)
        except Transient as failure:  # tomorrow is soon enough; nothing is lost
            self._log.error("house_not_kept", why=str(failure))
            return
        doubts = [*rolled.aside, *rolled.missing, *pruned.kept]
        if doubts:
            self._log.error("archive_doubtful", what=[str(doubt) for doubt in doubts])
        self._log.info("days_written", files=len(rolled.written), pruned=pruned.rows)

    async def _work(self, stages: Sequence[Stage], stream: Stream) -> None:
        """Turn the stages until the end, then give them time to finish theirs."""
        loops = [asyncio.create_task(self._loop(stage, stream)) for stage in stages]
        alive = asyncio.create_task(self._show_life())
        notify("READY=1", f"STATUS={' '.join(self._roles)}")
        self._log.info("daemon_started", roles=" ".join(self._roles),
                       sources=len(self._settings.sources))  # fmt: skip
        await self._stopping.wait()
        notify("STOPPING=1")
        alive.cancel()
        drains = [asyncio.create_task(one.stop(DRAIN - 1)) for one in self._couriers]
        _, late = await asyncio.wait([*loops, *drains], timeout=DRAIN)
        for loop in late:
            loop.cancel()
        await asyncio.gather(*loops, *drains, return_exceptions=True)

    async def _loop(self, stage: Stage, stream: Stream) -> None:
        """Turn one stage for ever: wait where it must, and never let it die."""
        owned, failures = False, 0
        while not self._stopping.is_set():
            try:
                owned = await self._own(stage, stream, owned=owned)
                await (stage.turn() if owned else self._nap(STANDBY))
            except Transient as failure:
                failures += 1
                if failures == 1:
                    self._log.warning("stage_waits", stage=stage.name, why=str(failure))
                await self._nap(min(0.1 * 2**failures, LONGEST_WAIT))
                await self._revive()
            except Exception:  # noqa: BLE001 - the seam: no bug may end a stage
                failures += 1
                self._log.exception("stage_failed", stage=stage.name)
                await self._nap(min(2.0**failures, LONGEST_WAIT))
                continue
            else:
                if failures:
                    self._log.info("stage_recovered", stage=stage.name)
                failures = 0
            self._health.beat(stage.name)  # waiting for Redis is no reason to die
        if owned and stage.readers:
            await stream.release(stage.name)

    async def _revive(self) -> None:
        """Start the embedded server again if it is gone."""
        if self._server:
            await self._server.ensure()

    async def _own(self, stage: Stage, stream: Stream, *, owned: bool) -> bool:
        """Take or keep the stage; a new owner first takes what the old one left."""
        if not stage.readers:
            return True
        held = await stream.take(stage.name, LEASE)
        if held and not owned:
            for reader in stage.readers:
                reader.begin()
        if held != owned:
            self._log.info("stage_taken" if held else "stage_lost", stage=stage.name)
        return held

    async def _nap(self, seconds: float) -> None:
        """Wait, or until the program is told to stop."""
        stopping = asyncio.create_task(self._stopping.wait())
        sleeping = asyncio.create_task(self._clock.sleep(timedelta(seconds=seconds)))
        try:
            await asyncio.wait([stopping, sleeping], return_when="FIRST_COMPLETED")
        finally:
            stopping.cancel()
            sleeping.cancel()

    async def _show_life(self) -> None:
        """Feed the service manager's watchdog as long as every stage gets somewhere."""
        interval = watchdog_interval()
        while interval:
            stalled = self._health.stalled()
            if stalled:
                self._log.error("stages_stalled", stages=stalled)
            else:
                notify("WATCHDOG=1")
            await self._clock.sleep(timedelta(seconds=interval / 3))

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


def _introduce(settings: Settings, courier: Courier) -> None:
    """Let *courier* know whom it carries to, and what of."""
    courier.know(settings.subscribers, settings.origins, settings.names)


def _instance(state: Path) -> str:
    """Return what this state's processes are called in Redis, the same for ever."""
    path = state / "instance"
    with suppress(FileExistsError):
        fresh = path.with_name(f"instance.{os.getpid()}")
        fresh.write_text(uuid4().hex, "ascii")
        try:
            os.link(fresh, path)  # of several processes that start, one is first
        finally:
            fresh.unlink()
    return path.read_text("ascii").strip()
