"""What has become old arrives in one message, after all that is news."""

from collections import deque
from datetime import timedelta

import msgspec
import pytest

from monitor.alert import Repeats
from monitor.deliver import STALE_AFTER
from monitor.deliver.courier import LOOK_AHEAD
from monitor.errors import Gone, Rejected, Transient
from monitor.item import Delivery, Envelope
from monitor.stream import Stream
from tests.clock import START, FakeClock
from tests.couriers import PEOPLE, TIME, Office, Scripted, Standing, match, office

OLD = TIME - timedelta(days=1)
LOST = Transient("no answer", unsure=True)
MINUTE = timedelta(minutes=1)


async def old(at: Office, *ids: str) -> None:
    """Post what has become old on its way."""
    for n, id_ in enumerate(ids):
        await at.post(match(id_, seen=OLD + n * MINUTE), ["ann"])


async def told_of(at: Office, *ids: str) -> list[Delivery]:
    """Return what the ledger has of posts for ann."""
    return [await at.outcome(id_, "ann") for id_ in ids]


async def test_what_is_old_is_one_message_after_the_news(
    stream: Stream, clock: FakeClock
) -> None:
    """News come first, in their order; what is old comes together, the newest first."""
    async with office(stream, clock) as at:
        await old(at, "1", "2", "3")
        await at.post(match("4"), ["ann"])
        await at.post(match("5"), ["ann"])
        await at.work()

        together = "governor/3/1 governor/2/1 governor/1/1"
        assert [
            ("sent", "governor/4/1"), ("sent", "governor/5/1"), ("digest", together),
        ] == at.told()  # fmt: skip
        for told in await told_of(at, "1", "2", "3"):
            assert ("delivered", "") == (told.outcome, told.message)
            assert "in a digest of 3, after an outage" == told.why


async def test_what_was_found_late_is_no_news(stream: Stream, clock: FakeClock) -> None:
    """A post that was found long after it was published is not told as of now."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"], late=True)
        await at.work()

        assert [("digest", "governor/1/1")] == at.told()


async def test_what_becomes_old_while_it_is_tried_is_told_together(
    stream: Stream, clock: FakeClock
) -> None:
    """An outage of hours ends with one message, and nobody's is lost."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Transient("502")] * 100)
        for id_ in "123":
            await at.post(match(id_), ["ann"])
        await at.work()

        assert STALE_AFTER < clock.now() - START
        assert [("digest", "governor/3/1 governor/2/1 governor/1/1")] == [
            (what, " ".join(sorted(of.split(), reverse=True))) for what, of in at.told()
        ]


async def test_a_sink_may_wait_for_longer(stream: Stream, clock: FakeClock) -> None:
    """What is old is a setting, and a reload changes it."""
    async with office(stream, clock) as at:
        at.courier.know(PEOPLE, {}, {}, stale_after=2 * STALE_AFTER)
        await at.post(match("1", seen=TIME - STALE_AFTER - MINUTE), ["ann"])
        await at.work()
        at.courier.know(PEOPLE, {}, {}, stale_after=STALE_AFTER / 2)
        await at.post(match("2", seen=TIME - STALE_AFTER / 2 - MINUTE), ["ann"])
        await at.work()

        assert [("sent", "governor/1/1"), ("digest", "governor/2/1")] == at.told()


@pytest.mark.parametrize("hours", [1, -1, 24, 8760])
async def test_a_clock_that_is_set_makes_nothing_old(
    stream: Stream, clock: FakeClock, hours: int
) -> None:
    """What is on its way while the clock is set stays news, and what is not, too."""
    open_ = list[bool]()
    async with office(stream, clock, held=lambda: bool(open_)) as at:
        await at.post(match("1"), ["ann"])
        await at.turn()
        await at.post(match("2"), ["ann"])  # seen before, and taken after it
        clock.turn(timedelta(hours=hours))
        await at.turn()
        await at.post(match("3", seen=clock.now()), ["ann"])
        open_.append(True)
        await at.work()

        assert ["sent"] * 3 == [what for what, _ in at.told()]


