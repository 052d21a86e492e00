"""When each source is read next."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.schedule import LONGEST_WAIT, Schedule, first_wait

MINUTE = timedelta(minutes=1)


def test_takes_what_is_due_in_order_and_once() -> None:
    """Sources come out when their turn has come, the longest due first, and once."""
    schedule = Schedule()
    schedule.add("late", 30.0)
    schedule.add("second", 20.0)
    schedule.add("first", 10.0)

    assert schedule.due(25.0) == ["first", "second"]
    assert schedule.due(25.0) == []
    assert schedule.next() == 30.0


def test_a_new_plan_replaces_the_old_one() -> None:
    """A source that was planned anew is read at the new moment only."""
    schedule = Schedule()
    schedule.add("source", 10.0)
    schedule.add("source", 50.0)

    assert schedule.next() == 50.0
    assert schedule.due(49.0) == []
    assert schedule.due(50.0) == ["source"]


def test_a_dropped_source_is_never_due() -> None:
    """A source that was taken out of the configuration is not read again."""
    schedule = Schedule()
    schedule.add("source", 10.0)
    schedule.drop("source")

    assert schedule.next() is None
    assert schedule.due(100.0) == []


def test_failures_wait_longer_each_time_and_a_success_forgets_them() -> None:
    """The wait doubles up to 15 times the rhythm; the first success ends that."""
    schedule = Schedule()
    waits = []
    for _ in range(8):
        schedule.failed("source", 0.0, MINUTE)
        waits.append(schedule.next())

    assert waits == [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0, 900.0]
    assert schedule.succeeded("source", 0.0, MINUTE) == 8
    assert schedule.next() == 60.0
    assert schedule.failed("source", 0.0, MINUTE) == 1


def test_a_failing_source_is_tried_every_half_hour_at_least() -> None:
    """However slow its rhythm; one that is read less often keeps that."""
    schedule = Schedule()
    for name, every in (("often", 5 * MINUTE), ("seldom", 60 * MINUTE)):
        for _ in range(30):
            schedule.failed(name, 0.0, every)

    assert ["often"] == schedule.due(LONGEST_WAIT)
    assert ["seldom"] == schedule.due(3600.0)


def test_what_is_no_fault_of_the_source_is_tried_again_soon() -> None:
    """The wait doubles from a second to half a minute, and counts as no failure."""
    schedule = Schedule()
    waits = []
    for _ in range(7):
        schedule.put_off("source", 0.0)
        waits.append(schedule.next())

    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == waits
    assert 0 == schedule.succeeded("source", 0.0, MINUTE)
    schedule.put_off("source", 0.0)
    assert 1.0 == schedule.next()


def test_waits_as_long_as_the_publisher_asks() -> None:
    """Retry-After is obeyed even where it exceeds our own longest wait."""
    schedule = Schedule()
    schedule.failed("source", 0.0, MINUTE, timedelta(hours=6))

    assert schedule.next() == 6 * 3600.0


@given(
    st.floats(1, 86_400).map(lambda s: timedelta(seconds=s)),
    st.lists(st.none() | st.floats(0, 30_000), max_size=40),
)
def test_the_wait_is_bounded(every: timedelta, asked: list[float | None]) -> None:
    """No run of failures waits less than the rhythm, or longer than all bounds."""
    schedule = Schedule()
    for seconds in asked:
        after = timedelta(seconds=seconds or 0)
        schedule.failed("source", 0.0, every, after)
        at = schedule.next()
        assert at is not None
        assert every.total_seconds() <= at
        assert at <= max(LONGEST_WAIT, every.total_seconds(), after.total_seconds())


@given(st.text(), st.floats(1, 86_400))
def test_the_first_read_comes_soon(name: str, seconds: float) -> None:
    """Each source has a place of its own within its rhythm and the first 5 s."""
    wait = first_wait(name, timedelta(seconds=seconds))

    assert 0 <= wait <= min(seconds, 5)
    assert wait == first_wait(name, timedelta(seconds=seconds))
