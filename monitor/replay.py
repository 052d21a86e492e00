"""
Archived items through the same deciding code, and nobody is told.

The same items, rules and places give the same matches, to the byte: deciding is
a pure function of them.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import tee

from monitor.clock import Clock
from monitor.filter import Filter
from monitor.item import Item, Match, Origin
from monitor.pipeline import verdict
from monitor.stream.commits import MATCHED_KEPT

FOLLOWED = timedelta(seconds=MATCHED_KEPT)  # how long changes of a match are passed on


@dataclass(frozen=True, slots=True)
class Difference:
    """
    An alert that other rules would have added, or taken away.

    Attributes:
        match: As the rules have it that make the alert.
        more: The other rules make it, and the rules in use do not.
    """

    match: Match
    more: bool


def decide(
    items: Iterable[Item], reader: Filter, origins: Mapping[str, Origin]
) -> Iterator[tuple[Item, Match | None]]:
    """
    Yield each of *items* with what *reader* makes of it, as `pipeline` would.

    An edit or a deletion that matters no more is a match without rules where an
    earlier version among *items* mattered: those who were told would learn of it.
    """
    mattered: dict[str, datetime] = {}  # by post, when it did so last
    for item in items:
        match = verdict(item, reader, origins)
        if match and match.rules:
            mattered[item.post] = item.seen
        elif match:
            last = mattered.get(item.post)
            followed = last is not None and item.seen - last < FOLLOWED
            match = match if followed else None
        yield item, match


def compare(
    items: Iterable[Item],
    before: tuple[Filter, Mapping[str, Origin]],
    after: tuple[Filter, Mapping[str, Origin]],
) -> Iterator[Difference]:
    """
    Yield the items of which the two make an alert more, or one less.

    A correction of an alert goes with it, and is no difference by itself.
    """
    once, again = tee(items)
    pairs = zip(decide(once, *before), decide(again, *after), strict=True)
    for (_, old), (_, new) in pairs:
        if old and old.rules and not (new and new.rules):
            yield Difference(old, more=False)
        elif new and new.rules and not (old and old.rules):
            yield Difference(new, more=True)


async def paced(
    decided: Iterable[tuple[Item, Match | None]], speed: float | None, clock: Clock
) -> AsyncIterator[tuple[Item, Match | None]]:
    """
    Yield what was decided in the rhythm in which it was seen.

    Args:
        speed: So many times faster; None is as fast as it goes.
    """
    last = None
    for item, match in decided:
        if speed and last is not None and item.seen > last:
            await clock.sleep((item.seen - last) / speed)
        last = item.seen
        yield item, match
