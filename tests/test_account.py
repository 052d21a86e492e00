"""An account adds up: whatever comes in ends somewhere, and what does not is named."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.account import Account, Books, Gap, Waiting, accounts, newest
from monitor.item import (
    Change,
    Delivery,
    Item,
    Match,
    Note,
    Outcome,
    Reading,
    What,
)

NOON = datetime(2026, 5, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NONE = Waiting()


def item(
    id_: str, version: int = 1, change: Change = "new", at: datetime = NOON
) -> Item:
    return Item(
        source="governor",
        id=id_,
        version=version,
        change=change,
        published=at,
        seen=at,
    )


def match(id_: str, version: int = 1, change: Change = "new") -> Match:
    return Match(item=item(id_, version, change), reading=Reading(), rules=("danger",))


def note(
    id_: str,
    what: What = "filtered",
    version: int = 0,
    why: str = "",
    *,
    at: datetime = NOON,
) -> Note:
    return Note(source="governor", id=id_, version=version, what=what, why=why, at=at)


def told(
    key: str,
    name: str,
    outcome: Outcome = "delivered",
    why: str = "",
    **more: Any,
) -> Delivery:
    return Delivery(
        item=f"governor/{key}",
        subscriber=name,
        sink="chat",
        outcome=outcome,
        at=NOON,
        why=why,
        **({"among": 1} | more),
    )


def booked(*values: object) -> Books:
    """Return books of an hour of these values."""
    books = Books(NOON, NOON + HOUR)
    _enter(books, values)
    return books


def _enter(books: Books, values: Iterable[object]) -> None:
    values = list(values)
    takes: dict[type, Any] = {
        Item: books.item,
        Match: books.match,
        Note: books.note,
        Delivery: books.delivery,
    }
    for kind, take in takes.items():
        for value in values:
            if isinstance(value, kind):
                take(value)


def closed(
    *values: object, waiting: Waiting = NONE, last: int | None = None
) -> Account:
    """Return the account of these values, of a channel that counts."""
    numbers = {} if last is None else {"governor": last}
    (found,) = accounts(booked(*values), waiting, ["governor"], numbers)
    return found


# Posts and their versions


@pytest.mark.parametrize(
    ("values", "ended"),
    [
        ([match("1")], "matched"),
        ([note("1", version=1, why="danger: no topic")], "filtered"),
        ([note("1", version=1, why="media only")], "media only"),
        ([note("1", "dead", version=1, why="a bug")], "dead"),
        ([note("1", "unconcerned", version=1)], "matched"),
        ([], "unexplained"),
    ],
)
def test_a_version_ends_in_one_way(values: list[object], ended: str) -> None:
    """It matters, or something says why not; else it was lost."""
    found = closed(item("1"), *values)

    assert {ended: 1} == found.versions == found.ids
    lost = ended == "unexplained" or values == [match("1")]
    assert lost == bool(found.unexplained)


def test_a_deletion_ends_as_one_if_it_was_judged() -> None:
    """One that nobody judged was lost like any other version."""
    gone = item("1", 2, "deleted")
    judged = note("1", version=2, why="it was deleted, and had not mattered")

    assert {"deleted": 1} == closed(gone, judged).ids
    assert {"unexplained": 1} == closed(gone).ids


def test_an_id_counts_once_however_many_versions_it_has() -> None:
    """As its last one ended; but as matched if any version mattered."""
    dull = [item("1"), note("1", version=1), item("1", 2, "edited")]
    found = closed(*dull, note("1", version=2, why="media only"))
    assert ({"media only": 1}, {"filtered": 1, "media only": 1}) == (
        found.ids,
        found.versions,
    )
    mattered = [*dull, match("1", 2), note("1", "unconcerned", 2)]
    gone = [item("1", 3, "deleted"), note("1", version=3)]
    assert {"matched": 1} == closed(*mattered, *gone).ids


def test_what_is_no_post_is_counted_by_what_it_is() -> None:
    """Service messages, parts, holes and the past; the better known of two counts."""
    found = closed(
        note("1", "past"),
        note("2", "service"),
        note("3", "part", why="1"),
        note("4", "absent"),
        note("5", "absent"),
        note("5", "service"),
        note("6", "absent"),
        item("6"),
        note("6", version=1),
    )
    assert {"past": 1, "service": 2, "part": 1, "absent": 1, "filtered": 1} == found.ids
    assert found.adds_up


def test_why_it_was_not_wanted_is_counted() -> None:
    """By the rule that came nearest, the most first."""
    some = [item(str(n)) for n in range(3)]
    why = ["b: no place", "a: no topic", "b: no place"]
    notes = [note(str(n), version=1, why=said) for n, said in enumerate(why)]
    assert [("b: no place", 2), ("a: no topic", 1)] == [
        *closed(*some, *notes).filtered.items()
    ]


def test_what_was_put_back_ends_as_it_did_then() -> None:
    """A letter that was retried is dead no more."""
    dead = note("1", "dead", version=1, why="a bug")
    found = closed(item("1"), dead, note("1", version=1, why="danger: no topic"))
    assert {"filtered": 1} == found.ids


def test_only_the_window_is_accounted_for() -> None:
    """What was seen before or after it is neither counted nor missed."""
    early, late = item("1", at=NOON - SECOND), item("9", at=NOON + HOUR)
    assert [] == accounts(booked(early, late, note("2", "past", at=NOON - HOUR)), NONE)
    (found,) = accounts(booked(early, item("5"), note("5", version=1), late), NONE)
    assert {"filtered": 1} == found.ids


def test_what_waits_is_not_lost() -> None:
    """Before it is judged, and where it may be on its way between two streams."""
    waiting = Waiting(items={"governor/1/1"})
    assert {"waiting": 1} == closed(item("1"), waiting=waiting).ids
    going = Waiting(since=NOON)
    assert closed(item("1"), waiting=going).adds_up
    assert not closed(item("1"), waiting=Waiting(since=NOON + SECOND)).adds_up


# Matches, and those whom they concern


def test_each_whom_a_match_concerns_ends_in_one_way() -> None:
    """Told, edited, in a digest, suppressed or dead, and the reasons are counted."""
    found = closed(
        match("1"),
        told("1/1", "ann", among=6),
        told("1/1", "bob", "edited", among=6),
        told("1/1", "cid", why="in a digest of 7, after an outage", among=6),
        told("1/1", "dan", "suppressed", "severity: info", among=6),
        told("1/1", "eve", "dead", "the address is closed", among=6),
        told("1/1", "fay", "dead", "the address is closed", among=6),
    )
    assert {
        "dead": 2, "delivered": 1, "edited": 1, "in a digest": 1, "suppressed": 1,
    } == found.matches  # fmt: skip
    assert ({"severity: info": 1}, {"the address is closed": 2}) == (
        found.suppressed,
        found.dead,
    )
    assert found.adds_up


def test_one_who_is_missing_is_found() -> None:
    """Each delivery says among how many it is."""
    found = closed(match("1"), told("1/1", "ann", among=3), told("1/1", "bob", among=3))
    assert ({"delivered": 2, "unexplained": 1}, ("governor/1/1",)) == (
        found.matches,
        found.unexplained,
    )


def test_a_match_without_any_end_is_lost() -> None:
    """Unless it was decided that it concerns nobody."""
    assert {"unexplained": 1} == closed(match("1")).matches
    nobody = note("1", "unconcerned", version=1)
    assert {"of nobody": 1} == closed(match("1"), nobody).matches
    assert {"dead": 1} == closed(match("1"), note("1", "dead", version=1)).matches


def test_what_is_to_be_sent_waits() -> None:
    """Those who got it already are not counted twice."""
    waiting = Waiting(sends={"governor/1/1": ["ann", "bob"]})
    found = closed(match("1"), told("1/1", "ann", among=2), waiting=waiting)
    assert {"delivered": 1, "waiting": 1} == found.matches
    assert closed(match("1"), waiting=Waiting(matches={"governor/1/1"})).adds_up
    part = [match("1"), told("1/1", "ann", among=3)]
    assert {"delivered": 1, "waiting": 2} == (
        closed(*part, waiting=Waiting(matches={"governor/1/1"})).matches
    ), "it was addressed while we looked"
    many = Waiting(sends={"governor/1/1": ["ann"]}, among={"governor/1/1": 3})
    assert {"waiting": 1, "unexplained": 2} == closed(match("1"), waiting=many).matches


def test_who_has_the_newer_version_needs_no_older_one() -> None:
    """A later version that reached them ends the ones before; a refusal does not."""
    both = [match("1"), match("1", 2, "edited")]
    found = closed(*both, told("1/2", "ann"))
    assert {"delivered": 1, "superseded": 1} == found.matches
    refused = closed(*both, told("1/2", "ann", "suppressed", "was not told"))
    assert {"suppressed": 1, "unexplained": 1} == refused.matches


def test_the_best_of_several_ends_counts_and_the_same_twice_counts_once() -> None:
    """A letter that was retried was delivered, whatever was written before."""
    dead = told("1/1", "ann", "dead", "closed")
    sent = told("1/1", "ann", repeats=1)
    for order in ([dead, sent], [sent, dead], [dead, sent, sent, dead]):
        found = closed(match("1"), *order)
        assert ({"delivered": 1}, {}, 1) == (found.matches, found.dead, found.repeats)


# Numbers


def test_numbers_that_nobody_saw_are_a_gap() -> None:
    """From the last one before the window on; a number that is known is none."""
    some = [item(str(n)) for n in (12, 13, 20)]
    notes = [note(str(n), version=1) for n in (12, 13, 20)]
    found = closed(*some, *notes, note("16", "service"), last=9)

    assert (Gap(10, 11), Gap(14, 15), Gap(17, 19)) == found.gaps
    assert not found.adds_up
    assert {"governor": 20} == newest(booked(*some))


def test_the_first_window_of_a_channel_begins_with_its_first_number() -> None:
    """What was there before it was read is no gap."""
    found = closed(
        note("7", "past"), note("8", "past"), item("10"), note("10", version=1)
    )
    assert (Gap(9, 9),) == found.gaps


def test_an_edit_of_an_old_post_opens_no_gap() -> None:
    """Only what is first seen in the window says how far the numbers go."""
    old = [item("3", 2, "edited"), note("3", version=2)]
    assert () == closed(*old, item("10"), note("10", version=1)).gaps
    assert () == closed(*old).gaps
    assert () == closed(*old, item("10"), note("10", version=1), last=9).gaps


def test_a_number_that_came_late_closes_its_gap() -> None:
    """A post that another server showed an hour later was not lost."""
    late = item("9", at=NOON + 2 * HOUR)
    window = [item("8"), note("8", version=1), item("10"), note("10", version=1)]
    assert () == closed(*window, late, last=7).gaps
    assert (Gap(9, 9),) == closed(*window, last=7).gaps


def test_a_feed_has_no_numbers() -> None:
    """Ids that happen to be numbers count for nothing where nobody counts."""
    some = [item("1"), note("1", version=1), item("9"), note("9", version=1)]
    (found,) = accounts(booked(*some), NONE)
    assert found.adds_up


# Random histories


@dataclass
class History:
    """What happened, and what the account has to find."""

    values: list[object] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    sends: dict[str, list[str]] = field(default_factory=dict)
    among: dict[str, int] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    matches: Counter[str] = field(default_factory=Counter)
    lost: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)


# What a later version supersedes is tested above.
FATES = ["matched", "filtered", "media only", "dead", "waiting", "unexplained"]
ENDS = ["delivered", "edited", "suppressed", "dead", "waiting", "unexplained"]


def history(chance: random.Random) -> History:
    """Return a random history of a channel."""
    told_ = History()
    for number in range(100, 100 + chance.randint(1, 30)):
        what = chance.choice(["post"] * 4 + ["service", "part", "absent", "lost"])
        if what == "lost" and told_.ids:
            told_.missing.add(number)
            continue
        told_.ids.add(str(number))
        if what == "post":
            _post(told_, str(number), chance)
        else:
            kind: What = "service" if what == "lost" else what  # type: ignore[assignment]
            told_.values.append(note(str(number), kind))
    told_.missing -= set(range(max(map(int, told_.ids)), 200))
    return told_


def _post(story: History, id_: str, chance: random.Random) -> None:
    for version in range(1, chance.choice([1, 1, 1, 2]) + 1):
        change: Change = "new" if version == 1 else "edited"
        fate = chance.choice(FATES if version == 1 else FATES[1:])
        key = f"governor/{id_}/{version}"
        story.versions[fate] += 1
        story.values.append(item(id_, version, change))
        if fate == "matched":
            story.values.append(match(id_, version, change))
            _audience(story, key, chance)
        elif fate in ("filtered", "media only"):
            why = fate if fate == "media only" else "danger: no topic"
            story.values.append(note(id_, version=version, why=why))
        elif fate == "dead":
            story.values.append(note(id_, "dead", version, "a bug"))
        elif fate == "waiting":
            story.waiting.add(key)
        else:
            story.lost.add(key)


def _audience(story: History, key: str, chance: random.Random) -> None:
    """Let a match end for each whom it concerns."""
    among, post = chance.randint(0, 4), key.removeprefix("governor/")
    if not among:
        id_, _, version = post.rpartition("/")
        story.values.append(note(id_, "unconcerned", int(version)))
        story.matches["of nobody"] += 1
        return
    ends = [chance.choice(ENDS) for _ in range(among)]
    if set(ends) <= {"unexplained"}:
        ends = ["unexplained"]  # nobody knows how many they were
    for n, end in enumerate(ends):
        name = f"p{n}"
        story.matches[end] += 1
        if end == "waiting":
            story.sends.setdefault(key, []).append(name)
            story.among[key] = among
        elif end == "unexplained":
            story.lost.add(key)
        else:
            outcome: Outcome = end  # type: ignore[assignment]
            story.values.append(told(post, name, outcome, "why", among=among))


@pytest.mark.parametrize("seed", range(40))
def test_random_histories_add_up(seed: int) -> None:
    """What goes in is what comes out, each once, and exactly what was lost is named."""
    for part in range(10):
        _check(random.Random(10 * seed + part))  # noqa: S311 - no secret comes of it


def _check(chance: random.Random) -> None:
    story = history(chance)
    values = story.values + chance.sample(story.values, len(story.values) // 3)
    chance.shuffle(values)
    books = Books(NOON, NOON + HOUR)
    _enter(books, values)
    waiting = Waiting(items=story.waiting, sends=story.sends, among=story.among)
    (found,) = accounts(books, waiting, ["governor"])

    assert +story.versions == Counter(found.versions)
    assert +story.matches == Counter(found.matches)
    assert len(story.ids) == sum(found.ids.values())
    assert story.lost == set(found.unexplained)
    gaps = {n for gap in found.gaps for n in range(gap.first, gap.last + 1)}
    assert story.missing == gaps
    assert found.adds_up == (not story.lost and not story.missing)


def test_what_came_from_two_places_counts_once() -> None:
    """The streams and the archive both have what was archived a moment ago."""
    some = [match("1"), told("1/1", "ann"), item("2"), note("2", version=1)]
    once, twice = closed(*some), closed(*some, *some)
    assert once == twice
    late = replace(match("1").item, seen=NOON + HOUR)
    assert once == closed(*some, replace(match("1"), item=late))
