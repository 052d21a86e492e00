"""The parts by which a courier decides whose turn it is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.deliver.agenda import Agenda, Level
from monitor.deliver.ages import Ages
from monitor.deliver.mailbox import Mailbox
from monitor.deliver.outage import FAILING, LONGEST_WAIT, Outage
from monitor.deliver.slots import (
    HUNG,
    IN_FLIGHT,
    LONG,
    NARROW,
    SLOW,
    SLUGGISH,
    Place,
    Slots,
)
from tests.clock import START, FakeClock
from tests.simulation.loop import run

HOUR = timedelta(hours=1)


def names(agenda: Agenda, **free: bool) -> list[str]:
    """Return who is served in turn, where there are always these places."""
    given_ = {"quick": True, "narrow": True, "past": True} | free
    served = []
    while chosen := agenda.next(**given_):
        served.append(chosen[0].name)
    return served


def test_the_most_urgent_are_served_first_and_each_line_in_turn() -> None:
    """Critical news, other news, what is none any more."""
    agenda = Agenda()
    for name, level in (("c", Level.PAST), ("a", Level.NEWS), ("b", Level.NEWS)):
        agenda.line_up(Mailbox(name), level, narrow=False)
    agenda.line_up(Mailbox("d"), Level.URGENT, narrow=False)

    assert ["d", "a", "b", "c"] == names(agenda)
    assert not agenda.ready


def test_nobody_waits_for_those_who_hang() -> None:
    """Each kind is served where there is a place for it, and the past when it may."""
    agenda = Agenda()
    agenda.line_up(Mailbox("hangs"), Level.URGENT, narrow=True)
    agenda.line_up(Mailbox("well"), Level.NEWS, narrow=False)
    agenda.line_up(Mailbox("past"), Level.PAST, narrow=False)

    assert ["well"] == names(agenda, narrow=False, past=False)
    assert ["hangs"] == names(agenda, quick=False)
    assert ["past"] == names(agenda)


def test_whoever_gets_news_goes_to_another_line() -> None:
    """Nobody stands in two lines, nor keeps a place that they have left."""
    agenda = Agenda()
    box = Mailbox("a")
    agenda.line_up(box, Level.PAST, narrow=False)
    agenda.line_up(Mailbox("b"), Level.NEWS, narrow=False)
    agenda.line_up(box, Level.NEWS, narrow=False)
    agenda.line_up(box, Level.NEWS, narrow=False)

    assert ["b", "a"] == names(agenda)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9)), max_size=30))
def test_who_waits_is_woken_at_their_last_moment(waits: list[tuple[str, int]]) -> None:
    """A new moment takes the place of the one before."""
    agenda, last = Agenda(), dict[str, int]()
    for name, moment in waits:
        agenda.wait(Mailbox(name), moment, firmly=False)
        last[name] = moment

    woken = [(now, box.name) for now in range(10) for box in agenda.woken(now)]

    assert sorted((moment, name) for name, moment in last.items()) == sorted(woken)
    assert [now for now, _ in woken] == sorted(last.values())


def test_only_those_in_trouble_are_hurried() -> None:
    """A service's own wish to wait outlives the end of an outage."""
    agenda = Agenda()
    agenda.wait(Mailbox("asked"), 5, firmly=True)
    agenda.wait(Mailbox("failed"), 3, firmly=False)

    assert ["failed"] == [box.name for box in agenda.hurry()]
    assert 5 == agenda.due


def in_places(play: Callable[[Slots], Awaitable[None]]) -> int:
    """Run *play* in virtual time, and return how often places became free."""
    freed: list[None] = []

    async def main() -> None:
        await play(Slots(lambda: freed.append(None)))

    run(main())
    return len(freed)


def test_what_takes_long_gives_its_place_back() -> None:
    """Eight chats that hang make room for eight others after half a second."""

    async def play(places: Slots) -> None:
        for n in range(IN_FLIGHT):
            places.take(f"p{n}")
        assert not places.has_room("quick")
        await asyncio.sleep(SLOW / 2)
        assert not places.has_room("quick")
        await asyncio.sleep(SLOW)
        assert places.has_room("quick")

    assert IN_FLIGHT == in_places(play)


def test_there_is_an_end_to_what_may_take_long() -> None:
    """When sixty-four take long, the next ones keep their places."""

    async def play(places: Slots) -> None:
        taken = list[Place]()
        while places.has_room("quick"):
            taken.append(places.take(f"p{len(taken)}"))
            if not places.has_room("quick"):
                await asyncio.sleep(2 * SLOW)
        assert LONG + IN_FLIGHT == len(taken)
        taken[0].release()
        await asyncio.sleep(2 * SLOW)
        assert places.has_room("quick")

    in_places(play)


