"""
One text, read once: places, topics, words, signal and language.

A title is read together with the text, in front of it; spans point into the text
only.  Links, @names and the last line that asks to subscribe are not read.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.filter import surroundings as around
from monitor.filter import unnamed
from monitor.filter.fold import fold, hide_addresses, join_spaced
from monitor.filter.language import language_of
from monitor.filter.mention import Mention
from monitor.filter.nested import related
from monitor.filter.places import Gazetteer, Named
from monitor.filter.resolver import Resolver
from monitor.filter.rules import Feature, concerns_home
from monitor.filter.signal import Cue, signal_of
from monitor.filter.topics import About, counted, topics_of
from monitor.filter.unnamed import Unnamed
from monitor.filter.words import Hit, Index, Words
from monitor.item import Item, Origin, Place, Reading, Span, Topic, Word

_FOOTER = re.compile(
    r"подписаться|подписывай|подпишись|подпишитесь|прислать новость|предложить новость"
    r"|підписатися|підписуй|підпишись|наш канал|наш чат|мы в max|subscribe",
    re.IGNORECASE,
)
LONGEST_READ = 20_000  # characters, of which places, topics and words are sought
LONGEST_JUDGED = 8_000  # characters, in which a warning is one; a post has 4,096

LONGEST_FOOTER = 160  # characters of a last line that may be one


@dataclass(frozen=True, slots=True)
class Asked:
    """A word of some rule, as it is written there, wanted or not."""

    word: str
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """
    All that was found in one item, before it is told.

    Attributes:
        mentions: Names of places, with the sums that decide.
        features: What rules may ask for.
        home: The home of its source, if that counts as the place that is not named.
    """

    reading: Reading
    words: Words | None
    mentions: Sequence[Mention]
    cues: Sequence[Hit[Cue]]
    features: frozenset[Feature]
    home: str = ""


class Reader:
    """Reads items, by one index of all that anybody asks for."""

    def __init__(self, gazetteer: Gazetteer, index: Index[object]) -> None:
        self._index = index
        self._gazetteer = gazetteer
        self._resolver = Resolver(gazetteer)
        unnamed.enlist(index)
        index.keep_whole(around.EVERYTHING_HYPHENATED)

    def read(self, item: Item, origin: Origin) -> Found:
        """Return what *item* says."""
        text, start = _whole(item)
        quiet = hide_footer(hide_addresses(text[:LONGEST_READ]))
        folded = join_spaced(fold(quiet))
        language = language_of(folded)
        words = self._index.cut(quiet, folded)
        if words is None:
            reading = Reading(language=language)
            features = self._features(reading, (), item, origin)
            return Found(reading, None, (), (), features)
        hits = _by_kind(self._index.find(words))
        cues: list[Hit[Cue]] = hits[Cue]
        limit = _judged(words)
        mentions = self._resolver.resolve(
            words,
            hits[Named],
            origin.home,
            hits[Unnamed],
            {cue.first for cue in cues},
        )
        places = self._resolver.places(mentions, words)
        about = counted(hits[About])
        asked: list[Hit[Asked]] = hits[Asked]
        signal, cleared = signal_of(
            cues, words, _named(mentions), _threats(about), limit
        )
        if signal == "clear" and len(text) > LONGEST_READ:
            signal, cleared = "none", frozenset()  # the rest may warn
        if cleared:  # who lives elsewhere must not take it for theirs
            places = tuple(_of_these(places, cleared))
        reading = Reading(
            places=tuple(_moved_place(place, start) for place in places),
            topics=tuple(_moved_topic(t, start) for t in topics_of(about, words)),
            words=tuple(_words_of(asked, words, start)),
            signal=signal,
            language=language,
        )
        features = self._features(reading, asked, item, origin)
        home = origin.home if concerns_home(reading, origin.home) else ""
        return Found(reading, words, mentions, cues, features, home)

    def _features(
        self,
        reading: Reading,
        asked: Iterable[Hit[Asked]],
        item: Item,
        origin: Origin,
    ) -> frozenset[Feature]:
        """Return all that a rule may ask for and this item has."""
        features: set[Feature] = {("signals", reading.signal), ("voices", origin.voice)}
        features.add(("sources", item.source))
        features.update(("places", id_) for id_ in self._where(reading, origin.home))
        features.update(("topics", topic.name) for topic in reading.topics)
        features.update((hit.term.key, hit.term.word) for hit in asked)
        return frozenset(features)

    def _where(self, reading: Reading, home: str) -> Iterable[str]:
        """Yield each place that meets a rule's `places`."""
        for place in reading.places:
            yield from (place.id, *place.within)
        if concerns_home(reading, home):
            yield from self._gazetteer.lineage(home)


def hide_footer(text: str) -> str:
    """Return *text* with a last line blanked that only asks to subscribe."""
    start = text.rstrip().rfind("\n") + 1
    if (
        start > 0
        and len(text) - start <= LONGEST_FOOTER
        and _FOOTER.search(text, start)
    ):
        return text[:start] + " " * (len(text) - start)
    return text


def _whole(item: Item) -> tuple[str, int]:
    """Return title and text in one, and where the text starts in it."""
    if not item.title or item.text.startswith(item.title):
        return item.text, 0
    return f"{item.title}\n{item.text}", len(item.title) + 1


def _judged(words: Words) -> int:
    """Return how many words stand within what is judged."""
    if len(words.text) <= LONGEST_JUDGED:
        return len(words.folded)
    return bisect_left(words.spans, (LONGEST_JUDGED, 0))


def _of_these(places: Iterable[Place], ids: Iterable[str]) -> Iterable[Place]:
    return (place for place in places if any(related(place.id, one) for one in ids))


def _by_kind(hits: Iterable[Hit[Any]]) -> dict[type, list[Hit[Any]]]:
    """Return *hits* by what they are hits of."""
    kinds: dict[type, list[Hit[Any]]] = defaultdict(list)
    for hit in hits:
        kinds[type(hit.term)].append(hit)
    return kinds


def _named(mentions: Sequence[Mention]) -> dict[int, frozenset[str]]:
    """Return which place each mention that means one means, by its first word."""
    return {m.first: frozenset([m.choice[0]]) for m in mentions if m.choice}


def _threats(about: Iterable[Hit[About]]) -> dict[int, frozenset[str]]:
    threats = ("uav", "missile", "shelling")
    return {
        hit.first: frozenset([hit.term.topic])
        for hit in about
        if hit.term.topic in threats
    }


def _moved(spans: Iterable[Span], start: int) -> tuple[Span, ...]:
    return tuple((a - start, b - start) for a, b in spans if a >= start)


def _moved_place(place: Place, start: int) -> Place:
    return Place(
        id=place.id,
        name=place.name,
        within=place.within,
        confidence=place.confidence,
        spans=_moved(place.spans, start),
    )


def _moved_topic(topic: Topic, start: int) -> Topic:
    return Topic(name=topic.name, spans=_moved(topic.spans, start))


def _words_of(asked: Iterable[Hit[Asked]], words: Words, start: int) -> Iterable[Word]:
    spans: dict[str, list[Span]] = {}
    for first, last, term in asked:
        if term.key == "words":
            span = (words.spans[first][0], words.spans[last][1])
            spans.setdefault(term.word, []).append(span)
    return (
        Word(word=word, spans=_moved(dict.fromkeys(found), start))
        for word, found in spans.items()
    )
