"""Whether each loop still gets somewhere."""

from datetime import timedelta

from monitor.health import LONGEST, Health
from tests.clock import FakeClock

JUST = timedelta(milliseconds=1)


def test_who_beats_is_alive(clock: FakeClock) -> None:
    """A loop that beats often enough is never missed, whatever the wall clock does."""
    health = Health(clock)
    for _ in range(10):
        health.beat("filter")
        clock.advance(LONGEST)
        clock.turn(timedelta(hours=-1))
        assert [] == health.stalled()


def test_who_stops_is_missed_until_it_goes_on(clock: FakeClock) -> None:
    """Those that got nowhere for too long are named, and no others."""
    health = Health(clock)
    for loop in ("filter", "alert", "archive"):
        health.beat(loop)
    clock.advance(LONGEST + JUST)
    health.beat("alert")

    assert ["archive", "filter"] == health.stalled()
    health.beat("filter")
    assert ["archive"] == health.stalled()


def test_who_was_stopped_is_not_missed(clock: FakeClock) -> None:
    """A loop that ended on purpose is forgotten, and one may be forgotten twice."""
    health = Health(clock)
    health.beat("filter")
    health.forget("filter")
    health.forget("filter")
    clock.advance(2 * LONGEST)

    assert [] == health.stalled()


def test_the_watchdog_is_slower_than_a_turn() -> None:
    """A turn that waits as long as it may is not taken for one that hangs."""
    assert LONGEST > timedelta(seconds=2 + 30)
