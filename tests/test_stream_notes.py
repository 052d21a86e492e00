"""What is written down of posts of which nobody is told, once and for ever."""

from datetime import timedelta

from msgspec.structs import replace

from monitor.item import Delivery, Envelope, Item, Match, Note
from monitor.stream import DELIVERIES, ITEMS, NOTES, Correction, Entry, Stream, outbox
from monitor.stream.door import Door
from tests.stream_values import (
    NOW,
    delivery,
    drained,
    envelope,
    everything,
    match,
    matched,
    post,
)


def note(item: Item, what: str = "filtered", why: str = "dull") -> Note:
    """Return why an item is not told of."""
    found: dict[str, object] = {"what": what, "why": why, "at": NOW}
    return Note(source=item.source, id=item.id, version=item.version, **found)  # type: ignore[arg-type]


async def noted(door: Door) -> list[tuple[str, int, str, str]]:
    """Return what the notes say: id, version, what, why."""
    notes = await everything(door, NOTES)
    return [(one.id, one.version, one.what, one.why) for one in notes]


async def judged(stream: Stream, item: Item) -> Entry[Item]:
    """Accept *item*, and return the entry that the filter is given of it."""
    await stream.accept("town", [item], "c")
    (entry,) = await drained(stream.reader(ITEMS, "filter"))
    return entry  # type: ignore[no-any-return]


async def test_what_was_there_before_the_first_read_is_noted_once(
    stream: Stream, door: Door
) -> None:
    """The past of a source is accounted for, though it is on no stream."""
    later = replace(post("2"), published=NOW + timedelta(hours=1))
    for _ in range(2):
        await stream.accept("town", [post("1"), later], "c", baseline=True, since=NOW)

    assert [("1", 0, "past", "")] == await noted(door)
    assert ["2"] == [item.id for item in await everything(door, ITEMS)]


async def test_an_edit_that_never_mattered_leaves_its_note(
    stream: Stream, door: Door
) -> None:
    """A match without rules is passed on, or its note stands for it; never both."""
    first = await judged(stream, post("1"))
    assert isinstance(first.value, Item)
    await stream.publish([(first, note(first.value))])
    edit = await judged(stream, post("1", "all is well"))
    assert isinstance(edit.value, Item)
    plain = Correction(match(edit.value), note(edit.value, why="still dull"))

    assert 0 == await stream.publish([(edit, plain)])
    await stream.publish([(edit, plain)])
    assert [("1", 1, "filtered", "dull"), ("1", 2, "filtered", "still dull")] == (
        await noted(door)
    )


async def test_a_correction_of_what_mattered_leaves_no_note(
    stream: Stream, door: Door
) -> None:
    """Those who were told learn of it, and that is its account."""
    first = await judged(stream, post("1"))
    assert isinstance(first.value, Item)
    await stream.publish([(first, match(first.value, "danger"))])
    edit = await judged(stream, post("1", "all is well"))
    assert isinstance(edit.value, Item)

    plain = Correction(match(edit.value), note(edit.value))
    assert 1 == await stream.publish([(edit, plain)])
    assert [] == await noted(door)


async def test_a_match_of_nobody_is_noted_once(stream: Stream, door: Door) -> None:
    """That it concerns no subscriber is written down when it is decided."""
    (entry,) = await matched(stream, [post("1")])
    assert isinstance(entry.value, Match)
    nobody = note(entry.value.item, "unconcerned", "")
    for _ in range(2):
        await stream.fanout([(entry, [], [nobody])])

    assert [("1", 1, "unconcerned", "")] == await noted(door)


async def test_what_is_set_aside_is_noted(stream: Stream, door: Door) -> None:
    """The archive learns why an item ended there, whatever becomes of its letter."""
    entry = await judged(stream, post("1"))
    for _ in range(2):
        await stream.bury(entry, "a bug")
    assert [("1", 1, "dead", "a bug")] == await noted(door)


async def test_a_delivery_says_among_how_many_it_is(stream: Stream, door: Door) -> None:
    """So that one that is missing can be told from one that never was to be."""
    (entry,) = await matched(stream, [post("1")])
    assert isinstance(entry.value, Match)
    way = replace(envelope(entry.value, "ann", "bob"), among=3)
    quiet = replace(delivery("town/1/1", "eve", "suppressed"), among=3)
    await stream.fanout([(entry, [way], [quiet])])
    (sending,) = await drained(stream.reader(outbox("chat"), "deliver"))
    assert isinstance(sending.value, Envelope)
    some = [delivery("town/1/1", name) for name in ("ann", "bob")]
    await stream.settle(sending, some, done=True)

    found: list[Delivery] = await everything(door, DELIVERIES)
    assert [("eve", 3), ("ann", 3), ("bob", 3)] == [
        (one.subscriber, one.among) for one in found
    ]
