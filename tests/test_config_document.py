"""YAML files, with the place of every value in them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.document import LARGEST, Document, Mark


def test_knows_where_each_value_and_key_stands() -> None:
    """Values, keys and list entries have their line and column, from 1."""
    document = Document.parse("a: 1\nlist:\n  - name: x\n    every: 5m\n", "f.yaml")

    assert {"a": 1, "list": [{"name": "x", "every": "5m"}]} == document.data
    assert Mark("f.yaml", 4, 12) == document.at(("list", 0, "every"))
    assert Mark("f.yaml", 4, 5) == document.at(("list", 0, "every"), key=True)
    assert Mark("f.yaml", 3, 5) == document.at(("list", 0, "missing"))


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
        ("'1'", "1"),
        ("~", None),
        ("true", True),
        ("yes", "yes"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """Country codes, dates and times stay texts; quotes always make one."""
    assert {"a": value} == Document.parse(f"a: {text}", "f").data


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\na: 2\n", 2, "duplicate key 'a'"),
        ("a: [1, 2\n", 2, "did not find expected ',' or ']'"),
        ("a:\n\t- 1\n", 2, "found character that cannot start any token"),
        ("a: &x [1]\nb: *x\n", 1, "write it out: no aliases here"),
        ("? [a]\n: 1\n", 1, "a key is a plain text"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("[" * 3000 + "]" * 3000, 1, "nested too deeply"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, line: int, said: str) -> None:
    """Each mistake of form is named with its line, and none is an exception."""
    (problem,) = Document.parse(text, "f.yaml").problems

    assert said in problem.message
    assert line == problem.mark.line


def test_a_problem_shows_its_line_with_a_caret() -> None:
    """An operator sees the line as written, and a caret under the place."""
    document = Document.parse("sources:\n  - every: 5 mins\n", "config/s.yaml")

    shown = str(document.problem(("sources", 0, "every"), "write a duration"))

    expected = (
        "config/s.yaml:2:12: error: write a duration\n"
        "     2 |   - every: 5 mins\n"
        "       |            ^"
    )
    assert expected == shown


def test_files_that_are_no_text_or_too_large_are_refused(tmp_path: Path) -> None:
    """What cannot be a configuration is named as such, without reading on."""
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"a: 1\nb: \xff\xfe")
    large.write_bytes(b"#" * (LARGEST + 1))

    said = [
        Document.read(path, path.name).problems[0].message
        for path in (binary, large, tmp_path / "none")
    ]

    assert ["not UTF-8: save it so", "larger than 4 MiB",
            "cannot be read: No such file or directory"] == said  # fmt: skip


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Editors that write a BOM write good files."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert {"a": 1} == Document.read(path, "bom.yaml").data


@given(st.text())
def test_any_text_is_data_or_problems(text: str) -> None:
    """Whatever a file holds, reading it raises nothing."""
    document = Document.parse(text, "f")

    for problem in document.problems:
        assert str(problem).startswith("f:")
