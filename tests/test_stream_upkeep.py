"""Trimming, depths, dead letters, leases and notes, on a real server."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.item import WIRE, Envelope
from monitor.stream import ITEMS, Damaged, Depth, Stream, outbox
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.stream_values import (
    NOW,
    delivery,
    drained,
    everything,
    match,
    matched,
    post,
    posted,
    posts,
)

# Trimming

steps = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 30)),
        st.tuples(st.sampled_from(["filter", "archive"]), st.integers(1, 40)),
        st.tuples(st.just("trim"), st.just(0)),
    ),
    max_size=12,
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, skipped=st.sets(st.integers(0, 200)))
async def test_trimming_never_takes_what_a_group_still_needs(
    stream: Stream, door: Door, steps: list[tuple[str, int]], skipped: set[int]
) -> None:
    """Whatever was read and acknowledged in whatever order, the rest is still there."""
    await door.call("DEL", *map(door.key, ("items", "seen:town")))
    await stream.reader(ITEMS, "filter").next(1, timedelta())
    await door.call("XGROUP", "CREATE", door.key("items"), "archive", "0")
    readers = {name: stream.reader(ITEMS, name) for name in ITEMS.groups}
    settled: dict[str, set[str]] = {name: set() for name in ITEMS.groups}
    made = 0
    for what, count in steps:
        if what == "accept":
            new = [post(str(made + n), "x" * 1500 + str(n)) for n in range(count)]
            await stream.accept("town", new, "c")
            made += count
        elif what == "trim":
            await stream.trim()
        else:
            entries: list[Any] = [*await readers[what].next(count, timedelta())]
            good = [e for e in entries if int(e.value.id) not in skipped]
            await stream.ack(ITEMS, what, [e.id for e in good])
            settled[what] |= {e.value.id for e in good}
    await stream.trim()

    left = {item.id for item in await everything(door, ITEMS)}
    assert {str(n) for n in range(made)} - settled["filter"] & settled[
        "archive"
    ] <= left


async def test_trimming_removes_what_all_have_settled(
    stream: Stream, door: Door
) -> None:
    """What every group has acknowledged goes, up to the oldest that one has not."""
    await stream.accept("town", posts(200, size=1500), "c")
    for group in ITEMS.groups:
        entries = await drained(stream.reader(ITEMS, group))
        await stream.ack(
            ITEMS, group, [e.id for n, e in enumerate(entries) if n != 150]
        )

    removed = await stream.trim()

    left = [int(item.id) for item in await everything(door, ITEMS)]
    assert 200 == removed + len(left)
    assert [*range(removed, 200)] == left
    assert 140 < removed <= 150  # a node of the stream goes as a whole or stays


async def test_nothing_is_trimmed_without_the_archive(
    stream: Stream, door: Door
) -> None:
    """A stream that lacks one of its groups is left alone."""
    await stream.accept("town", posts(50, size=1500), "c")
    entries = await drained(stream.reader(ITEMS, "filter"))
    await stream.ack(ITEMS, "filter", [entry.id for entry in entries])

    assert 0 == await stream.trim()
    await door.call("XGROUP", "DESTROY", door.key("items"), "archive")
    assert 0 == await stream.trim()
    assert 50 == len(await everything(door, ITEMS))


async def test_ids_are_compared_as_numbers(stream: Stream, door: Door) -> None:
    """An entry 9-0 is older than 10-0, as a clock may have been set back for long."""
    await door.call("DEL", door.key("items"))
    filler = "x" * 4000
    for id_ in ("5-0", "9-0", "9-9", "9-10", "10-0", "11-0"):
        await door.call("XADD", door.key("items"), id_, WIRE, filler)
    for group in ITEMS.groups:
        await door.call("XGROUP", "CREATE", door.key("items"), group, "0")
        await drained(stream.reader(ITEMS, group))
        await stream.ack(ITEMS, group, ["5-0", "9-0", "10-0", "11-0"])
    await stream.ack(ITEMS, "archive", ["9-9", "9-10"])

    await stream.trim()

    found = await door.call("XRANGE", door.key("items"), "-", "+")
    assert [b"9-9", b"9-10", b"10-0", b"11-0"] == [id_ for id_, _ in found]


# Depths


async def test_depths_count_what_waits(stream: Stream) -> None:
    """Each group's untaken and unacknowledged entries are counted, lanes included."""
    (entry, *_) = await posted(stream, posts(4), "ann")
    await stream.settle(entry, [delivery("town/0/1", "ann")], done=True)
    await stream.accept("town", [post("9")], "d")

    depths = {(d.queue, d.group): d for d in await stream.depths()}

    assert (
        Depth(queue="items", group="filter", length=5, pending=0, lag=1)
        == depths["items", "filter"]
    )
    assert (
        Depth(queue="items", group="archive", length=5, pending=0, lag=5)
        == depths["items", "archive"]
    )
    assert (
        Depth(queue="outbox:chat:0", group="deliver", length=3, pending=3, lag=0)
        == (depths["outbox:chat:0", "deliver"])
    )
    assert 8 == len(await stream.depths()) + 1


