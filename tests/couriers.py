"""
A courier at work on a real stream, and a sink that answers by script.

    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Transient("busy")])
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert {"ann@", "bob@"} == {one.to for one in at.sink.log}
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.alert import (
    NOT_RECOGNISED,
    Alert,
    Digest,
    Message,
    Pace,
    Repeats,
    Subscriber,
)
from monitor.clock import Clock
from monitor.deliver import Courier, Lane
from monitor.errors import Away, Transient
from monitor.item import (
    Change,
    Delivery,
    Envelope,
    Item,
    Match,
    Reading,
    Severity,
    Signal,
)
from monitor.stream import MATCHES, Entry, Reader, Stream, outbox
from monitor.web import Web
from tests.clock import FakeClock

SOON = timedelta(milliseconds=10)
TIME = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)
LEASE = "deliver:chat"
PEOPLE = [
    Subscriber(name=name, sink="chat", to=f"{name}@") for name in ("ann", "bob", "cid")
]


def match(  # noqa: PLR0913 - each has a default, and a test names what it is about
    id_: str,
    version: int = 1,
    change: Change = "new",
    *,
    seen: datetime = TIME,
    severity: Severity = "critical",
    signal: Signal = "none",
) -> Match:
    """Return a match of a post of one source."""
    item = Item(
        source="governor",
        id=id_,
        version=version,
        change=change,
        published=seen,
        seen=seen,
        text=f"post {id_} as of version {version}",
    )
    reading = Reading(signal=signal)
    return Match(item=item, reading=reading, rules=("danger",), severity=severity)


@dataclass(frozen=True, slots=True)
class Told:
    """
    What a sink took.

    Attributes:
        what: ``sent``, ``edited`` or ``digest``.
        of: The keys of the items.
        message: The one that was edited.
        key: The message's own.
    """

    what: str
    to: str
    of: str
    message: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """
    A sink that answers each recipient as it was told beforehand, then takes all.

    Attributes:
        answers: By address, what the next attempts end in; None is success.
        taken: Those of the answers that come although the message was taken.
        begun: Addresses of which something was asked.
        log: What was taken.
        hanging: Addresses that get no answer.
        poison: Keys of items that nobody's message is taken of.
    """

    name: str = "chat"
    pace: Pace = field(default=Pace())
    repeats: Repeats = NOT_RECOGNISED
    answers: dict[str, deque[Exception | None]] = field(default_factory=dict)
    taken: list[Exception] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    log: list[Told] = field(default_factory=list)
    hanging: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    open: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    def __post_init__(self) -> None:
        """Be free at first."""
        self.free()

    async def send(self, message: Message, to: str, web: Web) -> str:
        """Take what the script lets through; once, if repeats are recognised."""
        alerts = message.alerts if isinstance(message, Digest) else (message,)
        keys = [alert.match.item.key for alert in alerts]
        what = "digest" if isinstance(message, Digest) else "sent"
        if not self.poison.isdisjoint(keys):
            raise Transient("500")
        told = Told(what, to, " ".join(keys), key=message.key)
        await self._answer(told)
        return "" if what == "digest" else f"m{len(self.log)}"

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """Take what the script lets through."""
        key = alert.match.item.key
        await self._answer(Told("edited", to, key, message, key=alert.key))

    async def check(self, web: Web) -> str:
        """Be there."""
        return "scripted"

    async def _answer(self, told: Told) -> None:
        self.begun.append(told.to)
        if told.to in self.hanging:
            await asyncio.Event().wait()
        await self.open.wait()
        failure = None
        if self.answers.get(told.to):
            failure = self.answers[told.to].popleft()
        known = self.repeats.recognised and told.key in [one.key for one in self.log]
        if (failure is None or failure in self.taken) and not known:
            self.log.append(told)
        if failure:
            raise failure

    def hold(self) -> None:
        """Answer nobody until it is free again."""
        self.open.clear()

    def free(self) -> None:
        """Answer everybody."""
        self.open.set()

    def lose(self, to: str, failure: Exception) -> None:
        """Let the next message be taken, and its sender be told of a *failure*."""
        self.taken.append(failure)
        self.answers.setdefault(to, deque()).append(failure)


@dataclass
class Office:
    """
    A courier at work on a stream, and what a test asks of it.

    Attributes:
        broken: The next read breaks.
    """

    stream: Stream
    sink: Scripted
    courier: Courier
    reader: Reader[Envelope]
    broken: bool = False

    async def post(
        self,
        what: Match,
        recipients: Sequence[str],
        was: Match | None = None,
        newly: Sequence[str] = (),
        *,
        late: bool = False,
    ) -> None:
        """Put one envelope into the outbox, as the alert stage does."""
        await put(self.stream, what, recipients, was, newly, late=late)

    async def turn(self) -> None:
        """Turn once, as a stage does: after a failure all is looked at anew."""
        try:
            await self.courier.turn()
        except Transient:
            self.reader.begin()

    async def work(self, done: int | None = None) -> None:
        """Turn until the outbox is settled, or so many messages were taken."""
        async with asyncio.timeout(20):
            while await self.waiting() if done is None else len(self.sink.log) < done:
                await self.turn()

    async def turn_until(self, true: Callable[[], object]) -> None:
        """Turn until something is so."""
        async with asyncio.timeout(20):
            while not true():
                await self.turn()

    async def waiting(self) -> int:
        """Return how many entries of outboxes are not settled."""
        depths = await self.stream.depths()
        return sum(d.length for d in depths if d.queue.startswith("outbox"))

    async def outcome(self, post: str, name: str) -> Delivery:
        """Return what the ledger has of a post for a subscriber."""
        return (await self.stream.told(f"governor/{post}", [name]))[name]

    def told(self, to: str = "") -> list[tuple[str, str]]:
        """Return what was taken, of all or for one address, and of which items."""
        return [(one.what, one.of) for one in self.sink.log if to in ("", one.to)]


async def put(  # noqa: PLR0913 - an envelope's fields
    stream: Stream,
    what: Match,
    recipients: Sequence[str],
    was: Match | None = None,
    newly: Sequence[str] = (),
    *,
    late: bool = False,
    sinks: Sequence[str] = ("chat",),
) -> None:
    """Put one envelope into the outbox of each sink, as the alert stage does."""
    await stream.accept(what.item.source, [what.item], what.item.key)
    items = await stream.reader("items", "filter").next(block=timedelta(0))
    await stream.publish([(items[-1], what)])
    matches = await stream.reader(MATCHES, "alert").next(block=timedelta(0))
    envelopes = [
        Envelope(
            match=what, sink=sink, recipients=tuple(recipients),
            was=was, newly=tuple(newly), late=late,
        )
        for sink in sinks
    ]  # fmt: skip
    await stream.fanout([(matches[-1], envelopes, [])])


@asynccontextmanager
async def office(
    stream: Stream,
    clock: Clock,
    held: Callable[[], bool] = lambda: True,
    sink: Scripted | None = None,
) -> AsyncIterator[Office]:
    """Open a courier for a scripted sink; it has the lease."""
    sink = sink or Scripted()
    web = Web(clock)
    reader = stream.reader(outbox("chat"), "deliver")
    assert await stream.take(LEASE, timedelta(minutes=5))

    async def take(count: int) -> Sequence[Entry[Envelope]]:
        if at.broken:
            at.broken = False
            raise Away("the connection broke")
        return await reader.next(count, SOON)

    courier = Courier(sink, Lane(take, LEASE, held), stream, web, clock)
    courier.know(PEOPLE, {}, {})
    at = Office(stream, sink, courier, reader)
    try:
        yield at
    finally:
        await courier.stop()
        await web.aclose()


class Standing(FakeClock):
    """A clock on which no wait ever ends."""

    async def sleep(self, duration: timedelta) -> None:
        """Note what is asked for, and wait for ever."""
        self.slept.append(duration)
        await asyncio.Event().wait()
