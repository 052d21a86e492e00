"""What is written down beside the posts: notes, moments of reading, begun sends."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from monitor.errors import Away
from monitor.item import Note, What
from monitor.stream import Sending, Settlement, Stream
from monitor.stream.door import Door
from tests.clock import FakeClock
from tests.stream_values import NOW, delivery, drained, post, posted, posts


def note(id_: str, what: What) -> Note:
    """Return a note on an id of the town's channel."""
    return Note(source="town", id=id_, what=what, at=NOW)


async def noted(stream: Stream) -> list[tuple[str, str]]:
    """Return the notes that are new on the stream."""
    entries = await drained(stream.reader("notes", "archive"))
    return [(e.value.id, e.value.what) for e in entries if e.attempts == 1]


async def test_a_note_is_made_once(stream: Stream) -> None:
    """An id that is no post is noted when it is met, and not at each read."""
    for _ in range(3):
        await stream.accept("town", [], "c", notes=[note("7", "service")])

    assert [("7", "service")] == await noted(stream)


async def test_a_note_may_turn_out_to_be_something_else(stream: Stream) -> None:
    """What was thought absent and is a service message is noted anew."""
    await stream.accept("town", [], "c", notes=[note("7", "absent")])
    await stream.accept("town", [], "c", notes=[note("7", "service")])

    assert [("7", "absent"), ("7", "service")] == await noted(stream)


async def test_a_post_in_the_place_of_a_note_is_new(stream: Stream) -> None:
    """A post that was hidden and is shown now has its first version."""
    await stream.accept("town", [], "c", notes=[note("7", "absent")])
    accepted = await stream.accept("town", [post("7")], "d")
    again = await stream.accept("town", [post("7")], "d", notes=[note("7", "absent")])

    assert (1, 0) == (accepted.new, again.edited + again.new)
    assert [("7", "absent")] == await noted(stream)
    assert [("7", 1)] == [
        (entry.value.id, entry.value.version)
        for entry in await drained(stream.reader("items", "filter"))
    ]


async def test_a_post_of_the_past_is_seen_and_not_told(stream: Stream) -> None:
    """What stood there before a moment is past, what came after it is news."""
    old = replace(post("1"), published=NOW - timedelta(hours=1))
    new = replace(post("2"), published=NOW + timedelta(hours=1))
    first = await stream.accept("town", [old, new], "c", baseline=True, since=NOW)
    edited = await stream.accept("town", [replace(old, text="!"), new], "c")

    assert (1, 1) == (first.new, first.unchanged)
    assert (0, 1, 1) == (edited.new, edited.edited, edited.unchanged)


async def test_when_a_source_was_read_is_known(
    stream: Stream, clock: FakeClock
) -> None:
    """A read that brought nothing is one, too."""
    before = await stream.progress("town")
    await stream.accept("town", [], "c")

    assert ("", None) == (before.cursor, before.read)
    assert ("c", clock.now()) == (
        (await stream.progress("town")).cursor,
        (await stream.reads())["town"],
    )


async def test_what_was_begun_and_not_settled_is_doubtful(stream: Stream) -> None:
    """A crash between sending and settling leaves a trace; an end wipes it off."""
    (entry,) = await posted(stream, posts(1), "ann")
    await stream.take("deliver:chat", timedelta(minutes=1))
    first = await stream.begin("deliver:chat", "ann", [Sending(entry)])
    second = await stream.begin("deliver:chat", "ann", [Sending(entry)])
    known = await stream.begin("deliver:chat", "ann", [Sending(entry, doubts=0)])
    await stream.settle(entry, [delivery("town/0/1", "ann")], done=False)
    after = await stream.begin("deliver:chat", "ann", [Sending(entry)])

    assert [0, 1, 0, 0] == [b.doubts for b in (*first, *second, *known, *after)]
    assert all(b.ours for b in (*first, *second, *known, *after))
    assert [None, "town/0/1"] == [
        begun.told and begun.told.item for begun in (*first, *after)
    ]


async def test_what_is_anothers_is_not_begun(stream: Stream, other: Stream) -> None:
    """Without the lease, or with the entry in other hands, nothing may be sent."""
    (entry,) = await posted(stream, posts(1), "ann")
    unleased = await stream.begin("deliver:chat", "ann", [Sending(entry)])
    await other.take("deliver:chat", timedelta(minutes=1))
    anothers = await stream.begin("deliver:chat", "ann", [Sending(entry)])
    not_taken = await other.begin("deliver:chat", "ann", [Sending(entry)])

    assert [False] * 3 == [b.ours for b in (*unleased, *anothers, *not_taken)]
    assert [0] * 3 == [b.doubts for b in (*unleased, *anothers, *not_taken)]


async def test_many_are_settled_in_one_step(stream: Stream) -> None:
    """What went out in one message is settled at once, whoever dies then."""
    entries = await posted(stream, posts(3), "ann")
    told = [
        Settlement(entry=e, deliveries=[delivery(f"town/{n}/1", "ann")], done=True)
        for n, e in enumerate(entries)
    ]

    assert (3, 0) == (await stream.settle_all(told), await stream.settle_all(told))
    assert 0 == sum(d.length for d in await stream.depths() if "outbox" in d.queue)


async def test_a_read_that_comes_late_changes_nothing(stream: Stream) -> None:
    """What a line held back while another read was accepted is no edit any more."""
    began = await stream.progress("town")
    old, new = post("1", "as it was"), post("1", "as it is")
    first = await stream.accept("town", [new], "new", after=began.turn)
    for _ in range(2):
        with pytest.raises(Away):
            await stream.accept("town", [old], "old", after=began.turn)

    assert (1, "new") == (first.turn, await stream.cursor("town"))
    entries = await drained(stream.reader("items", "filter"))
    assert ["as it is"] == [entry.value.text for entry in entries]
    again = await stream.accept("town", [old], "old", after=first.turn)
    assert (1, 2) == (again.edited, again.turn)


async def test_what_ends_without_a_word_is_wiped_off(
    stream: Stream, door: Door
) -> None:
    """What was begun for somebody who had been told before leaves nothing behind."""
    (entry,) = await posted(stream, posts(1), "ann")
    await stream.take("deliver:chat", timedelta(minutes=1))
    await stream.begin("deliver:chat", "ann", [Sending(entry)])
    told = Settlement(entry=entry, deliveries=[], done=True, others=["ann"])
    await stream.settle_all([told])

    assert [] == await door.call("HGETALL", door.key("sending:chat:0"))
