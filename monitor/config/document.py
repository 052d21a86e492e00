"""
One YAML file, with the place of every value in it.

Scalars follow YAML 1.2's core schema (``no`` is a text).  Tags and aliases are
refused: nobody needs them here, and nested aliases make a gigabyte of a kilobyte.

libyaml makes nodes that know where they stand.  Their values are taken, and the nodes
let go: a file is parsed again when there is something to say about it.  Most files
are right, and the 80,000 nodes of 4,160 places would take 25 MB for the whole run.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from yaml._yaml import CParser

from monitor.config.discretion import veiled

LARGEST = 4 * 1024 * 1024  # bytes; the largest shipped file is a tenth of it
DEEPEST = 64  # blocks within blocks; the shipped files have 9
WIDTH = 100  # characters of a long line that are shown
INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
FLOAT = re.compile(r"[-+]?(?=.{1,32}$)(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
CONSTANTS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """
    A mistake, where it stands, and the line it stands in.

    Attributes:
        text: The line, with nothing in it that must not be shown; or nothing.
        level: ``error`` or ``warning``.
    """

    mark: Mark
    message: str
    text: str = ""
    level: str = "error"

    def __str__(self) -> str:
        where = f"{self.mark.file}:{self.mark.line}:{self.mark.column}"
        head = f"{where}: {self.level}: {self.message}"
        if not self.text:
            return head
        shown, column = _window(self.text, self.mark.column - 1)
        # a tab before the caret keeps it under the same column
        lead = re.sub(r"[^\t]", " ", shown[:column])
        return f"{head}\n{self.mark.line:6} | {shown}\n       | {lead}^"


class _Parser(CParser):
    """libyaml without PyYAML's guess of what each scalar is: half of the time."""

    def resolve(self, kind: object, value: object, implicit: object) -> str:  # noqa: ARG002 - called by CParser
        return ""

    def descend_resolver(self, *_: object) -> None:
        """Nothing depends on where a scalar stands."""

    def ascend_resolver(self) -> None:
        """Nothing depends on where a scalar stands."""


class _Unusable(Exception):
    """What follows cannot be read either."""


