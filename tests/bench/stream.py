"""
How fast the streams are, beside what the same server and line can do at all.

    python -m tests.bench.stream [no | everysec | always]

Every pair of figures comes from one server in one run, the limit first: only their
ratio says something about us, and it is to be 0.3 at least.  The limit of a commit is a
pipeline of plain XADDs of the same bytes, see `limit`; where envelopes are settled,
with an XACK and an XDEL a batch.  That of a cycle has a group read besides.
"""

import asyncio
import gc
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

import msgspec

from monitor.item import Envelope, Item, Match, to_wire
from monitor.stream import (
    ITEMS,
    MATCHES,
    Entry,
    Server,
    Settlement,
    Stream,
    outbox,
)
from monitor.stream.commits import Plan
from tests.bench.limit import Line, adds
from tests.stream_values import NOW, delivery, drained, match

COUNT = 16384
ROUNDS = 5
BATCHES = (64, 256)
SINKS = ("chat", "post")  # of one, all is read before it is settled
AT_ONCE = timedelta()
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: on the wall, of our processor, and of the server's."""

    wall: float
    ours: float
    server: float

    def least(self, other: "Spent") -> "Spent":
        """Return the least of both: other work on the machine only adds to it."""
        return Spent(
            min(self.wall, other.wall),
            min(self.ours, other.ours),
            min(self.server, other.server),
        )


@dataclass(frozen=True, slots=True)
class Beside:
    """What so many things took us, beside what they take at least."""

    count: int
    ours: Spent
    limit: Spent

    def __str__(self) -> str:
        fast, most = self.count / self.ours.wall, self.count / self.limit.wall
        ours, server = (
            seconds / self.count * 1e6 for seconds in (self.ours.ours, self.ours.server)
        )
        return (
            f"{fast:,.0f} of {most:,.0f}: {fast / most:.2f}; "
            f"CPU {ours:.1f} + {server:.1f} µs"
        )

    def best(self, other: "Beside") -> "Beside":
        """Return the best of two rounds, of either side."""
        ours, limit = self.ours.least(other.ours), self.limit.least(other.limit)
        return Beside(self.count, ours, limit)


def texts(count: int, start: int = 0) -> list[Item]:
    """Return items of about 1 KB on the wire, as a channel has them."""
    words = "Над районом работает противовоздушная оборона, просьба оставаться дома. "
    return [
        Item(
            source="bench",
            id=str(n),
            url=f"https://t.me/channel/{n}",
            published=NOW,
            seen=NOW,
            text=f"{n} {words * 6}",
        )
        for n in range(start, start + count)
    ]


async def measure(fsync: str = "no") -> dict[str, Beside]:
    """
    Return how many things a second each step does, of how many that are possible.

    Args:
        fsync: When the server's disk has to have it.  The embedded one says `always`;
            `no` leaves the disk out, which both wait for, and is the harder test.
    """
    best: dict[str, Beside] = {}
    with tempfile.TemporaryDirectory(prefix="monitor-bench-") as folder:
        async with Server(Path(folder)) as server:
            url = await server.ensure()
            with Line(url) as line:
                line.ask("CONFIG", "SET", "appendfsync", fsync)
                for batch in BATCHES * ROUNDS:
                    async for step, beside in _steps(url, line, batch):
                        name = f"{step}, batches of {batch}, /s"
                        best[name] = beside.best(best.get(name, beside))
    return best


async def _steps(url: str, line: Line, batch: int) -> AsyncIterator[tuple[str, Beside]]:
    async with aclosing(await Stream.connect(url, "bench", sinks=SINKS)) as stream:
        way = Way(stream, line, batch)
        yield "accept", await way.accept(texts(COUNT))
        yield "publish", await way.publish()
        yield "fan out", await way.fanout()
        yield "settle", await way.settle()
        yield "read, send nothing, settle", await way.deliver()
        yield "read, judge nothing, acknowledge", await way.judge()
        yield "accept, two sources at a time", await way.accept_two()
    line.ask("FLUSHALL")


