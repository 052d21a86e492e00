"""What is wrong with places, topics, signals and rules, all of it at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from monitor.filter.places import Gazetteer
from monitor.filter.rules import KEYS, Rule
from monitor.filter.signal import SignalEntry
from monitor.filter.topics import TopicEntry
from monitor.filter.words import Part, Phrase, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    A mistake in the configuration.

    Attributes:
        kind: Of what: ``rule``, ``topic``, ``signal`` or ``place``.
        name: The name or id of it.
        field: The key that is wrong; with dots where it is an inner one.
        index: Which value of that key, if it has several.
    """

    kind: str
    name: str
    field: str
    index: int | None = None
    message: str

    def __str__(self) -> str:
        where = self.field if self.index is None else f"{self.field}[{self.index}]"
        return f"{self.kind} {self.name}: {where}: {self.message}"


def check(
    gazetteer: Gazetteer,
    topics: Sequence[TopicEntry],
    signals: Sequence[SignalEntry],
    rules: Sequence[Rule],
) -> list[Problem]:
    """Return every mistake: what is unknown, miswritten, or could never match."""
    found = [
        Problem(kind="place", name=id_, field="id", message="is given twice")
        for id_ in gazetteer.doubled
    ]
    found += _of_topics(topics)
    found += _of_signals(signals)
    found += _doubled("rule", [rule.name for rule in rules])
    names = [topic.name for topic in topics]
    for rule in rules:
        found += _of_rule(rule, gazetteer, names)
    return found


def _doubled(kind: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(kind=kind, name=name, field="name", message="is given twice")


def _of_topics(topics: Sequence[TopicEntry]) -> Iterator[Problem]:
    yield from _doubled("topic", [topic.name for topic in topics])
    for topic in topics:
        if not any(topic.words.values()):
            yield Problem(
                kind="topic", name=topic.name, field="words", message="has no words"
            )
        for language, words in topic.words.items():
            yield from _of_words("topic", topic.name, f"words.{language}", words)
        yield from _of_words("topic", topic.name, "without", topic.without)


def _of_signals(signals: Sequence[SignalEntry]) -> Iterator[Problem]:
    yield from _doubled("signal", [signal.name for signal in signals])
    for signal in signals:
        for field, given in (("words", signal.words), ("advice", signal.advice)):
            for language, words in given.items():
                where = f"{field}.{language}"
                yield from _of_words("signal", signal.name, where, words)
        yield from _of_words("signal", signal.name, "without", signal.without)
        for i, pair in enumerate(signal.pairs):
            for part, several in (("things", pair.things), ("fates", pair.fates)):
                for language, words in several.items():
                    where = f"pairs.{i}.{part}.{language}"
                    yield from _of_words("signal", signal.name, where, words)


def _of_words(
    kind: str, name: str, field: str, words: Sequence[str]
) -> Iterator[Problem]:
    for index, word in enumerate(words):
        try:
            parse(word)
        except ValueError as error:
            yield Problem(
                kind=kind, name=name, field=field, index=index, message=str(error)
            )


def _of_rule(
    rule: Rule, gazetteer: Gazetteer, topics: Sequence[str]
) -> Iterator[Problem]:
    if not any(getattr(rule, key) for key in KEYS):
        message = "it would match everything; give it a key to ask for"
        yield Problem(kind="rule", name=rule.name, field="name", message=message)
    for index, place in enumerate(rule.places):
        if place not in gazetteer:
            yield _unknown(rule, "places", index, place, [*gazetteer])
    for index, topic in enumerate(rule.topics):
        if topic not in topics:
            yield _unknown(rule, "topics", index, topic, topics)
    miswritten = [
        *_of_words("rule", rule.name, "words", rule.words),
        *_of_words("rule", rule.name, "without", rule.without),
    ]
    yield from miswritten
    if not miswritten:
        yield from _of_contradiction(rule)


def _unknown(
    rule: Rule, field: str, index: int, value: str, known: Sequence[str]
) -> Problem:
    near = get_close_matches(value, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    message = f"nothing is called {value!r}{hint}"
    return Problem(
        kind="rule", name=rule.name, field=field, index=index, message=message
    )


def _of_contradiction(rule: Rule) -> Iterator[Problem]:
    """Yield the rule's words that `without` forbids, if none is left to match."""
    unwanted = [parse(word) for word in rule.without]
    forbidden = [
        index
        for index, word in enumerate(rule.words)
        if any(_covers(other, parse(word)) for other in unwanted)
    ]
    for index in forbidden:
        rest = len(rule.words) > len(forbidden)
        message = "`without` forbids this word, so it never matches"
        if not rest:
            message = "`without` forbids every word of it, so it can never match"
        yield Problem(
            kind="rule", name=rule.name, field="words", index=index, message=message
        )


def _covers(wide: Phrase, narrow: Phrase) -> bool:
    """Whether *wide* stands wherever *narrow* does."""
    length = len(wide)
    return any(
        all(_includes(a, b) for a, b in zip(wide, narrow[start:], strict=False))
        for start in range(len(narrow) - length + 1)
    )


def _includes(wide: Part, narrow: Part) -> bool:
    if wide.prefix:
        words = [narrow.prefix] if narrow.prefix else list(narrow.forms)
        return all(word.startswith(wide.prefix) for word in words)
    return not narrow.prefix and narrow.forms <= wide.forms
