"""Commands about what runs or ran: tail, dead, replay, subscribers."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.cli.options import answer, as_json, configured, moment, settings_of
from monitor.config import Settings
from monitor.errors import Unavailable
from monitor.item import Delivery, Item, Match

T = TypeVar("T")
QUEUES = ("items", "matches", "deliveries")


@asynccontextmanager
async def stream_of(settings: Settings) -> AsyncIterator[Any]:
    """
    Reach the stream of the running instance.

    Raises:
        Unavailable: None is running that we could reach.
    """
    from monitor.stream import Stream  # noqa: PLC0415 - redis takes 100 ms to import
    from monitor.stream.server import Server  # noqa: PLC0415

    if settings.redis:
        url = settings.redis.reveal()
    else:
        url = await Server.running_url(settings.state) or ""
        if not url:
            raise Unavailable(
                f"nothing runs on {settings.state}; start it: monitor run"
            )
    sinks = [sink.name for sink in settings.sinks]
    stream = await Stream.connect(url, owner=f"look-{os.getpid()}", sinks=sinks)
    try:
        yield stream
    finally:
        await stream.aclose()


def _with_stream(file: Path | None, act: Callable[[Any], Awaitable[T]]) -> T:
    async def reached() -> T:
        async with stream_of(settings_of(file)) as stream:
            return await act(stream)

    return asyncio.run(reached())


@click.command()
@click.argument("queue", type=click.Choice(QUEUES), default="deliveries")
@configured
@as_json
@click.option("-n", "--last", default=10, help="Begin with so many past ones.")
def tail(queue: str, file: Path | None, *, json: bool, last: int) -> None:
    """Follow a stream: items, matches or deliveries."""

    async def show(stream: Any) -> None:
        async for entry in stream.follow(queue, back=last):
            value = entry.value
            if json:
                answer(value)
            else:
                click.echo(_line(value))

    try:
        _with_stream(file, show)
    except KeyboardInterrupt:
        sys.exit(0)


def _line(value: object) -> str:
    """Return any value that flows as one line for eyes."""
    if isinstance(value, Match):
        rules = ", ".join(value.rules) or "corrected"
        return f"{_line(value.item)}  [{value.severity}: {rules}]"
    if isinstance(value, Item):
        words = " ".join(f"{value.title} {value.text}".split())
        changed = "" if value.change == "new" else f" {value.change}"
        return f"{value.published:%Y-%m-%d %H:%M} {value.key}{changed}  {words[:80]}"
    if isinstance(value, Delivery):
        return (
            f"{value.at:%Y-%m-%d %H:%M:%S} {value.item} → {value.subscriber} "
            f"({value.sink}): {value.outcome} {value.why}"
        )
    return str(value)


@click.group()
def dead() -> None:
    """What could not be worked on or delivered, and why."""


@dead.command("list")
@configured
@as_json
def list_dead(file: Path | None, *, json: bool) -> None:
    """List the dead letters, the oldest first."""

    async def letters(stream: Any) -> list[Any]:
        return list(await stream.dead())

    found = _with_stream(file, letters)
    for letter in found:
        if json:
            answer(letter)
        else:
            click.echo(f"{letter.id}  {letter.queue}  {letter.why}")
    click.echo(f"{len(found)} dead letters", err=True)


@dead.command("retry")
@click.argument("ids", nargs=-1, required=True)
@configured
def retry_dead(ids: tuple[str, ...], file: Path | None) -> None:
    """Put dead letters back into their queues."""
    _each_dead(file, ids, "retry", "put back")


@dead.command("drop")
@click.argument("ids", nargs=-1, required=True)
@configured
def drop_dead(ids: tuple[str, ...], file: Path | None) -> None:
    """Forget dead letters; the archive still has what they were about."""
    _each_dead(file, ids, "drop", "dropped")


def _each_dead(file: Path | None, ids: Iterable[str], verb: str, done: str) -> None:
    async def act(stream: Any) -> int:
        missing = 0
        for id_ in ids:
            found = await getattr(stream, verb)(id_)
            click.echo(f"{id_}: {done if found else 'no such letter'}", err=not found)
            missing += not found
        return missing

    sys.exit(1 if _with_stream(file, act) else 0)


@click.command()
@configured
@as_json
@click.option("--from", "since", callback=moment, required=True, help="From then on,")
@click.option("--to", "until", callback=moment, required=True, help="and before then.")
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Try this file of rules instead, and tell what it changes.",
)
@click.option("--speed", default="max", help="max, or such as 60x.")
def replay(  # noqa: PLR0913 - one argument an option
    file: Path | None,
    *,
    json: bool,
    since: datetime,
    until: datetime,
    rules: Path | None,
    speed: str,
) -> None:
    """Run archived items through the same deciding code; nobody is told."""
    factor = _factor(speed)
    settings = settings_of(file)
    if rules:
        _compare(settings, rules, since, until, json=json)
    else:
        asyncio.run(_replay(settings, since, until, factor, json=json))


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if factor <= 0:
        raise click.BadParameter("write max, or a number such as 60x")
    return factor


def _archived(settings: Settings, since: datetime, until: datetime) -> Iterable[Item]:
    from monitor.stream.archive import Archive  # noqa: PLC0415 - `--help` stays quick

    folder = settings.state / "archive"
    if not folder.is_dir():
        raise Unavailable(f"{folder}: nothing has been archived there yet")
    with Archive(folder) as archive:
        yield from archive.items(since, until)


async def _replay(
    settings: Settings,
    since: datetime,
    until: datetime,
    factor: float | None,
    *,
    json: bool,
) -> None:
    from monitor.clock import SystemClock  # noqa: PLC0415 - `--help` stays quick
    from monitor.replay import decide, paced  # noqa: PLC0415

    items = _archived(settings, since, until)
    decided = decide(items, settings.filter, settings.origins)
    seen = matched = 0
    async for _, match in paced(decided, factor, SystemClock()):
        seen += 1
        if match:
            matched += 1
            if json:
                answer(match)
            else:
                click.echo(_line(match))
    click.echo(f"{seen} items, {matched} matches; nobody was told", err=True)


def _compare(
    settings: Settings, rules: Path, since: datetime, until: datetime, *, json: bool
) -> None:
    from monitor.config import with_rules  # noqa: PLC0415 - only for --rules
    from monitor.replay import compare  # noqa: PLC0415

    other = with_rules(settings, rules)
    before = (settings.filter, settings.origins)
    items = _archived(settings, since, until)
    more = less = 0
    for one in compare(items, before, (other, settings.origins)):
        more, less = more + one.more, less + (not one.more)
        sign = "+" if one.more else "-"
        if json:
            answer({"change": "more" if one.more else "less", "match": one.match})
        else:
            click.echo(f"{sign} {_line(one.match)}")
    click.echo(f"+{more} -{less} alerts; nobody was told", err=True)


@click.group()
def subscribers() -> None:
    """The people and desks who are told."""


@subscribers.command("list")
@configured
@as_json
def list_subscribers(file: Path | None, *, json: bool) -> None:
    """List the subscribers of the configuration, without their addresses."""
    for one in settings_of(file).subscribers:
        if json:
            answer({
                "name": one.name, "sink": one.sink, "places": one.places,
                "topics": one.topics, "rules": one.rules, "voices": one.voices,
                "severity": one.severity,
            })  # fmt: skip
        else:
            where = ", ".join(one.places) or "everywhere"
            click.echo(f"{one.name:20} {one.sink:12} {one.severity:8} {where}")
