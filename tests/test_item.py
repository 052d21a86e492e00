"""The values that flow, to JSON and to the wire and back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.item import (
    WIRE,
    Change,
    Delivery,
    Envelope,
    Item,
    Match,
    Media,
    MediaKind,
    Outcome,
    Place,
    Reading,
    Severity,
    Signal,
    Topic,
    Word,
    content_hash,
    from_json,
    from_wire,
    to_json,
    to_wire,
    to_wire_first,
)

moments = st.datetimes(
    min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(UTC),
)  # fmt: skip
texts = st.text(max_size=12)
spans = st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9999)), max_size=2)


def tuples(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return short tuples of such values."""
    return st.lists(strategy, max_size=2).map(tuple)


media = st.builds(Media, kind=st.sampled_from(get_args(MediaKind)), url=texts)
items = st.builds(
    Item,
    source=texts, id=texts, version=st.integers(1, 2**40),
    change=st.sampled_from(get_args(Change)), url=texts, published=moments,
    edited=st.none() | moments, seen=moments, title=texts, text=texts, author=texts,
    media=tuples(media), forward=st.none() | texts, reply_to=st.none() | texts,
)  # fmt: skip
places = st.builds(
    Place, id=texts, name=texts, within=tuples(texts),
    confidence=st.floats(0, 1), spans=spans.map(tuple),
)  # fmt: skip
readings = st.builds(
    Reading,
    places=tuples(places),
    topics=tuples(st.builds(Topic, name=texts, spans=spans.map(tuple))),
    words=tuples(st.builds(Word, word=texts, spans=spans.map(tuple))),
    signal=st.sampled_from(get_args(Signal)),
    language=texts,
)
matches = st.builds(
    Match, item=items, reading=readings, rules=tuples(texts),
    severity=st.sampled_from(get_args(Severity)), repeat_of=st.none() | texts,
)  # fmt: skip
deliveries = st.builds(
    Delivery, item=texts, subscriber=texts, sink=texts,
    outcome=st.sampled_from(get_args(Outcome)), at=moments, message=texts, why=texts,
)  # fmt: skip
envelopes = st.builds(
    Envelope, match=matches, sink=texts, recipients=tuples(texts),
    was=st.none() | matches, newly=tuples(texts), again=st.booleans(),
)  # fmt: skip
values = st.one_of(items, matches, deliveries, envelopes)

NOW = datetime(2023, 5, 24, 6, 12, tzinfo=UTC)
POST = Item(source="governor", id="1", published=NOW, seen=NOW, text="siren")


@settings(max_examples=40)
@given(values)
def test_json_gives_back_what_it_was_given(value: Any) -> None:
    """Every value comes back equal, as one line, and to the byte the second time."""
    line = to_json(value)
    again = from_json(line, type(value))

    assert value == again
    assert line == to_json(again)
    assert b"\n" not in line


@settings(max_examples=40)
@given(values)
def test_the_wire_gives_back_what_it_was_given(value: Any) -> None:
    """Every value comes back equal from the one field of a stream entry."""
    assert value == from_wire({WIRE: to_wire(value)}, type(value))


@settings(max_examples=40)
@given(items, st.integers(1, 2**32 - 1), st.sampled_from(get_args(Change)))
def test_an_item_becomes_another_version_on_the_wire(
    item: Item, version: int, change: Change
) -> None:
    """With another version and change in their places, it is the item of these."""
    pack = msgspec.msgpack.encode
    head, tail = to_wire_first(item).split(b"\xa7version\1\xa6change\xa3new", 1)
    whole = (
        head + (pack("version") + pack(version) + pack("change") + pack(change)) + tail
    )

    expected = msgspec.structs.replace(item, version=version, change=change)
    assert expected == from_wire({WIRE: whole}, Item)


@settings(max_examples=40)
@given(items)
def test_json_has_every_field(item: Item) -> None:
    """Nothing is left out because it is empty: whoever reads it need not guess."""
    assert set(Item.__struct_fields__) == set(json.loads(to_json(item)))


def test_json_is_as_it_is_promised() -> None:
    """Times end in Z, missing ones are null, and lists of nothing are there."""
    assert {
        "source": "governor", "id": "1", "version": 1, "change": "new", "url": "",
        "published": "2023-05-24T06:12:00Z", "edited": None,
        "seen": "2023-05-24T06:12:00Z", "title": "", "text": "siren", "author": "",
        "media": [], "forward": None, "reply_to": None,
    } == json.loads(to_json(POST))  # fmt: skip


def test_unknown_fields_are_left_out() -> None:
    """A newer program's JSON is read without what we do not know."""
    newer = json.loads(to_json(POST)) | {"mood": "grave"}

    assert POST == from_json(json.dumps(newer), Item)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"source": 1}', "\ud800"])
def test_what_is_no_value_is_refused(text: str) -> None:
    """Anything else than a value raises what the contract says."""
    with pytest.raises((msgspec.MsgspecError, UnicodeError)):
        from_json(text, Item)


def test_another_wire_version_is_named() -> None:
    """An entry of a newer program is refused with the version it has."""
    with pytest.raises(ValueError, match=r"wire form \[b'2'\].*reads b'1'"):
        from_wire({b"2": to_wire(POST)}, Item)


@given(st.binary(max_size=60))
def test_damaged_wire_is_a_value_error(body: bytes) -> None:
    """No bytes raise anything else than what the reader of a stream expects."""
    try:
        found = from_wire({WIRE: body}, Item)
    except ValueError:
        return
    assert isinstance(found, Item)


@settings(max_examples=40)
@given(items, items)
def test_the_hash_ignores_what_is_no_content(one: Item, other: Item) -> None:
    """Times, ids, addresses and expiring links of attachments change nothing."""
    moved = tuple(Media(kind=part.kind, url="https://elsewhere") for part in one.media)
    same = msgspec.structs.replace(other, title=one.title, text=one.text, media=moved)

    assert content_hash(one) == content_hash(same)
    assert 8 == len(content_hash(one))


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "sirens"},
        {"title": "now"},
        {"media": (Media(kind="photo"),)},
        {"text": "", "title": "siren"},
    ],
)
def test_the_hash_sees_what_a_reader_sees(changed: dict[str, Any]) -> None:
    """Words, the title and the kinds of attachments are content."""
    assert content_hash(POST) != content_hash(msgspec.structs.replace(POST, **changed))


def test_names_are_made_of_their_parts() -> None:
    """A post and its versions are named by source and id."""
    later = msgspec.structs.replace(POST, version=3)

    assert ("governor/1", "governor/1/3") == (later.post, later.key)


def test_values_do_not_change() -> None:
    """What flows is frozen."""
    with pytest.raises(AttributeError):
        POST.text = "all clear"  # type: ignore[misc]
    assert NOW + timedelta() == POST.seen
