"""Taking in stops before anything is lost, and goes on by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.collect import Batch
from monitor.errors import Away
from monitor.intake import Intake, free_in
from monitor.item import Delivery, Envelope, Item, Origin
from monitor.poll import Poller
from monitor.stream import ITEMS, Entry, Server, Stream
from monitor.stream.doctor import AMPLE, ROOM, fullness, scarcity
from monitor.stream.door import Door
from monitor.web import Web
from tests.clock import FakeClock
from tests.parts import NOW, Scripted, events, logged
from tests.stream_values import delivery, drained, post, posted

MIB = 1 << 20
PAGE = 20  # posts a read


@dataclass(frozen=True, slots=True, kw_only=True)
class Torrent(Scripted):
    """A source that publishes so many posts of 2 KB, a page a read."""

    origin: Origin = field(default=Origin(source="torrent"))
    every: timedelta = timedelta(milliseconds=200)
    size: int = 100_000

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield the next page; the first read is the past, and brings nothing."""
        self.reads.append(cursor)
        first = int(cursor or 0)
        last = min(first + PAGE, self.size) if cursor else 0
        posts = (self._post(number) for number in range(first, last))
        yield Batch(items=tuple(posts), cursor=str(last))

    def _post(self, number: int) -> Item:
        text = f"{number} ".ljust(2048, "x")
        return Item(
            source="torrent", id=str(number), published=NOW, seen=NOW, text=text
        )


@dataclass
class Site:
    """A poller at work on a small server, and what it works with."""

    stream: Stream
    door: Door
    poller: Poller
    clock: FakeClock
    lines: list[dict[str, Any]]

    async def until(self, true: Callable[[], object]) -> None:
        """Let reads come and go until something is so."""
        async with asyncio.timeout(10):
            while not true():
                await self.poller.rest()
                self.poller.turn()
                while self.poller.reading:
                    await asyncio.sleep(0.0002)

    async def idle(self, turns: int) -> None:
        """Make so many turns, in which nothing is read."""
        for _ in range(turns):
            await self.poller.rest()
            assert [] == self.poller.turn()

    def told(self, event: str, times: int = 1) -> Callable[[], bool]:
        """Return whether an event was logged so often."""
        return lambda: events(self.lines).count(event) >= times


@asynccontextmanager
async def small(
    state: Path, maxmemory: int, free: Callable[[Path], int] = free_in
) -> AsyncIterator[Site]:
    """Run a server with so little memory, and a poller on it."""
    clock = FakeClock()
    async with Server(state, maxmemory=maxmemory) as server:
        url = await server.ensure()
        door = Door(url, "monitor:{0}:")
        await door.call("CONFIG", "SET", "appendfsync", "no")
        stream = await Stream.connect(url, "one", sinks=["chat"], clock=clock)
        web = Web(clock)
        intake = Intake(stream, state, clock, free)
        poller = Poller(stream, web, clock, intake=intake)
        with logged() as lines:
            yield Site(stream, door, poller, clock, lines)
            await poller.pause()
        await web.aclose()
        await stream.aclose()
        await door.aclose()


async def said(door: Door) -> dict[str, str]:
    """Return what the server says of itself."""
    text = (await door.call("INFO")).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def outgoing(stream: Stream) -> tuple[Entry[Envelope], Delivery]:
    """Bring one post to the outbox; return its entry, and what becomes of it."""
    (entry,) = await posted(stream, [post("1")], "ann")
    return entry, delivery("town/1/1", "ann")


async def taken(stream: Stream) -> list[str]:
    """Take all items there are, for both of their groups; return their ids."""
    ids = []
    for group in ITEMS.groups:
        entries = await drained(stream.reader(ITEMS, group))
        ids = [entry.value.id for entry in entries]
        await stream.ack(ITEMS, group, [entry.id for entry in entries])
    await stream.trim()
    return ids


@pytest.mark.parametrize(
    ("share", "stopped", "full"),
    [
        (0.84, False, False),
        (0.86, False, True),
        (0.84, True, True),
        (0.79, True, False),
    ],
)
def test_it_stops_at_85_percent_and_goes_on_below_80(
    share: float,
    stopped: bool,  # noqa: FBT001 - a row of a table
    full: bool,  # noqa: FBT001 - the same
) -> None:
    """Between the two, what was so stays so."""
    info = {"used_memory": str(int(share * 10_000)), "maxmemory": "10000"}

    assert full == bool(fullness(info, stopped=stopped))


