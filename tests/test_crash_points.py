"""
A process dies at one call after another; nothing is lost, nothing comes twice.

``python -m tests.simulation --crash news:123`` lets it die there again.
"""

from functools import cache

import pytest

from tests.simulation.crash import STORIES, spread, told

POINTS, AT_A_TIME = 300, 25


@cache
def points() -> list[tuple[str, int]]:
    """Where processes die: the same points in every run."""
    return [*spread(POINTS)]


@pytest.mark.parametrize("story", STORIES)
def test_the_stories_are_told_without_a_fault(story: str) -> None:
    """Where nobody dies, nobody hears anything twice."""
    result = told(story)

    assert [] == result.verdict.violations
    assert 0 == result.verdict.figures["duplicated"]
    assert result.verdict.figures["told"] >= 5
    assert result.points > 500


@pytest.mark.parametrize("first", range(0, POINTS, AT_A_TIME))
def test_nothing_is_lost_wherever_a_process_dies(first: int) -> None:
    """Before a call or after it: the next life brings everything to its end."""
    for story, point in points()[first : first + AT_A_TIME]:
        result = told(story, point)
        again = f"python -m tests.simulation --crash {story}:{point}"
        assert [] == result.verdict.violations, again
        assert result.counts["process killed"] > 0, again


def test_the_points_are_spread_over_all_stories() -> None:
    """Each story has many points, and as many of them are tried as it has its share."""
    tried = [story for story, _ in points()]

    assert POINTS == len(tried)
    assert all(tried.count(story) > 20 for story in STORIES)
