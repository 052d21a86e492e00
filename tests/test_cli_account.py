"""`monitor account` where nothing runs: a table, NDJSON, and exit codes."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.item import Match, Note, Reading
from monitor.stream.archive import Archive
from tests.archived import LATER, post, told
from tests.worlds import call, write
from tests.worlds import told as lines_of

WINDOW = ("--from", "2026-05-24", "--to", "2026-05-25")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration of an instance that is not running."""
    return write(tmp_path)


def archived(file: Path, *values: object, filed: bool = False) -> None:
    """Put values into the instance's archive, into its day files if asked to."""
    kinds = {"items": [], "matches": [], "notes": [], "deliveries": []}  # type: ignore[var-annotated]
    names = {"Item": "items", "Match": "matches", "Note": "notes"}
    for value in values:
        kinds[names.get(type(value).__name__, "deliveries")].append(value)
    with Archive(file.parent / "state" / "archive") as archive:
        archive.store(**kinds)
        if filed:
            archive.roll(LATER)
            archive.prune(LATER)


def match(number: int) -> Match:
    return Match(item=post(number), reading=Reading(), rules=("danger",))


def dull(number: int, source: str = "governor") -> list[object]:
    """Return a post that no rule wants, and why."""
    item = post(number, source=source)
    said = {"what": "filtered", "why": "danger: no topic", "at": item.seen}
    return [item, Note(source=source, id=str(number), version=1, **said)]  # type: ignore[arg-type]


@pytest.mark.parametrize("filed", [False, True])
def test_what_adds_up_is_said_so(file: Path, *, filed: bool) -> None:
    """From the hot base or from the files of its days, with the sum of all sources."""
    sent = [match(1), match(1).item, replace(told(1), among=1, repeats=1)]
    archived(file, *sent, *dull(2), *dull(3, "mayor"), filed=filed)
    shown = call("account", *WINDOW, "-c", file)

    assert 0 == shown.exit_code
    assert [
        "          ids  matched  filtered",
        "governor  2    1        1",
        "mayor     1    ·        1",
        "all       3    1        2",
    ] == shown.stdout.splitlines()[:4]
    assert "copies that may lie in chats beside the ones meant: 1" in shown.stdout
    assert "All adds up" in shown.stderr
    assert "nothing runs on" in shown.stderr


def test_what_is_lost_is_named(file: Path) -> None:
    """Its key, and the exit code is 1; NDJSON has a source a line."""
    many = [post(number) for number in range(1, 9)]
    archived(file, match(20), match(20).item, *many)
    shown = call("account", *WINDOW, "-c", file)
    said = call("account", *WINDOW, "-c", file, "--json")

    assert 1 == shown.exit_code == said.exit_code
    assert "unexplained: governor/1/1, governor/2/1," in shown.stdout
    assert "+4 more" in shown.stdout
    assert "9 versions or matches and 0 numbers are unexplained" in shown.stderr
    (governor,) = lines_of(said)
    assert ({"unexplained": 8, "matched": 1}, {"unexplained": 1}) == (
        governor["versions"],
        governor["matches"],
    )


def test_one_source_may_be_asked_for(file: Path) -> None:
    """What others lost is no matter of it."""
    archived(file, *dull(1), post(2, source="mayor"))
    assert 1 == call("account", *WINDOW, "-c", file).exit_code
    asked = call("account", *WINDOW, "-c", file, "--source", "governor", "--json")
    assert (0, ["governor"]) == (
        asked.exit_code,
        [one["source"] for one in lines_of(asked)],
    )


def test_a_name_that_nothing_has_is_a_mistake(file: Path) -> None:
    """Neither in the archive nor in the settings."""
    archived(file, *dull(1))
    asked = call("account", *WINDOW, "-c", file, "--source", "govrnor")
    assert 2 == asked.exit_code


def test_a_window_without_anything_adds_up(file: Path) -> None:
    """Nothing came in, and nothing is missing."""
    archived(file, *dull(1))
    asked = call("account", "--from", "2020-01-01", "--to", "2020-01-02", "-c", file)
    assert (0, "") == (asked.exit_code, asked.stdout)
    assert "The archive has nothing from 2020-01-01 00:00" in asked.stderr


def test_bad_windows_and_no_archive_are_told(file: Path) -> None:
    """Usage is 2, and nothing to account for 69."""
    back = call("account", "--from", "2026-05-25", "--to", "2026-05-24", "-c", file)
    assert 2 == back.exit_code
    none = call("account", *WINDOW, "-c", file)
    assert 69 == none.exit_code
    assert "nothing has been archived" in none.stderr
    far = call("account", "--from", "0001-01-01", "--to", "9999-12-31", "-c", file)
    assert 69 == far.exit_code


def test_times_may_be_as_far_apart_as_can_be(file: Path) -> None:
    """From the first year to the last there is."""
    archived(file, *dull(1))
    far = call("account", "--from", "0001-01-01", "--to", "9999-12-31", "-c", file)
    assert 0 == far.exit_code, far.output
