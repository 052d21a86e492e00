"""What pydantic finds, in words that name the place and the mend."""

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from monitor.config.document import Document, Path_, Problem
from monitor.config.shape import WRITTEN

WORDS = {
    "missing": "this key is needed",
    "tuple_type": "write a list, such as [one, two]",
    "list_type": "write a list, such as [one, two]",
    "model_type": "write a block of keys and values here",
    "model_attributes_type": "write a block of keys and values here",
    "dataclass_type": "write a block of keys and values here",
    "dict_type": "write a block of keys and values here",
    "union_tag_not_found": "the key 'kind' is needed",
}


def problem_of(
    document: Document, error: ErrorDetails, kind: type[BaseModel]
) -> Problem:
    """Return what pydantic found in *document*, in our words and at its place."""
    path, shown = _path(document.data, error["loc"])
    name = ".".join(map(str, shown))
    if error["type"] == WRITTEN:  # the line would show the secret
        return Problem(document.at(path), f"{name}: {error['msg']}")
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        said = f"unknown key {path[-1]!r}{hint(str(path[-1]), _known_keys(kind))}"
        return document.problem(path, said, key=True)
    said = _words(error)
    return document.problem(path, f"{name}: {said}" if name else said)


def hint(given: str, known: Sequence[str]) -> str:
    """Return which of the *known* names *given* was probably meant to be."""
    close = difflib.get_close_matches(given, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _words(error: ErrorDetails) -> str:
    kind, given = error["type"], error["input"]
    if kind in WORDS:
        return WORDS[kind]
    if kind == "string_type" and isinstance(given, int | float):
        return f'write it in quotes: "{given}"'
    if kind == "union_tag_invalid":
        tag = str(error["ctx"]["tag"])
        known = [one.strip(" '") for one in error["ctx"]["expected_tags"].split(",")]
        return f"no kind is called {tag!r}{hint(tag, known)}: {', '.join(known)}"
    said = error["msg"].removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _path(data: Any, loc: Sequence[str | int]) -> tuple[Path_, Path_]:
    """
    Return the way to a value in the file, and the same with a key that it lacks.

    Between them, pydantic's way also names the branches of its unions.
    """
    path: Path_ = ()
    for i, part in enumerate(loc):
        if _has(data, part):
            data = data[part]
            path = (*path, part)
        elif i == len(loc) - 1 and isinstance(data, dict):
            return path, (*path, part)
    return path, path


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _known_keys(kind: type[BaseModel]) -> list[str]:
    """Return every key that any block of this kind of file knows."""
    made = kind.model_json_schema()
    blocks = [made, *made.get("$defs", {}).values()]
    return sorted({key for block in blocks for key in block.get("properties", {})})
