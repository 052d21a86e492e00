"""The JSON Schema of the configuration: what editors complete and explain by."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from monitor.cli.schema import command as schema_command
from monitor.config import schema
from monitor.config.document import Document
from monitor.config.written import duration, shortest
from tests.config_cases import Case

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "config"
FILES = sorted(CONFIG.rglob("*.yaml"))
SCHEMA: dict[str, Any] = json.loads((CONFIG / "schema.json").read_text("utf-8"))
BAD: list[Case] = yaml.safe_load(
    (ROOT / "tests" / "fixtures" / "config" / "bad.yaml").read_text("utf-8")
)
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
# What this checker knows of JSON Schema; a schema that says more is checked too little.
CHECKED = {
    "$ref", "type", "const", "enum", "pattern", "minimum", "maximum", "maxLength",
    "properties", "required", "additionalProperties", "items", "prefixItems",
    "minItems", "maxItems", "anyOf", "oneOf",
}  # fmt: skip
SAID = {"$schema", "$defs", "title", "description", "default", "examples", "format"}

Node = dict[str, Any]


def wrong(node: Node, value: Any, at: str = "") -> Iterator[str]:
    """Yield where *value* is not what a part of the schema allows."""
    if "$ref" in node:
        yield from wrong(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]], value, at)
    for choice, most in (("anyOf", 99), ("oneOf", 1)):
        fits = [not any(wrong(one, value, at)) for one in node.get(choice, ())]
        if fits and not 1 <= sum(fits) <= most:
            yield f"{at}: fits {sum(fits)} of {choice}"
    if not _is(node, value) or value != node.get("const", value):
        yield f"{at}: {value!r} is no {node.get('type')} {node.get('const', '')}"
    elif value not in node.get("enum", [value]):
        yield f"{at}: {value!r} is none of {node['enum']}"
    elif isinstance(value, dict):
        yield from _wrong_keys(node, value, at)
    elif isinstance(value, list):
        yield from _wrong_items(node, value, at)
    elif isinstance(value, str) and not re.search(node.get("pattern", ""), value):
        yield f"{at}: {value!r} does not match {node['pattern']}"
    elif isinstance(value, int | float) and not (
        node.get("minimum", value) <= value <= node.get("maximum", value)
    ):
        yield f"{at}: {value!r} is out of bounds"


def _is(node: Node, value: Any) -> bool:
    if "type" not in node:
        return True
    if isinstance(value, bool):
        return bool(node["type"] == "boolean")
    return isinstance(value, TYPES[node["type"]])


def _wrong_keys(node: Node, value: Node, at: str) -> Iterator[str]:
    known = node.get("properties", {})
    others = node.get("additionalProperties", True)
    yield from (
        f"{at}.{k}: is needed" for k in node.get("required", ()) if k not in value
    )
    for key, inner in value.items():
        if key in known:
            yield from wrong(known[key], inner, f"{at}.{key}")
        elif isinstance(others, dict):
            yield from wrong(others, inner, f"{at}.{key}")
        elif not others:
            yield f"{at}.{key}: is unknown"


def _wrong_items(node: Node, value: list[Any], at: str) -> Iterator[str]:
    first = node.get("prefixItems", [])
    if not node.get("minItems", 0) <= len(value) <= node.get("maxItems", len(value)):
        yield f"{at}: {len(value)} items"
    for i, inner in enumerate(value):
        part = first[i] if i < len(first) else node.get("items", {})
        yield from wrong(part, inner, f"{at}.{i}")


def nodes(node: Any) -> Iterator[Node]:
    """Yield every part of the schema that says what a value may be."""
    if not isinstance(node, dict):
        return
    yield node
    for key in ("properties", "$defs"):
        for inner in node.get(key, {}).values():
            yield from nodes(inner)
    for key in ("items", "additionalProperties"):
        yield from nodes(node.get(key))
    for key in ("anyOf", "oneOf", "prefixItems"):
        for inner in node.get(key, ()):
            yield from nodes(inner)


def test_the_file_is_as_the_program_makes_it() -> None:
    """`make schema` has been run since a key was added; else editors complain of it."""
    result = CliRunner().invoke(schema_command, [])

    assert 0 == result.exit_code
    assert (CONFIG / "schema.json").read_text("utf-8") == result.output
    assert schema() == SCHEMA


def test_it_is_a_schema() -> None:
    """It names its dialect, refers only to what it has, and says nothing unheard of."""
    everything = list(nodes(SCHEMA))

    assert "https://json-schema.org/draft/2020-12/schema" == SCHEMA["$schema"]
    assert set() == {key for node in everything for key in node} - CHECKED - SAID
    for node in everything:
        assert node.get("type", "object") in TYPES
        assert isinstance(node.get("required", []), list)
        re.compile(node.get("pattern", ""))
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/$defs/") in SCHEMA["$defs"]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(CONFIG)))
def test_shipped_files_are_valid(file: Path) -> None:
    """An editor finds nothing wrong with any file that comes with the program."""
    document = Document.read(file, file.name)

    assert [] == list(wrong(SCHEMA, document.data))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(CONFIG)))
def test_shipped_files_name_the_schema(file: Path) -> None:
    """The first line tells an editor where it is, from the folder of the file."""
    first, *_ = file.read_text("utf-8").splitlines()
    named = first.removeprefix("# yaml-language-server: $schema=")

    assert (file.parent / named).resolve() == CONFIG / "schema.json"


UNSEEN = (  # what a schema cannot say: names, bounds in words, other files, the disk
    "was defined before", "is called", "it can never match", "can never match",
    "would match everything", "no file", "is empty", "others can read", "is needed",
    "the environment has", "names no file", "cannot be read", "no name of a public",
    "unknown language", "latitude, then", "an id is", "on top stands", "on one line",
    "not the secret itself", "duplicate key", "a key is", "one document", "control",
    "no aliases", "did not find", "no tabs", "mapping values", "a duration is",
    "write a duration", "write a date", "write a network", "write the network",
    "it ends on", "without dc", "says something", "of a variable", "~", "*", "letters",
    "write a name of", "path in full", "belongs into", "no name and password",
    "write an address",
)  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=lambda case: str(case["case"]))
def test_editors_see_what_the_program_sees(case: Case) -> None:
    """What is wrong by its form alone is wrong in an editor, too."""
    seen = [said for said in case["says"] if not any(part in said for part in UNSEEN)]
    texts = [case.get("own", ""), case.get("main", "")]
    data = [Document.parse(text, "f").data or {} for text in texts]

    if seen:
        assert any(any(wrong(SCHEMA, one)) for one in data)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("feed-source", "every"),
        ("feed-source", "home"),
        ("telegram-source", "channel"),
        ("telegram-sink", "token"),
        ("Subscriber", "places"),
        ("Rule", "without"),
        ("PlaceEntry", "ambiguous"),
        ("SecretRef", "file"),
        ("TelegramBlock", "preview"),
        ("WebBlock", "allow"),
    ],
)
def test_keys_are_explained(name: str, key: str) -> None:
    """What the docstrings say of a key is what an editor shows beside it."""
    described = SCHEMA["$defs"][name]["properties"][key]

    if "$ref" in described:
        described = SCHEMA["$defs"][described["$ref"].rpartition("/")[2]]
    assert described["description"]
    assert "``" not in described["description"]


def test_values_are_described_as_they_are_written() -> None:
    """Durations are texts, and a secret is where it is kept, never itself."""
    web = SCHEMA["$defs"]["WebBlock"]["properties"]
    good = {"redis": {"file": "redis-url"}, "web": {"pace": "250ms"}}

    assert "string" == web["pace"]["type"]
    assert "1s" == web["pace"]["default"]
    assert [] == list(wrong(SCHEMA, good))
    for bad in ({"redis": {"file": "a", "env": "b"}}, {"redis": "localhost"}):
        assert any(wrong(SCHEMA, bad))
    sink = {"name": "chat", "kind": "telegram", "token": "12345:a-token"}
    assert any(wrong(SCHEMA, {"sinks": [sink]}))


@given(st.timedeltas(min_value=duration("1ms"), max_value=duration("8784h")))  # type: ignore[arg-type]  # `object`, for pydantic
def test_a_duration_is_written_as_it_is_read(length: Any) -> None:
    """What the schema shows as a default could be copied into a file."""
    whole = length - length % duration("1ms")

    assert whole == duration(shortest(whole))
