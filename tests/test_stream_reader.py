"""Reading as one of a group, on a real server."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import Away
from monitor.item import WIRE, Item, to_wire
from monitor.stream import DELIVERIES, ITEMS, MATCHES, Damaged, Reader, Stream
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.cutter import cutting
from tests.stream_values import delivery, drained, matched, post, posts, verdicts


async def sound(reader: Reader[Item], count: int) -> list[Any]:
    """Return the next entries of *reader*."""
    return [*await reader.next(count)]


async def ids(reader: Reader[Item], count: int = 256) -> list[str]:
    """Return the posts' ids of all that *reader* has for us now."""
    return [entry.value.id for entry in await drained(reader, count)]


async def test_entries_come_in_order_and_once(stream: Stream) -> None:
    """What is accepted is read in its order, page by page, and not again."""
    await stream.accept("town", posts(5), "c")
    reader = stream.reader(ITEMS, "filter")

    assert ["0", "1"] == [e.value.id for e in await sound(reader, 2)]
    assert ["2", "3", "4"] == await ids(reader, 2)
    assert [] == await ids(reader)


async def test_an_empty_stream_is_waited_for(stream: Stream) -> None:
    """A read of nothing ends after the time it may block."""
    reader = stream.reader(ITEMS, "filter")

    assert [] == await reader.next(block=timedelta(milliseconds=5))


async def test_each_group_gets_everything(stream: Stream) -> None:
    """What the filter has read, the archive gets all the same."""
    await stream.accept("town", posts(2), "c")

    assert ["0", "1"] == await ids(stream.reader(ITEMS, "filter"))
    assert ["0", "1"] == await ids(stream.reader(ITEMS, "archive"))


async def test_a_restarted_reader_begins_with_its_own(stream: Stream) -> None:
    """What was read and not acknowledged before a crash comes before anything new."""
    await stream.accept("town", posts(5), "c")
    before = await stream.reader(ITEMS, "filter").next(3)
    await stream.ack(ITEMS, "filter", [before[0].id])

    entries = await drained(stream.reader(ITEMS, "filter"), 1)

    assert ["1", "2", "3", "4"] == [entry.value.id for entry in entries]
    assert [2, 2, 1, 1] == [entry.attempts for entry in entries]


async def test_each_restart_is_an_attempt(stream: Stream) -> None:
    """An entry that fells its reader again and again says so."""
    await stream.accept("town", [post("1")], "c")

    attempts = [
        (await sound(stream.reader(ITEMS, "filter"), 1))[0].attempts for _ in range(4)
    ]

    assert [1, 2, 3, 4] == attempts


async def test_all_orphans_come_before_anything_new(
    stream: Stream, other: Stream
) -> None:
    """However many pages another one left behind, they are read first."""
    mine, theirs = other.reader(ITEMS, "filter"), stream.reader(ITEMS, "filter")
    await drained(mine)
    await drained(theirs)
    await stream.accept("town", posts(1300), "c")
    await mine.next(3)
    await theirs.next(1200)

    entries = await drained(other.reader(ITEMS, "filter"), 100)

    expected = [str(n) for n in range(1300)]
    assert expected == [entry.value.id for entry in entries]
    assert {2} == {entry.attempts for entry in entries[:1203]}
    assert {1} == {entry.attempts for entry in entries[1203:]}


