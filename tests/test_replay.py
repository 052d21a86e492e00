"""Archived items through the same deciding code."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from monitor.item import Item
from monitor.replay import FOLLOWED, compare, decide, paced
from monitor.stream.commits import MATCHED_KEPT
from tests.clock import FakeClock
from tests.parts import DRONE, DULL, GOVERNOR, NOW, drones, post

ORIGINS = {"governor": GOVERNOR}
SIREN = "В Грайвороне сирена"


def version(number: int, text: str, *, after: timedelta = timedelta()) -> Item:
    """Return a version of one post, seen some time after the first."""
    change: Any = "new" if number == 1 else "edited" if text else "deleted"
    plain = post("1", text, change)
    seen = NOW + timedelta(seconds=number) + after
    return msgspec.structs.replace(plain, version=number, seen=seen)


def rules(*items: Item) -> list[tuple[str, ...] | None]:
    """Return by which rules each item is a match, or None."""
    decided = decide(items, drones(), ORIGINS)
    return [match.rules if match else None for _, match in decided]


def test_what_mattered_is_followed() -> None:
    """Changes of a match are passed on, those of other posts are not."""
    assert [("drones",), (), (), ()] == rules(
        version(1, DRONE), version(2, DULL), version(3, f"{DULL}!"), version(4, "")
    )
    assert [None, None, ("drones",), ()] == rules(
        version(1, DULL), version(2, f"{DULL}!"), version(3, DRONE), version(4, "")
    )


def test_what_mattered_long_ago_is_not_followed() -> None:
    """The stream forgets after two weeks what a change would correct."""
    late = FOLLOWED + timedelta(seconds=1)

    assert timedelta(days=14) == FOLLOWED == timedelta(seconds=MATCHED_KEPT)
    assert [("drones",), None] == rules(version(1, DRONE), version(2, "", after=late))
    assert [("drones",), ("drones",), ()] == rules(
        version(1, DRONE),
        version(2, f"{DRONE}!", after=late - timedelta(days=1)),
        version(3, "", after=late),
    )


def test_other_rules_make_other_alerts() -> None:
    """What the rules that are tried add and take away is told, and nothing else."""
    items = [
        post("1"),
        post("2", DULL),
        post("3", SIREN),
        post("4", f"{DRONE}, {SIREN}"),
    ]
    before, after = (drones(), ORIGINS), (drones(word="сирена~"), ORIGINS)
    found = [(one.match.item.id, one.more) for one in compare(items, before, after)]

    assert [("1", False), ("3", True)] == found


def test_a_correction_is_no_difference_by_itself() -> None:
    """Who is told of less is corrected less, which goes without saying."""
    items = [version(1, DRONE), version(2, DULL), version(3, "")]
    before, after = (drones(), ORIGINS), (drones(word="сирена~"), ORIGINS)

    assert [1] == [one.match.item.version for one in compare(items, before, after)]


def test_an_alert_instead_of_a_correction_is_one_more() -> None:
    """An edit that matters to the new rules only is told to people who were not."""
    items = [version(1, DRONE), version(2, SIREN)]
    before, after = (drones(), ORIGINS), (drones(word="сирена~"), ORIGINS)
    found = [
        (one.match.item.version, one.more) for one in compare(items, before, after)
    ]

    assert [(1, False), (2, True)] == found


def test_a_year_is_compared_piece_by_piece() -> None:
    """Not more than one item is taken before the one before it is compared."""
    taken = []

    def year() -> Any:
        for number in range(1, 1000):
            taken.append(number)
            yield post(str(number))

    next(compare(year(), (drones(), ORIGINS), (drones(word="сирена~"), ORIGINS)))

    assert [1] == taken


@pytest.mark.parametrize(("speed", "naps"), [(60.0, [1.0, 60.0]), (None, [])])
async def test_the_past_goes_by_in_its_rhythm(
    clock: FakeClock, speed: float | None, naps: list[float]
) -> None:
    """So many times faster as asked for, or at once; never back in time."""
    moments = [NOW + timedelta(minutes=n) for n in (0, 1, 0, 60)]
    items = [
        msgspec.structs.replace(post(str(n)), seen=seen)
        for n, seen in enumerate(moments)
    ]
    decided = decide(items, drones(), ORIGINS)
    shown = [item.id async for item, _ in paced(decided, speed, clock)]

    assert ["0", "1", "2", "3"] == shown
    assert naps == [nap.total_seconds() for nap in clock.slept]


def test_deciding_twice_is_the_same() -> None:
    """Nothing is left over from one replay that would change the next."""
    items = [version(1, DRONE), version(2, DULL), post("2", SIREN)]
    first = list(decide(items, drones(), ORIGINS))

    assert first == list(decide(items, drones(), ORIGINS))
