"""
How well posts are read: the labelled posts, the shipped expectations, the speed.

The posts were written for these tests, with every trap that is known; they are a
floor to stand on, not a measure of the wide world.
"""

import time
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from monitor.filter import Filter
from monitor.item import Reading
from tests.filter_config import (
    CONFIG,
    FIXTURES,
    origin,
    post,
    shipped,
    shipped_places,
    shipped_signals,
    shipped_topics,
    small,
)

FLOOR = 0.93
SLOW = 5000  # µs of processor time a post on a busy machine; 250 if idle
LOADED = yaml.safe_load((FIXTURES / "posts.yaml").read_text("utf-8"))
POSTS: list[dict[str, Any]] = LOADED["posts"]
has_places = pytest.mark.skipif(
    not any((CONFIG / "places").glob("*.yaml")), reason="no places are shipped yet"
)


@dataclass
class Counted:
    """How many were right, too many and missed."""

    right: int = 0
    extra: int = 0
    missed: int = 0

    def add(self, got: set[str], wanted: set[str]) -> None:
        """Count one post."""
        self.right += len(got & wanted)
        self.extra += len(got - wanted)
        self.missed += len(wanted - got)

    @property
    def precision(self) -> float:
        """How much of what was found is right."""
        return self.right / (self.right + self.extra)

    @property
    def recall(self) -> float:
        """How much of what is there was found."""
        return self.right / (self.right + self.missed)


def read(labelled: dict[str, Any], by: Filter) -> Reading:
    """Return how a labelled post is read."""
    return by.read(post(labelled["text"]), origin(labelled.get("home", "")))


def test_there_are_enough_posts() -> None:
    """At least 120 posts are labelled."""
    assert len(POSTS) >= 120


def test_places_are_found_and_no_others() -> None:
    """Precision and recall of exact places stay above the floor."""
    counted = Counted()
    for labelled in POSTS:
        places = {place.id for place in read(labelled, small()).places}
        counted.add(places, set(labelled["places"]))

    assert counted.precision >= FLOOR
    assert counted.recall >= FLOOR


@has_places
def test_regions_are_found_among_all_shipped_places() -> None:
    """Thousands of namesakes more do not bring the regions below the floor."""
    counted = Counted()
    for labelled in POSTS:
        places = read(labelled, shipped()).places
        wanted = labelled.get("shipped", labelled["places"])
        counted.add(
            {place.id.split(".")[0] for place in places},
            {place.split(".")[0] for place in wanted},
        )

    assert counted.precision >= FLOOR
    assert counted.recall >= FLOOR


def test_no_all_clear_is_wrong_and_none_is_missed() -> None:
    """What calls off is read so, and nothing else is."""
    wrong = [
        (labelled["text"], signal)
        for labelled in POSTS
        if (signal := read(labelled, small()).signal) != labelled["signal"]
        and "clear" in (signal, labelled["signal"])
    ]

    assert wrong == []


def test_signals_are_read() -> None:
    """Nearly every post is read as what it is."""
    wrong = [
        (labelled["text"], signal)
        for labelled in POSTS
        if (signal := read(labelled, small()).signal) != labelled["signal"]
    ]

    assert len(wrong) <= (1 - FLOOR) * len(POSTS), wrong


@pytest.mark.parametrize("labelled", [p for p in POSTS if "topics" in p], ids=str)
def test_topics_are_found(labelled: dict[str, Any]) -> None:
    """Where a topic is the point of a post, it is among those found."""
    topics = {topic.name for topic in read(labelled, small()).topics}

    assert set(labelled["topics"]) <= topics


@pytest.mark.parametrize("labelled", POSTS, ids=lambda p: str(p["text"])[:40])
def test_spans_point_into_the_text(labelled: dict[str, Any]) -> None:
    """Every span lies inside the text and holds a letter."""
    text = labelled["text"]
    reading = read(labelled, small())
    said = [span for place in reading.places for span in place.spans]
    said += [span for topic in reading.topics for span in topic.spans]

    assert all(0 <= start < end <= len(text) for start, end in said)
    assert all(any(c.isalpha() for c in text[start:end]) for start, end in said)


@has_places
def test_shipped_expectations_hold() -> None:
    """Each `expect:` beside the shipped topics, signals and rules is met."""
    failures = [o for o in shipped().expectations() if o.failure]

    assert failures == []


def test_every_topic_and_signal_has_expectations() -> None:
    """Nothing is shipped untried."""
    untried = [topic.name for topic in shipped_topics() if not topic.expect]
    untried += [signal.name for signal in shipped_signals() if not signal.expect]

    assert untried == []


@has_places
def test_a_thousand_places_compile_quickly() -> None:
    """Compiling a place takes less than a post: 70 µs of an idle processor."""
    places = shipped_places()
    start = time.process_time()
    made = Filter(places, shipped_topics(), shipped_signals(), ())

    assert time.process_time() - start < len(made.gazetteer.nodes) * SLOW / 1e6


@has_places
def test_reading_is_quick() -> None:
    """Posts dense with places and signals are read in a few milliseconds at most."""
    reader = shipped()
    items = [(post(p["text"]), origin(p.get("home", ""))) for p in POSTS]
    for item, whose in items:
        reader.read(item, whose)
    start = time.process_time()
    for item, whose in items:
        reader.read(item, whose)
    spent = time.process_time() - start

    assert spent / len(items) * 1e6 < SLOW