async def test_who_stood_by_knows_nothing_of_the_clock(
    stream: Stream, clock: FakeClock
) -> None:
    """A clock that was set and set right while nobody looked makes nothing old."""
    async with office(stream, clock) as at:
        await at.turn()
        await at.courier.lose()
        clock.turn(timedelta(hours=-3))
        seen = clock.now()
        clock.advance(MINUTE)
        clock.turn(timedelta(hours=-3))
        clock.advance(MINUTE)
        clock.turn(timedelta(hours=3))
        await at.post(match("1", seen=seen), ["ann"])
        await at.work()

        assert [("sent", "governor/1/1")] == at.told()


async def test_a_clock_that_is_set_keeps_nothing_young(
    stream: Stream, clock: FakeClock
) -> None:
    """What has waited for hours is old, though the clock was set back meanwhile."""
    open_ = list[bool]()
    async with office(stream, clock, held=lambda: bool(open_)) as at:
        await at.post(match("1"), ["ann"])
        await at.turn()
        clock.turn(timedelta(hours=-3))
        clock.advance(STALE_AFTER + MINUTE)
        open_.append(True)
        await at.work()

        assert ["digest"] == [what for what, _ in at.told()]


async def test_a_stale_correction_changes_its_message_silently(
    stream: Stream, clock: FakeClock
) -> None:
    """What lies in the chat is put right; that is no line of the digest."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await at.work()
        await at.post(match("1", 2, "edited", seen=OLD), ["ann"], was=match("1"))
        await old(at, "2")
        await at.work()

        assert [
            ("sent", "governor/1/1"), ("edited", "governor/1/2"),
            ("digest", "governor/2/1"),
        ] == at.told()  # fmt: skip
        assert "edited" == (await at.outcome("1", "ann")).outcome


async def test_stale_worse_news_change_the_message_and_are_told(
    stream: Stream, clock: FakeClock
) -> None:
    """An all-clear that was an alarm is put right, and told of, but as what is old."""
    calm = match("1", signal="clear", severity="warning")
    worse = match("1", 2, "edited", signal="alarm", seen=OLD)
    async with office(stream, clock) as at:
        await at.post(calm, ["ann"])
        await at.work()
        await at.post(worse, ["ann"], was=calm, newly=["ann"])
        await at.work()

        assert [("edited", "governor/1/2"), ("digest", "governor/1/2")] == at.told()[1:]


@pytest.mark.parametrize("refused", [False, True])
async def test_a_stale_correction_of_nothing_is_a_line(
    stream: Stream, clock: FakeClock, *, refused: bool
) -> None:
    """Where there is no message, or none that can be changed, it is told together."""
    async with office(stream, clock) as at:
        if refused:
            await at.post(match("1"), ["ann"])
            await at.work()
            at.sink.answers["ann@"] = deque([Rejected("too old to be edited")])
        await at.post(
            match("1", 2, "edited", seen=OLD), ["ann"], was=match("1"), newly=["ann"]
        )
        await at.work()

        assert ("digest", "governor/1/2") == at.told()[-1]
        assert refused + 1 == len(at.told())


async def test_a_digest_shows_how_things_stand(
    stream: Stream, clock: FakeClock
) -> None:
    """Of a post that was corrected meanwhile it has the newest version alone."""
    async with office(stream, clock) as at:
        await old(at, "1", "2")
        await at.post(match("1", 2, "edited"), ["ann"], was=match("1"), newly=["ann"])
        await at.post(match("2", 2, "deleted"), ["ann"], was=match("2", seen=OLD))
        await at.work()

        assert [("digest", "governor/1/2 governor/2/2")] == at.told()
        assert {2} == {int(one.item[-1]) for one in await told_of(at, "1", "2")}


async def test_a_correction_waits_for_another_that_is_to_be_told(
    stream: Stream, clock: FakeClock
) -> None:
    """An old edit that concerns somebody for the first time is told with the next."""
    async with office(stream, clock) as at:
        second = match("1", 2, "edited", seen=OLD)
        await at.post(second, ["ann"], was=match("1", seen=OLD), newly=["ann"])
        await at.post(match("1", 3, "edited"), ["ann"], was=second)
        await at.work()

        assert [("digest", "governor/1/3")] == at.told()


@pytest.mark.parametrize("late", [False, True])
async def test_a_correction_does_not_overtake_what_became_old(
    stream: Stream, clock: FakeClock, *, late: bool
) -> None:
    """What it corrects was never told: they are told together, and nobody misses it."""
    open_ = list[bool]()
    async with office(stream, clock, held=lambda: bool(open_)) as at:
        await at.post(match("1"), ["ann"])
        await at.post(match("2"), ["ann"])
        await at.turn()
        clock.advance(timedelta() if late else STALE_AFTER + MINUTE)
        gone = match("1", 2, "edited", seen=clock.now())
        await at.post(gone, ["ann"], was=match("1"), late=late)
        await at.turn()
        clock.advance(STALE_AFTER + MINUTE if late else timedelta())
        await at.post(match("3", seen=clock.now()), ["ann"])
        open_.append(True)
        await at.work()

        assert [("sent", "governor/3/1"), ("digest", "governor/1/2 governor/2/1")] == [
            (what, " ".join(sorted(of.split()))) for what, of in at.told()
        ]


async def test_worse_news_of_what_is_old_are_news(
    stream: Stream, clock: FakeClock
) -> None:
    """What becomes an alarm now is told now, and what it was before is not told."""
    calm = match("1", signal="clear", severity="warning", seen=OLD)
    worse = match("1", 2, "edited", signal="alarm")
    async with office(stream, clock) as at:
        await at.post(calm, ["ann"])
        await at.post(worse, ["ann"], was=calm, newly=["ann"])
        await at.work()

        assert [("sent", "governor/1/2")] == at.told()


async def test_what_corrects_a_digest_is_a_message_of_its_own(
    stream: Stream, clock: FakeClock
) -> None:
    """A line of a digest cannot be changed; who read it learns that it was wrong."""
    async with office(stream, clock) as at:
        await old(at, "1")
        await at.work()
        await at.post(match("1", 2, "deleted"), ["ann", "bob"], was=match("1"))
        await at.work()

        assert [("digest", "governor/1/1"), ("sent", "governor/1/2")] == at.told()
        assert "suppressed" == (await at.outcome("1", "bob")).outcome


async def test_a_digest_that_is_refused_is_told_in_parts(
    stream: Stream, clock: FakeClock
) -> None:
    """What a sink cannot take is found, and set aside alone."""
    async with office(stream, clock) as at:
        await old(at, *"12345")
        at.sink.answers["ann@"] = deque([Rejected("too ugly")] * 3)
        await at.work()

        told = [key for what, of in at.told() for key in of.split()]
        assert ["too ugly"] == [letter.why for letter in await stream.dead()]
        assert 4 == len(told) == len(set(told))


async def test_what_comes_while_others_are_refused_is_not_blamed(
    stream: Stream, clock: FakeClock
) -> None:
    """A refusal is of what was sent, not of what has come since."""
    async with office(stream, clock) as at:
        await old(at, "1")
        at.sink.hold()
        at.sink.answers["ann@"] = deque([Rejected("too ugly")])
        await at.turn_until(lambda: at.sink.begun)
        await at.post(match("2"), ["ann"])
        await at.post(match("3", seen=OLD), ["ann"])
        await at.turn()
        at.sink.free()
        await at.work()

        assert [("sent", "governor/2/1"), ("digest", "governor/3/1")] == at.told()
        (letter,) = await stream.dead()
        assert isinstance(letter.value, Envelope)
        assert "governor/1/1" == letter.value.match.item.key


async def test_a_closed_address_leaves_one_letter(
    stream: Stream, clock: FakeClock
) -> None:
    """Of many that go to a closed address one is set aside, as if they came singly."""
    async with office(stream, clock) as at:
        await old(at, *"123")
        at.sink.answers["ann@"] = deque([Gone("bot was blocked")])
        await at.work()

        outcomes = sorted(one.outcome for one in await told_of(at, *"123"))
        assert ["dead", "suppressed", "suppressed"] == outcomes
        assert 1 == len(await stream.dead())


async def test_a_restart_tells_no_digest_again(
    stream: Stream, clock: FakeClock
) -> None:
    """What was told together is written down for each."""
    async with office(stream, clock) as at:
        await old(at, *"123")
        await at.work(done=1)
        await at.courier.lose()
    async with office(stream, clock) as at:
        at.reader.begin()
        await at.work()

        assert [] == at.told()


@pytest.mark.parametrize("restart", [False, True])
async def test_a_digest_is_repeated_as_it_was(
    stream: Stream, clock: FakeClock, *, restart: bool
) -> None:
    """A service that knows repeats gets the very same, whatever came in between."""
    sink = Scripted(repeats=Repeats("webhook-id"))
    sink.lose("ann@", LOST)
    clocks = [Standing(), clock] if restart else [clock]
    for n, one in enumerate(clocks):
        async with office(stream, one, sink=sink) as at:
            if n == 0:
                await old(at, *"12")
                await at.turn_until(lambda: sink.log)
            if n == len(clocks) - 1:
                await old(at, *"345")
                await at.work()

    assert [("digest", {"1", "2"}), ("digest", {"3", "4", "5"})] == [
        (one.what, {key.split("/")[1] for key in one.of.split()}) for one in sink.log
    ]


async def test_what_may_be_in_a_digest_is_no_news_again(
    stream: Stream, clock: FakeClock
) -> None:
    """Were its age found to be less after a restart, it is still told as it was."""
    sink = Scripted(repeats=Repeats("webhook-id"))
    sink.lose("ann@", LOST)
    async with office(stream, Standing(), sink=sink) as at:
        await old(at, *"12")
        await at.turn_until(lambda: sink.log)
    async with office(stream, clock, sink=sink) as at:
        at.courier.know(PEOPLE, {}, {}, stale_after=timedelta(days=9))
        await at.post(match("3"), ["ann"])
        await at.work()

    told = [(one.what, sorted(one.of.split())) for one in sink.log]
    both = ["governor/1/1", "governor/2/1"]
    assert [("digest", both), ("sent", ["governor/3/1"])] == told


async def test_what_may_have_been_told_as_news_is_repeated_by_itself(
    stream: Stream, clock: FakeClock
) -> None:
    """It has become old, and keeps its key: whoever has taken it takes it no more."""
    sink = Scripted(repeats=Repeats("webhook-id"))
    sink.lose("ann@", LOST)
    async with office(stream, Standing(), sink=sink) as at:
        await at.post(match("1"), ["ann"])
        await at.turn_until(lambda: sink.log)
    clock.advance(2 * STALE_AFTER)
    async with office(stream, clock, sink=sink) as at:
        await old(at, *"23")
        await at.work()

    assert [
        ("sent", ["governor/1/1"]),
        ("digest", ["governor/2/1", "governor/3/1"]),
    ] == [(one.what, sorted(one.of.split())) for one in sink.log]


async def test_what_was_put_back_is_told_to_whom_it_is_for(
    stream: Stream, clock: FakeClock
) -> None:
    """A letter that an operator puts back days later is no news, and arrives."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Rejected("too ugly")])
        await at.post(match("1"), ["ann", "bob"])
        await at.work()
        clock.advance(timedelta(days=3))
        (letter,) = await stream.dead()
        assert await stream.retry(letter.id)
        await at.work()

        assert [("digest", "governor/1/1")] == at.told("ann@")
        assert "delivered" == (await at.outcome("1", "ann")).outcome