async def test_what_nobody_reads_is_waiting(stream: Stream, door: Door) -> None:
    """An outbox that was never read, of a sink that is no more, counts as a backlog."""
    (entry,) = await matched(stream, [post("1")])
    ways = [Envelope(match=match(post("1")), sink="old", recipients=("ann",))]
    await stream.fanout([(entry, ways, [])])
    await door.call("XGROUP", "DESTROY", door.key("items"), "filter")

    depths = {(d.queue, d.group): d for d in await stream.depths()}

    assert (
        Depth(queue="outbox:old:0", group="deliver", length=1, pending=0, lag=1)
        == depths["outbox:old:0", "deliver"]
    )
    assert (1, 0) == (
        depths["items", "filter"].lag,
        depths["items", "filter"].pending,
    )
    assert len(depths) == len(await stream.depths())


async def test_an_outbox_that_is_gone_has_nothing(stream: Stream, door: Door) -> None:
    """Of a lane that was used and deleted nothing waits."""
    await posted(stream, [post("1")], "ann")
    await door.call("DEL", door.key("outbox:chat:0"))

    depths = {(d.queue, d.group): d for d in await stream.depths()}

    assert (
        Depth(queue="outbox:chat:0", group="deliver", length=0, pending=0, lag=0)
        == depths["outbox:chat:0", "deliver"]
    )


# Dead letters


async def test_a_dead_letter_goes_there_and_back(stream: Stream, door: Door) -> None:
    """A buried entry is acknowledged and kept with its reason, and can be retried."""
    (entry,) = await posted(stream, [post("1")], "ann")

    assert await stream.bury(entry, "felled three workers", attempts=3)
    assert not await stream.bury(entry, "felled three workers", attempts=3)

    (letter,) = await stream.dead()
    assert ("outbox:chat:0", "deliver", entry.id) == (
        letter.queue,
        letter.group,
        letter.entry,
    )
    assert ("felled three workers", 3, NOW) == (letter.why, letter.attempts, letter.at)
    assert entry.value == letter.value
    assert [] == await everything(door, outbox("chat"))

    assert await stream.retry(letter.id)
    assert not await stream.retry(letter.id)
    assert [] == await stream.dead()
    (again,) = await drained(stream.reader(outbox("chat"), "deliver"))
    assert (entry.value, 1) == (again.value, again.attempts)


async def test_a_correction_comes_back_as_one(stream: Stream) -> None:
    """A retried match still carries what it corrects."""
    await matched(stream, [post("1")])
    *_, entry = await matched(stream, [post("1", "other")])
    await stream.bury(entry, "why not")

    (letter,) = await stream.dead()
    await stream.retry(letter.id)

    *_, again = await drained(stream.reader("matches", "alert"))
    assert (entry.value, entry.was) == (again.value, again.was)
    assert again.was is not None


async def test_what_cannot_be_read_can_be_buried(stream: Stream, door: Door) -> None:
    """A damaged entry is kept byte for byte, for a program that can read it."""
    await door.call("XADD", door.key("items"), "*", b"7", b"\xc1\xff")
    (entry,) = await drained(stream.reader(ITEMS, "filter"))
    assert isinstance(entry.value, Damaged)
    await stream.bury(entry, entry.value.why)

    (letter,) = await stream.dead()
    assert isinstance(letter.value, Damaged)
    await stream.retry(letter.id)

    *_, (_, fields) = await door.call("XRANGE", door.key("items"), "-", "+")
    assert [b"7", b"\xc1\xff"] == fields


