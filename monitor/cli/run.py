"""``monitor run`` and ``monitor demo``: the daemon, on the world or on a recording."""

import asyncio
from pathlib import Path

import click

from monitor import log
from monitor.cli.options import configured, settings_of

ROLES = ("collect", "filter", "alert", "deliver", "archive")


@click.command()
@click.argument("roles", nargs=-1, type=click.Choice(ROLES), metavar="[ROLE]...")
@configured
@click.option("--log-level", type=click.Choice(log.LEVELS), default="info")
def run(roles: tuple[str, ...], file: Path | None, log_level: str) -> None:
    """
    Do the work until told to stop: SIGTERM drains and ends, SIGHUP reloads.

    ROLE is one or more of collect, filter, alert, deliver and archive; without any,
    this process does all of them.  Under systemd one instance does one role.
    """
    from monitor.clock import SystemClock  # noqa: PLC0415 - `--help` stays quick
    from monitor.daemon import Daemon  # noqa: PLC0415

    log.set_up(log_level)
    settings = settings_of(file)
    for warning in settings.warnings:
        click.echo(str(warning), err=True)
    asyncio.run(Daemon(settings, SystemClock(), roles).run())


@click.command()
@click.option("--exit", "leave", is_flag=True, help="End with a summary.")
@click.option("--speed", type=click.FloatRange(60), default=None, hidden=True)
def demo(*, leave: bool, speed: float | None) -> None:
    """
    Show the whole program on a bundled recording: no key, no internet.

    Three days of May 2023 in the Belgorod region, reconstructed from what the press
    reported, are served on loopback and run through the real daemon in half a minute.
    """
    from monitor.demo.show import show  # noqa: PLC0415 - `--help` stays quick

    asyncio.run(show(leave=leave, speed=speed))
