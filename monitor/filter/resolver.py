"""
Which places a text speaks of, if any.

Each mention of a name is a question: does it mean a place, and which of several?
What speaks for a candidate and against it is added up.  From `ENOUGH` on it counts,
below it no place is better than a wrong one.  Every point has a name, so that
`monitor explain` can show the sum.  The weights were found on labelled posts
(tests/fixtures/filter/posts.yaml) and checked on news nobody tuned them for.

The home region of a source only ranks what is left and gives a nudge; a region that
the text names wins over it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from monitor.filter import surroundings as around
from monitor.filter.places import Gazetteer, Named, Node
from monitor.filter.words import Hit, Words
from monitor.item import Place

ENOUGH = 1.5  # points from which a mention is a place
CLOSE = 0.3  # candidates nearer than this cannot be told apart
WITNESS = 1.9  # points from which a mention speaks for its neighbours

Points = tuple[str, float]

PRIOR = {
    "region": 4.0, "city": 2.0, "district": 2.0, "hromada": 2.0, "town": 1.9,
    "settlement": 1.3, "village": 1.3, "facility": 2.5,
}  # fmt: skip
FITS_TYPE = (
    (around.CITY, ("city", "town")),
    (around.VILLAGE, ("village", "settlement")),
    (around.SETTLEMENT, ("settlement", "town", "village")),
)


@dataclass(slots=True)
class Candidate:
    """A place that a mention may mean, and what speaks for it and against."""

    named: Named
    points: list[Points] = field(default_factory=list)
    score: float = 0.0

    @property
    def place(self) -> Node:
        """The place it stands for."""
        return self.named.place

    def add(self, reason: str, points: float) -> None:
        """Count *points* for a *reason* that people can read."""
        self.points.append((reason, points))
        self.score += points


@dataclass(slots=True)
class Mention:
    """
    Some words that may name a place.

    Attributes:
        capital: Its first letter is one.
        opening: It begins a sentence, where a capital says nothing.
        typed: The word that says what it is: "село", "city", "п.".
        head: The word an adjective goes with: "области", "районах".
        end: The last word that belongs to it, its head included.
    """

    first: int
    last: int
    candidates: list[Candidate]
    capital: bool = True
    opening: bool = False
    typed: bytes = b""
    head: bytes = b""
    end: int = 0

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all that it may mean."""
        return frozenset(c.place.id for c in self.candidates)

    def best(self) -> list[Candidate]:
        """Return the candidates that reach `ENOUGH`, best first."""
        good = [c for c in self.candidates if c.score >= ENOUGH]
        return sorted(good, key=lambda c: (-c.score, c.place.id))


