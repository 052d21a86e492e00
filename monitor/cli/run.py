"""``monitor run``: the daemon."""

import asyncio
from pathlib import Path

import click

from monitor import log
from monitor.cli.options import aside, configured, settings_of
from monitor.clock import SystemClock
from monitor.daemon import ROLES, Daemon


@click.command("run")
@click.argument("roles", nargs=-1, type=click.Choice(ROLES), metavar="[ROLE]...")
@configured
@click.option(
    "--log-level", type=click.Choice(log.LEVELS), default="info", show_default=True
)
def command(roles: tuple[str, ...], file: Path | None, log_level: str) -> None:
    """
    Do the work until told to stop: SIGTERM drains and ends, SIGHUP reloads.

    ROLE is one or more of collect, filter, alert, deliver and archive; without any,
    this process does all of them.  Under systemd one instance does one role.
    """
    log.set_up(log_level)
    settings = settings_of(file)
    for warning in settings.warnings:
        aside(str(warning))
    asyncio.run(Daemon(settings, SystemClock(), roles).run())
