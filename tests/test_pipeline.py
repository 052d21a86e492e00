"""Each stage's turn: what was taken is decided, and committed."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from monitor import pipeline
from monitor.alert import Subscriber
from monitor.alert.policy import Subscribers
from monitor.errors import Gone, Rejected, Transient
from monitor.filter import Filter, Judgement
from monitor.item import WIRE, Delivery, Envelope, Item, Media, Origin
from monitor.stream import (
    DELIVERIES,
    ITEMS,
    MATCHES,
    NOTES,
    Damaged,
    Entry,
    Stream,
    outbox,
)
from monitor.stream.archive import Archive
from monitor.stream.door import Door
from monitor.web import Web
from tests.archived import EVER
from tests.clock import FakeClock
from tests.parts import (
    DULL,
    GOVERNOR,
    batch,
    drones,
    events,
    logged,
    post,
    scripted,
)
from tests.stream_values import drained, everything

ORIGINS = {"governor": GOVERNOR}
AT_ONCE = timedelta()
HOUR = timedelta(hours=1)
ANN = Subscriber(name="ann", sink="chat", to="1", places=("RU-BEL",))


@pytest.fixture
def web(clock: FakeClock) -> Web:
    """A door to the internet that nobody opens."""
    return Web(clock)


async def accepted(stream: Stream, *items: Item) -> None:
    """Put posts onto the stream, as a source that was met before does."""
    await stream.accept("governor", items, "c")


async def taken(stream: Stream) -> list[Entry[Item]]:
    """Return the items that wait to be judged."""
    return await stream.reader(ITEMS, "filter").next(block=AT_ONCE)


async def found(stream: Stream) -> list[tuple[str, bool]]:
    """Return the ids of the items that wait to be judged, and whether they are late."""
    entries = await taken(stream)
    return [(e.value.id, e.late) for e in entries if isinstance(e.value, Item)]


async def judged(stream: Stream, filter_: Filter | None = None) -> list[Any]:
    """Judge what waits, and return the new matches that came of it."""
    entries = await drained(stream.reader(ITEMS, "filter"))
    await pipeline.judge(entries, filter_ or drones(), ORIGINS, stream, FakeClock())
    matches = await drained(stream.reader(MATCHES, "alert"))
    return [entry for entry in matches if entry.attempts == 1]


async def waiting(stream: Stream, queue: str, group: str) -> int:
    """Return how many entries a group has not acknowledged yet."""
    return sum(
        depth.pending + (depth.lag or 0)
        for depth in await stream.depths()
        if (depth.queue, depth.group) == (queue, group)
    )


# collect


async def test_the_past_of_a_new_source_is_told_to_nobody(
    stream: Stream, web: Web
) -> None:
    """A first read marks what is there as seen; what comes later in it is new."""
    source = scripted([batch(post("1")), batch(post("2"), cursor="d")])
    brought = await pipeline.collect(source, stream, web, FakeClock())

    assert 1 == brought.accepted.new
    assert ["2"] == [entry.value.id for entry in await taken(stream)]  # type: ignore[union-attr]
    assert "d" == await stream.cursor("governor")


async def test_a_restart_catches_up(stream: Stream, web: Web) -> None:
    """Posts of the time when nothing ran are new, however many batches they fill."""
    first = scripted([batch(post("1"))])
    await pipeline.collect(first, stream, web, FakeClock())
    later = scripted([batch(post("1"), post("2")), batch(post("3"), cursor="e")])
    brought = await pipeline.collect(later, stream, web, FakeClock())

    assert ["c"] == later.reads
    assert (2, 1) == (brought.accepted.new, brought.accepted.unchanged)


async def test_after_a_pause_what_is_old_is_late(
    stream: Stream, web: Web, clock: FakeClock
) -> None:
    """What was published long before it could be read is no news of the moment."""
    await pipeline.collect(scripted([batch(post("1"))]), stream, web, clock)
    clock.advance(timedelta(hours=3))
    young = replace(post("3"), published=clock.now() - timedelta(minutes=5))
    await pipeline.collect(scripted([batch(post("2"), young)]), stream, web, clock)

    assert [("2", True), ("3", False)] == await found(stream)


async def test_without_a_pause_an_old_post_is_news(
    stream: Stream, web: Web, clock: FakeClock
) -> None:
    """A publisher's dates may be wrong; as long as we look, what is new is new."""
    await pipeline.collect(scripted([batch(post("1"))]), stream, web, clock)
    old = replace(post("2"), published=clock.now() - timedelta(days=400))
    await pipeline.collect(scripted([batch(old)]), stream, web, clock)

    assert [("2", False)] == await found(stream)


