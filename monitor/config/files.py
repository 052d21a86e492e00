"""
The files of one configuration, read once each, and every block in them.

A mistake in one block hides no other: blocks are checked one by one, and what a
wrong one is called is still known to those that refer to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.config.document import Document, Path_, Problem
from monitor.config.kept import shown
from monitor.config.shape import ENTRIES, KINDS, LISTS, Main, adapter
from monitor.config.wording import findings, hint

# Keys with nothing below them are as none.
EMPTIED = ("include", "operators", "web", "telegram")


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One block of a list.

    Attributes:
        list: In which list, such as ``sources``.
        path: The way to it in its document.
        raw: The block as it is written.
        value: What it says; None where it is wrong.
    """

    list: str
    document: Document
    path: Path_
    raw: Any
    value: Any = None

    @property
    def name(self) -> str:
        """What it is called, be it right or wrong; empty if nobody can tell."""
        return self.text("name")

    def text(self, key: str) -> str:
        """Return the text that a key has, or an empty one."""
        value = self.raw.get(key) if isinstance(self.raw, Mapping) else None
        return value if isinstance(value, str) else ""

    def texts(self, key: str) -> Iterator[tuple[int, str]]:
        """Yield the texts of the list that a key has, and their numbers."""
        value = self.raw.get(key) if isinstance(self.raw, Mapping) else None
        for i, one in enumerate(value if isinstance(value, list) else ()):
            if isinstance(one, str):
                yield i, one

    def say(self, path: Path_, message: str, **how: Any) -> None:
        """Note a problem with what *path* leads to from this block."""
        self.document.say((*self.path, *path), message, **how)


@dataclass(slots=True)
class Files:
    """
    What a main file and the files it includes say.

    Attributes:
        entries: By list, the blocks in the order of the files.
        root: What only the main file says; its wrong parts are left out.
        lacking: Something cannot be read, and nobody knows what it defines.
    """

    path: Path
    documents: list[Document] = field(default_factory=list)
    entries: dict[str, list[Entry]] = field(
        default_factory=lambda: {name: [] for name in LISTS}
    )
    root: Main = field(default_factory=Main)
    lacking: bool = False

    @classmethod
    def read(cls, path: Path, *, rules: Path | None = None) -> "Files":
        """
        Return the main file at *path* and all that it includes.

        Args:
            rules: A file that is read instead of all other rules.
        """
        files = cls(path)
        document = files._take(path, main=True)
        data = document.data if isinstance(document.data, dict) else {}
        files.root = _main(document, _own(data))
        files.lacking |= bool(data.get("include")) and not files.root.include
        for included in files._included(document):
            if rules is None or not included.samefile(rules):
                files._take(included)
        if rules is not None:
            files.entries["rules"].clear()
            files._take(rules)
        return files

    @property
    def main(self) -> Document:
        """The main file."""
        return self.documents[0]

    @property
    def problems(self) -> list[Problem]:
        """All that was said about any of the files, by file and line."""
        return sorted(p for document in self.documents for p in document.problems)

    @property
    def mistakes(self) -> list[Problem]:
        """The problems that nothing can be started with."""
        return [one for one in self.problems if one.level == "error"]

    def values(self, name: str) -> tuple[Any, ...]:
        """Return what the right blocks of a list say."""
        return tuple(e.value for e in self.entries[name] if e.value is not None)

    def _take(self, path: Path, *, main: bool = False) -> Document:
        """Read one file and check its blocks, each by itself."""
        document = Document.read(path, shown(path))
        self.documents.append(document)
        self.lacking |= document.broken
        if not isinstance(document.data, dict | None):
            known = ", ".join(f"{name}:" for name in LISTS)
            document.say((), f"a file begins with one of {known}")
            return document
        for key, value in (document.data or {}).items():
            if key in LISTS:
                self.entries[key] += _entries(document, key, value)
                self.lacking |= not isinstance(value, list | None)
            elif not main:
                document.say((key,), _stranger(key), key=True)
        return document

    def _included(self, document: Document) -> Iterator[Path]:
        """Yield the files that the main file's patterns name, each once, in order."""
        seen = {self.path.resolve()}
        for i, pattern in enumerate(self.root.include):
            found = named(pattern, self.path.parent)
            if not found:
                level = "warning" if has_magic(pattern) else "error"
                said = f"include.{i}: names no file"
                document.say(("include", i), said, level=level)
                self.lacking |= level == "error"
            for path in found:
                if path.resolve() not in seen:
                    seen.add(path.resolve())
                    yield path


