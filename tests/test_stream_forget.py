"""Forgetting posts: what a source may still show is never new again."""

from datetime import timedelta

from monitor.item import Match
from monitor.stream import Accepted, Stream
from monitor.stream.door import Door
from monitor.stream.upkeep import SHOWN, first_kept
from tests.clock import FakeClock
from tests.stream_values import matched, post, posts

DAY = timedelta(days=1)
MONTH = timedelta(days=30)


async def past(stream: Stream, clock: FakeClock, *gone: str) -> None:
    """Let a source show *gone*, and after 40 days as many others as are kept."""
    await stream.accept("town", [post(id_) for id_ in gone], "c", baseline=True)
    clock.advance(40 * DAY)
    others = [post(f"other-{n}") for n in range(SHOWN)]
    await stream.accept("town", others, "c", baseline=True)


async def test_what_left_long_ago_is_forgotten(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """Of a busy source, what it has not shown for a month is dropped, and only that."""
    await past(stream, clock, "1", "2")
    await stream.accept("town", [post("1")], "c")

    assert 1 == await stream.forget("town", MONTH)
    assert SHOWN + 1 == await door.call("HLEN", door.key("seen:town"))
    again = await stream.accept("town", [post("1"), post("2")], "c")
    assert Accepted(new=1, unchanged=1) == again


async def test_what_is_new_again_corrects_nothing(
    stream: Stream, clock: FakeClock
) -> None:
    """A post that was forgotten and returns is an alert of its own."""
    await matched(stream, [post("1")])
    await past(stream, clock)
    await stream.forget("town", MONTH)

    *_, again = await matched(stream, [post("1")])

    assert isinstance(again.value, Match)
    assert ("new", None) == (again.value.item.change, again.was)


async def test_a_quiet_source_forgets_nothing(stream: Stream, clock: FakeClock) -> None:
    """One that showed nothing new for months, or was off, has no new past after it."""
    many = posts(SHOWN + 200)
    await stream.accept("town", many, "c", baseline=True)
    for _ in range(3):
        clock.advance(40 * DAY)
        assert 0 == await stream.forget("town", MONTH)

    again = await stream.accept("town", [*many, post("new")], "c")

    assert Accepted(new=1, unchanged=SHOWN + 200) == again


async def test_a_source_may_show_less_for_months(
    stream: Stream, clock: FakeClock
) -> None:
    """When a feed that was cut to one entry is whole again, the others are not new."""
    await stream.accept("town", posts(20), "c", baseline=True)
    for _ in range(4):
        clock.advance(10 * DAY)
        await stream.accept("town", posts(1), "c")
        await stream.forget("town", MONTH)

    again = await stream.accept("town", posts(20), "c")

    assert Accepted(unchanged=20) == again


async def test_a_clock_set_back_forgets_nothing(
    stream: Stream, clock: FakeClock
) -> None:
    """The last day a post was seen does not go back with the clock."""
    many = posts(SHOWN + 2)
    await stream.accept("town", many, "c", baseline=True)
    clock.turn(-100 * DAY)
    await stream.accept("town", [post("0"), post("1", "changed")], "c")

    assert 0 == await stream.forget("town", MONTH)
    clock.turn(100 * DAY)
    assert 0 == await stream.forget("town", MONTH)


def test_days_are_counted_back_from_the_last_that_showed_something() -> None:
    """The first day that is kept, for sources that are busy, quiet, small or wrong."""
    busy = [100] * SHOWN + [71, 70, 69]

    assert 70 == first_kept(busy, 100, 30)
    assert 70 == first_kept(busy, 500, 30)  # it was off since
    assert 70 == first_kept([*busy, 900], 100, 30)  # the clock was ahead once
    assert 0 == first_kept([1, *[100] * (SHOWN - 1)], 100, 30)
    assert 9 == first_kept([1, 9, *[100] * (SHOWN - 1)], 100, 30)
    assert 0 == first_kept([], 100, 30)
