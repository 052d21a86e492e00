"""What is in the outbox of a sink reaches its people, in order and once."""

import asyncio
from collections import deque
from datetime import timedelta

import msgspec

from monitor.alert import Pace, Subscriber
from monitor.errors import Gone, Rejected, Transient
from monitor.item import WIRE, Envelope, Reading
from monitor.stream import Stream
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.couriers import Scripted, match, office
from tests.parts import events, logged


async def test_everyone_is_told_and_it_is_written_down(
    stream: Stream, clock: FakeClock
) -> None:
    """Each recipient gets the message, and the ledger its id."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert {("sent", "ann@"), ("sent", "bob@")} == {
            (one.what, one.to) for one in at.sink.log
        }
        told = await at.outcome("1", "ann")
        assert ("delivered", "danger") == (told.outcome, told.why)
        assert told.message.startswith("m")


async def test_each_recipient_gets_posts_in_their_order(
    stream: Stream, clock: FakeClock
) -> None:
    """A message that is tried again holds back those behind it, and no other's."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Transient("busy", timedelta(seconds=5))] * 3)
        for id_ in "123":
            await at.post(match(id_), ["ann", "bob"])
        await at.work()

        for name in ("ann@", "bob@"):
            got = [one.of for one in at.sink.log if one.to == name]
            assert ["governor/1/1", "governor/2/1", "governor/3/1"] == got


async def test_what_is_critical_overtakes_what_is_not(
    stream: Stream, clock: FakeClock
) -> None:
    """Where the service is slow, a grave warning need not wait for everybody's news."""
    sink = Scripted(pace=Pace(overall_per_second=1))
    async with office(stream, clock, sink=sink) as at:
        await at.post(match("1", severity="info"), ["ann", "bob"])
        await at.post(match("2"), ["cid"])
        await at.work()

        told = [one.to for one in at.sink.log]  # ann's may have been begun by then
        assert ["cid@", "bob@"] == [to for to in told if to != "ann@"]


async def test_a_hanging_chat_delays_nobody_else(
    stream: Stream, clock: FakeClock
) -> None:
    """Others get theirs while one chat never answers."""
    async with office(stream, clock) as at:
        at.sink.hanging.add("ann@")
        for id_ in "123":
            await at.post(match(id_), ["ann", "bob"])
        await at.work(done=3)

        assert {"bob@"} == {one.to for one in at.sink.log}


async def test_an_edit_changes_the_message(stream: Stream, clock: FakeClock) -> None:
    """Who was told has the message edited; who was not is left alone."""
    first, second = match("1"), match("1", 2, "edited")
    async with office(stream, clock) as at:
        await at.post(first, ["ann"])
        await at.work()
        message = (await at.outcome("1", "ann")).message
        await at.post(second, ["ann", "bob", "cid"], was=first, newly=["cid"])
        await at.work()

        done = {
            one.to: (one.what, one.message)
            for one in at.sink.log
            if one.of.endswith("/2")
        }
        assert {"ann@": ("edited", message), "cid@": ("sent", "")} == done
        assert "suppressed" == (await at.outcome("1", "bob")).outcome


async def test_a_message_that_cannot_be_edited_is_sent_anew(
    stream: Stream, clock: FakeClock
) -> None:
    """A correction arrives even if the old message is out of reach."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await at.work()
        at.sink.answers["ann@"] = deque([Rejected("message to edit not found")])
        await at.post(match("1", 2, "deleted"), ["ann"], was=match("1"))
        await at.work()

        assert ("sent", "governor/1/2") == at.told("ann@")[-1]


async def test_worse_news_rings_though_the_message_was_edited(
    stream: Stream, clock: FakeClock
) -> None:
    """An all-clear that becomes an alarm is corrected in place, and sent anew."""
    was = msgspec.structs.replace(
        match("1"), reading=Reading(signal="clear"), severity="warning"
    )
    now = msgspec.structs.replace(
        match("1", 2, "edited"), reading=Reading(signal="alarm"), severity="critical"
    )
    async with office(stream, clock) as at:
        await at.post(was, ["ann"])
        await at.work()
        message = (await at.outcome("1", "ann")).message
        await at.post(now, ["ann"], was=was, newly=["ann"])
        await at.work()

        assert [("edited", message), ("sent", "")] == [
            (one.what, one.message) for one in at.sink.log[1:]
        ]
        assert message != (await at.outcome("1", "ann")).message

        await at.post(match("1", 3, "deleted"), ["ann"], was=now)
        await at.work()
        edits = [(one.what, one.message) for one in at.sink.log[3:]]
        assert [("edited", message), ("edited", "m3")] == edits


async def test_an_edit_touches_no_message_of_another_address(
    stream: Stream, clock: FakeClock
) -> None:
    """Where a subscriber's address changed, the old id may be another's message."""
    was = match("1")
    async with office(stream, clock) as at:
        await at.post(was, ["ann"])
        await at.work()
        moved = [Subscriber(name="ann", sink="chat", to="elsewhere@")]
        at.courier.know(moved, {}, {})
        await at.post(match("1", 2, "edited"), ["ann"], was=was)
        await at.work()

        assert ("sent", "governor/1/2") == at.told("elsewhere@")[-1]


async def test_a_late_edit_finds_the_message_by_the_ledger(
    stream: Stream, clock: FakeClock
) -> None:
    """The ledger outlives the match before; its message is edited all the same."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await at.work()
        await at.post(match("1", 2, "edited"), ["ann"], newly=["ann"])
        await at.work()

        assert "edited" == at.sink.log[-1].what