async def test_a_dropped_letter_is_gone(stream: Stream) -> None:
    """Dropping deletes one letter and no other."""
    await stream.accept("town", posts(2), "c")
    for entry in await drained(stream.reader(ITEMS, "filter")):
        await stream.bury(entry, "x")
    first, second = await stream.dead()

    for typo in ("", "1", "-", "first", f"{first.id}9-"):
        assert not await stream.drop(typo)
        assert not await stream.retry(typo)
    assert await stream.drop(first.id)
    assert not await stream.drop(first.id)
    assert [second] == await stream.dead()


# Leases


async def test_a_lease_has_one_owner(stream: Stream, other: Stream) -> None:
    """While one holds a lease, it may renew it, and nobody else gets it."""
    assert await stream.take("lane", timedelta(minutes=1))
    assert not await other.take("lane", timedelta(minutes=1))
    assert not await other.release("lane")
    assert await stream.take("lane", timedelta(minutes=1))
    assert await stream.release("lane")
    assert await other.take("lane", timedelta(minutes=1))


async def test_a_lease_that_is_not_renewed_ends(
    stream: Stream, other: Stream, door: Door
) -> None:
    """A lease lasts as long as was asked for, by the server's clock."""
    await stream.take("lane", timedelta(milliseconds=1))
    await door.call("BLPOP", door.key("nothing"), 0.01)

    assert await other.take("lane", timedelta(seconds=90))
    assert 89_000 < await door.call("PTTL", door.key("lease:lane")) <= 90_000


async def test_a_lease_outlives_no_clock_that_is_set_back(
    stream: Stream, other: Stream, door: Door
) -> None:
    """To the server an hour more is left of it; to those who wait, one lease is."""
    key, lease = door.key("lease:lane"), timedelta(seconds=90)
    await stream.take("lane", lease)
    await door.call("PEXPIRE", key, 3_690_000)

    assert not await other.take("lane", lease)
    assert 89_000 < await door.call("PTTL", key) <= 90_000
    assert await stream.take("lane", lease), "it is still its owner's"


# Notes


async def test_parking(stream: Stream) -> None:
    """A subscriber or a whole sink can be switched off and on."""
    await stream.directory.park("chat", "ann", "blocked us")
    assert "blocked us" == await stream.directory.parked("chat", "ann")
    assert "" == await stream.directory.parked("chat", "bob")

    await stream.directory.park("chat", "", "token revoked")
    assert "token revoked" == await stream.directory.parked("chat", "bob")
    parking = {"chat/ann": "blocked us", "chat": "token revoked"}
    assert parking == await stream.directory.parking()

    await stream.directory.unpark("chat", "")
    await stream.directory.unpark("chat", "ann")
    assert {} == await stream.directory.parking()


async def test_moving(stream: Stream) -> None:
    """An address is followed over all its moves, even in a circle."""
    assert "-1" == await stream.directory.moved("chat", "-1")
    await stream.directory.move("chat", "-1", "-2")
    await stream.directory.move("chat", "-2", "-3")
    assert "-3" == await stream.directory.moved("chat", "-1")
    assert "-1" == await stream.directory.moved("mail", "-1")

    await stream.directory.move("chat", "-3", "-1")
    assert "-1" == await stream.directory.moved("chat", "-1")


async def test_holding(stream: Stream, clock: FakeClock) -> None:
    """Who has to wait is known to everybody until the time has come."""
    soon, late = NOW + timedelta(seconds=5), NOW + timedelta(hours=1)
    await stream.directory.hold("chat", "-1", soon)
    await stream.directory.hold("chat", None, late)
    assert {"chat/-1": soon, "chat": late} == await stream.directory.held()

    clock.advance(timedelta(seconds=5))
    assert {"chat": late} == await stream.directory.held()


async def test_a_database_knows_itself(
    stream: Stream, other: Stream, redis_url: str, door: Door, prefix: str
) -> None:
    """All instances see one epoch, and after a flush another one."""
    assert stream.epoch == other.epoch
    await door.call("DEL", door.key("epoch"))
    third = await Stream.connect(redis_url, "three", prefix=prefix)
    await third.aclose()

    assert stream.epoch != third.epoch


async def test_a_clock_set_back_makes_nobody_wait_longer(
    stream: Stream, clock: FakeClock
) -> None:
    """Who was asked to wait a minute waits no longer, whatever the clock says."""
    await stream.directory.hold("chat", None, clock.now() + timedelta(minutes=1))
    clock.turn(-timedelta(hours=1))

    assert {"chat": clock.now() + timedelta(minutes=1)} == await stream.directory.held()