class Resolver:
    """Decides what the mentions of places in one text mean."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer

    def resolve(
        self, words: Words, hits: Iterable[Hit[Named]], home: str = ""
    ) -> list[Mention]:
        """Return the mentions of places in *words*, with the sums that decide."""
        mentions = list(_mentions(hits))
        if not mentions:
            return []
        text = _Text(words)
        for number, mention in enumerate(mentions):
            text.look_around(mention, mentions[:number])
        _find_heads(text, mentions)
        for mention in mentions:
            for candidate in mention.candidates:
                _weigh(text, mention, candidate, mentions)
        _hear_witnesses(mentions, home, text)
        return mentions

    def chosen(self, mention: Mention) -> tuple[str, float] | None:
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

    def places(self, mentions: Sequence[Mention], words: Words) -> tuple[Place, ...]:
        """Return the places that *mentions* mean, in the order of the text."""
        found: dict[str, tuple[float, list[tuple[int, int]]]] = {}
        for mention in mentions:
            choice = self.chosen(mention)
            if choice is not None:
                place, score = choice
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


class _Text:
    """The words of a text, and how it uses capitals."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.folded = words.folded
        letters = [c for c in words.text if c.isalpha()]
        capitals = sum(map(str.isupper, letters))
        self.all_capitals = capitals > 0.6 * len(letters)
        self.no_capitals = capitals == 0

    def at(self, index: int) -> bytes:
        """Return the word at *index*, or nothing outside the text."""
        return self.folded[index] if 0 <= index < len(self.folded) else b""

    def capital(self, index: int) -> bool:
        """Whether the word at *index* begins with a capital."""
        if not 0 <= index < len(self.folded):
            return False
        return self.words.text[self.words.spans[index][0]].isupper()

    def look_around(self, mention: Mention, before: Sequence[Mention]) -> None:
        """Note what kind of word stands before *mention*."""
        mention.capital = self.capital(mention.first)
        mention.opening = self._opens(mention.first)
        mention.typed = self._type_of(mention, before)

    def adjacent(self, left: Mention, right: Mention) -> bool:
        """Whether two mentions are neighbours in a list: "Козинка и Глотово"."""
        between = range(left.end + 1, right.first)
        gap = self.words.text[
            self.words.spans[left.end][1] : self.words.spans[right.first][0]
        ]
        if any(mark in gap for mark in ".!?") or len(gap) > 40:  # noqa: PLR2004
            return False
        return all(
            self.at(i) in around.AND
            or self.at(i) in around.TYPES
            or self.at(i).isdigit()
            for i in between
        )

    def _opens(self, index: int) -> bool:
        if index == 0:
            return True
        gap = self.words.gap(index)
        if gap.startswith(".") and self.at(index - 1) in around.DOTTED:
            return False
        return any(not (c.isalnum() or c in " ,-'’(\u00a0") for c in gap)

    def _type_of(self, mention: Mention, before: Sequence[Mention]) -> bytes:
        word, gap = self.at(mention.first - 1), self.words.gap(mention.first)
        if word == b"of":
            word = self.at(mention.first - 2)
        if word in around.TYPES:
            plain = word not in around.INITIALS or "." in gap
            return word if plain or self.all_capitals else b""
        if self.at(mention.last + 1) in (b"village", b"settlement", b"town", b"city"):
            return self.at(mention.last + 1)
        if before and before[-1].typed and self.adjacent(before[-1], mention):
            return before[-1].typed
        return b""


def _find_heads(text: _Text, mentions: Sequence[Mention]) -> None:
    """Give each adjective its head: one for all of "Белгородской и Курской областей"."""
    for mention, following in zip(
        reversed(mentions), [None, *reversed(mentions)], strict=False
    ):
        if not any(c.named.role != "name" for c in mention.candidates):
            continue
        index = mention.last + 1
        while text.at(index) in around.QUALIFIERS:
            index += 1
        if text.at(index) in around.HEADS and "." not in text.words.gap(index):
            mention.head, mention.end = text.at(index), index
        elif following is not None and following.head:
            if text.adjacent(mention, following):
                mention.head = following.head


def _weigh(
    text: _Text, mention: Mention, candidate: Candidate, mentions: Sequence[Mention]
) -> None:
    if candidate.named.role == "name":
        _weigh_name(text, mention, candidate)
        _weigh_list(text, mention, candidate, mentions)
    else:
        _weigh_adjective(mention, candidate)
    _weigh_street(text, mention, candidate)


def _weigh_adjective(mention: Mention, candidate: Candidate) -> None:
    kind, head = candidate.place.kind, mention.head
    if candidate.named.role == "stem" and not head:
        candidate.add("no region after it", -5.0)
    elif kind == "region":
        _weigh_region(mention, candidate)
    elif head in around.HROMADA_HEADS:
        candidate.add("громада", 3.5 if kind == "hromada" else 0.6)
    elif head in around.DISTRICT_HEADS:
        candidate.add("район", 3.5 if kind == "district" else 0.9)
    elif head in around.REGION_HEADS:
        candidate.add("another's область", -3.0)
    else:
        unique = len(mention.candidates) == 1 and not candidate.place.ambiguous
        candidate.add("adjective alone", 1.6 if unique else 0.2)


def _weigh_region(mention: Mention, candidate: Candidate) -> None:
    if mention.head in around.REGION_HEADS:
        candidate.add("область", 4.0)
    elif not mention.head:
        candidate.add("adjective of a region", 2.2)
    elif any(c.place.kind in ("district", "hromada") for c in mention.candidates):
        candidate.add("район has its own", 0.0)
    else:
        candidate.add("район of its name", 2.2)