async def test_the_work_of_a_live_reader_is_left_alone(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """Later looks take over only what nobody has touched for a minute."""
    reader = stream.reader(ITEMS, "filter")
    await drained(reader)
    await other.accept("town", posts(2), "c")
    await drained(other.reader(ITEMS, "filter"))
    clock.advance(
        timedelta(minutes=10)
    )  # time for a look; the server's clock is its own

    assert [] == await ids(reader)


async def test_a_new_leaseholder_takes_everything(
    stream: Stream, other: Stream
) -> None:
    """Who has got the lease begins with what the one before was working on."""
    reader = stream.reader(ITEMS, "filter")
    await drained(reader)
    await other.accept("town", posts(2), "c")
    await drained(other.reader(ITEMS, "filter"))

    reader.begin()

    assert ["0", "1"] == await ids(reader)


async def test_what_was_deleted_by_hand_is_counted(
    stream: Stream, other: Stream, door: Door
) -> None:
    """Entries that vanish before they are acknowledged are a loss, and are told."""
    await stream.accept("town", posts(6), "c")
    entries = await stream.reader(ITEMS, "filter").next(4)
    await door.call("XDEL", door.key("items"), entries[0].id, entries[2].id)

    reader = other.reader(ITEMS, "filter")

    assert ["1", "3", "4", "5"] == await ids(reader)
    assert 2 == reader.lost


async def test_a_group_that_is_gone_is_made_again(stream: Stream, door: Door) -> None:
    """After its loss a group reads from the beginning, not from what comes next."""
    reader = stream.reader(ITEMS, "filter")
    await stream.accept("town", [post("1")], "c")
    await drained(reader)
    await door.call("XGROUP", "DESTROY", door.key("items"), "filter")
    await stream.accept("town", [post("2")], "c")

    assert [] == await reader.next()
    assert ["1", "2"] == await ids(reader)


async def test_a_stream_that_is_gone_is_made_again(stream: Stream, door: Door) -> None:
    """A flush by hand ends nobody's work."""
    reader = stream.reader(ITEMS, "filter")
    await drained(reader)
    await door.call("DEL", door.key("items"))

    assert [] == await reader.next()
    await stream.accept("town", [post("2")], "c")
    assert ["2"] == await ids(reader)


DAMAGED = [
    ((b"2", b"\x80"), "wire form"),
    ((WIRE, b"\xc1"), "malformed"),
    ((WIRE, b""), "truncated"),
    ((WIRE, to_wire(delivery("town/1/1", "ann"))), "missing required field"),
    ((WIRE, to_wire(post("1"))[:-3]), "truncated"),
]


@pytest.mark.parametrize(("fields", "why"), DAMAGED)
async def test_a_damaged_entry_is_returned_as_such(
    stream: Stream, door: Door, fields: tuple[bytes, bytes], why: str
) -> None:
    """What cannot be read does not stop what comes after it."""
    await door.call("XADD", door.key("items"), "*", *fields)
    await stream.accept("town", [post("1")], "c")

    damaged, good = await drained(stream.reader(ITEMS, "filter"))

    assert isinstance(damaged.value, Damaged)
    assert why in damaged.value.why
    assert "1" == good.value.id


async def test_a_damaged_correction_is_damaged(stream: Stream, door: Door) -> None:
    """A match whose predecessor cannot be read is not taken for an alert of its own."""
    (sound_one,) = await matched(stream, [post("1")])
    await stream.fanout([(sound_one, [], [])])
    ((_, fields),) = await door.call("XRANGE", door.key("matches"), "-", "+")
    await door.call("XADD", door.key("matches"), "*", *fields, "was", b"\xc1")

    (entry,) = await drained(stream.reader(MATCHES, "alert"))

    assert isinstance(entry.value, Damaged)


async def test_a_failed_first_read_still_begins_with_its_own(
    redis_url: str, tmp_path: Path, prefix: str, stream: Stream
) -> None:
    """A restart during which the line breaks loses nothing and counts once."""
    await stream.accept("town", posts(4), "c")
    await stream.reader(ITEMS, "filter").next(2)
    async with cutting(redis_url, tmp_path) as cutter:
        shaky = await Stream.connect(cutter.url, "one", prefix=prefix)
        reader = shaky.reader(ITEMS, "filter")
        first = await sound(reader, 1)
        cutter.lose_next()
        with pytest.raises(Away):
            await reader.next(1)
        entries = await drained(reader, 1)
        await shaky.aclose()

    assert [("0", 2)] == [(e.value.id, e.attempts) for e in first]
    assert ["0", "1", "2", "3"] == [e.value.id for e in entries]


async def test_who_had_the_lease_before_snatches_nothing(
    stream: Stream, other: Stream, door: Door
) -> None:
    """What was given to a reader that still waited comes first, and in its order."""
    reader, late = stream.reader(ITEMS, "filter"), other.reader(ITEMS, "filter")
    waiting = asyncio.create_task(late.next(block=timedelta(seconds=9)))
    while b"flags=b" not in await door.call("CLIENT", "LIST"):
        await asyncio.sleep(0)
    reader.begin()
    assert [] == await reader.next(block=timedelta())
    await stream.accept("town", [post("1")], "c")
    assert 1 == len(await waiting)
    await stream.accept("town", [post("2")], "d")

    assert ["1", "2"] == await ids(reader)


async def test_following_shows_the_last_and_then_the_new(stream: Stream) -> None:
    """An onlooker sees what was last and what comes, and takes nothing away."""
    await stream.accept("town", posts(5), "c")
    seen = []
    async for entry in stream.follow(ITEMS, back=2, block=timedelta(milliseconds=20)):
        assert isinstance(entry.value, Item)
        seen.append(entry.value.id)
        if len(seen) == 2:
            await stream.accept("town", [post("9")], "d")
        if len(seen) == 3:
            break

    assert ["3", "4", "9"] == seen
    assert ["0", "1", "2", "3", "4", "9"] == await ids(stream.reader(ITEMS, "filter"))


async def test_following_an_empty_stream(stream: Stream) -> None:
    """An onlooker of an empty stream sees its very first entry."""
    (entry,) = await matched(stream, [post("1")])
    quiet = delivery("town/1/1", "ann", "suppressed")

    async def first() -> object:
        async for seen in stream.follow(DELIVERIES, back=1):
            return seen.value
        return None

    seeing = asyncio.create_task(first())
    await asyncio.sleep(0)
    await stream.fanout([(entry, [], [quiet])])

    assert quiet == await seeing


async def test_matches_are_read_with_their_kind(stream: Stream) -> None:
    """A queue may be called by its name, and its entries say where they belong."""
    await stream.accept("town", [post("1")], "c")
    await stream.publish(verdicts(await drained(stream.reader("items", "filter"))))

    (entry,) = await drained(stream.reader("matches", "archive"))

    assert ("matches", "archive", "1") == (
        entry.queue,
        entry.group,
        entry.value.item.id,
    )
    assert [] == await drained(stream.reader(DELIVERIES, "archive"))
    with pytest.raises(KeyError):
        stream.reader("nothing", "archive")


async def test_a_takeover_that_was_broken_off_leaves_no_disorder(
    stream: Stream, other: Stream
) -> None:
    """Who takes back what another one had begun to take reads it in its order."""
    await stream.accept("town", posts(6), "c")
    assert 4 == len(await stream.reader(ITEMS, "filter").next(4))
    second = other.reader(ITEMS, "filter")
    second.begin()
    assert 2 == len(await second.next(2))  # a page of them, and then it dies
    third = stream.reader(ITEMS, "filter")
    third.begin()

    assert ["0", "1", "2", "3", "4", "5"] == await ids(third, 2)
