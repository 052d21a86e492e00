"""What somebody removed from a queue by hand is told, once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.house import House
from monitor.stream import ITEMS, QUEUES, Stream
from monitor.stream.door import Door
from monitor.web import Web
from monitor.work import Work
from tests.clock import FakeClock
from tests.daemons import until
from tests.parts import drones, events, logged
from tests.stream_values import drained, post, posts


@pytest.fixture
async def house(
    stream: Stream, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[House]:
    """What keeps the queues short."""
    house = House(tmp_path, stream, clock)
    yield house
    house.close()


async def worked_on(stream: Stream) -> None:
    """Take and acknowledge all items, for all of their groups."""
    for group in ITEMS.groups:
        entries = await drained(stream.reader(ITEMS, group))
        await stream.ack(ITEMS, group, [entry.id for entry in entries])


async def told(house: House) -> list[tuple[str, int]]:
    """Trim twice, and return what was told to be missing: the queue, how many."""
    with logged() as lines:
        await house.trim()
        await house.trim()
    assert all(line["level"] == "error" for line in lines)
    return [(line["queue"], line["entries"]) for line in lines]


async def test_nothing_is_missing_of_what_was_worked_on(
    stream: Stream, house: House
) -> None:
    """However much is trimmed, whenever: that is nobody else's doing."""
    for round_ in range(3):
        items = [post(f"{round_}.{n}") for n in range(300)]
        await stream.accept("town", items, "c")
        assert [] == await told(house)
        await worked_on(stream)
        assert [] == await told(house)

    assert 300 > (await stream.depths())[0].length
    assert {} == await stream.database.missing()


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (("XADD", "items", "MAXLEN", "0", "*", "1", "x"), 6),
        (("XADD", "items", "MAXLEN", "=", "4", "*", "1", "x"), 2),
        (("XTRIM", "items", "MINID", "99999999999999"), 5),
        (("DEL", "items"), 5),
    ],
)
async def test_what_another_removed_is_missing(
    stream: Stream, door: Door, house: House, command: tuple[str, ...], missing: int
) -> None:
    """By any of the commands that remove entries, whatever came after them."""
    await stream.accept("town", posts(5), "c")
    assert [] == await told(house)
    name, key, *rest = command
    await door.call(name, door.key(key), *rest)
    await stream.accept("town", [post("new")], "c")

    assert [("items", missing)] == await told(house)
    assert [] == await told(house)
    assert {"items": missing} == await stream.database.missing()


async def test_entries_of_before_the_account_are_not_missing(
    stream: Stream, door: Door, house: House
) -> None:
    """A database of an older version begins to count with what it has."""
    await stream.accept("town", posts(5), "c")
    await door.call("XTRIM", door.key("items"), "MAXLEN", "2")

    assert [] == await told(house)


async def test_every_queue_is_watched(door: Door, house: House) -> None:
    """Not only the first one."""
    for queue in QUEUES:
        await door.call("XADD", door.key(queue.name), "*", "1", "x")
    await told(house)
    for queue in QUEUES:
        await door.call("XADD", door.key(queue.name), "MAXLEN", "0", "*", "1", "x")

    assert {(queue.name, 2) for queue in QUEUES} == set(await told(house))


async def test_what_was_taken_and_is_gone_is_told(
    stream: Stream, door: Door, tmp_path: Path
) -> None:
    """A stage that finds its entries gone says so, before anybody trims."""
    await stream.accept("town", posts(5), "c")
    assert 5 == len(await stream.reader(ITEMS, "filter").next())
    await door.call("XTRIM", door.key("items"), "MAXLEN", "2")
    clock, stopping = SystemClock(), asyncio.Event()
    settings = Settings(file=tmp_path / "x", state=tmp_path, filter=drones())
    web = Web(clock)
    work = Work(settings, stream, web, clock, stopping)
    with logged() as lines:
        working = asyncio.create_task(work.turn(["filter"]))
        await until(lambda: "entries_missing" in events(lines))
        stopping.set()
        await working
    await web.aclose()

    told = [line for line in lines if line["event"] == "entries_missing"]
    assert [("items", 3)] == [(line["queue"], line["entries"]) for line in told]
