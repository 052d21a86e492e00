"""``monitor sources``: what is listened to, and what each would bring."""

import asyncio
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from monitor.cli.options import (
    answer,
    as_json,
    aside,
    columns,
    configured,
    known,
    patient,
    settings_of,
)
from monitor.cli.shown import one_line
from monitor.clock import SystemClock
from monitor.collect import SOURCES, Source, opml
from monitor.config import Settings
from monitor.errors import Failure
from monitor.item import Item
from monitor.web import Web

ALIASES = {"telegram_web": "telegram"}  # the preview's own name

recording_ = click.argument(
    "recording",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
)


@click.group("sources")
def command() -> None:
    """List, try, import and export what is listened to."""


@command.command("list")
@configured
@as_json
def list_(file: Path | None, *, json: bool) -> None:
    """List the configured sources."""
    found = settings_of(file).sources
    rows = []
    for source in found:
        origin, seconds = source.origin, int(source.every.total_seconds())
        if json:
            answer({"name": origin.source, "kind": _kind(source), "home": origin.home,
                    "voice": origin.voice, "owner": origin.owner,
                    "every": seconds})  # fmt: skip
        else:
            rows.append((origin.source, _kind(source), origin.home or "-",
                         origin.voice, f"every {seconds} s", origin.owner))  # fmt: skip
    for line in columns(rows):
        click.echo(line)
    aside(f"{len(found)} source{'s' * (len(found) != 1)}.")


def _kind(source: Source) -> str:
    return next(kind for kind, made in SOURCES.items() if isinstance(source, made))


@command.command("test")
@click.argument("name")
@configured
@as_json
@patient
def test(name: str, file: Path | None, *, json: bool, patience: float) -> None:
    """Read the source NAME once, and show what it would bring; nothing is stored."""
    settings = settings_of(file)
    known("source", name, settings.origins)
    source = next(one for one in settings.sources if one.origin.source == name)
    try:
        items = asyncio.run(_read(source, settings, patience))
    except Failure as failure:
        aside(f"{name}: {one_line(str(failure))}")
        sys.exit(1)
    except TimeoutError:
        aside(f"{name}: no answer within {patience:g} s")
        sys.exit(1)
    _show(items, json=json)


async def _read(source: Source, settings: Settings, patience: float) -> list[Item]:
    web = Web(SystemClock(), allow=settings.allow, pace=settings.pace)
    try:
        async with asyncio.timeout(patience):
            return [i async for batch in source.read("", web) for i in batch.items]
    finally:
        await web.aclose()


def _made(_: click.Context, __: click.Parameter, kind: str) -> type[Source]:
    """Return the sources of a kind that somebody names."""
    try:
        return SOURCES[known("kind", ALIASES.get(kind, kind), SOURCES)]
    except click.UsageError as mistake:
        raise click.BadParameter(f"{mistake.message} ({', '.join(SOURCES)})") from None


@command.command("parse")
@click.argument("kind", metavar="KIND", callback=_made)
@recording_
@configured
@as_json
@click.option("--source", metavar="NAME", help="What to call the source in the items.")
def parse(
    kind: type[Source],
    recording: Path,
    file: Path | None,
    *,
    json: bool,
    source: str | None,
) -> None:
    """
    Show what a source of KIND would bring from the recorded answer in FILE.

    KIND is telegram, for a page of https://t.me/s/CHANNEL, or feed.  FILE may be -,
    standard input.  No configuration is needed; with -c the items are those of its
    only source of that kind, or of the one with the page's channel.
    """
    now, name = datetime.now(UTC), _name_of(kind)
    try:
        items = kind.parse(_body(recording), source=name, url="", received=now)
    except Failure as failure:
        aside(f"{recording}: {one_line(str(failure))}")
        sys.exit(1)
    called = source or (_called(settings_of(file), kind, items) if file else None)
    if called:
        items = tuple(msgspec.structs.replace(item, source=called) for item in items)
    _show(items, json=json)


def _name_of(kind: type[Source]) -> str:
    return next(name for name, made in SOURCES.items() if made is kind)


def _body(recording: Path) -> bytes:
    if str(recording) == "-":
        return sys.stdin.buffer.read()
    return recording.read_bytes()


def _called(
    settings: Settings, kind: type[Source], items: Iterable[Item]
) -> str | None:
    """Return the configured source that *items* are probably of, if it shows."""
    own: list[Any] = [one for one in settings.sources if isinstance(one, kind)]
    if len(own) > 1:
        hosts = {part.lower() for item in items for part in item.url.split("/")[3:4]}
        own = [one for one in own if getattr(one, "channel", "").lower() in hosts]
    return own[0].origin.source if len(own) == 1 else None


def _show(items: Sequence[Item], *, json: bool) -> None:
    for item in items:
        if json:
            answer(item)
        else:
            _show_one(item)
    aside(f"{len(items)} post{'s' * (len(items) != 1)}.")


def _show_one(item: Item) -> None:
    kinds = [part.kind for part in item.media]
    media = f"  [{' '.join(kinds)}]" if kinds else ""
    id_ = click.style(one_line(item.id), bold=True)
    when = f"{item.published:%Y-%m-%d %H:%M:%S}"
    click.echo(f"{when}  {id_}{media}  {one_line(item.url)}")
    title = "" if item.text.startswith(item.title) else item.title
    for line in filter(None, map(one_line, [title, *item.text.splitlines()])):
        click.echo(f"    {line}")


@command.command("export")
@configured
def export(file: Path | None) -> None:
    """Write the feeds as OPML, which every feed reader takes."""
    outlines = [
        opml.Outline(url, source.origin.source)
        for source in settings_of(file).sources
        if (url := getattr(source, "url", ""))
    ]
    click.echo(opml.write("monitor", outlines), nl=False)
    aside(f"{len(outlines)} feed{'s' * (len(outlines) != 1)}.")


@command.command("import")
@recording_
@configured
def import_(recording: Path, file: Path | None) -> None:
    """
    Print the feeds of an OPML file as blocks for a file in config/sources/.

    Those that are configured already are left out.
    """
    sources = settings_of(file).sources
    names = {source.origin.source for source in sources}
    urls = {getattr(source, "url", "") for source in sources}
    try:
        outlines = opml.read(_body(recording))
    except Failure as failure:
        aside(f"{recording}: {one_line(str(failure))}")
        sys.exit(1)
    fresh = [outline for outline in outlines if outline.url not in urls]
    click.echo("sources:" if fresh else "sources: []")
    for outline in fresh:
        name = _fresh_name(outline, names)
        names.add(name)
        note = f", note: {_quoted(outline.title)}" if outline.title else ""
        url = _quoted(outline.url)
        click.echo(f"  - {{name: {name}, kind: feed, url: {url}{note}}}")
    aside(f"{len(fresh)} new, {len(outlines) - len(fresh)} known before.")


def _fresh_name(outline: opml.Outline, taken: set[str]) -> str:
    """Return a name for a feed that no source has."""
    host = (urlsplit(outline.url).hostname or "feed").removeprefix("www.").lower()
    # at most 64 letters with the number; a name of an international host may be empty
    name = re.sub(r"[^a-z0-9]+", "-", host).strip("-")[:56].strip("-") or "feed"
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def _quoted(text: str) -> str:
    """Return *text* in quotes, as YAML and JSON both read it."""
    return msgspec.json.encode(text).decode()
