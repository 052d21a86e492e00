"""
What a text is about, by the words of ``config/topics/*.yaml``.

A topic is there when one of its words is.  Words in `without` are those in which
its words mean something else ("вечный огонь" is no fire): they take away the words
that they cover, and no others.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.filter.expect import Expectation
from monitor.filter.words import Hit, Index, Words, parse, uncovered
from monitor.item import Span, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEntry:
    """
    A topic of ``config/topics/*.yaml``.

    Attributes:
        words: By language, in the syntax of words in rules.
        without: Phrases in which those words mean something else.
    """

    name: str
    words: Mapping[str, tuple[str, ...]]
    without: tuple[str, ...] = ()
    expect: tuple[Expectation, ...] = field(default=(), compare=False)


class About(NamedTuple):
    """A word that speaks of a topic, or one in which that word means nothing."""

    topic: str
    counts: bool = True


def enlist(topics: Sequence[TopicEntry], index: Index[object]) -> None:
    """
    Have *index* look for the words of *topics*.

    Raises:
        ValueError: A word is written wrongly.
    """
    for topic in topics:
        for word in (word for words in topic.words.values() for word in words):
            index.add(parse(word), About(topic.name))
        for word in topic.without:
            index.add(parse(word), About(topic.name, counts=False))


def counted(hits: Iterable[Hit[About]]) -> list[Hit[About]]:
    """Return the hits that count and that no word of `without` covers."""
    everything = list(hits)
    covering = [hit for hit in everything if not hit.term.counts]
    if not covering:
        return everything
    counting = [hit for hit in everything if hit.term.counts]
    return uncovered(counting, covering, lambda about: about.topic)


def topics_of(hits: Iterable[Hit[About]], words: Words) -> tuple[Topic, ...]:
    """Return the topics of *hits*, and where the text speaks of them."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for hit in hits:
        spans.setdefault(hit.term.topic, []).append((hit.first, hit.last))
    return tuple(
        Topic(name=name, spans=tuple(_apart(found, words)))
        for name, found in spans.items()
    )


def _apart(found: list[tuple[int, int]], words: Words) -> Iterator[Span]:
    """Yield the spans of *found*, the longest where several overlap."""
    free = 0
    for first, last in sorted(set(found), key=lambda pair: (pair[0], -pair[1])):
        if first >= free:
            free = last + 1
            yield words.spans[first][0], words.spans[last][1]
