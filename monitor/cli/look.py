"""Commands that look and tell: check, test, explain, doctor, schema."""

import asyncio
import json as stdlib_json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.cli.options import answer, as_json, configured, settings_of
from monitor.config import Settings
from monitor.config import schema as schema_of
from monitor.errors import Failure
from monitor.item import Item, Origin


@click.command()
@configured
@as_json
@click.option("--online", is_flag=True, help="Also ask each source and each sink.")
def check(file: Path | None, *, json: bool, online: bool) -> None:
    """Check the configuration: every mistake with its place, or what it amounts to."""
    settings = settings_of(file)
    for warning in settings.warnings:
        click.echo(str(warning), err=True)
    counts = {
        "sources": len(settings.sources),
        "sinks": len(settings.sinks),
        "subscribers": len(settings.subscribers),
        "rules": len(settings.rules),
        "topics": len(settings.topics),
        "warnings": len(settings.warnings),
    }
    if json:
        answer(counts)
    else:
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        click.echo(f"{settings.file} is good: {said}.")
    if online:
        wrong = asyncio.run(_ask(settings, json=json))
        sys.exit(1 if wrong else 0)


async def _ask(settings: Settings, *, json: bool) -> int:
    """Ask every source and sink, tell each answer, and return how many failed."""
    from monitor.clock import SystemClock  # noqa: PLC0415 - only --online needs it
    from monitor.web import Web  # noqa: PLC0415

    web = Web(SystemClock(), allow=settings.allow, pace=settings.pace)
    wrong = 0
    try:
        for sink in settings.sinks:
            wrong += await _told(f"sink {sink.name}", sink.check(web), json=json)
        asked = [
            (f"source {source.origin.source}", _first(source, web))
            for source in settings.sources
        ]
        answers = (_told(name, question, json=json) for name, question in asked)
        wrong += sum(await asyncio.gather(*answers))
    finally:
        await web.aclose()
    return wrong


async def _first(source: Any, web: Any) -> str:
    async for batch in source.read("", web):
        return f"{len(batch.items)} posts"
    return "no posts"


async def _told(name: str, question: Any, *, json: bool) -> int:
    try:
        said, failed = await question, False
    except Failure as failure:
        said, failed = str(failure), True
    if json:
        answer({"name": name, "ok": not failed, "said": said})
    else:
        click.echo(f"{'✗' if failed else '✓'} {name}: {said}")
    return int(failed)


@click.command()
@configured
@as_json
def test(file: Path | None, *, json: bool) -> None:
    """Try the `expect:` lines that stand beside rules, topics and signals."""
    settings = settings_of(file)
    outcomes = list(settings.filter.expectations())
    failed = [one for one in outcomes if one.failure]
    for one in outcomes if json else failed:
        if json:
            answer(one)
        else:
            click.echo(f"{one.where}: {one.text!r}: {one.failure}")
    good = len(outcomes) - len(failed)
    click.echo(f"{good} of {len(outcomes)} expectations met.", err=json)
    sys.exit(1 if failed else 0)


@click.command()
@click.argument("text", required=False)
@configured
@as_json
@click.option("--source", help="Read it as a post of this configured source.")
@click.option("--stdin", is_flag=True, help="Read items or bare lines as NDJSON.")
def explain(
    text: str | None, file: Path | None, *, json: bool, source: str | None, stdin: bool
) -> None:
    """Say what a text is read as, and why it matters or does not."""
    if (text is None) != stdin:
        raise click.UsageError("give either TEXT or --stdin")
    settings = settings_of(file)
    if source and source not in settings.origins:
        raise click.UsageError(f"no source is called {source!r}")
    lines: Iterable[str] = sys.stdin if stdin else [text or ""]
    for item in _items(lines, source or "", plain=not stdin):
        origin = settings.origins.get(item.source) or Origin(source=item.source)
        if json:
            match = settings.filter.judge(item, origin)
            reading = match.reading if match else settings.filter.read(item, origin)
            matches = [match] if match else []
            answer({"id": item.id, "reading": reading, "matches": matches})
        else:
            _explain(settings, item, origin)


def _items(lines: Iterable[str], source: str, *, plain: bool) -> Iterator[Item]:
    """Yield items out of bare lines, JSON texts or items that may lack fields."""
    now = datetime.now(UTC)
    for number, line in enumerate(lines, 1):
        given: Any = {"text": line.rstrip("\n")}
        if not plain:
            if not line.strip():
                continue
            try:
                found = stdlib_json.loads(line)
                given = found if isinstance(found, dict) else given
                given = {"text": found} if isinstance(found, str) else given
            except ValueError:
                pass
        usual = {"source": source, "id": str(number), "published": now, "seen": now}
        known = {k: v for k, v in given.items() if v is not None}
        try:
            yield msgspec.convert(usual | known, Item)
        except msgspec.ValidationError as error:
            raise click.ClickException(f"line {number}: {error}") from None


def _explain(settings: Settings, item: Item, origin: Origin) -> None:
    for line in settings.filter.explain(item, origin):
        click.echo(line)
    match = settings.filter.judge(item, origin)
    if match is None:
        return
    from monitor.alert.policy import decide  # noqa: PLC0415 - only for those who match

    for subscriber in settings.subscribers:
        decision = decide(match, subscriber, origin)
        click.echo(f"subscriber {subscriber.name}: {decision.action}, {decision.why}")


@click.command()
@configured
@as_json
def doctor(file: Path | None, *, json: bool) -> None:
    """Look whether Redis, the clock, the disk and the secrets are as they should be."""
    from monitor.cli.diagnosis import examine  # noqa: PLC0415 - `--help` stays quick

    settings = settings_of(file)
    findings = asyncio.run(examine(settings))
    for finding in findings:
        if json:
            answer(finding)
        else:
            click.echo(str(finding))
    sys.exit(1 if any(finding.level == "fail" for finding in findings) else 0)


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration files, for editors."""
    click.echo(stdlib_json.dumps(schema_of(), indent=2, ensure_ascii=False))
