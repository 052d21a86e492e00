"""``monitor check``: the configuration, and with --online those it names."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

import click

from monitor.cli.options import answer, as_json, aside, configured, patient, settings_of
from monitor.cli.shown import mark, one_line
from monitor.clock import SystemClock
from monitor.collect import Batch, Source
from monitor.config import Settings
from monitor.errors import Failure
from monitor.web import Web

AT_ONCE = 12  # more would only wait for the pace of a host that most of them share
STALE = 7  # days without a post; a channel may have moved
ALTOGETHER = 300.0  # seconds; what was not asked by then has failed


Question = Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source or a sink said, and after how many seconds."""

    what: str
    name: str
    ok: bool
    said: str
    took: float


@click.command("check")
@configured
@as_json
@click.option("--online", is_flag=True, help="Also ask each source and each sink.")
@patient
def command(file: Path | None, *, json: bool, online: bool, patience: float) -> None:
    """
    Check the configuration: every mistake with its place, or what it amounts to.

    Exits with 78 if it cannot be used.  With --online each source is read once and
    each sink asked who we are; nothing is stored or sent.  Exits with 1 if one fails.
    """
    settings = settings_of(file)
    for warning in settings.warnings:
        aside(str(warning))
    _tell(settings, json=json)
    if online:
        sys.exit(1 if asyncio.run(_ask(settings, patience, json=json)) else 0)


def _tell(settings: Settings, *, json: bool) -> None:
    """Say what the configuration amounts to."""
    kinds = ("sources", "sinks", "subscribers", "rules", "topics")
    counts = {kind: len(getattr(settings, kind)) for kind in kinds}
    counts |= {"places": len(list(settings.filter.gazetteer))}
    counts |= {"warnings": len(settings.warnings)}
    if json:
        answer({"file": str(settings.file), **counts})
        return
    said = ", ".join(_counted(count, kind) for kind, count in counts.items())
    click.echo(f"{mark('ok')} {settings.file} is good: {said}.")
    if not settings.operators:
        aside("No operators: what is wrong with the program is told in its log only.")


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind.removesuffix('s') if count == 1 else kind}"


async def _ask(settings: Settings, patience: float, *, json: bool) -> int:
    """Ask every source and sink, tell each answer, and return how many failed."""
    web = Web(SystemClock(), allow=settings.allow, pace=settings.pace)
    asked = failed = 0
    try:
        async for one in _answers(settings, web, patience):
            asked, failed = asked + 1, failed + (not one.ok)
            if json:
                answer(one)
            else:
                sign = mark("ok" if one.ok else "fail")
                click.echo(f"{sign} {one.what} {one.name}: {one_line(one.said)}")
    finally:
        await web.aclose()
    aside(f"{asked - failed} of {asked} answered.")
    return failed


async def _answers(
    settings: Settings, web: Web, patience: float
) -> AsyncIterator[Answer]:
    """Yield each answer as it comes."""
    questions: list[tuple[str, str, Question]] = [
        ("sink", one.name, partial(one.check, web)) for one in settings.sinks
    ]
    questions += [
        ("source", one.origin.source, partial(_first, one, web))
        for one in settings.sources
    ]
    asker = _Asker(asyncio.Semaphore(AT_ONCE), patience, monotonic() + ALTOGETHER)
    asking = [asyncio.create_task(asker.ask(*one)) for one in questions]
    try:
        for one in asyncio.as_completed(asking):
            yield await one
    finally:
        for task in asking:
            task.cancel()


@dataclass(frozen=True, slots=True)
class _Asker:
    """Puts questions, few at once, and waits neither for one nor for all too long."""

    room: asyncio.Semaphore
    patience: float
    end: float

    async def ask(self, what: str, name: str, question: Question) -> Answer:
        """Return what is said to *question*, or why nothing is."""
        began = monotonic()
        try:
            async with asyncio.timeout(max(self.end - began, 0.0)), self.room:
                began = monotonic()
                async with asyncio.timeout(self.patience):
                    said, ok = await question(), True
        except Failure as failure:
            said, ok = str(failure), False
        except TimeoutError:
            said, ok = f"no answer within {monotonic() - began:.0f} s", False
        return Answer(what, name, ok, said, round(monotonic() - began, 3))


async def _first(source: Source, web: Web) -> str:
    """Read *source* as if for the first time, and say what it brought."""
    batches = source.read("", web)
    try:
        async for batch in batches:
            return _brought(batch)
    finally:
        if isinstance(batches, AsyncGenerator):  # one that is live would go on
            await batches.aclose()
    return "no posts"


def _brought(batch: Batch) -> str:
    if not batch.items:
        return "no posts"
    newest = max(item.published for item in batch.items)
    days = (datetime.now(UTC) - newest).days
    said = _counted(len(batch.items), "posts")
    return f"{said}, the newest of them {newest:%Y-%m-%d}" if days > STALE else said
