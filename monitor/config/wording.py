"""What pydantic finds, in words that name the place and the mend."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from monitor.config.document import Path_
from monitor.config.written import WRITTEN

BLOCK = "a block of keys and values"
LIST = "a list, such as [one, two]"
NUMBER = "a whole number"
TRUTH = "true or false"
WORDS = {
    "string_type": "a text",
    "tuple_type": LIST,
    "list_type": LIST,
    "dict_type": BLOCK,
    "mapping_type": BLOCK,
    "model_type": BLOCK,
    "model_attributes_type": BLOCK,
    "dataclass_type": BLOCK,
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
    "int_type": NUMBER,
    "int_parsing": NUMBER,
    "int_from_float": NUMBER,
    "float_type": "a number",
    "float_parsing": "a number",
}
LIMITS = {"greater_than_equal": "at least", "less_than_equal": "at most"}
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What is wrong with a block.

    Attributes:
        path: The way to it from the block, as far as it is written.
        key: It is the key that is wrong, not its value.
        open: The value is a secret, which nothing that is shown may hold.
    """

    path: Path_
    message: str
    key: bool = False
    open: bool = False


def findings(
    block: Any, errors: Sequence[ErrorDetails], schema: Mapping[str, Any], name: Path_
) -> Iterator[Finding]:
    """Yield what is wrong with a *block* that *name* leads to, in our words."""
    ways = [(_way(block, error), error) for error in errors]
    meant: set[tuple[Path_, str]] = set()
    for way, error in ways:
        if error["type"] in UNKNOWN:
            key, known = str(way.path[-1]), known_keys(schema, way.path[:-1])
            meant.update((way.path[:-1], near) for near in _near(key, known))
            said = f"unknown key {key!r}{hint(key, known) or _all(known)}"
            yield Finding(way.path, said, key=True)
    for way, alternatives in _branches(ways).items():
        if (way.path, way.missing) in meant:
            continue  # it is there, with a slip of the pen that has been told
        said = _said(way, alternatives)
        where = ".".join(map(str, (*name, *way.path)))
        written = alternatives[0]["type"] == WRITTEN
        yield Finding(way.path, f"{where}: {said}" if where else said, open=written)


def hint(given: str, known: Iterable[str]) -> str:
    """Return which of the *known* names *given* was probably meant to be."""
    close = _near(given, known)
    return f" (did you mean {close[0]!r}?)" if close else ""


def known_keys(schema: Mapping[str, Any], path: Path_) -> list[str]:
    """Return the keys that the block at *path* may have."""
    nodes = list(_plain(schema, schema))
    for part in path:
        nodes = [
            plain
            for node in nodes
            for inner in _inside(node, part)
            for plain in _plain(inner, schema)
        ]
    return [key for node in nodes for key in node.get("properties", ())]


def _plain(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what a node of a schema may be, without references and choices."""
    if "$ref" in node:
        yield from _plain(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    elif "properties" in node:
        yield node
    else:
        choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
        for choice in choices:
            yield from _plain(choice, schema)
        if not choices:
            yield node


def _inside(node: Mapping[str, Any], part: str | int) -> Iterator[Any]:
    if isinstance(part, int) and "items" in node:
        yield node["items"]
    elif part in node.get("properties", ()):
        yield node["properties"][part]
    elif isinstance(node.get("additionalProperties"), Mapping):
        yield node["additionalProperties"]


@dataclass(frozen=True, slots=True)
class _Way:
    """Where an error is: as far as the file goes, and the key that it lacks."""

    path: Path_
    missing: str = ""
    forked: Path_ | None = None  # where a value could have been one thing or another


def _way(block: Any, error: ErrorDetails) -> _Way:
    """
    Return the way to a value in the file.

    Between its parts, pydantic's own also names the branches of its unions.
    """
    path: Path_ = ()
    forked: Path_ | None = None
    for i, part in enumerate(error["loc"]):
        if _has(block, part):
            block = block[part]
            path = (*path, part)
        elif error["type"] == "missing" and i == len(error["loc"]) - 1:
            return _Way(path, str(part), forked)
        elif forked is None:
            forked = path
    return _Way(path, "", forked)


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _branches(
    ways: Sequence[tuple[_Way, ErrorDetails]],
) -> dict[_Way, list[ErrorDetails]]:
    """
    Return the errors by their way.

    Of a value that fits no branch of a union, the branch that fits best is looked
    at: the one whose errors lie deepest.
    """
    deepest: dict[Path_, int] = {}
    for way, _ in ways:
        if way.forked is not None:
            deepest[way.forked] = max(deepest.get(way.forked, 0), len(way.path))
    found: dict[_Way, list[ErrorDetails]] = {}
    for way, error in ways:
        if error["type"] in UNKNOWN:
            continue
        if way.forked is None or len(way.path) == deepest[way.forked]:
            found.setdefault(way, []).append(error)
    return found


def _said(way: _Way, alternatives: Sequence[ErrorDetails]) -> str:
    if way.missing.isdigit():
        return "a value is missing"
    if way.missing:
        return f"the key {way.missing!r} is needed"
    wanted = [WORDS[one["type"]] for one in alternatives if one["type"] in WORDS]
    if len(wanted) > 1:
        return f"write {' or '.join(dict.fromkeys(wanted))}"
    return _wanted(alternatives[0])


def _wanted(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "string_type" and isinstance(error["input"], int | float):
        return "put it in quotes: it must be a text"
    if kind in WORDS:
        return f"write {WORDS[kind]}"
    if kind == "literal_error":
        return _choice(error)
    if kind in LIMITS:
        (limit,) = error["ctx"].values()
        return f"write a number of {LIMITS[kind]} {limit}"
    said = error["msg"].removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _all(known: Sequence[str]) -> str:
    return f" (known here: {', '.join(known)})"


def _choice(error: ErrorDetails) -> str:
    known = error["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
    return f"write one of {', '.join(known)}{hint(str(error['input']), known)}"


def _near(given: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(given, list(known), 1)
