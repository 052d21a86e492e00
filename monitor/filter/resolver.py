"""
Which places a text speaks of, if any.

Each mention of a name is a question: does it mean a place, and which of several?
What speaks for a candidate and against it is added up.  From `ENOUGH` on it counts,
below it no place is better than a wrong one.  Every point has a name, so that
`monitor explain` can show the sum; what each is worth stands in `weights`.

The home region of a source only ranks what is left and gives a nudge; a region that
the text names wins over it.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from monitor.filter.mention import ENOUGH, Candidate, Mention, Text, find_heads
from monitor.filter.places import Gazetteer, Named
from monitor.filter.unnamed import Unnamed, find_unnamed
from monitor.filter.weights import hear_witnesses, weigh
from monitor.filter.words import Hit, Words
from monitor.item import Place

MOST_MENTIONS = 800  # of one text; the longest list of places known has 200
CLOSE = 0.3  # candidates nearer than this cannot be told apart


class Resolver:
    """Decides what the mentions of places in one text mean."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer

    def resolve(
        self,
        words: Words,
        hits: Iterable[Hit[Named]],
        home: str = "",
        unnamed: Sequence[Hit[Unnamed]] = (),
        said: Collection[int] = (),
    ) -> list[Mention]:
        """
        Return the mentions of places in *words*, with the sums that decide.

        Args:
            unnamed: Words such as "область", which may mean the region of *home*.
            said: The numbers of words at which a warning or a report begins.
        """
        mentions = list(islice(_mentions(hits), MOST_MENTIONS))
        if not mentions and not (home and unnamed):
            return []
        text = Text(words, said)
        if mentions:
            _decide(text, mentions, home)
        if unnamed:
            some = unnamed[:MOST_MENTIONS]
            mentions += find_unnamed(text, some, mentions, home, self.gazetteer)
            mentions.sort(key=lambda mention: mention.first)
        return mentions

    def places(self, mentions: Sequence[Mention], words: Words) -> tuple[Place, ...]:
        """Return the places that *mentions* mean, in the order of the text."""
        found: dict[str, tuple[float, list[tuple[int, int]]]] = {}
        for mention in mentions:
            if mention.choice is not None:
                place, score = mention.choice
                best, spans = found.get(place, (score, []))
                start, end = words.spans[mention.first][0], words.spans[mention.end][1]
                found[place] = (max(best, score), [*spans, (start, end)])
        return tuple(
            self._place(place, score, spans) for place, (score, spans) in found.items()
        )

    def _place(self, place: str, score: float, spans: list[tuple[int, int]]) -> Place:
        node = self.gazetteer.nodes[place]
        return Place(
            id=place,
            name=node.name,
            within=node.within,
            confidence=confidence(score),
            spans=tuple(spans),
        )


def _decide(text: Text, mentions: Sequence[Mention], home: str) -> None:
    text.look_around(mentions)
    find_heads(text, mentions)
    text.look_for_lists(mentions)
    for mention in mentions:
        for candidate in mention.candidates:
            weigh(text, mention, candidate)
    hear_witnesses(mentions, home)
    for mention in mentions:
        mention.choice = _chosen(mention)


def _chosen(mention: Mention) -> tuple[str, float] | None:
    """
    Return the id and the score of what *mention* means, or None.

    Where several places of one region cannot be told apart, that is the nearest
    place in which all of them lie.
    """
    best = mention.best()
    if not best:
        return None
    rivals = [c for c in best if best[0].score - c.score < CLOSE]
    if len({c.place.id for c in rivals}) == 1:
        return best[0].place.id, best[0].score
    for above in rivals[0].place.lineage[:-1]:
        if all(above in c.place.lineage for c in rivals):
            return above, ENOUGH
    return None


def confidence(score: float) -> float:
    """Return how sure a *score* makes us, from 0.5 at `ENOUGH` towards 1."""
    return round(max(0.0, 1 - 0.5 * math.exp((ENOUGH - score) / 1.5)), 2)


def _mentions(hits: Iterable[Hit[Named]]) -> Iterator[Mention]:
    """Yield the longest names from left to right; none overlaps another."""
    by_place: dict[tuple[int, int], dict[tuple[str, str], Named]] = {}
    for hit in hits:
        named = hit.term
        here = by_place.setdefault((hit.first, -hit.last), {})
        here.setdefault((named.place.id, named.role), named)
    free = 0
    for (first, last), named_here in sorted(by_place.items()):
        if first >= free:
            free = -last + 1
            candidates = [Candidate(named) for named in named_here.values()]
            yield Mention(first, -last, candidates, end=-last)