async def test_after_a_loss_nothing_since_is_past_and_all_is_late(
    stream: Stream, web: Web, clock: FakeClock
) -> None:
    """A Redis that forgot everything costs no post, and floods nobody."""
    mark = clock.now()
    older = replace(post("1"), published=mark - pipeline.HIDDEN)
    younger = replace(post("2"), published=mark + timedelta(minutes=1))
    clock.advance(timedelta(minutes=2))
    await pipeline.collect(
        scripted([batch(older, younger)]), stream, web, clock, mark=mark
    )

    assert [("2", True)] == await found(stream)


async def test_late_stays_late(stream: Stream, clock: FakeClock) -> None:
    """That a post came late is known to those who tell of it."""
    await stream.accept("governor", [post("1")], "c", late_before=clock.now() + HOUR)
    (match,) = await judged(stream)
    await pipeline.address([match], Subscribers([ANN]), ORIGINS, stream, clock)
    (entry,) = await drained(stream.reader(outbox("chat"), "deliver"))

    assert match.late
    assert entry.value.late


async def test_what_no_rule_wants_is_noted(stream: Stream) -> None:
    """Of every post that was judged something stands written."""
    await accepted(stream, post("1", DULL))
    await judged(stream)
    (entry,) = await drained(stream.reader(NOTES, "archive"))

    assert ("1", 1, "filtered") == (
        entry.value.id,
        entry.value.version,
        entry.value.what,
    )


async def test_a_failure_in_the_middle_keeps_what_was_accepted(
    stream: Stream, web: Web
) -> None:
    """The next read goes on behind the last batch that was whole."""
    await accepted(stream)
    source = scripted([batch(post("1"), cursor="d"), Transient("gone away")])
    with pytest.raises(Transient):
        await pipeline.collect(source, stream, web, FakeClock())

    assert ["1"] == [entry.value.id for entry in await taken(stream)]  # type: ignore[union-attr]
    assert "d" == await stream.cursor("governor")


@pytest.mark.parametrize("failure", [Rejected("nonsense"), Gone("closed")])
async def test_a_refused_read_moves_no_cursor(
    stream: Stream, web: Web, failure: Exception
) -> None:
    """What could not be understood is read again from the same place."""
    await accepted(stream)
    with pytest.raises(type(failure)):
        await pipeline.collect(scripted([failure]), stream, web, FakeClock())

    assert "c" == await stream.cursor("governor")


async def test_a_source_that_failed_at_first_is_still_new(
    stream: Stream, web: Web
) -> None:
    """The past stays the past, however many tries the first read takes."""
    source = scripted([Transient("busy")], [batch(post("1"))])
    with pytest.raises(Transient):
        await pipeline.collect(source, stream, web, FakeClock())
    brought = await pipeline.collect(source, stream, web, FakeClock())

    assert ["", ""] == source.reads
    assert 0 == brought.accepted.new


async def test_a_gap_is_handed_on(stream: Stream, web: Web) -> None:
    """That posts may be missing is known after the read, whatever followed."""
    source = scripted([batch(gap=True), batch()])

    assert (await pipeline.collect(source, stream, web, FakeClock())).gap


# judge


async def test_what_matters_is_a_match(stream: Stream) -> None:
    """Of what was accepted, the posts that meet a rule go on, in their order."""
    await accepted(stream, post("1"), post("2", DULL), post("3"))
    matches = await judged(stream)

    assert ["1", "3"] == [entry.value.item.id for entry in matches]
    assert [("drones",), ("drones",)] == [entry.value.rules for entry in matches]
    assert 0 == await waiting(stream, "items", "filter")


async def noted(door: Door) -> list[tuple[str, int, str, str]]:
    """Return what the notes say of which version of which post."""
    notes = await everything(door, NOTES)
    return [(note.id, note.version, note.what, note.why) for note in notes]


async def test_why_a_post_matters_to_nobody_is_noted(
    stream: Stream, door: Door
) -> None:
    """The rule that came nearest and what was missing, or that it has no text."""
    photo = replace(post("3", ""), media=(Media(kind="photo"),))
    await accepted(stream, post("1", DULL), post("2", "Грайворон: всё тихо"), photo)
    await judged(stream)

    assert [
        ("1", 1, "filtered", "no rule is about it"),
        ("2", 1, "filtered", "drones: no topic"),
        ("3", 1, "filtered", "media only"),
    ] == await noted(door)


async def test_a_change_of_what_never_mattered_is_noted(
    stream: Stream, door: Door
) -> None:
    """Every version of a post is accounted for, its deletion included."""
    await accepted(stream, post("1", DULL))
    await accepted(stream, post("1", "Тихо"))
    await accepted(stream, post("1", "", "deleted"))
    await judged(stream)

    assert [
        ("1", 1, "filtered", "no rule is about it"),
        ("1", 2, "filtered", "no rule is about it"),
        ("1", 3, "filtered", "it was deleted, and had not mattered"),
    ] == await noted(door)


