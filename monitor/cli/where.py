"""Where the configuration is; apart from `options`, as this takes no time to import."""

import os
from pathlib import Path

import click

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


def file_of(file: Path | None) -> Path:
    """
    Return the main file of the configuration: *file*, or the one in the usual place.

    Raises:
        Misconfigured: There is none.
    """
    named = file or os.environ.get("MONITOR_CONFIG")
    usual = (path for path in USUAL if os.path.isfile(path))  # noqa: PTH113 - it never raises
    path = Path(named) if named else next(usual, USUAL[0])
    if not os.path.isfile(path):  # noqa: PTH113 - `Path.is_file` raises where we may not look
        raise Misconfigured(f"{path}: error: no such file; name one with --config FILE")
    return path
