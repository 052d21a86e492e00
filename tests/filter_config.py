"""The shipped topics, signals, rules and places, and small ones for the tests."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter

from monitor.filter import Filter, PlaceEntry, Rule, SignalEntry, TopicEntry
from monitor.item import Item, Origin

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "config"
FIXTURES = ROOT / "tests" / "fixtures" / "filter"
T = TypeVar("T")


def blocks(folder: Path, key: str) -> Iterator[Any]:
    """Yield the blocks under *key* of every YAML file of a folder."""
    for path in sorted(folder.glob("*.yaml")):
        loaded = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
        yield from loaded.get(key, ())


def entries(folder: Path, key: str, kind: type[T]) -> tuple[T, ...]:
    """Return the blocks under *key* as values of this *kind*."""
    adapter = TypeAdapter(kind)
    return tuple(adapter.validate_python(block) for block in blocks(folder, key))


@cache
def shipped_topics() -> tuple[TopicEntry, ...]:
    """Return the topics of ``config/topics``."""
    return entries(CONFIG / "topics", "topics", TopicEntry)


@cache
def shipped_signals() -> tuple[SignalEntry, ...]:
    """Return the signals of ``config/topics``."""
    return entries(CONFIG / "topics", "signals", SignalEntry)


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """Return the rules of ``config/rules``."""
    return entries(CONFIG / "rules", "rules", Rule)


@cache
def shipped_places() -> tuple[PlaceEntry, ...]:
    """Return the places of ``config/places``."""
    return entries(CONFIG / "places", "places", PlaceEntry)


@cache
def small_places() -> tuple[PlaceEntry, ...]:
    """Return the small gazetteer of the tests."""
    return entries(FIXTURES, "places", PlaceEntry)


@cache
def shipped() -> Filter:
    """Return the filter as it is shipped."""
    return Filter(
        shipped_places(), shipped_topics(), shipped_signals(), shipped_rules()
    )


@cache
def small() -> Filter:
    """Return a filter of the tests' own places with the shipped vocabulary."""
    return Filter(small_places(), shipped_topics(), shipped_signals(), ())


def made(
    places: Sequence[PlaceEntry] = (),
    topics: Sequence[TopicEntry] = (),
    rules: Sequence[Rule] = (),
    signals: Sequence[SignalEntry] | None = None,
) -> Filter:
    """Return a filter of these few things."""
    return Filter(
        places, topics, shipped_signals() if signals is None else signals, rules
    )


def post(text: str, title: str = "", source: str = "governor") -> Item:
    """Return an item of this text."""
    never = datetime(2023, 5, 22, tzinfo=UTC)
    return Item(
        source=source, id="1", published=never, seen=never, title=title, text=text
    )


def origin(home: str = "", source: str = "governor") -> Origin:
    """Return the origin of a post of an official source."""
    return Origin(source=source, home=home, voice="official")
