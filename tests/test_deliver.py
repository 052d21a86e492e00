"""What is in the outbox of a sink reaches its people, whatever the sink answers."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from monitor.addresses import PARKED
from monitor.alert import (
    NOT_RECOGNISED,
    Alert,
    Digest,
    Message,
    Pace,
    Repeats,
    Subscriber,
)
from monitor.alert.step import Step, step
from monitor.deliver import Courier, Lane
from monitor.deliver.bearer import LONGEST_WAIT, TRIES
from monitor.errors import Gone, Moved, Rejected, Transient
from monitor.item import WIRE, Change, Delivery, Envelope, Item, Match, Outcome, Reading
from monitor.stream import MATCHES, Reader, Stream, outbox
from monitor.stream.door import Door
from monitor.web import Web
from tests.clock import FakeClock
from tests.parts import events, logged

SOON = timedelta(milliseconds=10)
TIME = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)


def match(id_: str, version: int = 1, change: Change = "new") -> Match:
    """Return a match of a post of one source."""
    item = Item(
        source="governor",
        id=id_,
        version=version,
        change=change,
        published=TIME,
        seen=TIME,
        text=f"post {id_} as of version {version}",
    )
    return Match(item=item, reading=Reading(), rules=("danger",), severity="critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """
    A sink that answers each recipient as it was told beforehand, then takes all.

    Attributes:
        answers: By address, what the next attempts end in.
        log: What was taken, as (what, address, item's key, message edited).
        hanging: Addresses that get no answer.
        poison: Keys of items that nobody's message is taken of.
    """

    name: str = "chat"
    pace: Pace = field(default=Pace())
    repeats: Repeats = NOT_RECOGNISED
    answers: dict[str, deque[Exception]] = field(default_factory=dict)
    log: list[tuple[str, str, str, str]] = field(default_factory=list)
    hanging: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)

    async def send(self, message: Message, to: str, web: Web) -> str:
        alert = message.alerts[0] if isinstance(message, Digest) else message
        if alert.match.item.key in self.poison:
            raise Transient("500")
        await self._answer(to)
        self.log.append(("sent", to, alert.match.item.key, ""))
        return f"m{len(self.log)}"

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        await self._answer(to)
        self.log.append(("edited", to, alert.match.item.key, message))

    async def check(self, web: Web) -> str:
        return "scripted"

    async def _answer(self, to: str) -> None:
        if to in self.hanging:
            await asyncio.Event().wait()
        if self.answers.get(to):
            raise self.answers[to].popleft()


@dataclass
class Office:
    """A courier at work on a stream, and what a test asks of it."""

    stream: Stream
    sink: Scripted
    courier: Courier
    reader: Reader[Envelope]

    async def post(
        self,
        what: Match,
        recipients: Sequence[str],
        was: Match | None = None,
        newly: Sequence[str] = (),
    ) -> None:
        """Put one envelope into the outbox, as the alert stage does."""
        await self.stream.accept(what.item.source, [what.item], what.item.key)
        items = await self.stream.reader("items", "filter").next(block=timedelta(0))
        await self.stream.publish([(items[-1], what)])
        matches = await self.stream.reader(MATCHES, "alert").next(block=timedelta(0))
        envelope = Envelope(
            match=what, sink="chat", recipients=tuple(recipients),
            was=was, newly=tuple(newly),
        )  # fmt: skip
        await self.stream.fanout([(matches[-1], [envelope], [])])

    async def work(self, done: int | None = None) -> None:
        """Turn until the outbox is settled, or so many messages were taken."""
        async with asyncio.timeout(20):
            while await self.waiting() if done is None else len(self.sink.log) < done:
                await self.courier.turn()

    async def waiting(self) -> int:
        depths = await self.stream.depths()
        return sum(d.length for d in depths if d.queue.startswith("outbox"))

    async def outcome(self, post: str, name: str) -> Delivery:
        """Return what the ledger has of a post for a subscriber."""
        return (await self.stream.told(f"governor/{post}", [name]))[name]


PEOPLE = [
    Subscriber(name=name, sink="chat", to=f"{name}@") for name in ("ann", "bob", "cid")
]


@asynccontextmanager
async def office(
    stream: Stream, clock: FakeClock, held: Callable[[], bool] = lambda: True
) -> AsyncIterator[Office]:
    """Open a courier for a scripted sink."""
    sink = Scripted()
    web = Web(clock)
    reader = stream.reader(outbox("chat"), "deliver")
    await stream.take("deliver:chat", timedelta(minutes=5))
    lane = Lane(partial(reader.next, block=SOON), "deliver:chat", held)
    courier = Courier(sink, lane, stream, web, clock)
    courier.know(PEOPLE, {}, {})
    try:
        yield Office(stream, sink, courier, reader)
    finally:
        await courier.stop()
        await web.aclose()


async def test_everyone_is_told_and_it_is_written_down(
    stream: Stream, clock: FakeClock
) -> None:
    """Each recipient gets the message, and the ledger its id."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert {("sent", "ann@"), ("sent", "bob@")} == {one[:2] for one in at.sink.log}
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
            got = [key for _, to, key, _ in at.sink.log if to == name]
            assert ["governor/1/1", "governor/2/1", "governor/3/1"] == got


async def test_a_hanging_chat_delays_nobody_else(
    stream: Stream, clock: FakeClock
) -> None:
    """Others get theirs while one chat never answers."""
    async with office(stream, clock) as at:
        at.sink.hanging.add("ann@")
        for id_ in "123":
            await at.post(match(id_), ["ann", "bob"])
        await at.work(done=3)

        assert {"bob@"} == {to for _, to, _, _ in at.sink.log}


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
            to: (what, of) for what, to, key, of in at.sink.log if key.endswith("/2")
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

        assert ("sent", "ann@", "governor/1/2", "") == at.sink.log[-1]


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
        assert 1 == sum(to == "bob@" for _, to, _, _ in at.sink.log)
        assert "delivered" == (await at.outcome("1", "ann")).outcome
        assert "" == await stream.directory.parked("chat", "ann")


async def test_a_closed_address_is_parked(stream: Stream, clock: FakeClock) -> None:
    """After a refusal for good, nothing is tried there, and the ledger says why."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Gone("bot was blocked")])
        await at.post(match("1"), ["ann"])
        await at.post(match("2"), ["ann"])
        await at.work()

        assert "dead" == (await at.outcome("1", "ann")).outcome
        second = await at.outcome("2", "ann")
        assert "suppressed" == second.outcome
        assert "bot was blocked" in second.why


async def test_an_address_that_moved_is_followed(
    stream: Stream, clock: FakeClock
) -> None:
    """The message goes to the new address at once, and so do all later ones."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Moved("became a supergroup", "new@")])
        await at.post(match("1"), ["ann"])
        await at.post(match("2"), ["ann"])
        await at.work()

        assert ["new@", "new@"] == [to for _, to, _, _ in at.sink.log]


async def test_a_sink_that_refuses_us_is_asked_again_later(
    stream: Stream, clock: FakeClock
) -> None:
    """A revoked token loses nothing: what waits is sent once there is a new one."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Gone("token revoked", everywhere=True)])
        await at.post(match("1"), ["ann"])
        await at.work()

        assert ("sent", "ann@", "governor/1/1", "") == at.sink.log[-1]
        assert timedelta(minutes=10) in clock.slept


async def test_a_bug_costs_one_alert(stream: Stream, clock: FakeClock) -> None:
    """What nobody foresaw is tried five times, set aside, and the rest goes on."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([KeyError("message_id")] * 5)
        await at.post(match("1"), ["ann"])
        await at.post(match("2"), ["ann"])
        await at.work()

        assert "dead" == (await at.outcome("1", "ann")).outcome
        assert "delivered" == (await at.outcome("2", "ann")).outcome


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

        assert ["ann@"] == [to for _, to, _, _ in at.sink.log]


def _told(version: int, outcome: Outcome, message: str = "m1") -> Delivery:
    return Delivery(
        item=f"governor/1/{version}",
        subscriber="ann",
        sink="chat",
        outcome=outcome,
        at=TIME,
        message=message,
    )


@pytest.mark.parametrize(
    ("version", "correction", "newly", "told", "expected"),
    [
        (1, False, False, None, "send"),
        (1, False, False, _told(1, "delivered"), "done"),
        (1, False, False, _told(2, "edited"), "done"),
        (2, True, False, _told(1, "delivered"), "edit"),
        (2, True, False, _told(1, "dead", ""), "suppress"),
        (2, True, True, _told(1, "suppressed", ""), "send"),
        (2, True, False, None, "suppress"),
        (2, True, True, None, "send"),
        (2, False, False, None, "suppress"),
        (2, False, True, None, "send"),
        (3, True, False, _told(2, "edited"), "edit"),
    ],
)
def test_what_to_do_follows_from_what_was_told(
    *, version: int, correction: bool, newly: bool, told: Delivery | None, expected: str
) -> None:
    """An envelope and the ledger decide alone whether to send, edit or leave it."""
    envelope = Envelope(
        match=match("1", version, "edited" if version > 1 else "new"),
        sink="chat",
        recipients=("ann",),
        was=match("1") if correction else None,
        newly=("ann",) if newly else (),
    )

    assert expected == step(envelope, "ann", told).action
    assert isinstance(step(envelope, "ann", told), Step)


class Standing(FakeClock):
    """A clock on which no wait ever ends."""

    async def sleep(self, duration: timedelta) -> None:
        """Note what is asked for, and wait for ever."""
        self.slept.append(duration)
        await asyncio.Event().wait()


async def turns(at: Office, true: Callable[[], object]) -> None:
    """Turn until something is so."""
    async with asyncio.timeout(20):
        while not true():
            await at.courier.turn()


@pytest.mark.parametrize("everywhere", [True, False])
async def test_a_restart_remembers_how_long_to_wait(
    stream: Stream, *, everywhere: bool
) -> None:
    """Whom a sink asked us to leave alone for an hour is left alone after it, too."""
    hour = timedelta(hours=1)
    before, after = Standing(), Standing()
    async with office(stream, before) as at:
        at.sink.answers["ann@"] = deque([Transient("429", hour, everywhere=everywhere)])
        await at.post(match("1"), ["ann"])
        await turns(at, lambda: hour in before.slept)
    async with office(stream, after) as at:
        await at.post(match("2"), ["bob"])
        await turns(at, lambda: len(at.sink.log) + len(after.slept) == 2 - everywhere)

        assert [hour] == after.slept
        assert ([] if everywhere else ["bob@"]) == [to for _, to, _, _ in at.sink.log]


@pytest.mark.parametrize("what", ["a day passes", "a reload", "a restart"])
async def test_a_parked_address_is_tried_again(
    stream: Stream, clock: FakeClock, what: str
) -> None:
    """Who let us in again is told again; nobody is lost for ever."""
    with logged("info") as lines:
        async with office(stream, clock) as at:
            at.sink.answers["ann@"] = deque([Gone("bot was blocked"), Gone("still")])
            await at.post(match("1"), ["ann"])
            await at.post(match("2"), ["ann"])
            await at.work()
            for id_ in "34":
                if what == "a day passes":
                    clock.advance(PARKED)
                elif what == "a reload":
                    at.courier.know(PEOPLE, {}, {})
                else:
                    await at.courier.lose()  # it forgets as much as a restart does
                    at.courier.know(PEOPLE, {}, {})
                await at.post(match(id_), ["ann"])
                await at.work()

            outcomes = [(await at.outcome(id_, "ann")).outcome for id_ in "1234"]
    assert ["dead", "suppressed", "dead", "delivered"] == outcomes
    assert "" == await stream.directory.parked("chat", "ann")
    assert ["address_parked", "address_parked", "address_open_again"] == events(
        lines, "address_parked", "address_open_again"
    )


async def test_a_day_of_outage_is_two_lines(stream: Stream, clock: FakeClock) -> None:
    """However many tries fail for however many people, a person reads of it once."""
    with logged("info") as lines:
        async with office(stream, clock) as at:
            for name in ("ann@", "bob@"):
                at.sink.answers[name] = deque([Transient("refused")] * 200)
            await at.post(match("1"), ["ann", "bob"])
            await at.work()

    assert ["sink_waits", "sink_recovered"] == events(
        lines, "sink_waits", "sink_recovered"
    )
    assert 2 == len(events(lines, "alert_settled"))
    waits = next(line for line in lines if line["event"] == "sink_waits")
    assert ("refused", 1.0) == (waits["why"], waits["again_in"])
    assert LONGEST_WAIT == max(clock.slept) <= timedelta(minutes=1)


async def test_a_sink_that_refuses_us_is_told_until_it_takes_us(
    stream: Stream, clock: FakeClock
) -> None:
    """A revoked token is an error, told once; a second time it is news again."""
    revoked = Gone("token revoked", everywhere=True)
    with logged("info") as lines:
        async with office(stream, clock) as at:
            at.sink.answers["ann@"] = deque([revoked, revoked])
            await at.post(match("1"), ["ann"])
            await at.work()
            at.sink.answers["ann@"] = deque([revoked])
            await at.post(match("2"), ["ann"])
            await at.work()

    assert 2 == len(events(lines, "sink_refused_us"))
    assert {} == await stream.directory.held()  # a new token is to be tried at once


async def test_nothing_is_sent_that_may_be_another_ones(
    stream: Stream, clock: FakeClock
) -> None:
    """While the lease is not surely ours, messages wait; nobody else is blamed."""
    ours: list[bool] = []
    with logged("info") as lines:
        async with office(stream, clock, held=lambda: bool(ours)) as at:
            await at.post(match("1"), ["ann"])
            await turns(at, lambda: len(clock.slept) > 20)
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
        await turns(at, lambda: len(at.sink.log) == 1)
        await at.courier.lose()
        at.sink.hanging.clear()
        for _ in range(3):
            await asyncio.sleep(0.005)
        assert [("bob@", "governor/2/1")] == [one[1:3] for one in at.sink.log]

        at.reader.begin()  # it is ours again
        await at.work()

    told = [one[1:3] for one in at.sink.log]
    assert [("ann@", "governor/1/1"), ("ann@", "governor/2/1")] == told[1:]


async def test_an_address_that_moved_is_followed_at_once(
    stream: Stream, clock: FakeClock
) -> None:
    """Nobody waits because a group became a supergroup; going round in circles ends."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Moved("supergroup", "new@")])
        at.sink.answers["bob@"] = deque([Moved("round", "bob@")] * 9)
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert [("sent", "new@")] == [one[:2] for one in at.sink.log]
        assert "dead" == (await at.outcome("1", "bob")).outcome
    assert [] == clock.slept


async def test_two_may_share_an_address_that_moves(
    stream: Stream, clock: FakeClock
) -> None:
    """Both are told where it is now, and neither is taken for a bug."""
    people = [
        Subscriber(name=name, sink="chat", to="group@") for name in ("ann", "bob")
    ]
    with logged() as lines:
        async with office(stream, clock) as at:
            at.courier.know(people, {}, {})
            at.sink.answers["group@"] = deque([Moved("supergroup", "new@")] * 2)
            await at.post(match("1"), ["ann", "bob"])
            await at.work()

    assert ["new@", "new@"] == [to for _, to, _, _ in at.sink.log]
    assert [] == events(lines, "delivery_failed")


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
            (what, of) for what, _, _, of in at.sink.log[1:]
        ]
        assert message != (await at.outcome("1", "ann")).message

        await at.post(match("1", 3, "deleted"), ["ann"], was=now)
        await at.work()
        edits = [(what, of) for what, _, _, of in at.sink.log[3:]]
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

        assert ("sent", "elsewhere@", "governor/1/2", "") == at.sink.log[-1]


async def test_what_one_chat_never_takes_ends_as_a_letter(
    stream: Stream, clock: FakeClock
) -> None:
    """A message that fails for ever while others are taken is set aside."""
    async with office(stream, clock) as at:
        at.courier.know(PEOPLE, {}, {}, stale_after=timedelta(days=99))
        refusals = at.sink.answers["ann@"] = deque([Transient("500")] * 9000)
        await at.post(match("1"), ["ann"])
        await at.post(match("2"), ["ann"])
        served = 0
        while not await stream.dead():
            served += 1
            await at.post(match(f"other {served}"), ["bob"])
            left = len(refusals)
            await turns(at, lambda n=served: len(at.sink.log) == n)  # type: ignore[misc]
            await turns(at, lambda n=left: len(refusals) < n - 1)  # type: ignore[misc]
        refusals.clear()
        await at.work()

        assert TRIES <= served
        assert ["500"] == [letter.why for letter in await stream.dead()]
        assert "delivered" == (await at.outcome("2", "ann")).outcome


async def test_an_outage_of_the_whole_sink_loses_nothing(
    stream: Stream, clock: FakeClock
) -> None:
    """
    While nobody is served, nobody's message is given up; nor is that of who is served
    last when it is over.
    """
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Transient("502")] * 60)
        at.sink.answers["bob@"] = deque([Transient("502")] * 90)
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert {"ann@", "bob@"} == {to for _, to, _, _ in at.sink.log}
        assert [] == await stream.dead()


async def test_a_name_that_nobody_knows_yet_is_waited_for(
    stream: Stream, clock: FakeClock
) -> None:
    """The role that decides may know a subscriber before the one that delivers."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["dora", "eve"])
        await at.courier.turn()
        at.courier.know(
            [*PEOPLE, Subscriber(name="dora", sink="chat", to="d@")], {}, {}
        )
        await at.work()

        assert "delivered" == (await at.outcome("1", "dora")).outcome
        assert "dead" == (await at.outcome("1", "eve")).outcome
        assert [("eve",)] == [
            letter.value.recipients
            for letter in await stream.dead()
            if isinstance(letter.value, Envelope)
        ]


async def test_a_late_edit_finds_the_message_by_the_ledger(
    stream: Stream, clock: FakeClock
) -> None:
    """The ledger outlives the match before; its message is edited all the same."""
    async with office(stream, clock) as at:
        await at.post(match("1"), ["ann"])
        await at.work()
        await at.post(match("1", 2, "edited"), ["ann"], newly=["ann"])
        await at.work()

        assert "edited" == at.sink.log[-1][0]


async def test_one_message_silences_no_sink_that_has_but_one_chat(
    stream: Stream, clock: FakeClock
) -> None:
    """What the sink never takes is set aside once it takes what comes after."""

    async with office(stream, clock) as at:
        at.sink.poison.add("governor/1/1")
        for id_ in "123":
            await at.post(match(id_), ["ann"])
        await at.work()

        assert ["governor/2/1", "governor/3/1"] == [key for _, _, key, _ in at.sink.log]
        assert ["500"] == [letter.why for letter in await stream.dead()]
