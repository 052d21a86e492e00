"""
One YAML file, with the place of every value in it.

Scalars follow YAML 1.2's core schema (``no`` is a text).  Aliases are refused:
nobody needs them here, and nested ones make a gigabyte out of a kilobyte.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

LARGEST = 4 * 1024 * 1024  # bytes; the largest shipped file is a tenth of it
INTEGER = re.compile(r"[-+]?\d+")
FLOAT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
CONSTANTS = {
    "": None, "~": None, "null": None, "true": True, "True": True,
    "false": False, "False": False,
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
    """A mistake, where it stands, and the line it stands in."""

    mark: Mark
    message: str
    text: str = ""
    level: str = "error"

    def __str__(self) -> str:
        where = f"{self.mark.file}:{self.mark.line}:{self.mark.column}"
        head = f"{where}: {self.level}: {self.message}"
        if not self.text:
            return head
        # a tab before the caret keeps it under the same column
        lead = re.sub(r"[^\t]", " ", self.text[: self.mark.column - 1])
        return f"{head}\n{self.mark.line:6} | {self.text}\n       | {lead}^"


@dataclass(slots=True)
class Document:
    """
    A parsed file.

    Attributes:
        data: Its content, as dictionaries, lists and scalars.
        problems: What could not be parsed.
    """

    file: str
    lines: list[str]
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    _values: dict[Path_, Mark] = field(default_factory=dict)
    _keys: dict[Path_, Mark] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, shown: str) -> "Document":
        """Return the file at *path*, parsed or with problems that name it *shown*."""
        start = Mark(shown, 1, 1)
        try:
            raw = path.read_bytes()
            text = raw.decode("utf-8-sig")
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            return cls(shown, [], problems=[Problem(start, why)])
        except UnicodeDecodeError as error:
            here = Mark(shown, error.object[: error.start].count(b"\n") + 1, 1)
            return cls(shown, [], problems=[Problem(here, "not UTF-8: save it so")])
        if len(raw) > LARGEST:
            return cls(shown, [], problems=[Problem(start, "larger than 4 MiB")])
        return cls.parse(text, shown)

    @classmethod
    def parse(cls, text: str, shown: str) -> "Document":
        """Return the YAML *text*, parsed or with problems that name it *shown*."""
        document = cls(shown, text.splitlines())
        mark = Mark(shown, 1, 1)
        try:
            node = yaml.compose(text, Loader=yaml.CSafeLoader)
            if node is not None:
                document.data = document._walk(node, (), set())
        except yaml.MarkedYAMLError as error:
            at = error.problem_mark or error.context_mark
            mark = document._mark(at) if at else mark
            document._refuse(error.problem or "not YAML", mark)
        except yaml.YAMLError as error:
            document._refuse(str(error).splitlines()[0], mark)
        except RecursionError:
            document._refuse("nested too deeply", mark)
        return document

    def at(self, path: Path_, *, key: bool = False) -> Mark:
        """Return where the value at *path* stands, or the nearest one above it."""
        if key and path in self._keys:
            return self._keys[path]
        while path and path not in self._values:
            path = path[:-1]
        return self._values.get(path, Mark(self.file, 1, 1))

    def problem(
        self, path: Path_, message: str, *, key: bool = False, level: str = "error"
    ) -> Problem:
        """Return a problem with the value at *path*, or with its key."""
        return self._problem(self.at(path, key=key), message, level)

    def _refuse(self, why: str, mark: Mark) -> None:
        self.problems.append(self._problem(mark, why))

    def _problem(self, mark: Mark, message: str, level: str = "error") -> Problem:
        text = self.lines[mark.line - 1] if mark.line <= len(self.lines) else ""
        return Problem(mark, message, text, level)

    def _walk(self, node: yaml.Node, path: Path_, seen: set[int]) -> Any:
        mark = self._mark(node.start_mark)
        self._values[path] = mark
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if id(node) in seen:
            self._refuse("write it out: no aliases here", mark)
            return None
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self._walk(v, (*path, i), seen) for i, v in enumerate(node.value)]
        return self._mapping(node, path, seen)

    def _mapping(self, node: Any, path: Path_, seen: set[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in node.value:
            mark = self._mark(name.start_mark)
            key = str(name.value)
            if not isinstance(name, yaml.ScalarNode):
                self._refuse("a key is a plain text", mark)
                continue
            if key in found:
                self._refuse(f"duplicate key {key!r}", mark)
            self._keys[(*path, key)] = mark
            found[key] = self._walk(value, (*path, key), seen)
        return found

    def _mark(self, mark: yaml.Mark) -> Mark:
        return Mark(self.file, mark.line + 1, mark.column + 1)


def _scalar(node: yaml.ScalarNode) -> Any:
    value: str = node.value
    if node.style or not node.tag.startswith("tag:yaml.org"):
        return value
    if value in CONSTANTS:
        return CONSTANTS[value]
    if INTEGER.fullmatch(value):
        return int(value)
    if FLOAT.fullmatch(value):
        return float(value)
    return value
