"""`monitor explain`: why a text is read as it is, for people and for programs."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from monitor.cli.marking import marked
from tests.worlds import call, told, write

TEXT = "Над Грайвороном сбит дрон"
SOURCES = (
    "[{name: governor, kind: telegram, channel: governor, home: RU-BEL, "
    "voice: official}]"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path, sources=SOURCES)


def answered(file: Path, *lines: object) -> tuple[list[Any], Result]:
    """Return what is answered to *lines*, each written as JSON unless it is bytes."""
    given = [
        one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines
    ]
    result = call("explain", "--stdin", "--json", "-c", file, stdin=b"\n".join(given))
    assert 0 == result.exit_code, result.output
    return told(result), result


def test_found_words_are_underlined(file: Path) -> None:
    """In a pipe, marks stand below what was found, and say what they mean."""
    lines = call("explain", TEXT, "-c", file).stdout.splitlines()

    assert f"  {TEXT}" == lines[0]
    assert "      ^^^^^^^^^^^      ~~~~" == lines[1]
    assert "  ^ place  ~ topic" in lines


def test_found_words_are_coloured_on_a_terminal(file: Path) -> None:
    """With colours the words themselves are marked, and no line is added."""
    out = call("explain", TEXT, "-c", file, env={"FORCE_COLOR": "1"}).stdout

    assert "\x1b[36m\x1b[4mГрайвороном\x1b[0m" in out
    assert "^" not in out


def test_no_line_is_wider_than_the_terminal(file: Path) -> None:
    """On a narrow screen all that is said stands in its column, whole."""
    wide = call("explain", TEXT * 9, "-c", file).stdout
    look = {"FORCE_COLOR": "1", "COLUMNS": "60"}

    out = click.unstyle(call("explain", TEXT * 9, "-c", file, env=look).stdout)

    assert max(map(len, out.splitlines())) <= 60
    said = wide[wide.index("read as") :].split()
    assert said == out[out.index("read as") :].split()


def test_each_step_is_told_in_its_order(file: Path) -> None:
    """Form, place, topics, signal, rules, subscribers: as the program decides."""
    out = call("explain", TEXT, "--source", "governor", "-c", file).stdout

    steps = [
        "a post of governor: official, at home in RU-BEL", "in Russian",
        "“Грайвороном”: RU-BEL.grayvoron", "uav", "none",
        "✓ drones", "✗ words", "not its words: штаб~", "✓ desk",
    ]  # fmt: skip
    found = [out.index(step) for step in steps]
    assert sorted(found) == found


def test_who_is_not_concerned_is_counted(tmp_path: Path) -> None:
    """A subscriber of another place is no line of its own, but is not forgotten."""
    people = "[{name: far, sink: here, places: [RU-BEL.kozinka]}]"

    out = call("explain", TEXT, "-c", write(tmp_path, subscribers=people)).stdout

    assert "1 not concerned" in out


def test_why_nobody_is_told_is_said_as_the_account_has_it(file: Path) -> None:
    """By the rule that came nearest, and what was missing."""
    out = call("explain", "Над Грайвороном тихо", "-c", file).stdout
    assert "nobody: no rule matches (drones: no topic)" in out
    out = call("explain", "Тихо", "-c", file).stdout
    assert "nobody: no rule matches (no rule is about it)" in out


def test_every_line_is_answered_in_order(file: Path) -> None:
    """Bare lines, JSON texts and items have one answer each, matched or not."""
    answers, _ = answered(
        file, TEXT.encode(), "Отбой", {"id": "77", "text": TEXT}, b"", {"text": ""}
    )

    assert ["1", "2", "77", "5"] == [one["id"] for one in answers]
    assert ["none", "clear", "none", "none"] == [
        one["reading"]["signal"] for one in answers
    ]
    assert [["drones"], [], ["drones"], []] == [
        [rule for match in one["matches"] for rule in match["rules"]] for one in answers
    ]


def test_the_source_of_an_item_is_whose_post_it_is(file: Path) -> None:
    """The voice of the item's own source counts, and else that of --source."""
    post = {"text": "Сообщает штаб"}
    answers, _ = answered(file, post, post | {"source": "governor"})

    assert [0, 1] == [len(one["matches"]) for one in answers]

    result = call(
        "explain", "--stdin", "--json", "--source", "governor", "-c", file,
        stdin=json.dumps(post).encode(),
    )  # fmt: skip
    assert ["governor"] == [one["matches"][0]["item"]["source"] for one in told(result)]