async def test_a_refused_message_is_set_aside_with_the_reason(
    stream: Stream, clock: FakeClock
) -> None:
    """What a sink will never take becomes a dead letter, and the next goes on."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Rejected("too ugly")])
        await at.post(match("1"), ["ann", "bob"])
        await at.post(match("2"), ["ann"])
        await at.work()

        assert ("dead", "too ugly") == (
            (await at.outcome("1", "ann")).outcome, (await at.outcome("1", "ann")).why
        )  # fmt: skip
        (letter,) = await stream.dead()
        assert isinstance(letter.value, Envelope)
        assert (("ann",), "too ugly") == (letter.value.recipients, letter.why)
        assert "delivered" == (await at.outcome("2", "ann")).outcome


async def test_a_dead_letter_that_is_put_back_is_tried_again(
    stream: Stream, clock: FakeClock
) -> None:
    """After the cause was mended, an operator's retry reaches the one it failed for."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Gone("bot was blocked"), Gone("still")])
        await at.post(match("1"), ["ann", "bob"])
        await at.work()
        for _ in range(2):  # the first retry is too early
            (letter,) = await stream.dead()
            assert await stream.retry(letter.id)
            await at.work()

        assert [] == await stream.dead()
        assert 1 == len(at.told("bob@"))
        assert "delivered" == (await at.outcome("1", "ann")).outcome
        assert "" == await stream.directory.parked("chat", "ann")


async def test_a_damaged_envelope_is_set_aside(
    stream: Stream, clock: FakeClock, door: Door
) -> None:
    """It becomes a dead letter, with an error in the log, and the next one goes out."""
    await door.call("XADD", door.key("outbox:chat:0"), "*", WIRE, b"\xc1")
    with logged() as lines:
        async with office(stream, clock) as at:
            await at.post(match("1"), ["ann"])
            await at.work()

    assert 1 == len(at.sink.log)
    assert 1 == len(await stream.dead())
    assert ["entry_set_aside"] == events(lines, "entry_set_aside")


async def test_a_restart_repeats_nothing_that_is_written_down(
    stream: Stream, clock: FakeClock
) -> None:
    """A new courier goes on where the old one ended, in the middle of an envelope."""
    async with office(stream, clock) as at:
        at.sink.hanging.add("ann@")
        await at.post(match("1"), ["ann", "bob", "cid"])
        await at.work(done=2)
        while len(await stream.told("governor/1", ["bob", "cid"])) < 2:
            await at.courier.turn()
    async with office(stream, clock) as at:
        await at.work()

        assert ["ann@"] == [one.to for one in at.sink.log]


async def test_nothing_is_sent_that_may_be_another_ones(
    stream: Stream, clock: FakeClock
) -> None:
    """While the lease is not surely ours, messages wait; nobody else is blamed."""
    ours: list[bool] = []
    with logged("info") as lines:
        async with office(stream, clock, held=lambda: bool(ours)) as at:
            await at.post(match("1"), ["ann"])
            await at.turn_until(lambda: len(clock.slept) > 20)
            assert [] == at.sink.log
            ours.append(True)
            await at.work()

    known = ("alert_settled", "sink_waits", "delivery_failed", "sink_recovered")
    assert ["alert_settled"] == events(lines, *known)


async def test_who_loses_the_outbox_forgets_what_was_in_it(
    stream: Stream, clock: FakeClock
) -> None:
    """What is being sent is finished, the rest is left, and is there again later."""
    async with office(stream, clock) as at:
        at.sink.hanging.add("ann@")
        await at.post(match("1"), ["ann"])
        await at.post(match("2"), ["ann", "bob"])
        await at.turn_until(lambda: len(at.sink.log) == 1)
        await at.courier.lose()
        at.sink.hanging.clear()
        for _ in range(3):
            await asyncio.sleep(0.005)
        assert [("bob@", "governor/2/1")] == [(one.to, one.of) for one in at.sink.log]

        at.reader.begin()  # it is ours again
        await at.work()

    told = [(one.to, one.of) for one in at.sink.log]
    assert [("ann@", "governor/1/1"), ("ann@", "governor/2/1")] == told[1:]