async def test_an_edit_that_newly_matters_is_a_match(stream: Stream) -> None:
    """A post that did not matter and does now goes on, and corrects nothing."""
    await accepted(stream, post("1", DULL))
    assert [] == await judged(stream)
    await accepted(stream, post("1"))
    (entry,) = await judged(stream)

    assert (("drones",), None) == (entry.value.rules, entry.was)
    assert "edited" == entry.value.item.change


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_who_was_told_learns_that_it_matters_no_more(
    stream: Stream, change: Any
) -> None:
    """A match that is taken back goes on without rules, with what it corrects."""
    await accepted(stream, post("1"))
    (first,) = await judged(stream)
    await accepted(stream, post("1", DULL, change))
    (second,) = await judged(stream)

    assert ((), change) == (second.value.rules, second.value.item.change)
    assert first.value == second.was


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_nobody_learns_of_changes_to_what_never_mattered(
    stream: Stream, change: Any
) -> None:
    """A dull post that stays dull, or disappears, is no news."""
    await accepted(stream, post("1", DULL))
    await judged(stream)
    await accepted(stream, post("1", "Завтра день города", change))

    assert [] == await judged(stream)
    assert 0 == await waiting(stream, "items", "filter")


async def test_a_source_that_was_taken_out_is_still_judged(stream: Stream) -> None:
    """Items of a source that nobody knows any more are read as of no special voice."""
    await accepted(stream, post("1"))
    entries = await taken(stream)
    await pipeline.judge(entries, drones(), {}, stream, FakeClock())

    assert 1 == len(await drained(stream.reader(MATCHES, "alert")))


async def test_a_damaged_entry_is_set_aside_and_told(
    stream: Stream, door: Door
) -> None:
    """What cannot be read is buried with the reason, and the rest goes on."""
    await door.call("XADD", door.key("items"), "*", WIRE, b"\xc1")
    await accepted(stream, post("1"))
    with logged() as lines:
        (entry,) = await judged(stream)

    (letter,) = await stream.dead()
    assert "1" == entry.value.item.id
    assert ("items", "filter") == (letter.queue, letter.group)
    assert letter.why
    (line,) = lines
    assert ("entry_set_aside", "error") == (line["event"], line["level"])


async def test_a_bug_costs_one_entry(stream: Stream) -> None:
    """An item that cannot be judged is set aside, and its neighbours are judged."""

    class Broken(Filter):
        def weigh(self, item: Item, origin: Origin) -> Judgement:
            if item.id == "2":
                raise KeyError("spans")
            return super().weigh(item, origin)

    await accepted(stream, post("1"), post("2"), post("3"))
    with logged():
        matches = await judged(stream, drones(Broken))

    assert ["1", "3"] == [entry.value.item.id for entry in matches]
    (letter,) = await stream.dead()
    assert "KeyError: 'spans'" == letter.why
    assert await stream.retry(letter.id)
    assert ["2"] == [entry.value.item.id for entry in await judged(stream)]


async def test_an_entry_that_fells_its_takers_is_set_aside_alone(
    stream: Stream,
) -> None:
    """After five deaths the first entry of those left is buried, and no other."""
    await accepted(stream, post("1"), post("2"), post("3"))
    for _ in range(pipeline.TRIES):
        assert 3 == len(await taken(stream))  # and then the process dies
    with logged() as lines:
        matches = await judged(stream)

    assert ["2", "3"] == [entry.value.item.id for entry in matches]
    (letter,) = await stream.dead()
    assert ("1", "taken 6 times without an end") == (letter.value.id, letter.why)  # type: ignore[union-attr]
    assert ["entry_set_aside"] == events(lines)


async def test_what_was_taken_before_is_committed_one_by_one(stream: Stream) -> None:
    """If the third ends the process, the first two are out of the way."""

    class Deadly(Filter):
        def weigh(self, item: Item, origin: Origin) -> Judgement:
            if item.id == "3":
                raise SystemExit
            return super().weigh(item, origin)

    await accepted(stream, post("1"), post("2"), post("3"))
    await taken(stream)
    with pytest.raises(SystemExit):
        await judged(stream, drones(Deadly))

    assert ["3"] == [entry.value.id for entry in await taken(stream)]  # type: ignore[union-attr]


# address


def subscribed(name: str, **own: Any) -> Subscriber:
    """Return somebody who is reached in chat."""
    return Subscriber(name=name, sink="chat", to=name, places=("RU-BEL",), **own)


async def addressed(stream: Stream, people: Sequence[Subscriber]) -> list[Any]:
    """Bring what was accepted into the outbox, and return what lies there."""
    matches = await judged(stream)
    clock = FakeClock()
    await pipeline.address(matches, Subscribers(people), ORIGINS, stream, clock)
    return await drained(stream.reader(outbox("chat"), "deliver"))