class Way:
    """Posts on their way, so many at a time, and plain entries of the same bytes."""

    def __init__(self, stream: Stream, line: Line, batch: int) -> None:
        self._stream, self._line, self._batch = stream, line, batch

    async def accept(self, items: Sequence[Item]) -> Beside:
        """Accept *items*."""
        limit = self._added("plain:items", items)
        start = self._now()
        for some in self._portions(items):
            await self._stream.accept("bench", some, some[-1].id)
        return Beside(len(items), self._since(start), limit)

    async def accept_two(self) -> Beside:
        """Accept items of two sources, each at its own pace, as there are many."""
        items = texts(COUNT)
        limit = self._added("plain:more", items)

        async def accept(source: str, items: Sequence[Item]) -> None:
            for some in self._portions(items):
                await self._stream.accept(source, some, some[-1].id)

        start = self._now()
        await asyncio.gather(
            accept("one", items[: COUNT // 2]), accept("two", items[COUNT // 2 :])
        )
        return Beside(len(items), self._since(start), limit)

    async def publish(self) -> Beside:
        """Publish each item as a match."""
        verdicts = [
            (entry, match(entry.value, "danger"))
            for entry in await drained(self._stream.reader(ITEMS, "filter"))
        ]
        limit = self._added("plain:matches", [found for _, found in verdicts])
        start = self._now()
        for some in self._portions(verdicts):
            await self._stream.publish(some)
        return Beside(len(verdicts), self._since(start), limit)

    async def fanout(self) -> Beside:
        """Put every other match onto its way to one subscriber of each sink."""
        entries = await drained(self._stream.reader(MATCHES, "alert"))
        plans: list[Plan] = [
            (entry, [_to(sink, entry.value) for sink in SINKS], [])
            for entry in entries[::2]
        ]
        envelopes = [one for _, some, _ in plans for one in some]
        limit = self._added("plain:outbox", envelopes)
        start = self._now()
        for some in self._portions(plans, self._batch // len(SINKS)):
            await self._stream.fanout(some)
        return Beside(len(envelopes), self._since(start), limit)

    async def settle(self) -> Beside:
        """Settle envelopes that were all taken before, each with one delivery."""
        entries = await drained(self._stream.reader(outbox(SINKS[0]), "deliver"))
        settlements = [_settled(entry) for entry in entries]
        self._line.group("plain:outbox")
        taken = [
            self._line.take("plain:outbox", len(some))
            for some in self._portions(entries)
        ]
        outcomes = self._outcomes()
        start = self._now()
        for ids in taken:
            self._line.settle("plain:outbox", ids, outcomes)
        limit, start = self._since(start), self._now()
        for some in self._portions(settlements):
            await self._stream.settle_all(some)
        return Beside(len(settlements), self._since(start), limit)

    async def deliver(self) -> Beside:
        """Take envelopes and settle them at once, as if they had been sent."""
        outcomes = self._outcomes()
        start = self._now()
        while ids := self._line.take("plain:outbox", self._batch):
            self._line.settle("plain:outbox", ids, outcomes)
        limit, start, count = self._since(start), self._now(), 0
        reader = self._stream.reader(outbox(SINKS[1]), "deliver")
        while entries := await reader.next(self._batch, AT_ONCE):
            await self._stream.settle_all([_settled(entry) for entry in entries])
            count += len(entries)
        return Beside(count, self._since(start), limit)

    async def judge(self) -> Beside:
        """Take items and acknowledge them at once, as of no concern to anybody."""
        for some in self._portions(texts(COUNT, start=COUNT)):
            await self._stream.accept("bench", some, some[-1].id)
        self._line.group("plain:items")
        start = self._now()
        while ids := self._line.take("plain:items", self._batch):
            self._line.acknowledge("plain:items", ids)
        limit, start, count = self._since(start), self._now(), 0
        reader = self._stream.reader(ITEMS, "filter")
        while entries := await reader.next(self._batch, AT_ONCE):
            await self._stream.publish([(entry, None) for entry in entries])
            count += len(entries)
        return Beside(count, self._since(start), limit)

    def _added(self, key: str, values: Sequence[msgspec.Struct]) -> Spent:
        """Return what it takes to add *values* to a plain stream."""
        packed = [
            (adds(key, [to_wire(value) for value in some]), len(some))
            for some in self._portions(values)
        ]
        start = self._now()
        for commands, count in packed:
            self._line.send(commands, count)
        return self._since(start)

    def _outcomes(self) -> bytes:
        """Return a batch of deliveries, packed."""
        one = to_wire(delivery("bench/10000/1", "one", message="10000"))
        return adds("plain:deliveries", [one] * self._batch)

    def _portions(self, things: Sequence[A], size: int = 0) -> list[Sequence[A]]:
        size = size or self._batch
        return [things[at : at + size] for at in range(0, len(things), size)]

    def _now(self) -> Spent:
        gc.collect()
        gc.freeze()  # what waits for its turn is no burden of those before it
        return Spent(perf_counter(), process_time(), self._line.cpu())

    def _since(self, start: Spent) -> Spent:
        return Spent(
            perf_counter() - start.wall,
            process_time() - start.ours,
            self._line.cpu() - start.server,
        )


def _to(sink: str, found: Match) -> Envelope:
    return Envelope(match=found, sink=sink, recipients=("one",))


def _settled(entry: Entry[Any]) -> Settlement:
    envelope: Any = entry.value
    item = envelope.match.item
    told = delivery(item.key, envelope.recipients[0], message=item.id)
    return Settlement(entry=entry, deliveries=[told], done=True)


async def _print(*fsync: str) -> None:
    for step, beside in (await measure(*fsync)).items():
        print(f"{step}: {beside}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_print(*sys.argv[1:]))
