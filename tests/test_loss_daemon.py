"""A daemon whose Redis was flushed, exchanged or put back: what it takes for news."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from monitor.config import Settings
from monitor.item import Item
from monitor.loss import LOOK, SLACK
from monitor.secret import Secret
from monitor.stream import ITEMS, Reader, Server, Stream
from tests.daemons import (
    Hurried,
    Paper,
    configured,
    loaded,
    looking,
    met,
    printed,
    until,
    working,
)
from tests.loopback import Request, Response, serve
from tests.parts import events, logged

HASTE = 60  # so many times faster goes the daemon's clock
TOLD = ("redis_is_another", "redis_flushed", "redis_is_older")


@dataclass
class Dated(Paper):
    """
    A newspaper that says when it published something: so many minutes ago.

    Its first entry is of an hour ago.
    """

    ages: list[int] = field(default_factory=lambda: [60])

    def write(self, text: str, age: int) -> None:
        """Add an entry that is so old, in minutes."""
        self.ages.append(age)
        self.publish(text)

    def answer(self, request: Request) -> Response:
        """Serve the feed."""
        self.reads.append(request.path)
        now = datetime.now(UTC)
        entries = [
            f"<item><guid>{number}</guid><title>{text}</title>"
            f"<pubDate>{format_datetime(now - timedelta(minutes=age))}</pubDate></item>"
            for number, (text, age) in enumerate(
                zip(self.texts, self.ages, strict=True)
            )
        ]
        said = "".join(reversed(entries))
        return Response(200, f"<rss version='2.0'><channel>{said}</channel></rss>")


@pytest.fixture
async def paper() -> AsyncIterator[Dated]:
    """A newspaper of the past entry alone."""
    paper = Dated()
    async with serve(paper.answer) as server:
        paper.url = server.url
        yield paper


@asynccontextmanager
async def collecting(settings: Settings) -> AsyncIterator[Stream]:
    """Collect for some time, and look at what comes of it."""
    url = settings.redis.reveal() if settings.redis else None
    async with (
        working(settings, ["collect"], Hurried(HASTE)),
        looking(url or settings.state) as at,
    ):
        await met(at)
        yield at


async def taken(at: Stream, paper: Paper, count: int) -> list[tuple[str, bool]]:
    """Wait until so many items came; return the ids of all, and if they are late."""
    read = len(paper.reads)
    await until(lambda: len(paper.reads) > read + 3)
    found: list[tuple[str, bool]] = []
    reader = at.reader(ITEMS, "filter")
    async with asyncio.timeout(10):
        while len(found) < count:
            found += await some(at, reader)
    return found + await some(at, reader)


async def some(at: Stream, reader: Reader[Item]) -> list[tuple[str, bool]]:
    """Take the entries of the newspaper that are there, or come in a moment."""
    entries = await reader.next(block=timedelta(milliseconds=50))
    await at.ack(ITEMS, "filter", [entry.id for entry in entries])
    items = [(e.value, e.late) for e in entries if isinstance(e.value, Item)]
    return [(item.id, late) for item, late in items if item.source == "feed"]


async def counted(at: Stream) -> None:
    """Wait until the daemon has counted further than what is overlooked."""
    before = (await at.database.pulse(count=False)).count
    while (await at.database.pulse(count=False)).count <= before + 2 * SLACK:
        await at.reader(ITEMS, "archive").next(block=LOOK / HASTE)


async def test_after_a_flush_nothing_is_missing_and_nothing_told_as_new(
    tmp_path: Path, paper: Dated
) -> None:
    """What came while all was stopped and lost is late, and what follows is not."""
    settings = loaded(configured(tmp_path, paper))
    with logged("info") as lines:
        async with collecting(settings) as at:
            paper.write("before", 30)
            assert [("1", False)] == await taken(at, paper, 1)
            await counted(at)
        shutil.rmtree(settings.state / "redis")
        paper.write("between", 10)
        paper.write("between, too", 1)
        async with collecting(settings) as at:
            assert [("2", True), ("3", True)] == await taken(at, paper, 2)
            paper.write("after", 0)
            assert [("4", False)] == await taken(at, paper, 1)

    assert ["redis_is_another"] == events(lines, *TOLD)


async def test_an_old_copy_put_back_floods_nobody(tmp_path: Path, paper: Dated) -> None:
    """All that is found again is late, and told once what had happened."""
    settings = loaded(configured(tmp_path, paper))
    data, copy = settings.state / "redis", tmp_path / "copy"
    with logged("info") as lines:
        async with collecting(settings) as at:
            paper.write("before", 30)
            assert [("1", False)] == await taken(at, paper, 1)
        shutil.copytree(data, copy)
        async with collecting(settings) as at:
            paper.write("since", 10)
            paper.write("since, too", 1)
            assert [("2", False), ("3", False)] == await taken(at, paper, 2)
            await counted(at)
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        paper.write("between", 1)
        async with collecting(settings) as at:
            again = await taken(at, paper, 3)
            assert [("2", True), ("3", True), ("4", True)] == again
            paper.write("after", 0)
            assert [("5", False)] == await taken(at, paper, 1)

    assert ["redis_is_older"] == events(lines, *TOLD)


async def test_undated_entries_are_late_and_not_lost(
    tmp_path: Path,
) -> None:
    """Where nothing says when it was published, all that is shown is told as late."""
    async with printed() as paper:
        settings = loaded(configured(tmp_path, paper))
        async with collecting(settings) as at:
            await counted(at)
        shutil.rmtree(settings.state / "redis")
        paper.publish("between")
        async with collecting(settings) as at:
            assert [("0", True), ("1", True)] == await taken(at, paper, 2)
            paper.publish("after")
            assert [("2", False)] == await taken(at, paper, 1)


async def test_a_wrong_database_and_the_way_back(tmp_path: Path, paper: Dated) -> None:
    """Another number, and the first one again: late each time, and new never twice."""
    async with Server(tmp_path / "server") as server:
        url = await server.ensure()
        right = loaded(configured(tmp_path, paper, url))
        wrong = replace(right, redis=Secret(f"{url}?db=3"))
        with logged("info") as lines:
            async with collecting(right) as at:
                paper.write("before", 30)
                assert [("1", False)] == await taken(at, paper, 1)
                await counted(at)
            paper.write("between", 1)
            async with collecting(wrong) as at:
                assert [("2", True)] == await taken(at, paper, 1)
                await counted(at)
            paper.write("between, too", 1)
            async with collecting(right) as at:
                found = await taken(at, paper, 2)
                assert [("2", True), ("3", True)] == found
                paper.write("after", 0)
                assert [("4", False)] == await taken(at, paper, 1)

    assert ["redis_is_another"] * 2 == events(lines, *TOLD)