def _weigh_name(text: _Text, mention: Mention, candidate: Candidate) -> None:
    place = candidate.place
    candidate.add(place.kind, PRIOR[place.kind])
    if mention.last > mention.first:
        candidate.add("several words", 0.7)
    _weigh_type(mention, candidate)
    _weigh_capital(text, mention, candidate)
    _weigh_meaning(text, mention, candidate)
    _weigh_person(text, mention, candidate)
    before, after = text.at(mention.first - 1), text.at(mention.last + 1)
    if before in around.PREPOSITIONS and mention.capital:
        candidate.add("preposition and capital", 0.6)
    if mention.opening:
        _weigh_heading(text, mention, candidate)
    if after in around.FEATURES:
        candidate.add("a river, a wind, a sea", -2.0)
    if after in around.REGION_HEADS and b"region" not in after and not mention.typed:
        candidate.add("its область is meant", -2.0 if place.kind != "region" else 0)
    _weigh_trade(text, mention, candidate)


def _weigh_type(mention: Mention, candidate: Candidate) -> None:
    if not mention.typed or candidate.place.kind in ("region", "facility"):
        return
    candidate.add("its type is named", 2.5)
    for words, kinds in FITS_TYPE:
        if mention.typed in words:
            fits = candidate.place.kind in kinds
            candidate.add(
                "of this type" if fits else "of another", 0.8 if fits else -1.5
            )


def _weigh_capital(text: _Text, mention: Mention, candidate: Candidate) -> None:
    if text.no_capitals:
        return
    several = mention.last > mention.first
    if not mention.capital:
        heavy = several or candidate.place.ambiguous
        if not (several and candidate.place.kind == "facility"):
            candidate.add("small letter", -3.0 if heavy else -1.5)
    elif several and not text.all_capitals and candidate.place.kind != "facility":
        rest = range(mention.first + 1, mention.last + 1)
        if not any(text.capital(i) for i in rest):
            candidate.add("small second word", -3.0)


def _weigh_meaning(text: _Text, mention: Mention, candidate: Candidate) -> None:
    """Take off for what else the word may be."""
    flags = candidate.place.ambiguous
    if not flags:
        if len(mention.candidates) == 1:
            candidate.add("nothing else has this name", 0.4)
        return
    if mention.last > mention.first or mention.typed:
        return
    oblique = text.at(mention.first) != candidate.named.base
    if "word" in flags or ("form" in flags and oblique):
        telling = mention.capital and not mention.opening and not text.all_capitals
        candidate.add("a common word", -0.5 if telling else _plain_word(text, mention))
    if "surname" in flags:
        candidate.add("a surname", -0.5)
    if "name" in flags:
        candidate.add("a first name", -1.2)


def _plain_word(text: _Text, mention: Mention) -> float:
    if text.no_capitals or text.all_capitals:
        return -2.2
    return -2.6 if mention.opening else -1.6


def _weigh_person(text: _Text, mention: Mention, candidate: Candidate) -> None:
    """Take off where a person is meant: "Пётр Климов", "Климов заявил", "Николаев С. П."."""
    if mention.typed or not mention.capital or mention.last > mention.first:
        return
    before, after = text.at(mention.first - 1), text.at(mention.last + 1)
    flags = candidate.place.ambiguous
    gap = text.words.gap(mention.first)
    initial = len(before) == 1 and before not in around.PREPOSITIONS and "." in gap
    if before in around.FIRST_NAMES and gap == " " and text.capital(mention.first - 1):
        candidate.add("a first name before it", -3.0)
    elif initial and text.capital(mention.first - 1):
        candidate.add("an initial before it", -3.0)
    elif before in around.TITLES and flags & {"surname", "name"}:
        candidate.add("a title before it", -2.5)
    if flags & {"surname", "name"} and after in around.SAYING:
        candidate.add("it speaks", -2.5)
    follows = text.words.gap(mention.last + 1)
    if flags & {"surname"} and len(after) == 1 and text.capital(mention.last + 1):
        candidate.add("initials after it", -3.0)
    elif "name" in flags and follows == " " and text.capital(mention.last + 1):
        candidate.add("a surname after it", -2.5)