def named(pattern: str, folder: Path) -> list[Path]:
    """Return the files that a pattern names, but no hidden ones as editors leave."""
    try:
        found = glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - pathlib's shows hidden files and knows no absolute patterns
    except ValueError:  # a character that no name has
        return []
    return [folder / name for name in sorted(found)]


def _own(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is no list, without blocks of which all is commented out."""
    return {
        key: value
        for key, value in data.items()
        if key not in LISTS and not (value is None and key in EMPTIED)
    }


def _main(document: Document, data: Mapping[str, Any]) -> Main:
    """Return what the main file says, as far as it is right."""
    try:
        return Main.model_validate(data)
    except ValidationError as errors:
        _tell(document, (), data, Main, errors)
        wrong = {error["loc"][0] for error in errors.errors() if error["loc"]}
        return _main(document, {k: v for k, v in data.items() if k not in wrong})


def _entries(document: Document, name: str, value: Any) -> Iterator[Entry]:
    """Yield the blocks of one list of a file."""
    if value is None:  # all of it is commented out
        return
    if not isinstance(value, list):
        document.say((name,), f"{name}: write a list; each {name[:-1]} begins with -")
        return
    for i, raw in enumerate(value):
        yield _entry(document, name, (name, i), raw)


def _entry(document: Document, name: str, path: Path_, raw: Any) -> Entry:
    bare = Entry(name, document, path, raw)
    shape = ENTRIES[name] if name in ENTRIES else _kind(bare)
    if shape is None:
        return bare
    try:
        value = adapter(shape).validate_python(raw)
    except ValidationError as errors:
        _tell(document, path, raw, shape, errors)
        return bare
    return Entry(name, document, path, raw, value)


def _kind(entry: Entry) -> Any:
    """Return the shape of a block that says of which kind it is, or None."""
    shapes = KINDS[entry.list]
    where = ".".join(map(str, entry.path))
    if not isinstance(entry.raw, Mapping):
        entry.say((), f"{where}: write a block of keys and values")
    elif "kind" not in entry.raw:
        kinds = ", ".join(shapes)
        entry.say((), f"{where}: the key 'kind' is needed: one of {kinds}")
    elif entry.text("kind") in shapes:
        return shapes[entry.text("kind")]
    else:
        given = str(entry.raw["kind"])
        said = f"no kind is called {given!r}{hint(given, shapes)}"
        entry.say(("kind",), f"{where}.kind: {said}: {', '.join(shapes)}")
    return None


def _tell(
    document: Document, path: Path_, raw: Any, shape: Any, errors: ValidationError
) -> None:
    """Note what pydantic found in one block."""
    found = findings(raw, errors.errors(include_url=False), _schema(shape), path)
    for one in found:
        if one.open:
            document.hide((*path, *one.path))
        document.say((*path, *one.path), one.message, key=one.key)


@cache
def _schema(shape: Any) -> Mapping[str, Any]:
    made = adapter(shape).json_schema()
    if shape is Main:  # the lists may stand in it, too
        made["properties"] |= {name: {} for name in LISTS}
    return made


def _stranger(key: str) -> str:
    if key in Main.model_fields:
        return f"{key!r} belongs into the main file"
    return f"unknown key {key!r}{hint(key, LISTS)}"
