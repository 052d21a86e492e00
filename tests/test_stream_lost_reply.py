"""An answer that is lost after the server has acted: repeating changes nothing."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from monitor.errors import Away
from monitor.stream import DELIVERIES, ITEMS, MATCHES, Stream, outbox
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.cutter import Cutter, cutting
from tests.stream_values import (
    delivery,
    drained,
    envelope,
    everything,
    match,
    matched,
    post,
    posted,
    posts,
    verdicts,
)

R = TypeVar("R")


@pytest.fixture
async def cutter(redis_url: str, tmp_path: Path) -> AsyncIterator[Cutter]:
    async with cutting(redis_url, tmp_path) as cutter:
        yield cutter


@pytest.fixture
async def shaky(
    cutter: Cutter, prefix: str, clock: FakeClock, stream: Stream
) -> AsyncIterator[Stream]:
    """The same stream as `stream`, by a connection that can be cut."""
    assert stream.owner == "one"
    shaky = await Stream.connect(cutter.url, "one", clock=clock, prefix=prefix)
    yield shaky
    await shaky.aclose()


async def twice(cutter: Cutter, commit: Callable[[], Awaitable[R]]) -> R:
    """Lose the first answer to *commit*, and return the second."""
    cutter.lose_next()
    with pytest.raises(Away):
        await commit()
    assert cutter.cuts == 1
    return await commit()


async def test_accept_repeated_adds_nothing(
    shaky: Stream, cutter: Cutter, door: Door
) -> None:
    """A read whose acceptance was not answered is accepted once, in its order."""
    items = posts(5)

    accepted = await twice(cutter, lambda: shaky.accept("town", items, "5"))

    assert (0, 5) == (accepted.new, accepted.unchanged)
    assert items == await everything(door, ITEMS)
    assert "5" == await shaky.cursor("town")


async def test_a_cursor_waits_for_the_last_of_its_items(
    shaky: Stream, cutter: Cutter, door: Door
) -> None:
    """A read too large for one call that breaks in its middle is read again."""
    items = posts(600)
    cutter.lose_next()
    with pytest.raises(Away):
        await shaky.accept("town", items, "600")
    assert "" == await shaky.cursor("town")
    assert 0 < len(await everything(door, ITEMS)) < 600

    await shaky.accept("town", items, "600")

    assert "600" == await shaky.cursor("town")
    assert items == await everything(door, ITEMS)


async def test_an_edit_repeated_has_one_version(
    shaky: Stream, cutter: Cutter, door: Door
) -> None:
    """Repeating an edit does not count as another edit."""
    await shaky.accept("town", [post("1", "siren")], "1")
    edited = [post("1", "siren, north")]

    await twice(cutter, lambda: shaky.accept("town", edited, "1"))

    versions = [item.version for item in await everything(door, ITEMS)]
    assert [1, 2] == versions


async def test_publish_repeated_adds_nothing(
    shaky: Stream, cutter: Cutter, door: Door
) -> None:
    """A verdict that was not answered for is published once."""
    await shaky.accept("town", posts(3), "3")
    entries = await drained(shaky.reader(ITEMS, "filter"))
    judged = verdicts(entries)

    added = await twice(cutter, lambda: shaky.publish(judged))

    assert 0 == added
    assert [found for _, found in judged] == await everything(door, MATCHES)


async def test_fanout_repeated_adds_nothing(
    shaky: Stream, cutter: Cutter, door: Door
) -> None:
    """Envelopes and suppressions that were not answered for are written once."""
    (entry,) = await matched(shaky, [post("1")])
    quiet = delivery("town/1/1", "asleep", "suppressed")
    plans = [(entry, [envelope(match(post("1"), "danger"), "ann")], [quiet])]

    added = await twice(cutter, lambda: shaky.fanout(plans))

    assert 0 == added
    assert [plans[0][1][0]] == await everything(door, outbox("chat"))
    assert [quiet] == await everything(door, DELIVERIES)


@pytest.mark.parametrize("done", [False, True])
async def test_settle_repeated_writes_nothing(
    shaky: Stream, cutter: Cutter, door: Door, *, done: bool
) -> None:
    """An outcome that was not answered for is written down once."""
    (entry,) = await posted(shaky, [post("1")], "ann")
    told = delivery("town/1/1", "ann", "delivered", "77")

    news = await twice(cutter, lambda: shaky.settle(entry, [told], done=done))

    assert 0 == news
    assert [told] == await everything(door, DELIVERIES)
    assert {"ann": told} == await shaky.told("town/1", ["ann"])
    assert (0 if done else 1) == len(await everything(door, outbox("chat")))


async def test_a_read_whose_answer_is_lost_is_read_again(
    shaky: Stream, cutter: Cutter
) -> None:
    """Entries that the server thinks we have come first, as if never given."""
    await shaky.accept("town", posts(3), "3")
    reader = shaky.reader(ITEMS, "filter")
    await reader.next(1)
    cutter.lose_next()
    with pytest.raises(Away):
        await reader.next(1)

    entries = await drained(reader)

    assert ["0", "1", "2"] == [entry.value.id for entry in entries]
    assert [1, 1, 1] == [entry.attempts for entry in entries]


async def test_nothing_lost_nothing_twice_over_a_bad_line(
    shaky: Stream, cutter: Cutter, door: Door
) -> None:
    """With every tenth answer lost, each post becomes exactly one match."""
    chance = random.Random(7)  # noqa: S311 - the same bad line in every run
    cutter.lose(lambda: chance.random() < 0.1)
    items = posts(400)

    async def surely(commit: Callable[[], Awaitable[R]]) -> R:
        while True:
            try:
                return await commit()
            except Away:
                continue

    for start in range(0, len(items), 4):
        batch = items[start : start + 4]
        await surely(partial(shaky.accept, "town", batch, "c"))
    reader = shaky.reader(ITEMS, "filter")
    while entries := await surely(partial(reader.next, 4, timedelta())):
        await surely(partial(shaky.publish, verdicts(entries)))

    found = await everything(door, MATCHES)
    assert items == [found_match.item for found_match in found]
    assert cutter.cuts > 10
    assert 0 == reader.lost
