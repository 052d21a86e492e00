"""
The JSON Schema of the configuration, by which editors complete and explain.

It is made from what checks the files, and explained by the docstrings of the parts
that they make.
"""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from monitor.config.shape import ENTRIES, KINDS, Main, SinkBlock, SourceBlock
from monitor.config.written import shortest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMMON = {"-source": SourceBlock, "-sink": SinkBlock}  # what blocks have in common
ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n        .*)*)", re.MULTILINE)


class _Written(GenerateJsonSchema):
    """Shows defaults as they would be written in a file."""

    def encode_default(self, dft: Any) -> Any:
        return (
            shortest(dft) if isinstance(dft, timedelta) else super().encode_default(dft)
        )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of every configuration file, for editors."""
    lists: dict[str, Any] = {
        name: (_list_of(shape), Field(default_factory=list))
        for name, shape in (*_choices(), *ENTRIES.items())
    }
    made = create_model("Main", __base__=Main, __doc__=Main.__doc__, **lists)
    explained = _explained(made.model_json_schema(schema_generator=_Written))
    return {"$schema": DIALECT, "title": "monitor"} | explained


def _list_of(shape: Any) -> Any:
    return list[shape] | None  # null where all of it is commented out


def _choices() -> Iterator[tuple[str, Any]]:
    """Yield the lists whose blocks are of several kinds."""
    for name, kinds in KINDS.items():
        several: Any = reduce(or_, kinds.values())
        yield name, Annotated[several, Field(discriminator="kind")]


def _explained(made: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with the docstrings' words where they belong."""
    for title, block in ({"": made} | made["$defs"]).items():
        summary, about = _read(block.pop("description", ""))
        for suffix, common in COMMON.items():
            if title.endswith(suffix):
                about = _read(common.__doc__ or "")[1] | about
        if summary:
            block["description"] = summary
        for name, key in block["properties"].items():
            if name in about:
                key["description"] = about[name]
    tidied: dict[str, Any] = _tidied(made)
    return tidied


def _read(doc: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says of the whole, and of each attribute."""
    summary, _, attributes = inspect.cleandoc(doc).partition("\n\nAttributes:\n")
    about = {
        name: _text(text)
        for names, text in ATTRIBUTE.findall(attributes.partition("\n\n")[0])
        for name in names.split(", ")
    }
    return _text(summary), about


def _text(said: str) -> str:
    return re.sub(r"\s+", " ", said.replace("``", "`")).strip()


def _tidied(node: Any) -> Any:
    """Return a schema without the titles that only repeat the names."""
    if isinstance(node, list):
        return [_tidied(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _tidied(inner) for name, inner in value.items()}
        if key in ("properties", "$defs")
        else _tidied(value)
        for key, value in node.items()
        if key not in ("title", "discriminator")
    }
