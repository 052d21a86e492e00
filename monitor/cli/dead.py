"""``monitor dead``: what could not be worked on or delivered."""

import sys
from pathlib import Path

import click

from monitor.cli.options import answer, as_json, aside, configured, settings_of
from monitor.cli.reach import with_stream
from monitor.cli.shown import one_line
from monitor.item import Delivery, Envelope, Item, Match
from monitor.stream import Letter, Stream

SHOWN = 3  # recipients of an envelope
MOST = 100_000  # letters; more is no list, but a disaster


@click.group("dead")
def command() -> None:
    """What could not be worked on or delivered, and why; nothing is lost by it."""


@command.command("list")
@configured
@as_json
def list_(file: Path | None, *, json: bool) -> None:
    """List the dead letters, the oldest first."""

    async def letters(stream: Stream) -> list[Letter]:
        return await stream.dead(MOST)

    found = with_stream(settings_of(file), letters)
    for letter in found:
        if json:
            answer(letter)
        else:
            _show(letter)
    aside(f"{len(found) or 'No'} dead letter{'s' * (len(found) != 1)}.")
    if found and not json:
        aside("Once the cause is mended: monitor dead retry ID…, or --all.")


def _show(letter: Letter) -> None:
    tries = f", after {letter.attempts} tries" * (letter.attempts > 1)
    who = click.style(letter.id, bold=True)
    click.echo(f"{who}  {letter.at:%Y-%m-%d %H:%M:%S}  {letter.queue}{tries}")
    click.echo(f"    {one_line(letter.why)}")
    click.echo(f"    {_about(letter)}")


def _about(letter: Letter) -> str:
    """Return what a letter is about, and whom it was for."""
    match letter.value:
        case Envelope() as envelope:
            names = envelope.recipients
            more = len(names) - SHOWN
            some = ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
            return one_line(f"{envelope.match.item.key} for {some}")
        case Match() as match:
            return one_line(match.item.key)
        case Item() as item:
            return one_line(item.key)
        case Delivery() as delivery:
            return one_line(f"{delivery.item} for {delivery.subscriber}")
    return "its entry cannot be read"


ids_ = click.argument("ids", nargs=-1)
all_ = click.option("--all", "every", is_flag=True, help="All there are.")


@command.command("retry")
@ids_
@all_
@configured
def retry(ids: tuple[str, ...], file: Path | None, *, every: bool) -> None:
    """Put dead letters back into their queues, by the ids that `list` shows."""
    _each(file, ids, ("retry", "put back"), every=every)


@command.command("drop")
@ids_
@all_
@configured
def drop(ids: tuple[str, ...], file: Path | None, *, every: bool) -> None:
    """Forget dead letters; the archive still has what they were about."""
    _each(file, ids, ("drop", "dropped"), every=every)


def _each(
    file: Path | None, ids: tuple[str, ...], verb: tuple[str, str], *, every: bool
) -> None:
    """Do one thing to each letter; exits with 1 if one of them is not there."""
    if bool(ids) == every:
        raise click.UsageError("name the letters by their ids, or say --all")

    async def act(stream: Stream) -> int:
        acts = {"retry": stream.retry, "drop": stream.drop}
        missing = 0
        for id_ in [one.id for one in await stream.dead(MOST)] if every else ids:
            done = await acts[verb[0]](id_)
            click.echo(f"{id_}: {verb[1] if done else 'no such letter'}", err=not done)
            missing += not done
        return missing

    sys.exit(1 if with_stream(settings_of(file), act) else 0)
