"""``monitor sources``: what is listened to, and what each would bring."""

import asyncio
import itertools
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from monitor.cli.options import answer, as_json, configured, settings_of
from monitor.collect import SOURCES, Source, opml
from monitor.errors import Failure
from monitor.item import Item


@click.group()
def sources() -> None:
    """List, test, import and export what is listened to."""


@sources.command("list")
@configured
@as_json
def list_(file: Path | None, *, json: bool) -> None:
    """List the configured sources."""
    for source in settings_of(file).sources:
        origin, seconds = source.origin, int(source.every.total_seconds())
        kind = next(kind for kind, made in SOURCES.items() if isinstance(source, made))
        if json:
            answer({"name": origin.source, "kind": kind, "home": origin.home,
                    "voice": origin.voice, "owner": origin.owner,
                    "every": seconds})  # fmt: skip
        else:
            where = origin.home or "-"
            click.echo(
                f"{origin.source:32} {kind:9} {where:7} {origin.voice:12} "
                f"every {seconds:4} s  {origin.owner}"
            )


@sources.command("test")
@click.argument("name")
@configured
@as_json
def test_(name: str, file: Path | None, *, json: bool) -> None:
    """Read the source NAME once, and show what it would bring."""
    settings = settings_of(file)
    found = [one for one in settings.sources if one.origin.source == name]
    if not found:
        raise click.UsageError(f"no source is called {name!r}")
    try:
        items = asyncio.run(_read(found[0], settings.allow, settings.pace))
    except Failure as failure:
        click.echo(f"{name}: {type(failure).__name__}: {failure}", err=True)
        sys.exit(1)
    _show(items, json=json)


async def _read(source: Source, allow: object, pace: object) -> list[Item]:
    from monitor.clock import SystemClock  # noqa: PLC0415 - `--help` stays quick
    from monitor.web import Web  # noqa: PLC0415

    web = Web(SystemClock(), allow=allow, pace=pace)  # type: ignore[arg-type]
    try:
        return [i async for batch in source.read("", web) for i in batch.items]
    finally:
        await web.aclose()


@sources.command()
@click.argument("kind", type=click.Choice(sorted(SOURCES)))
@click.argument("recording", type=click.Path(path_type=Path, exists=True))
@configured
@as_json
def parse(kind: str, recording: Path, file: Path | None, *, json: bool) -> None:
    """Show what a source of this KIND would bring from a recorded answer."""
    del file  # accepted by every command; a recording needs no configuration
    now = datetime.now(UTC)
    body = recording.read_bytes()
    try:
        items = SOURCES[kind].parse(body, source=kind, url="", received=now)
    except Failure as failure:
        click.echo(f"{recording}: {failure}", err=True)
        sys.exit(1)
    _show(items, json=json)


def _show(items: list[Item] | tuple[Item, ...], *, json: bool) -> None:
    for item in items:
        if json:
            answer(item)
        else:
            media = f" [{' '.join(part.kind for part in item.media)}]" * bool(
                item.media
            )
            click.echo(f"{item.published:%Y-%m-%d %H:%M}  {item.id}{media}  {item.url}")
            for line in filter(None, [item.title, *item.text.splitlines()]):
                click.echo(f"    {line}")
    click.echo(f"{len(items)} posts", err=True)


@sources.command("export")
@configured
def export(file: Path | None) -> None:
    """Write the feeds as OPML, which every feed reader takes."""
    outlines = []
    for source in settings_of(file).sources:
        url = getattr(source, "url", "")
        if url:
            outlines.append(opml.Outline(url, source.origin.source))
    click.echo(opml.write("monitor", outlines), nl=False)
    click.echo(f"{len(outlines)} feeds", err=True)


@sources.command("import")
@click.argument("recording", type=click.Path(path_type=Path, exists=True))
@configured
def import_(recording: Path, file: Path | None) -> None:
    """Print the feeds of an OPML file as blocks for a file in config/sources/."""
    known = settings_of(file).sources
    names = {source.origin.source for source in known}
    urls = {getattr(source, "url", "") for source in known}
    try:
        outlines = opml.read(recording.read_bytes())
    except Failure as failure:
        click.echo(f"{recording}: {failure}", err=True)
        sys.exit(1)
    fresh = [outline for outline in outlines if outline.url not in urls]
    click.echo("sources:" if fresh else "sources: []")
    for outline in fresh:
        name = _name(outline, names)
        names.add(name)
        note = f", note: {_quoted(outline.title)}" if outline.title else ""
        url = _quoted(outline.url)
        click.echo(f"  - {{name: {name}, kind: feed, url: {url}{note}}}")
    skipped = len(outlines) - len(fresh)
    click.echo(f"{len(fresh)} new feeds, {skipped} known before", err=True)


def _name(outline: opml.Outline, taken: set[str]) -> str:
    """Return a name for a feed that no source has."""
    host = urlsplit(outline.url).hostname or "feed"
    name = re.sub(r"[^a-z0-9]+", "-", host.removeprefix("www.").lower()).strip("-")
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def _quoted(text: str) -> str:
    """Return *text* in quotes, as YAML and JSON both read it."""
    return msgspec.json.encode(text).decode()
