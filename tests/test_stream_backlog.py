"""What waits in the streams is found, and left as it is."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from monitor.item import Envelope, Match
from monitor.stream import ITEMS, NOTES, Stream, outbox
from monitor.stream.backlog import PAGE
from monitor.stream.door import Door
from tests.stream_values import drained, envelope, matched, posts, verdicts

MINUTE = timedelta(minutes=1)


async def waiting(stream: Stream, group: str) -> list[str]:
    """Return the ids of the items that a group has not acknowledged."""
    found = [entry.value async for entry in stream.backlog.of(ITEMS, group)]
    return [item.id for item in found]  # type: ignore[union-attr]


async def test_finds_what_was_taken_and_what_was_not(stream: Stream) -> None:
    """Both wait for their group, in the order in which they came, and no other."""
    await stream.accept("town", posts(6), "c")
    reader = stream.reader(ITEMS, "filter")
    (first, second, third) = await reader.next(3)
    await stream.ack(ITEMS, "filter", [second.id])

    assert ["0", "2", "3", "4", "5"] == await waiting(stream, "filter")
    assert [str(n) for n in range(6)] == await waiting(stream, "archive")
    assert ["0", "2", "3", "4", "5"] == await waiting(stream, "filter")
    assert {first.id, third.id} == {
        entry.id for entry in await stream.reader(ITEMS, "filter").next(9)
    }


async def test_finds_more_than_a_page(stream: Stream) -> None:
    """However much waits, taken or not, nothing is left out or told twice."""
    count = 2 * PAGE + 7
    await stream.accept("town", posts(count), "c")
    await stream.reader(ITEMS, "filter").next(PAGE)
    await stream.reader(ITEMS, "filter").next(PAGE + 3)

    found = await waiting(stream, "filter")
    assert sorted(map(str, range(count))) == sorted(found)


async def test_a_group_that_never_read_waits_for_all(
    stream: Stream, door: Door
) -> None:
    """Nothing is done with for a group that is not there."""
    await stream.accept("town", posts(2), "c")
    await door.call("XGROUP", "DESTROY", door.key("items"), "archive")
    assert ["0", "1"] == await waiting(stream, "archive")
    await door.call("DEL", door.key("items"))
    assert [] == await waiting(stream, "archive")


async def test_finds_what_is_to_be_sent(stream: Stream) -> None:
    """Of sinks that are no more, too."""
    entries = await matched(stream, posts(3))
    for entry, sink in zip(entries, ("chat", "gone", "chat"), strict=True):
        assert isinstance(entry.value, Match)
        way = replace(envelope(entry.value, "ann"), sink=sink)
        await stream.fanout([(entry, [way], [])])
    (first, _) = await drained(stream.reader(outbox("chat"), "deliver"))
    await stream.settle(first, [], done=True)

    found = [entry.value async for entry in stream.backlog.outboxes()]
    assert {("chat", "2"), ("gone", "1")} == {
        (one.sink, one.match.item.id) for one in found if isinstance(one, Envelope)
    }


async def test_tells_how_old_the_oldest_is(stream: Stream) -> None:
    """Of all queues, by when it came; nothing waits where all is acknowledged."""
    assert await stream.backlog.oldest("archive") is None
    await stream.accept("town", posts(2), "c")
    entries = await drained(stream.reader(ITEMS, "filter"))
    await stream.publish(verdicts(entries))
    oldest = await stream.backlog.oldest("archive")

    assert oldest is not None
    assert abs(oldest - datetime.now(UTC)) < MINUTE
    taken = await drained(stream.reader(ITEMS, "archive"))
    assert oldest == await stream.backlog.oldest("archive"), "it is only taken"
    await stream.ack(ITEMS, "archive", [entry.id for entry in taken])
    later = await stream.backlog.oldest("archive")
    assert later is not None
    assert later >= oldest
    for queue in ("matches", NOTES.name):
        rest = await drained(stream.reader(queue, "archive"))
        await stream.ack(queue, "archive", [entry.id for entry in rest])
    assert await stream.backlog.oldest("archive") is None


async def test_tells_whether_leases_are_ours(stream: Stream, other: Stream) -> None:
    """All of them, or it is no."""
    await stream.take("a", MINUTE)
    assert await stream.backlog.holds("one", "a")
    assert not await stream.backlog.holds("one", "a", "b")
    await other.take("b", MINUTE)
    assert not await stream.backlog.holds("one", "a", "b")
