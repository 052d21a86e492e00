"""
Archived items through the same deciding code, and nobody is told.

The same items, rules and places give the same matches, to the byte: deciding is
a pure function of them.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.filter import Filter
from monitor.item import Item, Match, Origin
from monitor.pipeline import verdict


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
    told: set[str] = set()
    for item in items:
        match = verdict(item, reader, origins)
        if match and match.rules:
            told.add(item.post)
        yield item, match if match and (match.rules or item.post in told) else None


def compare(
    items: Iterable[Item],
    before: tuple[Filter, Mapping[str, Origin]],
    after: tuple[Filter, Mapping[str, Origin]],
) -> Iterator[Difference]:
    """Yield the items of which the two make an alert more, or one less."""
    both = list(items)
    pairs = zip(decide(both, *before), decide(both, *after), strict=True)
    for (_, old), (_, new) in pairs:
        if old and not new:
            yield Difference(old, more=False)
        elif new and not old:
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
