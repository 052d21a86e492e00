"""``monitor restore``: what a backup has kept takes the place of what is there."""

import asyncio
import sys
from pathlib import Path

import click

from monitor.cli.backup import in_words, told
from monitor.cli.locks import ROLES
from monitor.cli.options import answer, as_json, configured, settings_of
from monitor.cli.reach import door_of
from monitor.cli.shown import mark, one_line
from monitor.config import Settings
from monitor.ground import only_us
from monitor.stream.backup import Restored, Snapshot, Standing, restore, standing
from monitor.stream.backupfile import read

SHOWN = 5  # keys that are not as they were


@click.command("restore")
@click.argument(
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option("--replace", is_flag=True, help="Lose the progress that is there.")
@configured
@as_json
def command(source: Path, file: Path | None, *, replace: bool, json: bool) -> None:
    """
    Put back what `monitor backup` kept in FILE, and look whether it stands.

    The program must not run meanwhile. FILE is read and proved first; then all of it
    takes its place in one step, or nothing is changed. Next time the program starts, it
    notices that what it finds is older than what it did, and catches up.

    Exits with 1 if what stands there now is not what was kept.
    """
    head, kept = read(source)
    settings = settings_of(file)
    with only_us(settings, ROLES):
        done, stands = asyncio.run(_put_back(settings, kept, replace=replace))
    if json:
        answer({"file": str(source), "head": head, "restored": done, **told(stands)})
    else:
        click.echo(_in_words(done, len(kept.kept), head.epoch))
        click.echo(in_words(stands))
    sys.exit(1 if done.differing else 0)


async def _put_back(
    settings: Settings, kept: Snapshot, *, replace: bool
) -> tuple[Restored, Standing]:
    async with door_of(settings) as door:
        done = await restore(door, kept, replace=replace)
        return done, await standing(door)


def _in_words(done: Restored, keys: int, epoch: str) -> str:
    if not done.differing:
        instead = f" instead of {done.removed}" if done.removed else ""
        return f"{mark('ok')} database {epoch} stands again: {keys} keys{instead}"
    some = ", ".join(map(one_line, done.differing[:SHOWN]))
    what = "was put back, and" if done.done else "was not put back: there"
    return (
        f"{mark('fail')} {epoch} {what} {len(done.differing)} of {keys} keys are not "
        f"what was kept: {some}"
    )
