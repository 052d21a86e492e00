"""YAML files, with the place of every value in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.document import DEEPEST, Document, Mark, Path_, Problem


def said(text: str) -> list[str]:
    """Return what is said of a text, each with its place."""
    problems = Document.parse(text, "f").problems
    return [f"{p.mark.line}:{p.mark.column} {p.message}" for p in problems]


def test_knows_where_each_value_and_key_stands() -> None:
    """Values, keys and list entries have their line and column, from 1."""
    document = Document.parse("a: 1\nlist:\n  - name: x\n    every: 5m\n", "f.yaml")

    assert {"a": 1, "list": [{"name": "x", "every": "5m"}]} == document.data
    assert Mark("f.yaml", 4, 12) == document.at(("list", 0, "every"))
    assert Mark("f.yaml", 4, 5) == document.at(("list", 0, "every"), key=True)
    assert Mark("f.yaml", 3, 5) == document.at(("list", 0, "missing"))
    assert Mark("f.yaml", 3, 3) == document.at(("list", 7))
    assert Mark("f.yaml", 1, 4) == document.at(("a", "b", 0))


def test_columns_count_characters() -> None:
    """Cyrillic letters take two bytes, and one column."""
    document = Document.parse('{"слово": "да", "б": 1}', "f")

    assert Mark("f", 1, 22) == document.at(("б",))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("2023-05-22", "2023-05-22"),
        ("012", 12),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5", 1.5),
        ("-1e3", -1000.0),
        ("'1'", "1"),
        ("~", None),
        ("NULL", None),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("٣", "٣"),
        (".nan", ".nan"),
        ("9" * 5000, "9" * 5000),
        (">-\n  a\n  b", "a b"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Country codes, dates and times stay texts; quotes always make one."""
    assert {"a": value} == Document.parse(f"a: {text}", "f").data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", "2:1 duplicate key 'a'"),
        ("a: [1, 2\n", "2:1 did not find expected ',' or ']' of what begins in line 1"),
        ("a: b: c", "1:5 mapping values are not allowed in this context: put a"),
        ("a: @b", "1:4 no tabs and no @, ` or % here"),
        ("a: &x [1]\nb: *x\n", "2:1 write it out: no aliases here"),
        ("a: &x 1\nb: *x\n", "2:1 write it out: no aliases here"),
        ("a: &x [*x]\n", "1:4 write it out: no aliases here"),
        ("a: *x\n", "1:4 write it out: no aliases here"),
        ("<<: *x\n", "1:5 write it out: no aliases here"),
        ("a: !!python/name:os.system x\n", "1:4 no tags such as tag:yaml.org,2002:p"),
        ("? [a]\n: 1\n", "1:3 a key is a plain text"),
        ("a: 1\n---\nb: 2\n", "2:1 one document a file: take the line --- away"),
        ("a: 1\nб: \0\n", "2:4 a control character"),
        ("a: \x1b[31m", "1:4 a control character"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, expected: str) -> None:
    """Each mistake of form is named with its place, and none is an exception."""
    (only,) = said(text)

    assert only.startswith(expected)


