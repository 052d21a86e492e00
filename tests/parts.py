"""Small parts for tests of several stages: a source by script, a filter, the log."""

import asyncio
import io
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from monitor import log
from monitor.alert import NOT_RECOGNISED, Alert, Digest, Message, Pace, Repeats
from monitor.collect import Batch
from monitor.filter import Filter, PlaceEntry, Rule, TopicEntry
from monitor.item import Change, Item, Origin
from monitor.web import Web

NOW = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)
DRONE, DULL = "Над Грайвороном беспилотник", "Сегодня день города"
GOVERNOR = Origin(source="governor", home="RU-BEL", voice="official")

Step = Batch | Exception | asyncio.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """
    A source whose every read takes its steps from a script: a batch, a failure, or an
    event to wait for.  A read ends with its script, and the last script is repeated.

    Attributes:
        reads: The cursors that it was read with.
    """

    origin: Origin = GOVERNOR
    every: timedelta = timedelta(seconds=20)
    scripts: deque[Sequence[Step]] = field(default_factory=deque, compare=False)
    reads: list[str] = field(default_factory=list, compare=False)

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield and raise what the script says."""
        self.reads.append(cursor)
        steps = self.scripts.popleft() if len(self.scripts) > 1 else self.scripts[0]
        for step in steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                yield step

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return nothing: there are no recorded answers of a script."""
        del body, source, url, received
        return ()


def scripted(*scripts: Sequence[Step], name: str = "governor", **own: Any) -> Scripted:
    """Return a source called *name* that reads so."""
    origin = Origin(source=name, home="RU-BEL", voice="official")
    return Scripted(origin=origin, scripts=deque(scripts), **own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    A sink that takes everything at once, and notes it.

    Attributes:
        log: What was sent or edited, as (address, item's key).
        begun: The same, as soon as it is begun.
        open: While it is not set, nothing is answered.
    """

    name: str = "chat"
    pace: Pace = field(default=Pace())
    repeats: Repeats = NOT_RECOGNISED
    log: list[tuple[str, str]] = field(default_factory=list)
    begun: list[tuple[str, str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message, to: str, web: Web) -> str:
        """Note what is sent."""
        alerts = message.alerts if isinstance(message, Digest) else (message,)
        told = [(to, alert.match.item.key) for alert in alerts]
        self.begun.extend(told)
        await self.open.wait()
        self.log.extend(told)
        return f"m{len(self.log)}"

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """Note what is edited."""
        await self.send(alert, to, web)

    async def check(self, web: Web) -> str:
        """Be there."""
        return "told"


def told(*, answers: bool = True) -> Told:
    """Return a sink that answers, or one that hangs until it is opened."""
    sink = Told()
    if answers:
        sink.open.set()
    return sink


def post(
    id_: str, text: str = DRONE, change: Change = "new", source: str = "governor"
) -> Item:
    """Return a post as a source yields it."""
    said = "" if change == "deleted" else text
    return Item(
        source=source, id=id_, published=NOW, seen=NOW, text=said, change=change
    )


def batch(*items: Item, cursor: str = "c", gap: bool = False) -> Batch:
    """Return what a part of a read brought."""
    return Batch(items=items, cursor=cursor, gap=gap)


@cache
def drones(kind: type[Filter] = Filter, word: str = "беспилотник~") -> Filter:
    """Return a filter of a town, and of one rule about a word."""
    town = PlaceEntry(id="grayvoron", kind="town", name={"ru": "Грайворон"})
    region = PlaceEntry(
        id="RU-BEL", kind="region", name={"ru": "Белгородская область"}, places=(town,)
    )
    topic = TopicEntry(name="uav", words={"ru": (word,)})
    rule = Rule(name="drones", places=("RU-BEL",), topics=("uav",), severity="critical")
    return kind([region], [topic], [], [rule])


@contextmanager
def logged(level: str = "debug") -> Iterator[list[dict[str, Any]]]:
    """Collect what is logged while the block runs, in the order of time."""
    lines = Lines()
    log.set_up(level, lines)
    try:
        yield lines.lines
    finally:
        log.set_up("error")


class Lines(io.StringIO):
    """A stream that reads what is written to it as lines of JSON."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def write(self, text: str) -> int:
        """Take lines as journald does, with their priorities before them."""
        lines = (line.partition(">")[2] for line in text.splitlines())
        self.lines += [json.loads(line) for line in lines]
        return len(text)


def events(lines: Sequence[dict[str, Any]], *names: str) -> list[str]:
    """Return the events that were logged, of all or of these."""
    return [one["event"] for one in lines if not names or one["event"] in names]
