"""What several commands share: where the configuration is, and the form of answers."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.config import Settings, load
from monitor.errors import Misconfigured

USUAL = (Path("config/monitor.yaml"), Path("/etc/monitor/monitor.yaml"))

configured = click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file; else $MONITOR_CONFIG, config/monitor.yaml "
    "or /etc/monitor/monitor.yaml.",
)
as_json = click.option("--json", "json", is_flag=True, help="Answer as NDJSON.")


def settings_of(file: Path | None) -> Settings:
    """
    Return the settings in *file*, or in the usual place.

    Raises:
        Misconfigured: There is no file, or it cannot be used.
    """
    named = file or os.environ.get("MONITOR_CONFIG")
    path = Path(named) if named else next((p for p in USUAL if p.is_file()), USUAL[0])
    if not path.is_file():
        raise Misconfigured(f"{path}: error: no such file; name one with --config FILE")
    return load(path, datetime.now(UTC).date())


def answer(value: Any) -> None:
    """Write *value* as one line of JSON on standard output."""
    click.echo(msgspec.json.encode(value))


def moment(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    """Return the moment that an ISO 8601 text names; without a zone it is in UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write 2023-05-22 or 2023-05-22T18:00+03:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
