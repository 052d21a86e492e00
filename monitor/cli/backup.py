"""``monitor backup``: all progress of this instant in one file."""

import asyncio
from pathlib import Path

import click

from monitor.cli.options import answer, as_json, configured, settings_of
from monitor.cli.reach import door_of, url_of
from monitor.cli.shown import mark
from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.errors import Unavailable
from monitor.stream.backup import Snapshot, Standing, snapshot, standing
from monitor.stream.backupfile import write


@click.command("backup")
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@configured
@as_json
def command(target: Path, file: Path | None, *, force: bool, json: bool) -> None:
    """
    Keep all progress of this instant in FILE: what was read, what waits, who was told.

    Works while the program runs; it serves nobody for some 50 ms a MB.

    FILE names people and where some of them are: only you may read it, keep it as
    safe as the program's own state, and no longer than you have to. The archive, the
    configuration and the secrets are not in it.
    """
    if target.exists() and not force:
        raise Unavailable(f"{target} is there already: say --force")
    kept, stands = asyncio.run(_taken(settings_of(file)))
    head = write(target, kept, SystemClock().now(), force=force)
    size = target.stat().st_size
    if json:
        answer({"file": str(target), "bytes": size, "head": head} | told(stands))
        return
    click.echo(
        f"{mark('ok')} {target}: {head.keys} keys of database {head.epoch}, "
        f"{size:,} bytes"
    )
    click.echo(in_words(stands))


async def _taken(settings: Settings) -> tuple[Snapshot, Standing]:
    if await url_of(settings) is None and not (settings.state / "redis").is_dir():
        raise Unavailable(f"{settings.state} has no progress yet")
    async with door_of(settings) as door:
        return await snapshot(door), await standing(door)


def told(stands: Standing) -> dict[str, object]:
    """Return how far everything is, for programs."""
    return {
        "cursors": stands.cursors,
        "letters": stands.letters,
        "depths": list(stands.depths),
    }


def in_words(stands: Standing) -> str:
    """Return how far everything is, for people."""
    waiting = [
        f"{one.pending + (one.lag or 0)} of {one.queue} for {one.group}"
        for one in stands.depths
        if one.pending or one.lag
    ]
    waits = ", ".join(waiting) or "nothing"
    return (
        f"  sources read: {stands.cursors}; dead letters: {stands.letters}; "
        f"waiting: {waits}"
    )
