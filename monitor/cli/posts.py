"""
Lines of input as items: whole ones, ones that lack fields, JSON texts, bare lines.

A program that writes a line gets an answer for it, whatever it wrote: what makes no
sense in an object is left out and said aside, and what is no JSON is a text, even if
it begins with a brace, as a post may.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.item import Item

FIELDS = {one.encode_name: one.type for one in msgspec.structs.fields(Item)}
NAMES = ("id", "reply_to")  # texts to us; where they are numbers, people write numbers


@dataclass(frozen=True, slots=True)
class Usual:
    """What an item is taken to be where it does not say: of whom, and when."""

    source: str
    now: datetime

    def item(self, number: int, fields: Mapping[str, Any]) -> Item:
        """Return an item of these sound *fields*, the others being as usual."""
        usual = {"source": self.source, "id": str(number)}
        times = {"published": self.now, "seen": self.now}
        given = {name: _whole(value) for name, value in fields.items()}
        return Item(**usual | times | given)


def items(
    lines: Iterable[bytes], usual: Usual, say: Callable[[str], object]
) -> Iterator[Item]:
    """
    Yield an item for every line that is not blank; an unnamed one has its number as id.

    Args:
        say: Told of everything that was not taken as it stands.
    """
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
        if text:
            fields = _sound(_fields(text, number, say), number, say)
            yield usual.item(number, fields)


def _fields(text: str, number: int, say: Callable[[str], object]) -> Mapping[str, Any]:
    """Return the fields that a line gives, not yet looked at."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        if text.startswith(("{", '"')):
            say(f"line {number}: no JSON; it is read as a text")
        return {"text": text}
    if isinstance(given, str):
        return {"text": given}
    if not isinstance(given, dict):  # a number, a list: somebody's bare line
        return {"text": text}
    inner = given.get("item")
    return inner if isinstance(inner, dict) else given  # it may be a Match


def _sound(
    given: Mapping[str, Any], number: int, say: Callable[[str], object]
) -> Mapping[str, Any]:
    """Return those of the fields *given* that an item has, and that make sense."""
    sound = {}
    for name, value in given.items():
        if value is None or name not in FIELDS:
            continue
        if name in NAMES and type(value) is int:
            value = str(value)  # noqa: PLW2901 - the same thing, written otherwise
        try:
            sound[name] = _in_utc(msgspec.convert(value, FIELDS[name]))
        except (msgspec.ValidationError, OverflowError) as error:
            say(f"line {number}: {name}: {error}; it is left out")
    if not FIELDS.keys() & given.keys():
        say(f"line {number}: an object with no field of an item, so without a text")
    return sound


def _whole(value: Any) -> Any:
    """Return *value*, with a question mark for half a character: nothing encodes it."""
    return (
        value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    )


def _in_utc(value: Any) -> Any:
    """Return *value*; a time without a zone is in UTC, as in a configuration."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
