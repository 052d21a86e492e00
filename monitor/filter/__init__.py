"""
What matters: pure functions from a post to what it says and which rules it meets.

    fold      text to matchable form            inflect    names in all their cases
    words     the one index of everything       names      of which some are declined
    places    which places there are            mention    how a text writes of them
    weights   what speaks for and against       resolver   which of them it means
    unnamed   "the region" that all know        topics, signal, language
    reader    one text, read once               rules      which rules it meets
    problems  what is wrong with the settings   explain    why

`Filter` is the one way in.  Nothing here does I/O or asks for the time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.filter import signal as _signal
from monitor.filter import topics as _topics
from monitor.filter.expect import Expectation, Outcome
from monitor.filter.explain import explanation
from monitor.filter.places import Gazetteer, PlaceEntry
from monitor.filter.problems import Problem, check
from monitor.filter.reader import Asked, Found, Reader
from monitor.filter.rules import Rule, Rules, highest
from monitor.filter.signal import Pair, SignalEntry
from monitor.filter.topics import TopicEntry
from monitor.filter.words import Index, parse
from monitor.item import Item, Match, Origin, Reading, Voice

__all__ = [
    "Expectation", "Filter", "Judgement", "Mistaken", "Outcome", "Pair", "PlaceEntry",
    "Problem", "Rule", "SignalEntry", "TopicEntry",
]  # fmt: skip

MEDIA_ONLY, NOTHING_SAID = "media only", "no text"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when an expected text was published


class Mistaken(ValueError):
    """The configuration has mistakes: `problems`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What an item says, and whether it matters.

    Attributes:
        match: The item with the rules that it meets; None if it meets none.
        why: Then, which rule came nearest, and what was missing.
    """

    reading: Reading
    match: Match | None = None
    why: str = ""


class Filter:
    """
    Reads items and judges them by rules.

    Made once from the configuration; it may be used from several threads and keeps
    nothing of what it has read, but for words it has met.

    Raises:
        Mistaken: The configuration has mistakes, and all of them are listed.
    """

    def __init__(
        self,
        places: Sequence[PlaceEntry],
        topics: Sequence[TopicEntry],
        signals: Sequence[SignalEntry],
        rules: Sequence[Rule],
    ) -> None:
        self.gazetteer = Gazetteer(places)
        problems = check(self.gazetteer, topics, signals, rules)
        if problems:
            raise Mistaken(problems)
        index: Index[object] = Index()
        self.gazetteer.enlist(index)
        _topics.enlist(topics, index)
        _signal.enlist(signals, index)
        for asked in _asked(rules):
            index.add(parse(asked.word), asked)
        self._topics, self._signals = tuple(topics), tuple(signals)
        self._reader = Reader(self.gazetteer, index)
        self._rules = Rules(rules)

    def read(self, item: Item, origin: Origin) -> Reading:
        """Return what *item* says; offsets count code points of its text."""
        return self._reader.read(item, origin).reading

    def judge(self, item: Item, origin: Origin) -> Match | None:
        """Return *item* with the rules that it meets, or None if it meets none."""
        return self.weigh(item, origin).match

    def weigh(self, item: Item, origin: Origin) -> Judgement:
        """Return what *item* says, and with which rules it matters, or why not."""
        found = self._reader.read(item, origin)
        rules = self._met(item, found)
        if not rules:
            return Judgement(found.reading, why=self._miss(item, found))
        match = Match(
            item=item,
            reading=found.reading,
            rules=tuple(rule.name for rule in rules),
            severity=highest(rule.severity for rule in rules),
        )
        return Judgement(found.reading, match)

    def explain(self, item: Item, origin: Origin) -> Iterator[str]:
        """Yield lines that say why *item* is read so, and why each rule fails."""
        found = self._reader.read(item, origin)
        return explanation(found, self._rules)

    def expectations(self) -> Iterator[Outcome]:
        """Yield what becomes of each `expect:` beside rules, topics and signals."""
        for rule in self._rules.all:
            for expected in rule.expect:
                failure = self._failure(expected, rule=rule)
                yield Outcome(
                    where=f"rule {rule.name}", text=expected.text, failure=failure
                )
        for kind, entries in (("topic", self._topics), ("signal", self._signals)):
            for entry in entries:
                for expected in entry.expect:
                    failure = self._failure(expected)
                    where = f"{kind} {entry.name}"
                    yield Outcome(where=where, text=expected.text, failure=failure)

    def _met(self, item: Item, found: Found) -> list[Rule]:
        if not item.text and not item.title:
            return []
        return self._rules.met(found.features)

    def _miss(self, item: Item, found: Found) -> str:
        """Return why *item* meets no rule, in words that many such items share."""
        if item.text or item.title:
            return self._rules.nearest(found.features)
        return MEDIA_ONLY if item.media else NOTHING_SAID

    def _failure(self, expected: Expectation, rule: Rule | None = None) -> str:
        """Return how *expected* is not met, or nothing."""
        item, origin = _posted(expected, rule)
        found = self._reader.read(item, origin)
        reading = found.reading
        places = {id_ for p in reading.places for id_ in (p.id, *p.within)}
        topics = {topic.name for topic in reading.topics}
        said = [
            _differs("signal", expected.signal, {reading.signal}),
            _differs("place", expected.place, places),
            _differs("topic", expected.topic, topics),
        ]
        if rule is not None and expected.match is not None:
            matched = rule in self._met(item, found)
            if matched != expected.match:
                said.append("it matches" if matched else self._why_not(rule, found))
        return "; ".join(filter(None, said))

    def _why_not(self, rule: Rule, found: Found) -> str:
        key = self._rules.failed(found.features)[rule.name]
        return f"it does not match, by its {key or 'empty text'}"


def _asked(rules: Sequence[Rule]) -> Iterator[Asked]:
    """Yield each word of each rule once."""
    asked = [Asked(word, "words") for rule in rules for word in rule.words]
    asked += [Asked(word, "without") for rule in rules for word in rule.without]
    yield from dict.fromkeys(asked)


def _posted(expected: Expectation, rule: Rule | None) -> tuple[Item, Origin]:
    """Return *expected* as a post of a source that the rule would listen to."""
    sources = rule.sources if rule else ()
    voices = rule.voices if rule else ()
    source = expected.source or next(iter(sources), "expect")
    voice: Voice = next(iter(voices), "official")
    item = Item(
        source=source, id="1", published=_NEVER, seen=_NEVER, text=expected.text
    )
    return item, Origin(
        source=source, home=expected.home, voice=expected.voice or voice
    )


def _differs(what: str, wanted: str | None, got: set[str]) -> str:
    if wanted is None or wanted in got or (not wanted and not got):
        return ""
    return f"{what} is {', '.join(sorted(got)) or 'none'}, not {wanted or 'none'}"