def test_who_hung_waits_at_a_narrow_gate_until_they_are_well() -> None:
    """They take no place of others, and come back with the first quick answer."""

    async def play(places: Slots) -> None:
        for n in range(NARROW):
            place = places.take(f"p{n}")
            await asyncio.sleep(HUNG)
            place.release(failed=True)
        gate = [places.take(f"p{n}") for n in range(NARROW)]
        assert all(place.narrow for place in gate)
        assert (False, True) == (places.has_room("narrow"), places.has_room("quick"))
        gate[0].release()
        gate[0].release()  # once is enough
        assert places.has_room("narrow")
        assert not places.is_hung("p0")
        places.forgive()
        assert not places.is_hung("p1")

    in_places(play)


def test_who_is_slow_and_answers_is_not_taken_to_hang() -> None:
    """A service that needs seconds for everybody is slow, and used at full width."""

    async def play(places: Slots) -> None:
        for seconds, hung in ((HUNG, False), (SLUGGISH, True)):
            place = places.take("p")
            await asyncio.sleep(seconds)
            place.release()
            assert hung == places.is_hung("p")

    in_places(play)


def test_a_sink_is_away_when_several_get_no_answer() -> None:
    """One after the other asks, more and more seldom, until somebody is answered."""
    outage = Outage()
    for n in range(FAILING):
        assert not outage.on
        outage.failed(f"p{n}", began=10)
        outage.failed("p0", began=10)
    asked = []
    for _ in range(8):
        now = max(100.0, outage.ready_at())
        outage.begun(now)
        asked.append(outage.ready_at() - now)
    assert [1, 2, 4, 8, LONGEST_WAIT, LONGEST_WAIT] == asked[:6]

    assert outage.answered(now=200)
    assert outage.ready_at() < 0
    assert not outage.answered(now=201)
    assert 200 == outage.ended


def test_those_who_hang_make_no_outage() -> None:
    """What was begun before others were served says nothing about the sink now."""
    outage = Outage()
    outage.answered(now=20)
    for n in range(2 * FAILING):
        outage.failed(f"p{n}", began=19)

    assert not outage.on


@pytest.mark.parametrize("hours", [-48, 1, 24])
def test_an_age_is_right_whatever_is_done_to_the_clock(hours: int) -> None:
    """What was seen before the jump, and what after it, are as old as they are."""
    clock = FakeClock()
    ages = Ages(clock)
    clock.advance(HOUR)
    before, taken = clock.now() - HOUR / 4, clock.monotonic()
    clock.advance(HOUR / 4)
    ages.look()
    clock.turn(timedelta(hours=hours))
    clock.advance(HOUR / 2)

    assert HOUR == ages.of(before, taken)
    after, taken = clock.now(), clock.monotonic()
    clock.advance(HOUR / 4)
    assert HOUR / 4 == ages.of(after, taken)


def test_a_time_that_came_twice_counts_as_young() -> None:
    """After a jump back nobody misses a warning; what we saw waiting is no younger."""
    clock = FakeClock()
    ages = Ages(clock)
    clock.advance(HOUR)
    seen, taken = clock.now() - HOUR / 4, clock.monotonic()
    clock.turn(-HOUR / 2)
    assert HOUR / 4 == ages.of(seen, taken)  # it bears a time that is still to come
    clock.advance(HOUR / 2)

    assert HOUR / 2 == ages.of(seen, taken)


def test_a_clock_that_is_set_and_set_right_again() -> None:
    """Two jumps that undo each other leave every age as it was."""
    clock = FakeClock()
    ages = Ages(clock)
    seen = clock.now()
    for hours in (5, -5):
        clock.advance(HOUR)
        ages.look()
        clock.turn(timedelta(hours=hours))
        ages.look()

    assert 2 * HOUR == ages.of(seen, clock.monotonic())


@given(st.lists(st.integers(-300, 300), max_size=6), st.integers(0, 6))
def test_jumps_make_nothing_older_than_it_is(jumps: list[int], at: int) -> None:
    """However often a clock is set, nothing is thought older, nor younger than here."""
    clock = FakeClock()
    ages = Ages(clock)
    seen, born = clock.now(), clock.monotonic()
    for n, minutes in enumerate(jumps):
        clock.advance(HOUR / 4)
        if n == at:
            seen, born = clock.now(), clock.monotonic()
        ages.look()
        clock.turn(timedelta(minutes=minutes))
    clock.advance(HOUR / 4)
    real = timedelta(seconds=clock.monotonic() - born)

    assert real == ages.of(seen, born)
    assert timedelta() <= ages.of(seen, clock.monotonic()) <= real


def test_what_was_old_before_we_came_is_old() -> None:
    """Only the wall clock knows of the time before; what waits here grows old, too."""
    clock = FakeClock()
    ages = Ages(clock)

    assert 5 * HOUR == ages.of(START - 5 * HOUR, clock.monotonic())
    assert timedelta() == ages.of(START + 5 * HOUR, clock.monotonic())
    taken = clock.monotonic()
    clock.advance(HOUR)
    assert HOUR == ages.of(START + 5 * HOUR, taken)
