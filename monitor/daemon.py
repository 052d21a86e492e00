"""
The composition root: start in order, reload by difference, stop in reverse.

`Daemon.run` is one straight line on purpose: nearly every step needs what the one
before made, and read from top to bottom it lists what the program consists of.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, timedelta
from time import CLOCK_MONOTONIC, clock_gettime_ns
from typing import Any, TypeVar

import msgspec
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from monitor import config, log
from monitor.alert import Sink
from monitor.clock import Clock
from monitor.config import Settings
from monitor.errors import Misconfigured
from monitor.ground import connect, embedded, only_us, tend, watch
from monitor.health import Health
from monitor.house import House
from monitor.intake import Intake
from monitor.loss import Memory
from monitor.reconcile import Reconciler
from monitor.stream import Stream
from monitor.systemd import notify, watchdog_interval
from monitor.trouble import Announced
from monitor.waiting import unless
from monitor.web import Web
from monitor.work import Work

T = TypeVar("T", bound=msgspec.Struct)
Job = Callable[[], Coroutine[Any, Any, None]]

ROLES = ("collect", "filter", "alert", "deliver", "archive")
LIFE = 15.0  # seconds between two looks at our own health where no watchdog asks
DAILY = CronTrigger(hour=0, minute=10, timezone=UTC)
MINUTELY = CronTrigger(second=30, timezone=UTC)
TEN_MINUTELY = CronTrigger(minute="*/10", second=45, timezone=UTC)
SETTLED_IN = timedelta(minutes=1)  # then house is kept, whenever it was kept last
ASIDE = ("state", "redis", "sinks", "allow", "pace")  # taken up by a restart only


class Daemon:
    """The roles of one process, at work until they are told to stop."""

    def __init__(
        self, settings: Settings, clock: Clock, roles: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._roles = tuple(roles) or ROLES
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Event()
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
            coming = connect(settings, clock, server, roles)
            stream = await unless(self._stopping, coming)
            if stream is None:  # told to stop before there was anything to stop
                return
            stack.push_async_callback(stream.aclose)
            web = Web(clock, allow=settings.allow, pace=settings.pace)
            stack.push_async_callback(web.aclose)
            house = self._keep_house(stack, stream) if "archive" in roles else None
            room, memory = Intake(stream, settings.state, clock), None
            if "collect" in roles:
                memory = Memory(stream, settings.state, clock)
            lost = memory.told if memory else dict
            intake = Announced(room, stream, clock, lost)
            work = Work(
                settings,
                stream,
                web,
                clock,
                self._stopping,
                intake=intake,
                marks=memory,
            )
            async with asyncio.TaskGroup() as group:
                beside = (
                    self._reloads(work),
                    self._show_life(work.health),
                    tend(server, clock),
                    watch(
                        stream, settings.state, clock, memory.look if memory else None
                    ),
                )
                aside = [group.create_task(one) for one in beside]
                await work.turn(roles, house, self._ready)
                for task in aside:
                    task.cancel()
        self._log.info("daemon_stopped")

    def stop(self) -> None:
        """Finish what is in flight, and end; see `work.DRAIN`."""
        notify("STOPPING=1")
        self._stopping.set()

    def reload(self) -> None:
        """Take up the configuration as it stands now; a bad one changes nothing."""
        self._reloading.set()

    def _ready(self) -> None:
        notify("READY=1", f"STATUS={' '.join(self._roles)}")
        self._log.info("daemon_started", roles=" ".join(self._roles),
                       sources=len(self._settings.sources))  # fmt: skip

    def _keep_house(self, stack: AsyncExitStack, stream: Stream) -> House:
        """Open the archive, and do by the calendar what it and the stream need."""
        house = House(self._settings.state / "archive", stream, self._clock)
        stack.callback(house.close)
        reconciler = Reconciler(house, stream, self._clock, lambda: self._settings)

        async def keep() -> None:
            await house.keep(self._settings.origins)

        calendar = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True}
        )
        soon = self._clock.now() + SETTLED_IN
        calendar.add_job(_until_stopped(keep), DAILY, next_run_time=soon)
        calendar.add_job(_until_stopped(house.trim), MINUTELY)
        calendar.add_job(_until_stopped(reconciler.turn), TEN_MINUTELY)
        calendar.start()
        stack.callback(calendar.shutdown, wait=False)
        return house

    async def _reloads(self, work: Work) -> None:
        """Load the configuration again as often as we are asked to."""
        while True:
            await self._reloading.wait()
            self._reloading.clear()
            now = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
            notify("RELOADING=1", f"MONOTONIC_USEC={now}")
            await self._load(work)
            notify("READY=1", f"STATUS={' '.join(self._roles)}")

    async def _load(self, work: Work) -> None:
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
            self._take_up(settings, work)
            self._log.info("reloaded", sources=len(settings.sources))

    def _take_up(self, settings: Settings, work: Work) -> None:
        old, self._settings = self._settings, settings
        work.take_up(settings)
        for warning in settings.warnings:
            self._log.warning("settings_doubtful", what=str(warning))
        for name in ASIDE:
            if getattr(old, name) != getattr(settings, name):
                self._log.warning("restart_needed", changed=name)

    async def _show_life(self, health: Health) -> None:
        """Feed the service manager's watchdog as long as every stage gets somewhere."""
        interval, told = watchdog_interval(), list[str]()
        while True:
            stalled = health.stalled()
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


def _until_stopped(job: Job) -> Job:
    """Return *job* so that an end in the middle of it is no error of the calendar's."""

    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await job()

    return work
