"""What `monitor run` does once nobody else stands in its way."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor import log
from monitor.cli.locks import ROLES, holder_of, lock_in
from monitor.cli.options import aside, settings_of
from monitor.clock import SystemClock
from monitor.config.claims import claims
from monitor.errors import Unavailable
from monitor.systemd import lock_of


def work(file: Path, roles: Sequence[str], log_level: str) -> None:
    """Do the work of *roles* until told to stop."""
    _refuse_a_second(file, roles or ROLES)
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