def test_a_server_without_a_limit_is_never_full() -> None:
    """One that cannot write its file is, whatever its memory."""
    assert fullness({"used_memory": "1", "maxmemory": "0"}, stopped=True) == ""
    why = fullness({"aof_last_write_status": "err"}, stopped=False)
    assert "disk" in why


@pytest.mark.parametrize(
    ("free", "stopped", "scarce"),
    [(ROOM, False, False), (ROOM - 1, False, True), (AMPLE - 1, True, True),
     (AMPLE, True, False)],
)  # fmt: skip
def test_it_stops_under_a_gib_of_disk(
    free: int,
    stopped: bool,  # noqa: FBT001 - a row of a table
    scarce: bool,  # noqa: FBT001 - the same
) -> None:
    """And goes on with a tenth more."""
    assert scarce == bool(scarcity(free, stopped=stopped))


async def test_a_full_server_loses_nothing_and_goes_on_by_itself(state: Path) -> None:
    """Reads end at 85 %, and begin again once there is room; each post comes once."""
    async with small(state, 6 * MIB) as site:
        source, ids = Torrent(), list[str]()
        site.poller.replace([source])
        for times in (1, 2):
            await site.until(site.told("intake_stopped", times))
            begun = len(source.reads)
            await site.idle(10)
            assert begun == len(source.reads)
            ids += await taken(site.stream)
            await site.until(site.told("intake_goes_on", times))
        ids += await taken(site.stream)
        assert len(ids) == int(await site.stream.cursor("torrent"))
        known = events(site.lines, "intake_stopped", "intake_goes_on", "intake_waits")

    assert len(ids) >= 1000
    assert [str(number) for number in range(len(ids))] == ids
    assert ["intake_stopped", "intake_goes_on"] * 2 == known


async def test_what_is_refused_is_read_again(state: Path) -> None:
    """Posts that come faster than we look fill the server, and none is skipped."""
    async with small(state, 6 * MIB) as site:
        source, ids = Torrent(every=timedelta(milliseconds=1)), list[str]()
        site.poller.replace([source])
        await site.until(site.told("intake_waits"))
        await site.until(site.told("intake_stopped"))
        ids += await taken(site.stream)
        read = len(source.reads)
        await site.until(lambda: len(source.reads) > read + 10)
        ids += await taken(site.stream)

    assert [str(number) for number in range(len(ids))] == ids


async def test_deliveries_are_settled_when_memory_is_full(state: Path) -> None:
    """
    At 100 %, with an envelope in the outbox: nothing is accepted any more, and what was
    delivered is written down, acknowledged and deleted.
    """
    async with small(state, 6 * MIB) as site:
        stream, door = site.stream, site.door
        entry, sent = await outgoing(stream)
        await door.call("SET", "filler", b"x" * MIB)
        used = int((await said(door))["used_memory"])
        await door.call("CONFIG", "SET", "maxmemory", used - MIB // 2)
        with pytest.raises(Away, match="maxmemory"):
            await stream.accept("town", [post("2")], "d")

        assert "redis holds" in await stream.database.shortage(stopped=False)
        assert 1 == await stream.settle(entry, [sent], done=True)
        assert 0 == await door.call("XLEN", door.key("outbox:chat:0"))
        assert "c" == await stream.cursor("town")
        await door.call("DEL", "filler")
        await stream.accept("town", [post("2")], "d")

        found = await drained(stream.reader("items", "filter"))
    assert ["2"] == [one.value.id for one in found]


async def test_a_full_disk_stops_the_intake_alone(state: Path) -> None:
    """No read is begun while less than 1 GiB is free; then all of it comes."""
    space = [AMPLE]
    async with small(state, 64 * MIB, lambda _: space[-1]) as site:
        source = Torrent(size=100)
        site.poller.replace([source])
        await site.until(lambda: source.reads)
        space.append(ROOM - 1)
        await site.until(site.told("intake_stopped"))
        begun = len(source.reads)
        space.append(AMPLE - 1)
        await site.idle(10)
        assert begun == len(source.reads)
        space.append(AMPLE)
        await site.until(lambda: source.reads[-1] == "100")

        assert 100 == len(await taken(site.stream))
    assert 1 == events(site.lines).count("intake_stopped")