async def test_those_whom_it_concerns_are_addressed(stream: Stream, door: Door) -> None:
    """They are in the envelope; who is not told is written down with the reason."""
    await accepted(stream, post("1"))
    people = [
        subscribed("ann"),
        subscribed("bob", topics=("mine",)),
        Subscriber(name="cid", sink="chat", to="cid", places=("UA-63",)),
    ]
    (entry,) = await addressed(stream, people)

    assert isinstance(entry.value, Envelope)
    assert ("ann",) == entry.value.recipients
    (untold,) = await everything(door, DELIVERIES)
    assert Delivery(
        item="governor/1/1", subscriber="bob", sink="chat", outcome="suppressed",
        at=FakeClock().now(), why="topics: uav; wanted mine", among=2,
    ) == untold  # fmt: skip
    assert 2 == entry.value.among
    assert 0 == await waiting(stream, "matches", "alert")


async def test_a_match_for_nobody_is_done_with(stream: Stream, door: Door) -> None:
    """Without subscribers it is acknowledged and noted, and nothing is to be sent."""
    await accepted(stream, post("1"))

    assert [] == await addressed(stream, [])
    assert 0 == await waiting(stream, "matches", "alert")
    assert [("1", 1, "unconcerned", "")] == await noted(door)


async def test_a_damaged_match_is_set_aside(stream: Stream, door: Door) -> None:
    """It is buried for the alerting stage, and the next one goes on."""
    await door.call("XADD", door.key("matches"), "*", b"0", b"of another version")
    await accepted(stream, post("1"))
    with logged():
        (entry,) = await addressed(stream, [subscribed("ann")])

    (letter,) = await stream.dead()
    assert "1" == entry.value.match.item.id
    assert ("matches", "alert") == (letter.queue, letter.group)


async def test_what_one_source_published_stays_in_order(stream: Stream) -> None:
    """Through all stages, edits included, one source's posts come in their order."""
    texts = (DULL, "Над Грайвороном беспилотник", "Грайворон: беспилотник сбит")
    for text in texts:
        fresh = (post(f"{n} {text}") for n in range(9))
        await accepted(stream, post("a", text), *fresh)
    entries = await addressed(stream, [subscribed("ann")])
    told = [entry.value.match.item for entry in entries]

    assert [2, 3] == [item.version for item in told if item.id == "a"]
    fresh_ids = [item.id for item in told if item.id != "a"]
    assert [f"{n} {text}" for text in texts for n in range(9)] == fresh_ids


# keep


async def kept(stream: Stream, archive: Archive, queue: Any) -> None:
    """Archive what waits in a queue."""
    entries = await drained(stream.reader(queue, "archive"))
    await pipeline.keep(entries, archive, stream)


async def test_all_that_flows_is_archived(stream: Stream, tmp_path: Path) -> None:
    """Items, matches and deliveries are kept, and then acknowledged."""
    await accepted(stream, post("1"), post("2", DULL))
    await addressed(stream, [subscribed("bob", topics=("mine",))])
    with Archive(tmp_path) as archive:
        for queue in (ITEMS, MATCHES, DELIVERIES):
            await kept(stream, archive, queue)

        assert ["1", "2"] == [item.id for item in archive.items(*EVER)]
        assert ["1"] == [match.item.id for match in archive.matches(*EVER)]
        assert ["bob"] == [one.subscriber for one in archive.deliveries(*EVER)]
    for queue in (ITEMS, MATCHES, DELIVERIES):
        assert 0 == await waiting(stream, queue.name, "archive")


async def test_nothing_is_acknowledged_that_is_not_kept(
    stream: Stream, tmp_path: Path
) -> None:
    """While the archive cannot be written, its entries stay where they are."""
    await accepted(stream, post("1"))
    archive = Archive(tmp_path)
    archive.close()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a closed base says
        await kept(stream, archive, ITEMS)

    assert 1 == await waiting(stream, "items", "archive")


async def test_a_damaged_entry_does_not_stop_the_archive(
    stream: Stream, door: Door, tmp_path: Path
) -> None:
    """The stage of the stream sets it aside; where there is none, the archive does."""
    for queue in ("items", "deliveries"):
        await door.call("XADD", door.key(queue), "*", WIRE, b"\xc1")
    await accepted(stream, post("1"))
    with Archive(tmp_path) as archive, logged():
        await kept(stream, archive, ITEMS)
        await kept(stream, archive, DELIVERIES)

        assert ["1"] == [item.id for item in archive.items(*EVER)]
    assert 0 == await waiting(stream, "items", "archive")
    (letter,) = await stream.dead()
    assert ("deliveries", Damaged) == (letter.queue, type(letter.value))
