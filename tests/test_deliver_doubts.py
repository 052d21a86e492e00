"""Each send is fenced and leaves a trace; what may be doubled is counted and told."""

from collections import deque
from datetime import timedelta

import pytest

from monitor.alert import Repeats
from monitor.errors import Moved, Rejected, Transient
from monitor.item import Delivery
from monitor.stream import Stream
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.couriers import LEASE, Office, Scripted, Standing, match, office
from tests.parts import events, logged

LOST = Transient("no answer", unsure=True)
REFUSED = Transient("no connection")
RECOGNISING = Repeats("webhook-id")


async def killed(stream: Stream, *posts: str) -> None:
    """Die with one message taken for ann, and nothing of it written down."""
    async with office(stream, FakeClock()) as at:
        for id_ in posts:
            await at.post(match(id_), ["ann"])
        at.sink.hanging.add("ann@")
        await at.turn_until(lambda: at.sink.begun)


async def only(at: Office, post: str = "1") -> Delivery:
    """Work until all is settled, and return what became of a post for ann."""
    await at.work()
    return await at.outcome(post, "ann")


@pytest.mark.parametrize(
    ("failures", "repeats"),
    [
        ([], 0),
        ([REFUSED, REFUSED], 0),
        ([Transient("429", timedelta(seconds=1))], 0),
        ([Moved("supergroup", "new@")], 0),
        ([LOST], 1),
        ([LOST, REFUSED, LOST], 2),
        ([KeyError("message_id")], 1),
    ],
)
async def test_what_nobody_knows_the_end_of_is_counted(
    stream: Stream, clock: FakeClock, failures: list[Exception], repeats: int
) -> None:
    """Only a send whose answer was lost may have left a copy."""
    with logged("warning") as lines:
        async with office(stream, clock) as at:
            at.sink.answers["ann@"] = deque(failures)
            await at.post(match("1"), ["ann"])
            told = await only(at)

    assert ("delivered", repeats) == (told.outcome, told.repeats)
    doubled = events(lines, "alert_may_be_doubled")
    assert ["alert_may_be_doubled"] * bool(repeats) == doubled


async def test_a_crash_in_the_middle_of_a_send_is_counted(
    stream: Stream, clock: FakeClock
) -> None:
    """Whoever comes after finds that it was begun; nothing else is doubted."""
    await killed(stream, "1", "2")
    async with office(stream, clock) as at:
        first, second = await only(at), await at.outcome("2", "ann")

    assert (1, 0) == (first.repeats, second.repeats)


async def test_an_edit_may_be_repeated(stream: Stream, clock: FakeClock) -> None:
    """To change a message twice shows nothing twice."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await at.work()
        at.sink.answers["ann@"] = deque([LOST, LOST])
        await at.post(match("1", 2, "edited"), ["ann"], was=match("1"))
        told = await only(at)

    assert ("edited", 0) == (told.outcome, told.repeats)


async def test_a_service_that_knows_repeats_shows_none(
    stream: Stream, clock: FakeClock
) -> None:
    """The key is the same after a lost answer and after a crash."""
    sink = Scripted(repeats=RECOGNISING)
    sink.lose("ann@", LOST)
    async with office(stream, Standing(), sink=sink) as at:
        await at.post(match("1"), ["ann"])
        await at.turn_until(lambda: sink.log)
    with logged("warning") as lines:
        async with office(stream, clock, sink=sink) as at:
            told = await only(at)

    assert ["governor/1/1"] == [one.of for one in sink.log]
    assert ("delivered", 0) == (told.outcome, told.repeats)
    assert [] == events(lines, "alert_may_be_doubled")


async def test_a_version_is_one_message_however_it_comes_to_be_sent(
    stream: Stream, clock: FakeClock
) -> None:
    """What rang beside its edit is not sent anew when the edit is refused after all."""
    sink = Scripted(repeats=RECOGNISING)
    calm = match("1", severity="warning", signal="clear")
    worse = match("1", 2, "edited", signal="alarm")
    async with office(stream, clock, sink=sink) as at:
        await at.post(calm, ["ann"])
        await at.work()
        sink.taken.append(LOST)
        sink.answers["ann@"] = deque([None, LOST, Rejected("too old to be edited")])
        await at.post(worse, ["ann"], was=calm, newly=["ann"])
        await at.turn_until(lambda: len(sink.log) > 2)
        await at.courier.lose()
        at.reader.begin()
        await at.work()

    assert ["sent", "edited", "sent"] == [one.what for one in sink.log]


async def test_edits_of_many_messages_go_on_where_they_failed(
    stream: Stream, clock: FakeClock
) -> None:
    """Where several messages tell of a post, a failure costs the one that failed."""
    calm = match("1", severity="warning", signal="clear")
    worse = match("1", 2, "edited", signal="alarm")
    async with office(stream, clock) as at:
        await at.post(calm, ["ann"])
        await at.work()
        await at.post(worse, ["ann"], was=calm, newly=["ann"])
        await at.work()
        at.sink.answers["ann@"] = deque([None, REFUSED, LOST])
        await at.post(match("1", 3, "edited"), ["ann"], was=worse, newly=["ann"])
        await at.work()

        edits = [one.message for one in at.sink.log if one.of == "governor/1/3"]
        assert ["m1", "m3"] == edits


async def test_messages_that_are_meant_have_keys_of_their_own(
    stream: Stream, clock: FakeClock
) -> None:
    """A version, what rings beside an edit, and another recipient's are no repeats."""
    sink = Scripted(repeats=RECOGNISING)
    calm = match("1", severity="warning", signal="clear")
    worse = match("1", 2, "edited", signal="alarm")
    async with office(stream, clock, sink=sink) as at:
        await at.post(calm, ["ann", "bob"])
        await at.work()
        await at.post(worse, ["ann"], was=calm, newly=["ann"])
        await at.work()

    assert ["sent", "sent", "edited", "sent"] == [one.what for one in sink.log]
    assert 4 == len({one.key for one in sink.log})
    assert {32} == {len(one.key) for one in sink.log}