def test_aliases_make_no_gigabyte() -> None:
    """Nine lines that would be a billion values are refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]

    document = Document.parse("\n".join(lines), "f")

    assert document.broken
    assert document.data is None


@pytest.mark.parametrize("depth", [DEEPEST, 500, 3000, 50_000])
def test_blocks_within_blocks_have_an_end(depth: int) -> None:
    """What would need a deep stack is refused, whoever notices it first."""
    (only,) = said("[" * depth + "[" + "]" + "]" * depth)

    assert only.endswith("nested too deeply")


def test_several_mistakes_of_form_are_told_at_once() -> None:
    """What can still be read is read on; the data are those of the last one."""
    document = Document.parse("a: 1\na: !x 2\nb: 1\nb: 2\n", "f")

    assert [2, 2, 4] == [problem.mark.line for problem in document.problems]
    assert not document.broken
    assert {"a": "2", "b": 2} == document.data


def test_what_follows_from_a_mistake_is_not_told() -> None:
    """Where the form is wrong already, the value is not complained of as well."""
    document = Document.parse("a: !secret b\n", "f")

    document.say(("a",), "write a block of keys and values")

    assert 1 == len(document.problems)


def test_a_problem_is_told_once() -> None:
    """Two checks may find the same."""
    document = Document.parse("a: 1", "f")

    document.say(("a",), "write a text")
    document.say(("a",), "write a text")

    assert [Problem(Mark("f", 1, 4), "write a text", "a: 1")] == document.problems


def test_a_problem_shows_its_line_with_a_caret() -> None:
    """An operator sees the line as written, and a caret under the place."""
    document = Document.parse("sources:\n  - every: 5 mins\n", "config/s.yaml")
    document.say(("sources", 0, "every"), "write a duration")

    (problem,) = document.problems

    expected = (
        "config/s.yaml:2:12: error: write a duration\n"
        "     2 |   - every: 5 mins\n"
        "       |            ^"
    )
    assert expected == str(problem)


def test_hidden_lines_are_not_shown_whoever_speaks_of_them() -> None:
    """A problem told before the secret was noticed does not show it either."""
    document = Document.parse("a:\n  - b: 1\n    c: >-\n      x\n      y\nd: 1\n", "f")
    document.say(("a", 0, "c"), "one")
    document.hide(("a", 0, "c"))
    document.say(("a", 0, "b"), "two")

    shown = {problem.message: problem.text for problem in document.problems}

    assert {"one": "", "two": "  - b: 1"} == shown


def test_of_a_long_line_a_part_is_shown() -> None:
    """A file of one line does not fill the screen, and the caret fits."""
    text = "{" + ", ".join(f"key{i}: {i}" for i in range(500)) + "}"
    document = Document.parse(text, "f")
    document.say(("key250",), "wrong", key=True)

    _, line, caret = str(document.problems[0]).split("\n")

    assert len(line) < 130
    assert line[caret.index("^") :].startswith("key250: 250")


def test_signs_that_move_the_cursor_are_not_shown() -> None:
    """A line with an escape sequence is told of, and not obeyed."""
    shown = str(Problem(Mark("f", 1, 2), "wrong", "\x1b[2Jab\tc"))

    assert "\x1b" not in shown
    assert "\tc" in shown


def test_a_file_without_end_is_not_read_to_it(tmp_path: Path) -> None:
    """No more is read than may be in a file at most."""
    path = tmp_path / "endless"
    path.symlink_to("/dev/zero")

    (problem,) = Document.read(path, "endless").problems

    assert "larger than 4 MiB" == problem.message


NUMBER = re.compile(r"[-+]?[0-9.]+[eE][-+]?[0-9]+")  # in YAML 1.2, and not in 1.1
texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t "),
    max_size=20,
).filter(lambda text: not NUMBER.fullmatch(text))
data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9999, 9999), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(texts, inner, max_size=4),
    ),
    max_leaves=20,
)


class Plain(yaml.SafeDumper):
    """Writes equal values twice rather than by an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that no value is an alias of another."""
        return True


@given(data)
def test_what_others_write_is_read_as_they_meant_it(value: Any) -> None:
    """Texts that look like numbers or constants are quoted by those who know YAML."""
    text = yaml.dump({"a": value}, Dumper=Plain, allow_unicode=True)
    document = Document.parse(text, "f")

    assert [] == document.problems
    assert {"a": value} == document.data


def ways(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Yield the way to each scalar."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for part, inner in pairs:
            yield from ways(inner, (*path, part))
    else:
        yield path, value


names = st.text("абвxyz", min_size=1, max_size=5).map("k".__add__)
leaves = st.recursive(
    names,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4),
        st.dictionaries(names, inner, min_size=1, max_size=4),
    ),
)


@settings(max_examples=30)
@given(st.dictionaries(names, leaves, min_size=1), st.sampled_from([None, True, False]))
def test_every_value_is_found_where_it_stands(value: Any, flow: bool | None) -> None:  # noqa: FBT001 - drawn
    """In either style of YAML, the place of a value is that of its first letter."""
    text = yaml.dump(
        value, Dumper=Plain, allow_unicode=True, default_flow_style=flow, width=40
    )
    document = Document.parse(text, "f")

    for path, scalar in ways(value):
        mark = document.at(path)
        line = document.text.splitlines()[mark.line - 1]
        assert line[mark.column - 1 :].startswith(scalar)


@given(st.text())
def test_any_text_is_data_or_problems(text: str) -> None:
    """Whatever a file holds, reading it raises nothing."""
    document = Document.parse(text, "f")

    for problem in document.problems:
        assert str(problem).startswith("f:")


@given(st.binary())
def test_any_bytes_are_data_or_problems(raw: bytes) -> None:
    """So it is for what is no text at all."""
    document = Document.decode(raw, "f")

    assert document.broken or document.problems == [] or document.data is not None
