"""
The world in which the program runs: one Redis, publishers, services, processes.

What runs in the processes is the program itself, from the poller to the courier, on
its own scripts; only what lies outside of it is played: time, the server, the network,
those who publish and those who carry messages.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from monitor.alert import Pace, Repeats, Subscriber
from monitor.config import Settings
from monitor.errors import Transient
from monitor.ground import watch
from monitor.health import Health
from monitor.house import House
from monitor.intake import Intake
from monitor.item import Origin
from monitor.loss import Memory
from monitor.stream import Stream
from monitor.stream.archive import Archive
from monitor.stream.door import Door
from monitor.web import Web
from monitor.work import Work
from tests.simulation.chronicle import Chronicle
from tests.simulation.diary import Diary
from tests.simulation.line import Cable, Line, Redis
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.messenger import Copy, Messenger, Road, Speaker
from tests.simulation.outlets import Channel, Feed, Newsroom, Outlet
from tests.simulation.posts import judge, unlike
from tests.simulation.process import Life, here, own_tasks
from tests.simulation.store import Store
from tests.simulation.weather import Weather, dice
from tests.simulation.wire import StoreWire

PREFIX: Final = "monitor:{0}:"
REACHED: Final = b"\x02"  # the rank of what was delivered, in the ledger
NO_WEB: Final = cast(Web, None)  # no double asks it for anything
SHM: Final = Path("/dev/shm")  # noqa: S108 - folders of our own in memory, if there is one
MINUTE: Final = 60.0
PLAIN, SURE = "chat", "hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """
    Who takes part in a run.

    Attributes:
        processes: Their names and roles.
        channels, feeds: How many of them publish.
        people: How many are told.
        every: How long a source is left alone between two reads.
        everysec: Redis loses up to a second when its power is cut.
        block: How long a stage waits at a time for something to do.
        stale_after: When something is no news any more.
    """

    processes: tuple[tuple[str, tuple[str, ...]], ...]
    channels: int = 2
    feeds: int = 1
    people: int = 8
    every: tuple[timedelta, ...] = (timedelta(seconds=20),)
    everysec: bool = False
    block: timedelta = timedelta(seconds=2)
    stale_after: timedelta = timedelta(hours=1)


@dataclass(slots=True, eq=False)
class Process:
    """A unit as systemd knows it: it is started again when it ends."""

    name: str
    roles: tuple[str, ...]
    owner: str
    state: Path
    life: Life | None = None
    stopping: asyncio.Event | None = None
    health: Health | None = None
    lives: int = 0
    hosts: int = 0


class World:
    """Everything there is in one run."""

    def __init__(self, cast: Cast, seed: object, folder: Path, *, keep: bool) -> None:
        """Make it in *folder*; all that is random in it comes from *seed*."""
        self.loop = loop = VirtualLoop()
        self.clock = VirtualClock(loop)
        self.cast, self.folder = cast, folder
        self.context = Context()
        self.chronicle = Chronicle(loop.time, keep=keep)
        self.diary = Diary(self.chronicle)
        self.redis = Redis(Store(self.clock.timestamp), everysec=cast.everysec)
        self.points = 0
        self.crash_at = 0
        self.free = 1 << 40  # bytes on the disk
        own_tasks(loop)
        self.cable = Cable(
            self.redis, self.chronicle, dice(seed, "line"), self.point, self.context
        )
        self.room = Newsroom(
            loop,
            self.clock,
            self.chronicle,
            dice(seed, "outlets"),
            self.point,
            self.context,
        )
        self.road = Road(
            loop, self.chronicle, dice(seed, "messengers"), self.point, self.context
        )
        self.outlets = [
            Outlet(f"{kind}{n}", self.room)
            for kind, count in (("channel", cast.channels), ("feed", cast.feeds))
            for n in range(count)
        ]
        self.messengers = [
            Messenger(
                name,
                self.road,
                recognises=name == SURE,
                limited=name == PLAIN,
                recorded=self.recorded,
            )
            for name in (PLAIN, SURE)
        ]
        self.people = [*self._introduced(cast.people)]
        self.settings = self._told()
        self.processes = [
            Process(name, roles, f"{name}-0", folder / name)
            for name, roles in cast.processes
        ]
        self.archive_dice = dice(seed, "archive")

    # What it consists of

    def _introduced(self, count: int) -> Iterator[Subscriber]:
        wishes = [*unlike()]
        for n in range(count):
            places, topics, severity = wishes[n % len(wishes)]
            messenger = self.messengers[n % 3 % 2]
            name, address = f"person{n}", f"a{n}"
            messenger.add(name, address)
            yield Subscriber(
                name=name,
                sink=messenger.name,
                to=address,
                places=places,
                topics=topics,
                severity=severity,
            )

    def _told(self) -> Settings:
        every = self.cast.every
        sources: list[Channel | Feed] = []
        for n, outlet in enumerate(self.outlets):
            origin = Origin(source=outlet.name, voice="official")
            kind = Channel if outlet.name.startswith("channel") else Feed
            sources.append(
                kind(origin=origin, every=every[n % len(every)], outlet=outlet)
            )
        telegram = Pace(per_recipient=timedelta(seconds=1), overall_per_second=29)
        plain, sure = self.messengers
        sinks = (
            Speaker(name=plain.name, messenger=plain, pace=telegram),
            Speaker(name=sure.name, messenger=sure, repeats=Repeats(by="key")),
        )
        return Settings(
            file=self.folder / "monitor.yaml",
            state=self.folder,
            sources=tuple(sources),
            sinks=sinks,
            subscribers=tuple(self.people),
            filter=judge(),
            stale_after=dict.fromkeys((PLAIN, SURE), self.cast.stale_after),
        )

    def set_weather(self, weather: Weather) -> None:
        """Let things go wrong as often as this from now on."""
        self.cable.weather = self.room.weather = self.road.weather = weather

    @property
    def weather(self) -> Weather:
        """How often what goes wrong."""
        return self.cable.weather

    # Life and death

    def later(self, delay: float, do: Callable[..., object], *args: Any) -> None:
        """Do something after *delay* seconds that no process does."""
        self.loop.call_later(delay, do, *args, context=self.context)

    def boot(self, process: Process) -> None:
        """Start *process*, unless it runs."""
        if process.life and process.life.alive:
            return
        process.lives += 1
        life = process.life = Life(process.name, process.owner, process.lives)
        self.chronicle.note("started", life, process.owner)
        life.start(self._run(process, life), self.context)

    def kill(self, process: Process, rest: float) -> None:
        """End *process* as SIGKILL does, and start it again after *rest* seconds."""
        life = process.life
        if life is None or not life.alive:
            return
        self.chronicle.note("killed", life)
        self.chronicle.count("process killed")
        if any(messenger.carries_of(life) for messenger in self.messengers):
            self.chronicle.count("process killed while it was sending")
        life.end()
        for messenger in self.messengers:
            messenger.died(life)
        self.later(rest, self.boot, process)

    def stop(self, process: Process) -> None:
        """End *process* as SIGTERM does; it is started again at once."""
        if process.life and process.life.alive and process.stopping:
            self.chronicle.note("stopped", process.life)
            self.chronicle.count("process stopped")
            process.stopping.set()

    def move(self, process: Process, rest: float) -> None:
        """Let *process* die, and begin on another machine, under another name."""
        self.kill(process, rest)
        process.hosts += 1
        process.owner = f"{process.name}-{process.hosts}"
        process.state = self.folder / process.owner
        self.chronicle.count("process moved")

    def lose_power(self, until: float) -> None:
        """Let Redis lose what is not on the disk yet, and be away *until* then."""
        lost = self.redis.lose_power(until)
        self.chronicle.note("power lost", lost)
        self.chronicle.count("redis lost power")
        self.chronicle.count("commands rolled back", lost)
        for messenger in self.messengers:
            messenger.rolled_back()

    def jump(self, by: timedelta) -> None:
        """Set the clock on the wall of all machines."""
        self.chronicle.note("clock set", by)
        self.chronicle.count("clock jumped")
        self.clock.jump(by)

    def leap(self, by: timedelta) -> None:
        """Set the clock so far that what Redis remembers for a month is forgotten."""
        self.jump(by)
        self.chronicle.count("clock set by a year")
        for messenger in self.messengers:
            messenger.forgotten()

    def point(self, life: Life) -> None:
        """Pass a point at which *life* may end."""
        self.points += 1
        if self.points == self.crash_at:
            process = next(one for one in self.processes if one.life is life)
            self.kill(process, 1.0)

    async def _run(self, process: Process, life: Life) -> None:
        """Do what `Daemon.run` does, as far as it does not touch the machine."""
        clock, state = self.clock, process.state
        state.mkdir(exist_ok=True)
        stopping = process.stopping = asyncio.Event()
        door = Door(Line(self.cable, life), PREFIX)
        stream = await self._reached(door, life)
        with ExitStack() as stack:
            house = self._house(stack, stream) if "archive" in process.roles else None
            memory = (
                Memory(stream, state, clock) if "collect" in process.roles else None
            )
            work = Work(
                self.settings,
                stream,
                NO_WEB,
                clock,
                stopping,
                intake=Intake(stream, state, clock, lambda _: self.free),
                marks=memory,
                block=self.cast.block,
            )
            process.health = work.health
            beside = [watch(stream, state, clock, memory.look if memory else None)]
            if house:
                beside.append(self._calendar(house))
            async with asyncio.TaskGroup() as group:
                aside = [group.create_task(one) for one in beside]
                await work.turn(process.roles, house)
                for task in aside:
                    task.cancel()
        life.check()
        self.chronicle.note("ended", life)
        life.end()
        self.later(0.5, self.boot, process)

    async def _reached(self, door: Door, life: Life) -> Stream:
        sinks = [sink.name for sink in self.settings.sinks]
        names = (f"epoch-{life}-{n}" for n in range(1 << 30))
        while True:
            with suppress(Transient):
                return await Stream.behind(
                    door,
                    life.owner,
                    sinks=sinks,
                    clock=self.clock,
                    fresh=lambda: next(names),
                )
            await self.clock.sleep(timedelta(seconds=1))

    def _house(self, stack: ExitStack, stream: Stream) -> House:
        house = House(self.folder / "archive", stream, self.clock)
        stack.callback(house.close)
        house.archive.close()
        house.archive = Desk(self.folder / "archive", self)
        return house

    async def _calendar(self, house: House) -> None:
        """Do what the calendar of `Daemon` does, at its times."""
        origins, minutes = self.settings.origins, 0
        while True:
            await self.clock.sleep(timedelta(seconds=MINUTE))
            if minutes % (24 * 60) == 0:
                await house.keep(origins)
            await house.trim()
            minutes += 1

    # What outsiders see

    def recorded(self, copy: Copy) -> bool:
        """Return whether it is written down that somebody was told."""
        store, key = self.redis.store, f"{PREFIX}ledger:{copy.item.post}"
        loading, store.loading = store.loading, False
        field = store.execute(["HGET", key, copy.to])
        store.loading = loading
        if not field:
            return False
        version = int.from_bytes(field[:4])
        return version > copy.item.version or (
            version == copy.item.version and field[4:5] >= REACHED
        )

    def begun(self, sink: str) -> int:
        """Return how many sends are written down as begun and not ended."""
        key = f"{PREFIX}sending:{sink}:0"
        count: int = self.redis.store.execute(["HLEN", key])
        return count

    async def operator(self) -> Stream:
        """Return the stream as an operator has it, on a line that never fails."""
        door = Door(StoreWire(self.redis.store), PREFIX)
        return await Stream.behind(door, "operator", clock=self.clock)

    def archive(self) -> Archive:
        """Return the archive."""
        return Archive(self.folder / "archive")


class Desk(Archive):
    """The archive as a process has it, which may die before or after it is written."""

    def __init__(self, folder: Path, world: World) -> None:
        super().__init__(folder)
        self._world, self._dice = world, world.archive_dice

    def store(self, **values: Any) -> int:
        """Keep these values; see `Archive.store`."""
        world, life = self._world, here()
        life.check()
        world.point(life)
        life.check()
        if self._dice.random() < world.weather.archive_full:
            world.chronicle.count("archive full")
            raise Transient("the disk is full")
        stored = super().store(**values)
        world.chronicle.note("archived", life, stored)
        world.point(life)
        life.check()
        return stored
