"""
A real server in virtual time, and a service with many chats.

The server answers within one moment of the loop: a simulated day takes as long as the
server's own work.  Only its clock is real, so nothing may depend on what expires there.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import hiredis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry

from monitor.alert import (
    NOT_RECOGNISED,
    Alert,
    Digest,
    Message,
    Pace,
    Repeats,
    Subscriber,
)
from monitor.deliver import SENDING, Courier, Lane
from monitor.health import Health
from monitor.item import Envelope, Severity
from monitor.stage import Lease, Stage, Stages
from monitor.stream import Entry, Stream, outbox
from monitor.stream.door import Argument, Door
from monitor.web import Web
from tests.couriers import match, put
from tests.simulation.loop import VirtualClock, VirtualLoop, run

GLANCE: Final = 0.25  # seconds between two looks whether something has come
LATENCY: Final = 0.1  # seconds that a service usually takes


class Instant:
    """A `monitor.stream.door.Wire` to a real server, for which no time passes."""

    def __init__(self, url: str, glance: float = GLANCE) -> None:
        """
        Connect at the first command.

        Args:
            glance: Seconds between two looks of a blocking read.
        """
        self._glance = glance
        retry = Retry(NoBackoff(), 0)
        pool = ConnectionPool.from_url(url, protocol=2, retry=retry)
        self._line = pool.make_connection()

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """Send one command and wait for the answer; a blocking read looks again."""
        asked, block = _unblocked(command)
        answer = self._ask(asked)
        while block > 0 and not answer:
            await asyncio.sleep(min(block, self._glance))
            block -= self._glance
            answer = self._ask(asked)
        return answer

    async def aclose(self) -> None:
        """Hang up."""
        self._line.disconnect()  # type: ignore[no-untyped-call]

    def _ask(self, command: Sequence[Argument]) -> Any:
        packed = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
        self._line.send_packed_command([packed])  # type: ignore[no-untyped-call]
        return self._line.read_response()


def _unblocked(command: Sequence[Argument]) -> tuple[Sequence[Argument], float]:
    """Return *command* without its BLOCK, and the seconds of that."""
    if "BLOCK" not in command:
        return command, 0.0
    at = list(command).index("BLOCK")
    return [*command[:at], *command[at + 2 :]], float(command[at + 1]) / 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message, or an alert in a digest, as it arrived: when, where, of which item."""

    at: float
    to: str
    item: str
    live: bool


Manners = Callable[[str, float], float]  # of a chat at a moment: how long it takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """
    A sink with many chats, each of which has its manners.

    Attributes:
        manners: Says how long a chat takes, or raises what it answers.
        arrivals: What arrived.
        messages: How many arrived, by chat.
    """

    name: str = "chat"
    pace: Pace = field(default=Pace())
    repeats: Repeats = NOT_RECOGNISED
    manners: Manners = field(default=lambda *_: LATENCY, repr=False)
    arrivals: list[Arrival] = field(default_factory=list, repr=False)
    messages: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def send(self, message: Message, to: str, web: Web) -> str:
        """Take a message as the chat's manners are."""
        alerts = message.alerts if isinstance(message, Digest) else (message,)
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.manners(to, loop.time()))
        live = not isinstance(message, Digest)
        self.messages[to] += 1
        for alert in alerts:
            key = alert.match.item.key
            self.arrivals.append(Arrival(loop.time(), to, key, live))
        return str(self.messages[to]) if live else ""

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """Take a correction like a message."""
        await self.send(alert, to, web)

    async def check(self, web: Web) -> str:
        """Be there."""
        return "many chats"


@dataclass
class Town:
    """
    A stream and one courier a service, in virtual time.

    Attributes:
        people: The names of those who are told of all that is posted.
        posted: When each item was.
    """

    stream: Stream
    clock: VirtualClock
    services: Sequence[Service]
    people: Sequence[str]
    posted: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        """Return the seconds since it began to live."""
        return self.clock.monotonic() - 1000

    async def post(self, id_: str, severity: Severity = "critical") -> None:
        """Put one post into the outbox of every service, for everybody."""
        what = match(id_, seen=self.clock.now(), severity=severity)
        self.posted[what.item.key] = self.now()
        sinks = [service.name for service in self.services]
        await put(self.stream, what, self.people, sinks=sinks)

    async def settled(self) -> bool:
        """Return whether nothing waits any more."""
        depths = await self.stream.depths()
        return not any(one.length for one in depths if one.queue.startswith("outbox"))

    def waits(self, service: Service, *, but: Collection[str] = ()) -> list[float]:
        """Return how long each message took to arrive, *but* those to some chats."""
        return sorted(
            one.at - self.posted[one.item]
            for one in service.arrivals
            if one.to not in but
        )


Life = Callable[[Town], Coroutine[Any, Any, None]]


def lived(  # noqa: PLR0913 - a world
    url: str,
    prefix: str,
    services: Sequence[Service],
    people: int,
    life: Life,
    *,
    glance: float = GLANCE,
) -> Town:
    """
    Let a town live, with a stage for each service, and return it.

    Args:
        glance: Seconds that a read waits at least; the more, the less there is to do.
    """
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    names = [f"p{n:03}" for n in range(people)]

    async def main() -> Town:
        sinks = [service.name for service in services]
        door = Door(Instant(url, glance), prefix)
        stream = await Stream.behind(door, "one", sinks=sinks, clock=clock)
        town = Town(stream, clock, services, names)
        stopping = asyncio.Event()
        stages = Stages(clock, Health(clock), stopping)
        running = [
            asyncio.create_task(stages.run(_stage(town, service, glance)))
            for service in services
        ]
        await life(town)
        stopping.set()
        await asyncio.gather(*running)
        await stream.aclose()
        return town

    return run(main(), loop)


def _stage(town: Town, service: Service, glance: float) -> Stage:
    stream, clock, name = town.stream, town.clock, f"deliver:{service.name}"
    lease = Lease(name, stream, clock, tail=SENDING)
    reader = stream.reader(outbox(service.name), "deliver")
    block = timedelta(seconds=max(glance, 2))

    async def take(count: int) -> Sequence[Entry[Envelope]]:
        return await reader.next(count, block)

    lane = Lane(take, name, lease.held)
    courier = Courier(service, lane, stream, Web(clock), clock)
    people = [Subscriber(name=one, sink=service.name, to=one) for one in town.people]
    courier.know(people, {}, {})
    return Stage(courier.turn, lease, reader.begin, courier.lose, end=courier.stop)