async def test_news_behind_a_backlog_are_told_first(
    stream: Stream, clock: FakeClock
) -> None:
    """However much waits before it, a fresh alert is seen at once."""
    async with office(stream, clock) as at:
        await old(at, *map(str, range(40)))
        await at.post(match("fresh"), ["ann"])
        await at.work()

        assert [("sent", "governor/fresh/1")] == at.told()[:1]
        assert 2 == len(at.told())


async def test_what_is_taken_ahead_is_bounded(stream: Stream, clock: FakeClock) -> None:
    """What memory has no room for stays in the outbox; then what is old is told."""
    long, open_ = 900_000, list[bool]()
    many = LOOK_AHEAD // (2 * long) + 20
    async with office(stream, clock, held=lambda: bool(open_)) as at:
        for n in range(many):
            one = match(str(n), seen=OLD)
            item = msgspec.structs.replace(one.item, text="x" * long)
            await at.post(msgspec.structs.replace(one, item=item), ["ann"])
        taken = 0
        while got := await at.courier.turn():
            taken += got
        assert many - 25 < taken < many
        open_.append(True)
        await at.work()

        told = [len(of.split()) for _, of in at.told()]
        assert many == sum(told)
        assert 2 == len(told)


async def test_many_at_once_are_settled_in_bounded_steps(
    stream: Stream, clock: FakeClock
) -> None:
    """A digest of more than one step of the server holds all, and all are told."""
    async with office(stream, clock) as at:
        await old(at, *map(str, range(260)))
        await at.work()

        assert 1 == len(at.told())
        assert 260 == len(at.told()[0][1].split())
        assert {"delivered"} == {
            one.outcome for one in await told_of(at, *map(str, range(260)))
        }