def test_what_an_item_lacks_is_as_usual(file: Path) -> None:
    """A number as id, a time without a zone and nulls are what they seem to be."""
    answers, result = answered(
        file,
        {"id": 7, "text": TEXT, "published": "2023-05-22T06:12:00", "title": None,
         "seen": "2023-05-22T09:12:30+03:00"},
    )  # fmt: skip

    (match,) = answers[0]["matches"]
    assert "7" == match["item"]["id"]
    assert "2023-05-22T06:12:00Z" == match["item"]["published"]
    assert "2023-05-22T06:12:30Z" == match["item"]["seen"]
    assert "" == match["item"]["title"]
    assert "" == result.stderr


def test_a_match_is_explained_anew(file: Path) -> None:
    """What `tail matches --json` prints may be fed back."""
    (first,), _ = answered(file, {"id": "9", "text": TEXT})

    again, _ = answered(file, first["matches"][0])

    assert [first] == again


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"text": "' + TEXT.encode(), "line 1: no JSON"),
        ({"text": TEXT, "seen": "yesterday"}, "line 1: seen"),
        ({"text": 5}, "line 1: text"),
        ({"id": True, "text": TEXT}, "line 1: id"),
        ({"text": TEXT, "seen": "0001-01-01T00:00:00+03:00"}, "line 1: seen"),
        ({"words": TEXT}, "line 1: an object with no field of an item"),
    ],
)
def test_what_was_not_taken_as_it_stands_is_said(
    line: object, said: str, file: Path
) -> None:
    """A line that makes no sense is answered all the same, and named aside."""
    answers, result = answered(file, line)

    assert 1 == len(answers)
    assert said in result.stderr


@given(some.lists(some.binary(max_size=60).map(lambda one: one.replace(b"\n", b""))))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_answered(file: Path, lines: list[bytes]) -> None:
    """Whatever bytes come, every line that is not blank has its answer."""
    answers, _ = answered(file, *lines)

    texts = [line.decode("utf-8", "replace").strip() for line in lines]
    assert len([text for text in texts if text.strip("\ufeff")]) <= len(answers)
    assert len(answers) <= len([text for text in texts if text])


def test_an_unknown_source_is_a_mistake(file: Path) -> None:
    """--source takes a configured name only, and says which one was meant."""
    result = call("explain", "x", "--source", "govenor", "-c", file)

    assert 2 == result.exit_code
    assert "did you mean 'governor'?" in result.stderr


def test_what_a_publisher_wrote_cannot_act_on_the_terminal(file: Path) -> None:
    """Escapes and overrides are left out, and the marks stay where they belong."""
    text = f"\x1b]0;x\x07\u202e{TEXT}"

    lines = call("explain", text, "-c", file).stdout.splitlines()

    assert f"  ]0;x{TEXT}" == lines[0]
    assert 10 == lines[1].index("^")


@given(
    some.text(some.characters(exclude_categories=["Cs"]), max_size=300),
    some.lists(some.tuples(some.integers(0, 300), some.integers(0, 300)), max_size=5),
)
def test_marking_loses_no_letter(text: str, spans: list[tuple[int, int]]) -> None:
    """However it is broken into rows and marked, all that shows of a text is there."""
    sound = [(a, b) for a, b in spans if a < b <= len(text)]
    with click.Context(click.Command("explain"), color=True):
        rows = list(marked(text, {"topic": sound}))
    if sound:
        rows = rows[:-2]  # the legend

    seen = [c for c in text if unicodedata.category(c) not in ("Cc", "Cf")]
    assert squeezed("".join(seen)) == squeezed(click.unstyle("".join(rows)))


def test_half_a_character_is_answered(file: Path) -> None:
    """What no encoding can hold, in an argument or an escape of JSON, is replaced."""
    answers, _ = answered(file, b'{"text": "\\ud83d"}')
    result = call("explain", "\udcff", "--json", "-c", file)

    assert 1 == len(answers)
    assert 0 == result.exit_code


def squeezed(text: str) -> str:
    return "".join(text.split())
