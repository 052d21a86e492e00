"""
What a start lays claim to, read in a hundredth of the time that all settings take.

A second start on the same state or account has to be refused at once, and all of the
places and rules take a second to load.  Mistakes are nobody's business here: `load`
reports them.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.config.document import Document
from monitor.config.files import named
from monitor.config.kept import placed, references, secret
from monitor.config.shape import Main
from monitor.secret import Secret

STATE: str = Main.model_fields["state"].default


@dataclass(frozen=True, slots=True)
class Claims:
    """
    What only one process may use.

    Attributes:
        tokens: Of accounts, each with the name of its sink.
    """

    state: Path
    tokens: tuple[tuple[str, Secret], ...] = ()


def claims(file: Path) -> Claims:
    """Return what a daemon with the settings in *file* will lay claim to."""
    main = _read(file)
    state = main.get("state")
    sinks = list(_sinks(file, main))
    return Claims(
        state=placed(file, state if isinstance(state, str) else STATE),
        tokens=tuple(_tokens(file.parent, sinks)),
    )


def _read(file: Path) -> dict[str, Any]:
    data = Document.read(file, str(file)).data
    return data if isinstance(data, dict) else {}


def _sinks(file: Path, main: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the blocks of all sinks; files that speak of none are not parsed."""
    found = [main]
    patterns = main.get("include")
    for pattern in patterns if isinstance(patterns, list) else ():
        with suppress(OSError):
            paths = named(str(pattern), file.parent)
            found += [_read(path) for path in paths if b"sinks" in path.read_bytes()]
    for data in found:
        blocks = data.get("sinks")
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, dict):
                yield block


def _tokens(folder: Path, sinks: list[dict[str, Any]]) -> Iterator[tuple[str, Secret]]:
    for sink in sinks:
        for path, where, name in references(sink):
            with suppress(ValueError):
                if path == ("token",):
                    kept = secret(where, name, folder)
                    yield str(sink.get("name")), Secret(kept)
