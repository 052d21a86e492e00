"""``monitor tail``: what flows, as it flows."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from monitor.cli.options import answer, as_json, aside, configured, settings_of
from monitor.cli.reach import with_stream
from monitor.cli.shown import line_of
from monitor.stream import Damaged, Stream, named

QUEUES = ("items", "matches", "deliveries")


@click.command("tail")
@click.argument("queue", type=click.Choice(QUEUES), default="deliveries")
@configured
@as_json
@click.option(
    "-n",
    "--last",
    metavar="N",
    type=click.IntRange(0, 100_000),
    default=10,
    show_default=True,
    help="Begin with so many past ones.",
)
def command(queue: str, file: Path | None, *, json: bool, last: int) -> None:
    """
    Follow the stream of items, matches or deliveries until Ctrl-C.

    Times are in UTC.  With --json each line is an Item, a Match or a Delivery.
    """

    async def show(stream: Stream) -> None:
        if sys.stderr.isatty():  # an empty screen looks like one that hangs
            aside(f"Following {queue}; Ctrl-C ends.")
        async with _until_unread():
            async for entry in stream.follow(named(queue), back=last):
                _print(entry.value, json=json)

    try:
        with_stream(settings_of(file), show)
    except KeyboardInterrupt:
        sys.exit(0)


def _print(value: object, *, json: bool) -> None:
    if isinstance(value, Damaged):
        click.echo(f"an entry cannot be read: {value.why}", err=True)
    elif json:
        answer(value)
    else:
        click.echo(line_of(value))


@asynccontextmanager
async def _until_unread() -> AsyncIterator[None]:
    """
    Run the block until it ends, or nobody reads our output any more.

    Without this `monitor tail | head -1` would stay until the next entry came, which
    may be in an hour.

    Raises:
        BrokenPipeError: Nobody reads.
    """
    loop, task, out = asyncio.get_running_loop(), asyncio.current_task(), sys.stdout
    if task is None or not _is_pipe(out.fileno()):
        yield
        return
    unread = False

    def end() -> None:
        nonlocal unread
        unread = True
        loop.remove_reader(out.fileno())
        task.cancel()

    loop.add_reader(out.fileno(), end)  # a pipe's end for writing has but one event
    try:
        yield
    except asyncio.CancelledError:
        if not unread:
            raise
        raise BrokenPipeError(32, "nobody reads") from None
    finally:
        loop.remove_reader(out.fileno())


def _is_pipe(number: int) -> bool:
    return stat.S_ISFIFO(os.fstat(number).st_mode)