async def test_another_instance_comes_to_the_same_key(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """Whoever takes over from a dead one repeats its message, and does not add one."""
    sink = Scripted(repeats=RECOGNISING)
    sink.lose("ann@", LOST)
    async with office(stream, Standing(), sink=sink) as at:
        await at.post(match("1"), ["ann"])
        await at.turn_until(lambda: sink.log)
    await stream.release(LEASE)
    async with office(other, clock, sink=sink) as at:
        at.reader.begin()
        told = await only(at)

    assert 1 == len(sink.log)
    assert "delivered" == told.outcome


async def test_an_edit_finds_its_message_from_another_instance(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """Where a message lies is noted so that all who deliver can read it."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await at.work()
    await stream.release(LEASE)
    async with office(other, clock) as at:
        await at.post(match("1", 2, "edited"), ["ann"], was=match("1"))
        await at.work()

        assert ["edited"] == [one.what for one in at.sink.log]


async def test_nothing_is_sent_that_the_stream_gave_to_another(
    stream: Stream, other: Stream, clock: FakeClock
) -> None:
    """Whoever lost the lease unnoticed sends nothing, whatever its own clock says."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await stream.release(LEASE)
        assert await other.take(LEASE, timedelta(minutes=1))
        await at.turn_until(lambda: len(clock.slept) > 9)

        assert [] == at.sink.log
        assert await other.release(LEASE)
        assert await stream.take(LEASE, timedelta(minutes=1))
        await at.work()

        assert [("sent", "governor/1/1")] == at.told()


async def test_what_was_claimed_from_us_is_looked_for_again(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """What came after it waits for it: the order is what it was."""
    outbox, ours = door.key("outbox:chat:0"), list[bool]()
    async with office(stream, clock, held=lambda: bool(ours)) as at:
        for id_ in "123":
            await at.post(match(id_), ["ann"])
        await at.courier.turn()
        entries = await door.call("XRANGE", outbox, "-", "+")
        await door.call("XCLAIM", outbox, "deliver", "two", 0, entries[1][0])
        ours.append(True)
        await at.work()

        assert [("sent", f"governor/{id_}/1") for id_ in "123"] == at.told()


async def test_redis_that_lost_its_last_second_is_told_again(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """What was settled for some before Redis broke down is settled, or sent again."""
    async with office(stream, clock) as at:
        at.sink.hanging.add("bob@")
        await at.post(match("1"), ["ann", "bob", "cid"])
        await at.work(done=2)
        while len(await stream.told("governor/1", ["ann", "cid"])) < 2:
            await at.turn()
        await door.call("HDEL", door.key("ledger:governor/1"), "ann")
        at.broken = True
        await at.turn()
        await at.work(done=3)
        at.sink.hanging.clear()
        await at.courier.lose()  # as a restart, so that bob does not hang any more
        at.reader.begin()
        await at.work()

        told = await stream.told("governor/1", ["ann", "bob", "cid"])
        assert ["delivered"] * 3 == [one.outcome for one in told.values()]
        assert 1 == len(at.told("cid@"))


async def test_no_trace_is_left_of_what_was_known_already(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """Whoever begins what another has settled leaves nothing behind."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann", "bob"])
        at.sink.hanging.add("bob@")
        await at.work(done=1)
        while "ann" not in await stream.told("governor/1", ["ann"]):
            await at.turn()
        await at.courier.lose()
        at.sink.hanging.clear()
        at.reader.begin()
        await at.work()

        assert 1 == len(at.told("ann@"))
    assert not await door.call("EXISTS", door.key("sending:chat:0"))
    assert 2 == await door.call("XLEN", door.key("deliveries"))


async def test_the_trace_goes_with_what_is_settled(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """Nothing is left of what was begun once all has come to an end."""
    sink = Scripted(repeats=RECOGNISING)
    async with office(stream, clock, sink=sink) as at:
        sink.answers["ann@"] = deque([LOST])
        for id_ in "123":
            await at.post(match(id_), ["ann", "bob"])
        for id_ in "456":
            await at.post(match(id_), ["ann", "bob"], late=True)
        await at.work()

        assert ["digest", "digest"] == [w for w, _ in at.told() if w == "digest"]
    assert not await door.call("EXISTS", door.key("sending:chat:0"))
