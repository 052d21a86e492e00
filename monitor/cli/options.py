"""What several commands share: where the configuration is, and the form of answers."""

import difflib
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.cli import where
from monitor.config import Settings, load

configured = where.configured
patient = click.option(
    "--timeout",
    "patience",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="How long to wait for one answer.",
)
as_json = click.option("--json", "json", is_flag=True, help="Answer as NDJSON.")


def settings_of(file: Path | None) -> Settings:
    """
    Return the settings in *file*, or in the usual place.

    Raises:
        Misconfigured: There is no file, or it cannot be used.
    """
    return load(where.file_of(file), datetime.now(UTC).date())


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """
    Return *name* if it is one of *names*.

    Raises:
        click.UsageError: It is not; the text says which one was probably meant.
    """
    names = list(names)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise click.UsageError(f"no {kind} is called {name!r}{meant}")
    return name


def answer(value: Any) -> None:
    """Write *value* as one line of JSON on standard output."""
    click.echo(msgspec.json.encode(value))


def aside(text: str) -> None:
    """Write what is for people only, where it is in no program's way."""
    click.echo(text, err=True)


def coloured() -> bool:
    """Return whether standard output shows colours."""
    wanted = click.get_current_context().color
    return sys.stdout.isatty() if wanted is None else wanted


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return *rows* as lines whose columns stand below each other."""
    lengths = [[len(click.unstyle(cell)) for cell in row] for row in rows]
    widths = [max(column) for column in zip(*lengths, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - length)
            for cell, width, length in zip(row, widths, some, strict=True)
        ).rstrip()
        for row, some in zip(rows, lengths, strict=True)
    ]


def moment(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    """Return the moment that an ISO 8601 text names; without a zone it is in UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter("write 2023-05-22 or 2023-05-22T18:00+03:00") from None
