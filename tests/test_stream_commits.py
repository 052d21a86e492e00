"""The four commits, on a real server."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.item import (
    Delivery,
    Item,
    Media,
    Outcome,
    content_hash,
)
from monitor.stream import (
    DELIVERIES,
    ITEMS,
    MATCHES,
    Accepted,
    Stream,
    outbox,
)
from monitor.stream.commits import Plan
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
    posted,
    posts,
    verdicts,
)

Step = tuple[int, Outcome, str]

same_fixture = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


# The wire form

items = st.builds(
    Item,
    source=st.text(max_size=40),
    id=st.text(max_size=40),
    published=st.just(NOW),
    seen=st.just(NOW),
    title=st.text(),
    text=st.text()
    | st.sampled_from(["ç\x01§version\x01¦change£new", "\xa7version\x01"]),
    author=st.text(),
    media=st.lists(st.builds(Media, kind=st.just("photo"), url=st.text())).map(tuple),
    reply_to=st.none() | st.text(),
    change=st.sampled_from(["new", "edited", "deleted"]),
    version=st.integers(1, 2**32 - 1),
)


@same_fixture
@given(items)
async def test_any_item_becomes_its_next_version(
    stream: Stream, door: Door, item: Item
) -> None:
    """Whatever is in it, an edit stands on the stream as the second version."""
    await door.call("DEL", door.key("items"), door.key(f"seen:{item.source}"))
    first = replace(item, change="new", text=item.text + "!")
    edited = replace(item, change="new")
    await stream.accept(item.source, [first], "c")
    await stream.accept(item.source, [edited], "c")

    expected = [
        replace(first, version=1, change="new"),
        replace(edited, version=2, change="edited"),
    ]
    assert expected == await everything(door, ITEMS)


# accept


async def test_new_edited_deleted_and_back(stream: Stream, door: Door) -> None:
    """Each change of a post is its next version; a post that returns is an edit."""
    gone = post("1", "", "deleted")
    for reads in ([post("1", "a")], [post("1", "b")], [gone], [gone], [post("1", "b")]):
        await stream.accept("town", reads, "c")

    found = [(i.version, i.change, i.text) for i in await everything(door, ITEMS)]
    expected = [
        (1, "new", "a"),
        (2, "edited", "b"),
        (3, "deleted", ""),
        (4, "edited", "b"),
    ]
    assert expected == found


async def test_counts_say_what_became_of_a_read(stream: Stream) -> None:
    """The answer counts new, edited, deleted and unchanged posts."""
    await stream.accept("town", [post("1"), post("2"), post("3")], "c")

    read = [post("1"), post("2", "other"), post("3", "", "deleted"), post("4")]
    accepted = await stream.accept("town", read, "c")

    assert Accepted(new=1, edited=1, deleted=1, unchanged=1) == accepted
    assert Accepted(new=2, edited=2, deleted=2, unchanged=2) == accepted + accepted


async def test_a_deletion_of_the_unknown_is_nothing(stream: Stream, door: Door) -> None:
    """That a post is gone of which nobody heard is no news."""
    await stream.accept("town", [post("1", "", "deleted")], "c")

    assert [] == await everything(door, ITEMS)


async def test_baseline_is_seen_and_silent(stream: Stream, door: Door) -> None:
    """The past of a new source is no news, but what changes in it afterwards is."""
    await stream.accept("town", posts(3), "c", baseline=True)
    await stream.accept("town", [*posts(3), post("9")], "d")
    await stream.accept("town", [post("0", "changed")], "d")

    found = [(item.id, item.version) for item in await everything(door, ITEMS)]
    assert [("9", 1), ("0", 2)] == found


async def test_two_states_of_a_post_in_a_read_are_one(
    stream: Stream, door: Door
) -> None:
    """Of a post that is listed twice the last counts, however often it is read."""
    read = [post("1", "first"), post("2"), post("1", "last")]

    for _ in range(3):
        await stream.accept("town", read, "c")

    found = [(i.id, i.version, i.text) for i in await everything(door, ITEMS)]
    assert [("2", 1, "siren"), ("1", 1, "last")] == found


async def test_a_large_read_is_accepted_whole(stream: Stream, door: Door) -> None:
    """More items than one call takes are all accepted, in order."""
    items = posts(1100)

    assert Accepted(new=1100) == await stream.accept("town", items, "c")
    assert items == await everything(door, ITEMS)


async def test_long_texts_are_accepted_in_portions(stream: Stream, door: Door) -> None:
    """A read of many megabytes is split, and accepted whole."""
    items = posts(40, size=100_000)

    assert Accepted(new=40) == await stream.accept("town", items, "c")
    assert items == await everything(door, ITEMS)


async def test_half_a_character_does_not_block_a_source(
    stream: Stream, door: Door
) -> None:
    """A text that cannot be UTF-8 is accepted with a mark in the place."""
    broken = Item(
        source="town",
        id="1",
        published=NOW,
        seen=NOW,
        text="siren \ud83d",
        media=(Media(kind="photo", url="https://x/\udc00"),),
    )

    for _ in range(2):
        await stream.accept("town", [broken, post("2")], "c")

    first, second = await everything(door, ITEMS)
    assert ("siren ?", "https://x/?") == (first.text, first.media[0].url)
    assert post("2") == second


async def test_sources_do_not_mix(stream: Stream) -> None:
    """The same id of two sources is two posts, and each has its own cursor."""
    first = await stream.accept("town", [post("1")], "a")
    second = await stream.accept("village", [post("1")], "b")

    assert (Accepted(new=1), Accepted(new=1)) == (first, second)
    assert ("a", "b") == (await stream.cursor("town"), await stream.cursor("village"))
    assert "" == await stream.cursor("nowhere")


reads = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.sampled_from("abc"),
                st.sampled_from(["x", "y", "z"]),
                st.sampled_from(["new", "deleted"]),
            ),
            max_size=4,
        ),
        st.integers(1, 2),
        st.booleans(),
    ),
    max_size=6,
)


@same_fixture
@given(reads)
async def test_accept_is_what_the_model_says(
    stream: Stream,
    door: Door,
    reads: list[tuple[list[tuple[str, str, str]], int, bool]],
) -> None:
    """Whatever is read, and repeated, the stream holds each change exactly once."""
    await door.call("DEL", *map(door.key, ("items", "seen:town", "cursor")))
    seen: dict[str, tuple[int, bytes, bool]] = {}
    expected: list[tuple[str, int, str]] = []
    for read, times, baseline in reads:
        batch = [post(i, t, "deleted" if c == "deleted" else "new") for i, t, c in read]
        for item in {i.id: i for i in batch}.values():
            known, gone = seen.get(item.id), item.change == "deleted"
            if known is None and not gone:
                seen[item.id] = (1, content_hash(item), False)
                expected += [] if baseline else [(item.id, 1, "new")]
            elif known and gone and not known[2]:
                seen[item.id] = (known[0] + 1, known[1], True)
                expected.append((item.id, known[0] + 1, "deleted"))
            elif known and not gone and (known[2] or known[1] != content_hash(item)):
                seen[item.id] = (known[0] + 1, content_hash(item), False)
                expected.append((item.id, known[0] + 1, "edited"))
        for _ in range(times):
            await stream.accept("town", batch, "c", baseline=baseline)

    found = [(i.id, i.version, i.change) for i in await everything(door, ITEMS)]
    assert sorted(expected) == sorted(found)


# publish


async def test_only_what_matters_is_published(stream: Stream, door: Door) -> None:
    """Every item is acknowledged, and those that matter become matches."""
    await stream.accept("town", posts(4), "c")
    entries = await drained(stream.reader(ITEMS, "filter"))

    added = await stream.publish(
        [(e, match(e.value, "r") if n % 2 else None) for n, e in enumerate(entries)]
    )

    assert 2 == added
    assert ["1", "3"] == [found.item.id for found in await everything(door, MATCHES)]
    assert 0 == await pending(stream, "items", "filter")


async def test_a_correction_carries_what_it_corrects(stream: Stream) -> None:
    """An edit comes with the match before it, also if both are judged at once."""
    old, new = post("1", "a"), post("1", "b")
    await stream.accept("town", [old], "c")
    await stream.accept("town", [new], "c")
    entries = await drained(stream.reader(ITEMS, "filter"))
    await stream.publish(verdicts(entries))

    first, second = await drained(stream.reader(MATCHES, "alert"))

    assert first.was is None
    assert second.was == first.value
    assert ("edited", 2) == (second.value.item.change, second.value.item.version)


async def test_an_edit_away_from_danger_is_passed_on_once_it_mattered(
    stream: Stream,
) -> None:
    """A post that matters no more is passed on if it did, and only then."""
    await stream.accept("town", [post("1", "siren"), post("2", "picnic")], "c")
    reader = stream.reader(ITEMS, "filter")
    siren, picnic = await drained(reader)
    await stream.publish([(siren, match(siren.value, "danger")), (picnic, None)])
    calm = [post("1", "picnic"), post("2", "concert")]
    await stream.accept("town", calm, "c")

    added = await stream.publish([(e, match(e.value)) for e in await drained(reader)])

    assert 1 == added
    _, correction = await drained(stream.reader(MATCHES, "alert"))
    assert ((), "1") == (correction.value.rules, correction.value.item.id)
    assert ("danger",) == correction.was.rules


async def test_what_mattered_is_known_for_two_weeks(stream: Stream, door: Door) -> None:
    """The match that a correction would correct is kept for 14 days."""
    await matched(stream, [post("1")])

    left = await door.call("TTL", door.key("matched:town/1"))

    assert timedelta(days=14) >= timedelta(seconds=left) > timedelta(days=13)


# fanout and settle


async def test_fanout_writes_envelopes_and_suppressions(
    stream: Stream, door: Door
) -> None:
    """Who is told waits in the outbox; who is not is written down, with the reason."""
    entries = await matched(stream, posts(2))
    asleep = [delivery(f"town/{n}/1", "eve", "suppressed") for n in range(2)]
    ways = [envelope(match(item, "danger"), "ann", "bob") for item in posts(2)]
    plans = [
        (e, [way], [quiet]) for e, way, quiet in zip(entries, ways, asleep, strict=True)
    ]

    assert 2 == await stream.fanout(plans)
    assert ways == await everything(door, outbox("chat"))
    assert asleep == await everything(door, DELIVERIES)


async def test_not_telling_of_an_edit_leaves_alone_what_waits(
    stream: Stream, door: Door
) -> None:
    """Who is not told of a newer version is still told of the one that waits."""
    (entry,) = await posted(stream, posts(1), "ann")
    await stream.accept("town", [post("0", "no more")], "d")
    items = await drained(stream.reader(ITEMS, "filter"))
    await stream.publish(verdicts(items))
    (match, *_) = await drained(stream.reader(MATCHES, "alert"))
    quiet = delivery("town/0/2", "ann", "suppressed")
    await stream.fanout([(match, [], [quiet])])

    assert {} == await stream.told("town/0", ["ann"])
    assert 1 == await stream.settle(entry, [delivery("town/0/1", "ann")], done=True)
    assert [quiet, delivery("town/0/1", "ann")] == await everything(door, DELIVERIES)
    assert [outbox("chat")] == await stream.lanes()
    assert 0 == await pending(stream, "matches", "alert")


async def test_a_big_fanout_is_split_between_matches(
    stream: Stream, door: Door
) -> None:
    """Many suppressions are written in several calls, none of them lost."""
    entries = await matched(stream, posts(4))
    quiet = [delivery("town/1/1", f"u{n}", "suppressed") for n in range(1600)]
    plans: list[Plan] = [
        (entry, [], quiet[n * 400 : n * 400 + 400]) for n, entry in enumerate(entries)
    ]

    await stream.fanout(plans)

    assert 1600 == len(await everything(door, DELIVERIES))


async def test_an_envelope_is_settled_bit_by_bit(stream: Stream, door: Door) -> None:
    """It stays until it is done with, and is gone afterwards."""
    (entry,) = await posted(stream, [post("1")], "ann", "bob")
    ann = delivery("town/1/1", "ann", message="7")
    bob = delivery("town/1/1", "bob", "dead")

    assert 1 == await stream.settle(entry, [ann], done=False)
    assert 1 == len(await everything(door, outbox("chat")))
    assert 1 == await stream.settle(entry, [ann, bob], done=True)
    assert [] == await everything(door, outbox("chat"))
    assert [ann, bob] == await everything(door, DELIVERIES)
    assert {"ann": ann, "bob": bob} == await stream.told("town/1", ["ann", "bob", "x"])
    assert {} == await stream.told("town/1", [])


SENT: Step = (1, "delivered", "7")
HELD: Step = (1, "suppressed", "")
DIED: Step = (1, "dead", "")
EDITED: Step = (2, "edited", "7")
LATER: Step = (2, "suppressed", "")


@pytest.mark.parametrize(
    ("steps", "shown", "written"),
    [
        # A message that was sent stays known, whatever is held back after it.
        ([SENT, LATER], 0, [0, 1]),
        ([SENT, (2, "dead", "")], 0, [0, 1]),
        ([SENT, LATER, (3, "edited", "7")], 2, [0, 1, 2]),
        # What was held back may be sent after all, also from the dead.
        ([HELD, SENT], 1, [0, 1]),
        ([HELD, DIED, SENT], 2, [0, 1, 2]),
        # Neither a repetition nor something older is news.
        ([SENT, (1, "delivered", "8")], 0, [0]),
        ([SENT, HELD], 0, [0]),
        ([SENT, DIED], 0, [0]),
        ([EDITED, SENT], 0, [0]),
        ([LATER, HELD], 0, [0]),
        # A first message counts even if a newer version was held back meanwhile.
        ([LATER, SENT], 1, [0, 1]),
        ([LATER, SENT, SENT], 1, [0, 1]),
        ([LATER, SENT, LATER], 1, [0, 1]),
    ],
)
async def test_the_ledger_shows_what_reached_somebody(
    stream: Stream, door: Door, steps: list[Step], shown: int, written: list[int]
) -> None:
    """Of several outcomes for one subscriber the ledger shows the telling one."""
    (entry,) = await posted(stream, [post("1")], "ann")
    all_: list[Delivery] = []
    for version, outcome, message in steps:
        all_.append(delivery(f"town/1/{version}", "ann", outcome, message))
        await stream.settle(entry, [all_[-1]], done=False)

    assert {"ann": all_[shown]} == await stream.told("town/1", ["ann"])
    assert [all_[n] for n in written] == await everything(door, DELIVERIES)


async def pending(stream: Stream, queue: str, group: str) -> int:
    """Return how many entries a group has taken and not acknowledged."""
    return next(
        depth.pending + (depth.lag or 0)
        for depth in await stream.depths()
        if (depth.queue, depth.group) == (queue, group)
    )
