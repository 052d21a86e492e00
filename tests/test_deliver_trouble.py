"""Whatever a sink answers, it leads to what the answer means, and nothing is lost."""

from collections import deque
from datetime import timedelta

import pytest

from monitor.addresses import PARKED
from monitor.alert import Subscriber
from monitor.deliver.bearer import LONGEST_WAIT, TRIES
from monitor.errors import Gone, Moved, Rejected, Transient
from monitor.item import Envelope
from monitor.stream import Stream
from tests.clock import FakeClock
from tests.couriers import PEOPLE, Standing, match, office
from tests.parts import events, logged


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

        assert ["new@", "new@"] == [one.to for one in at.sink.log]


async def test_a_sink_that_refuses_us_is_asked_again_later(
    stream: Stream, clock: FakeClock
) -> None:
    """A revoked token loses nothing: what waits is sent once there is a new one."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Gone("token revoked", everywhere=True)])
        await at.post(match("1"), ["ann"])
        await at.work()

        assert ("sent", "governor/1/1") == at.told("ann@")[-1]
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
        await at.turn_until(lambda: hour in before.slept)
    async with office(stream, after) as at:
        await at.post(match("2"), ["bob"])
        await at.turn_until(
            lambda: len(at.sink.log) + len(after.slept) == 2 - everywhere
        )

        assert [hour] == after.slept
        assert ([] if everywhere else ["bob@"]) == [one.to for one in at.sink.log]


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


async def test_an_address_that_moved_is_followed_at_once(
    stream: Stream, clock: FakeClock
) -> None:
    """Nobody waits because a group became a supergroup; going round in circles ends."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Moved("supergroup", "new@")])
        at.sink.answers["bob@"] = deque([Moved("round", "bob@")] * 9)
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert [("sent", "new@")] == [(one.what, one.to) for one in at.sink.log]
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

    assert ["new@", "new@"] == [one.to for one in at.sink.log]
    assert [] == events(lines, "delivery_failed")


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
            await at.turn_until(lambda n=served: len(at.sink.log) == n)  # type: ignore[misc]
            await at.turn_until(lambda n=left: len(refusals) < n - 1)  # type: ignore[misc]
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

        assert {"ann@", "bob@"} == {one.to for one in at.sink.log}
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


async def test_one_message_silences_no_sink_that_has_but_one_chat(
    stream: Stream, clock: FakeClock
) -> None:
    """What the sink never takes is set aside once it takes what comes after."""

    async with office(stream, clock) as at:
        at.sink.poison.add("governor/1/1")
        for id_ in "123":
            await at.post(match(id_), ["ann"])
        await at.work()

        assert ["governor/2/1", "governor/3/1"] == [one.of for one in at.sink.log]
        assert ["500"] == [letter.why for letter in await stream.dead()]


async def test_being_asked_to_wait_says_nothing_against_a_message(
    stream: Stream, clock: FakeClock
) -> None:
    """A chat that is flooded for an hour gets everything, in order, and is obeyed."""
    flooded = Transient("429", timedelta(seconds=20))
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([flooded] * 180)
        for id_ in "12":
            await at.post(match(id_), ["ann"])
        await at.work()

        assert [("sent", f"governor/{id_}/1") for id_ in "12"] == at.told("ann@")[-2:]
        assert 180 == clock.slept.count(timedelta(seconds=20))


async def test_half_a_character_in_an_answer_breaks_nothing(
    stream: Stream, clock: FakeClock
) -> None:
    """Whatever a service calls a message, or says in refusing it, is written down."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Rejected("\ud83d")])
        at.sink.answers["bob@"] = deque([KeyError("\udc00")] * TRIES)
        await at.post(match("1"), ["ann", "bob"])
        await at.work()

        assert ["?", "KeyError: '\\udc00'"] == sorted(
            letter.why for letter in await stream.dead()
        )


async def test_what_is_old_does_not_go_to_a_closed_address(
    stream: Stream, clock: FakeClock
) -> None:
    """A digest is no reason to try again whoever has closed their door a minute ago."""
    async with office(stream, clock) as at:
        at.sink.answers["ann@"] = deque([Gone("bot was blocked")])
        await at.post(match("1"), ["ann"])
        await at.work()
        for id_ in "23":
            await at.post(match(id_), ["ann"], late=True)
        await at.work()

        assert [] == at.told()
        for id_ in "23":
            told = await at.outcome(id_, "ann")
            assert ("suppressed", "the address is parked: bot was blocked") == (
                told.outcome, told.why
            )  # fmt: skip


async def test_an_old_correction_of_what_nobody_was_told_is_left(
    stream: Stream, clock: FakeClock
) -> None:
    """It concerns them no more than it would if it were news."""
    async with office(stream, clock) as at:
        await at.post(match("1", 2, "edited"), ["ann"], was=match("1"), late=True)
        await at.post(match("2"), ["ann"], late=True)
        await at.work()

        assert [("digest", "governor/2/1")] == at.told()
        assert "suppressed" == (await at.outcome("1", "ann")).outcome