def _weigh_heading(text: _Text, mention: Mention, candidate: Candidate) -> None:
    follows = text.words.gap(mention.last + 1).strip()[:1]
    if follows == ":":
        candidate.add("heads what follows", 2.6 if mention.first == 0 else 1.7)
    elif mention.first == 0 and follows in (",", "—", "–", "-") and follows:
        candidate.add("heads what follows", 0.9)


def _weigh_trade(text: _Text, mention: Mention, candidate: Candidate) -> None:
    """Take off for clubs and hotels, and for halves of longer names."""
    near = {text.at(mention.first - 1), text.at(mention.first - 2)}
    if not near.isdisjoint(around.CLUBS) and not mention.typed:
        candidate.add("a club or a house", -2.5)
    if (
        text.words.gap(mention.first) == "-"
        and text.at(mention.first - 1) in around.LEADING
    ):
        candidate.add("half of a name", -4.0)
    after = text.at(mention.last + 1)
    if text.words.gap(mention.last + 1) == "-" and _adjectival(after):
        candidate.add("half of a name", -4.0)


def _adjectival(word: bytes) -> bool:
    endings = "ский ского ском скому ским ський ського ському ским ская ской скую"
    return word.endswith(tuple(ending.encode("cp1251") for ending in endings.split()))


def _weigh_street(text: _Text, mention: Mention, candidate: Candidate) -> None:
    before, after = text.at(mention.first - 1), text.at(mention.last + 1)
    if before in around.STREETS or after in around.STREETS:
        candidate.add("a street", -4.0)
    elif before in around.DOTTED and text.at(mention.first - 2) in around.STREETS:
        candidate.add("a street", -4.0)


def _weigh_list(
    text: _Text, mention: Mention, candidate: Candidate, mentions: Sequence[Mention]
) -> None:
    """Add for standing in a list of places."""
    if candidate.place.kind in ("region", "facility"):
        return
    index = mentions.index(mention)
    near = []
    if index > 0 and text.adjacent(mentions[index - 1], mention):
        near.append(mentions[index - 1])
    if index + 1 < len(mentions) and text.adjacent(mention, mentions[index + 1]):
        near.append(mentions[index + 1])
    if near:
        candidate.add("in a list", 0.5)
        region = candidate.place.region
        of_region = [m for m in mentions if m.capital and _may_lie_in(m, region)]
        if len({m.ids for m in of_region}) > 2:  # noqa: PLR2004
            candidate.add("in a list of this region", 0.9)


def _may_lie_in(mention: Mention, region: str) -> bool:
    return any(c.place.region == region for c in mention.candidates)


def _hear_witnesses(mentions: Sequence[Mention], home: str, text: _Text) -> None:
    """
    Add for what the rest of the text speaks of.

    A name repeated is no second witness, nor is a namesake: only mentions that
    could not mean the same place speak for one another.
    """
    told: dict[str, set[frozenset[str]]] = {}
    for mention in mentions:
        sure = [c for c in mention.candidates if c.score >= WITNESS]
        if len({c.place.region for c in sure}) == 1:
            shared = frozenset.intersection(*(frozenset(c.place.lineage) for c in sure))
            for above in shared - {sure[0].place.within[-1]}:
                told.setdefault(above, set()).add(mention.ids)
    regions = {place for place in told if "." not in place}
    for mention in mentions:
        for candidate in mention.candidates:
            _hear(mention, candidate, told, regions)
            if home and home in candidate.place.lineage:
                candidate.add("the source's own region", 0.8)


def _hear(
    mention: Mention,
    candidate: Candidate,
    told: dict[str, set[frozenset[str]]],
    regions: set[str],
) -> None:
    def witnessed(place: str) -> bool:
        return any(ids.isdisjoint(mention.ids) for ids in told.get(place, ()))

    place = candidate.place
    if witnessed(place.region) and place.kind != "region":
        candidate.add("its region is spoken of", 1.5)
        if any(witnessed(above) for above in place.within[:-2]):
            candidate.add("its district is spoken of", 1.0)
    elif place.kind not in ("region",) and any(
        witnessed(region) for region in regions if region != place.region
    ):
        candidate.add("another region is spoken of", -0.5)
