"""``monitor run``: the daemon."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from monitor import log
from monitor.cli.locks import ROLES, holder_of, lock_in
from monitor.cli.options import aside, configured, file_of, settings_of
from monitor.clock import SystemClock
from monitor.config.claims import claims
from monitor.errors import Unavailable
from monitor.systemd import lock_of


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
    _refuse_a_second(file_of(file), roles or ROLES)
    from monitor.daemon import Daemon  # noqa: PLC0415 - a refusal need not wait for it

    log.set_up(log_level)
    settings = settings_of(file)
    for warning in settings.warnings:
        aside(str(warning))
    _make(settings.state)
    asyncio.run(Daemon(settings, SystemClock(), roles).run())


def _make(state: Path) -> None:
    """Make the folder of all that outlives us; others have no business in it."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"{state}: {error.strerror}") from None


def _refuse_a_second(file: Path, roles: Sequence[str]) -> None:
    """
    Say at once that another process does this work; the daemon's own locks decide.

    Raises:
        Unavailable: One does.
    """
    for path, what in _locks(file, roles):
        if holder := holder_of(path):
            raise Unavailable(f"{what} is in use by process {holder}")


def _locks(file: Path, roles: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yield the locks that the daemon will take, and what each of them stands for."""
    claimed = claims(file)
    for role in roles:
        yield lock_in(claimed.state, role), f"{claimed.state} ({role})"
    for sink, token in claimed.tokens if "deliver" in roles else ():
        yield lock_of(token), f"sink {sink}"