@dataclass(slots=True)
class Document:
    """
    A parsed file, and what there is to say about it.

    Attributes:
        data: Its content, as dictionaries, lists and scalars; None if it is empty.
        broken: It could not be parsed: nobody knows what it should hold.
    """

    file: str
    text: str = field(default="", repr=False)
    data: Any = None
    broken: bool = False
    _root: yaml.Node | None = None
    _said: dict[Problem, None] = field(default_factory=dict)
    _refused: set[Mark] = field(default_factory=set)
    _hidden: set[int] = field(default_factory=set)
    _nodes: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path, shown: str) -> "Document":
        """Return the file at *path*, parsed or with problems that name it *shown*."""
        start = Mark(shown, 1, 1)
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
        except OSError as error:
            return cls._unusable(f"cannot be read: {error.strerror}", start)
        if len(raw) > LARGEST:
            return cls._unusable("larger than 4 MiB", start)
        return cls.decode(raw, shown)

    @classmethod
    def decode(cls, raw: bytes, shown: str) -> "Document":
        """Return the YAML in *raw*, parsed or with problems that name it *shown*."""
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            mark = _after(error.object[: error.start], shown)
            return cls._unusable("not UTF-8: save it so", mark)
        return cls.parse(text, shown)

    @classmethod
    def parse(cls, text: str, shown: str) -> "Document":
        """Return the YAML *text*, parsed or with problems that name it *shown*."""
        document = cls(shown, text)
        try:
            root = _Parser(text).get_single_node()
            if root is not None:
                document.data = document._value(root, None, 0)
        except yaml.MarkedYAMLError as error:
            at = error.problem_mark or error.context_mark
            mark = document._mark(at) if at else Mark(shown, 1, 1)
            document._refuse(_mend(error, mark), mark)
            document.broken = True
        except yaml.reader.ReaderError as error:
            mark = _after(text.encode()[: error.position], shown)
            document._refuse("a control character", mark)
            document.broken = True
        except _Unusable:
            document.data, document.broken = None, True
        document._nodes.clear()
        return document

    @property
    def problems(self) -> list[Problem]:
        """What was said about it, with the lines that may be shown."""
        numbers = {said.mark.line for said in self._said}
        text = self.text.splitlines()
        lines = {number: self._line(number, text) for number in numbers}
        return [replace(said, text=lines[said.mark.line]) for said in self._said]

    def say(
        self, path: Path_, message: str, *, key: bool = False, level: str = "error"
    ) -> None:
        """Note a problem with the value at *path*, or with its key."""
        mark = self.at(path, key=key)
        if mark not in self._refused:  # what follows from that was told with it
            self._said[Problem(mark, message, "", level)] = None

    def at(self, path: Path_, *, key: bool = False) -> Mark:
        """Return where the value at *path* stands, or the nearest one above it."""
        place, found = None, self._tree()
        for part in path:
            here = _entry(found, part)
            if here is None:
                break
            place, found = here
        else:
            if key and place is not None:
                return self._mark(place.start_mark)
        return self._mark(found.start_mark) if found else Mark(self.file, 1, 1)

    def hide(self, path: Path_) -> None:
        """Show none of the lines of the value at *path*, whatever is said of them."""
        found = self._tree()
        for part in path:
            here = _entry(found, part)
            found = here[1] if here else None
        if found is not None:
            last = found.end_mark.line + 1
            self._hidden.update(range(found.start_mark.line + 1, last + 1))

    def _tree(self) -> yaml.Node | None:
        """Return the file's nodes, parsed once more if need be."""
        if self._root is None and not self.broken:
            self._root = _Parser(self.text).get_single_node()
        return self._root

    @classmethod
    def _unusable(cls, why: str, mark: Mark) -> "Document":
        document = cls(mark.file, broken=True)
        document._refuse(why, mark)
        return document

    def _refuse(self, why: str, mark: Mark) -> None:
        self._refused.add(mark)
        self._said[Problem(mark, why)] = None

    def _line(self, number: int, text: Sequence[str]) -> str:
        if number in self._hidden or number > len(text):
            return ""
        return veiled(text[number - 1])

    def _value(self, node: yaml.Node, key: yaml.Node | None, depth: int) -> Any:
        if id(node) in self._nodes:
            mark = self._mark((key or node).start_mark)
            self._refuse("write it out: no aliases here", mark)
            raise _Unusable
        self._nodes.add(id(node))
        if node.tag:
            said = f"no tags such as {node.tag} here; a secret is {{file: NAME}}"
            self._refuse(said, self._mark(node.start_mark))
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style or node.tag else _scalar(node.value)
        if depth == DEEPEST:
            self._refuse("nested too deeply", self._mark(node.start_mark))
            raise _Unusable
        if isinstance(node, yaml.SequenceNode):
            return [self._value(inner, None, depth + 1) for inner in node.value]
        return dict(self._pairs(node, depth))

    def _pairs(self, node: yaml.Node, depth: int) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse("a key is a plain text", self._mark(key.start_mark))
                continue
            if key.value in seen:
                said = f"duplicate key {key.value!r}"
                self._refuse(said, self._mark(key.start_mark))
            seen.add(key.value)
            yield key.value, self._value(value, key, depth + 1)

    def _mark(self, mark: yaml.Mark) -> Mark:
        return Mark(self.file, mark.line + 1, mark.column + 1)


def _scalar(value: str) -> Any:
    if value in CONSTANTS:
        return CONSTANTS[value]
    if INTEGER.fullmatch(value):
        return int(value)
    if FLOAT.fullmatch(value):
        return float(value)
    return value


def _entry(
    node: yaml.Node | None, part: str | int
) -> tuple[yaml.Node, yaml.Node] | None:
    """Return what marks an entry (its key, in a block of keys), and its value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return (node.value[part],) * 2 if part < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        found = [pair for pair in node.value if pair[0].value == part]
        return found[-1] if found else None  # of two with one name, the last counts
    return None


def _mend(error: yaml.MarkedYAMLError, mark: Mark) -> str:
    """Return what is wrong with the YAML, in words that name the mend."""
    said = error.problem or "not YAML"
    begun = error.context_mark
    if "did not find expected" in said and begun and begun.line + 1 < mark.line:
        said += f" of what begins in line {begun.line + 1}"
    if "cannot start any token" in said:
        return "no tabs and no @, ` or % here: indent with spaces, or put it in quotes"
    if "mapping values are not allowed" in said:
        return f"{said}: put a text that has ': ' in it in quotes"
    if "another document" in said:
        return "one document a file: take the line --- away"
    if "nesting depth" in said:
        return "nested too deeply"
    return "write it out: no aliases here" if "alias" in said else said


def _after(before: bytes, shown: str) -> Mark:
    """Return the place that these bytes of a file lead to."""
    line = before.rpartition(b"\n")[2].decode("utf-8", "ignore")
    return Mark(shown, before.count(b"\n") + 1, len(line) + 1)


def _window(text: str, column: int) -> tuple[str, int]:
    """Return the part of a long line around *column*, and where that is in it."""
    text = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)
    if len(text) <= 2 * WIDTH:
        return text, column
    first = max(0, column - WIDTH // 2)
    shown = text[first : first + WIDTH]
    lead, tail = "… " if first else "", " …" if first + WIDTH < len(text) else ""
    return f"{lead}{shown}{tail}", column - first + len(lead)
