"""The demonstration's recording is what it says it is, and sets the traps it should."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.demo import Record, pages, read, recording

STORY = recording()
BEGINS, ENDS = STORY.head.begins, STORY.ends
GOVERNOR, HEADQUARTERS = (channel.name for channel in STORY.head.channels)
FEED = STORY.head.feed.name
HOUR = timedelta(hours=1)
(DELETION,) = [r for r in STORY.records if r.action == "delete"]
(EDIT,) = [r for r in STORY.records if r.action == "edit"]


def trapped(start: str) -> list[Record]:
    """Return the records whose trap begins so."""
    return [r for r in STORY.records if r.expect.trap.startswith(start)]


def test_the_recording_says_what_it_is() -> None:
    """Nobody can take the reconstruction for a record of real posts."""
    head = STORY.head

    assert "RECONSTRUCTION" in head.reconstruction
    assert "No post here is anybody's real post" in head.reconstruction
    for channel in head.channels:
        assert channel.name.startswith("demo_")
        assert "реконструкция" in channel.title
        assert "Не настоящий канал" in channel.description
    assert "reconstruction" in head.feed.title
    assert not [r for r in STORY.records if "http" in r.text or "t.me" in r.text]


def test_the_recording_tells_two_nights_in_three_languages() -> None:
    """Its size is that of a demonstration, its time that of the events."""
    assert 35 <= len([r for r in STORY.records if r.action == "post"]) <= 50
    assert {GOVERNOR, HEADQUARTERS, FEED} == {r.where for r in STORY.records}
    assert {"ru", "uk", "en"} <= {r.expect.language for r in STORY.records}
    assert datetime(2023, 5, 22, 5, tzinfo=UTC) < BEGINS < ENDS
    assert ENDS < datetime(2023, 5, 24, 12, tzinfo=UTC)


def test_the_past_is_never_alerted() -> None:
    """There are posts before it begins, one of them an impact, and all are quiet."""
    past = list(STORY.until(BEGINS))

    assert len(past) >= 5
    assert {GOVERNOR, HEADQUARTERS, FEED} == {r.where for r in past}
    assert "impact" in {r.expect.signal for r in past}
    assert not [r for r in past if r.expect.alert]


@pytest.mark.parametrize(
    "trap",
    [
        "all-clear: «отбой»", "all-clear: «снята»", "all-clear: «отменена»",
        "all-clear: «отменён»", "all-clear: «угроза миновала»", "all-clear in English",
        "all-clear of another region", "drill", "recap", "forecast", "not war",
        "forwarded",
        "homonym: this Муром is the village", "homonym: this Муром is the city",
        "homonym: the adverb «короче»", "homonym: the surname Яковлев",
        "homonym: here Яковлевский", "homonym: a street", "edited", "deleted", "album",
        "the same wording on two nights: the first",
        "the same wording on two nights: the second",
        "service message", "the past", "unrelated: harvest", "unrelated: school exams",
        "unrelated: sport",
    ],
)  # fmt: skip
def test_each_trap_is_set(trap: str) -> None:
    """What comparable programs fall into is there to be met."""
    assert trapped(trap)


def test_all_clears_are_told_and_what_is_no_danger_is_not() -> None:
    """The expectations agree with the signals."""
    silent = {"drill", "recap", "forecast"}

    for record in STORY.records:
        expect = record.expect
        if expect.signal in silent or record.action == "service":
            assert not expect.alert
        if expect.alert:
            assert expect.place.startswith("RU-BEL")
        if expect.trap.startswith(("homonym: the ", "homonym: a ", "unrelated")):
            assert (False, "none") == (expect.alert, expect.signal)
    assert len([r for r in STORY.records if r.expect.signal == "clear"]) >= 6


def test_the_same_wording_comes_on_two_nights() -> None:
    """Letter for letter, a day apart, and an alert each time."""
    first, second = trapped("the same wording")

    assert first.text == second.text
    assert timedelta(days=1) == second.at - first.at
    assert first.expect.alert
    assert second.expect.alert


def test_edits_and_deletions_are_of_posts_that_stood_a_while() -> None:
    """Told in half a minute, a post can be seen for three seconds before it changes."""
    for change in (EDIT, DELETION):
        (post,) = [
            r
            for r in STORY.records
            if (r.where, r.id, r.action) == (change.where, change.id, "post")
        ]
        assert post.expect.alert
        assert post.text != change.text
        assert change.at - post.at >= 5 * HOUR


def test_ids_leave_room_for_albums() -> None:
    """As at Telegram, an album of three takes three ids, and none is used twice."""
    for where in (GOVERNOR, HEADQUARTERS, FEED):
        new = [r for r in STORY.records if r.where == where]
        new = [r for r in new if r.action in {"post", "service"}]
        for one, next_ in pairwise(new):
            assert one.id + max(1, len(one.media)) == next_.id


def test_expected_places_are_in_the_gazetteer() -> None:
    """A place that is expected can be found at all."""
    shipped = Path(__file__).parent.parent / "config" / "places" / "ru-bel.yaml"
    tree = yaml.load(shipped.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    known = set(ids_of(tree["places"], ""))
    expected = {r.expect.place for r in STORY.records}

    assert {p for p in expected if p.startswith("RU-BEL")} <= known


def ids_of(places: list[dict[str, Any]], above: str) -> Iterator[str]:
    """Yield the dotted ids of a gazetteer."""
    for place in places:
        id_ = f"{above}.{place['id']}" if above else place["id"]
        yield id_
        yield from ids_of(place.get("places", []), id_)


def test_a_recording_out_of_order_is_refused() -> None:
    """A recording that goes back in time, or tells nothing, is a mistake."""
    file = Path(pages.__file__).with_name("recording.ndjson").read_text("utf-8")
    head, *records = file.splitlines()

    with pytest.raises(ValueError, match="order of time"):
        read("\n".join([head, records[-1], records[0]]))
    with pytest.raises(ValueError, match="order of time"):
        read(head)
