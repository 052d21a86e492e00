"""``monitor run``: the daemon."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from monitor.cli.locks import ROLES
from monitor.cli.where import configured, file_of
from monitor.systemd import lock_named, only_one

LEVELS = ("debug", "info", "warning", "error")  # those of `log`


@click.command("run")
@click.argument("roles", nargs=-1, type=click.Choice(ROLES), metavar="[ROLE]...")
@configured
@click.option(
    "--log-level", type=click.Choice(LEVELS), default="info", show_default=True
)
def command(roles: tuple[str, ...], file: Path | None, log_level: str) -> None:
    """
    Do the work until told to stop: SIGTERM drains and ends, SIGHUP reloads.

    ROLE is one or more of collect, filter, alert, deliver and archive; without any,
    this process does all of them.  Under systemd one instance does one role.
    """
    file = file_of(file)
    with _alone(file, roles or ROLES):
        from monitor.cli.running import work  # noqa: PLC0415 - a refusal need not wait for it

        work(file, roles, log_level)


@contextmanager
def _alone(file: Path, roles: Sequence[str]) -> Iterator[None]:
    """
    Refuse a second one with the same settings before anything else is done.

    The locks of a state and of accounts are known once the settings are loaded, which
    takes a second; of twenty that start at once, nineteen are refused in a tenth of it.

    Raises:
        Unavailable: There is one already, which may be starting still.
    """
    file = file.resolve()
    with ExitStack() as stack:
        for role in roles:
            lock = lock_named(f"{role} {file}")
            stack.enter_context(only_one(lock, f"{file} ({role})"))
        yield
