"""``monitor replay``: the past through the rules once more, and nobody is told."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.cli.options import answer, as_json, aside, configured, moment, settings_of
from monitor.cli.shown import line_of
from monitor.clock import SystemClock
from monitor.config import Settings, with_rules
from monitor.errors import Unavailable
from monitor.item import Item
from monitor.replay import compare, decide, paced
from monitor.stream.archive import Archive


@dataclass(frozen=True, slots=True)
class Night:
    """A stretch of the archive: from `since` until before `until`."""

    settings: Settings
    since: datetime
    until: datetime

    def items(self) -> Iterator[Item]:
        """
        Yield what was collected then.

        Raises:
            Unavailable: There is no archive, or it is damaged.
        """
        folder = self.settings.state / "archive"
        if not folder.is_dir():
            raise Unavailable(f"{folder}: nothing has been archived there yet")
        with Archive(folder) as archive:
            yield from archive.items(self.since, self.until)

    def __str__(self) -> str:
        return f"from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


def _factor(_: click.Context, __: click.Parameter, speed: str) -> float | None:
    """Return how many times faster; None is as fast as it goes."""
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise click.BadParameter("write max, or a number such as 60x")
    return factor


@click.command("replay")
@configured
@as_json
@click.option(
    "--from",
    "since",
    metavar="TIME",
    callback=moment,
    required=True,
    help="From then on,",
)
@click.option(
    "--to",
    "until",
    metavar="TIME",
    callback=moment,
    help="and before then; else until now.",
)
@click.option(
    "--rules",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Try this file of rules instead, and tell what it changes.",
)
@click.option(
    "--speed",
    metavar="60x|max",
    callback=_factor,
    default="max",
    show_default=True,
    help="Such as 60x, in the rhythm in which it was seen.",
)
def command(  # noqa: PLR0913 - one argument an option
    file: Path | None,
    *,
    json: bool,
    since: datetime,
    until: datetime | None,
    rules: Path | None,
    speed: float | None,
) -> None:
    """
    Run archived items through the same deciding code; nobody is told.

    Times are ISO 8601, in UTC where they name no zone: 2023-05-22,
    2023-05-22T18:00+03:00.  With --rules: what would have been alerted more (+) and
    less (-) by those rules than by the ones in use.
    """
    until = until or datetime.now(UTC)
    if since >= until:
        raise click.UsageError("--from has to be before --to")
    if rules and speed:
        raise click.UsageError("--speed is of no use with --rules: give one of them")
    night = Night(settings_of(file), since, until)
    if rules:
        _compare(night, rules, json=json)
    else:
        asyncio.run(_replay(night, speed, json=json))


async def _replay(night: Night, speed: float | None, *, json: bool) -> None:
    settings = night.settings
    decided = decide(night.items(), settings.filter, settings.origins)
    seen = matched = 0
    async for _, match in paced(decided, speed, SystemClock()):
        seen += 1
        if match:
            matched += 1
            if json:
                answer(match)
            else:
                click.echo(line_of(match))
    _sum_up(night, seen, f"{matched} of {seen} items match")


def _compare(night: Night, rules: Path, *, json: bool) -> None:
    settings = night.settings
    before = (settings.filter, settings.origins)
    after = (with_rules(settings, rules), settings.origins)
    seen = more = less = 0

    def counted() -> Iterator[Item]:
        nonlocal seen
        for seen, item in enumerate(night.items(), 1):  # noqa: B007 - counted for the end
            yield item

    for one in compare(counted(), before, after):
        more, less = more + one.more, less + (not one.more)
        if json:
            answer({"change": "more" if one.more else "less", "match": one.match})
        else:
            sign, colour = ("+", "green") if one.more else ("-", "red")
            click.echo(f"{click.style(sign, fg=colour)} {line_of(one.match)}")
    changed = f"{more} alerts more and {less} less than by the rules in use"
    _sum_up(night, seen, f"{changed}, of {seen} items")


def _sum_up(night: Night, seen: int, said: str) -> None:
    if seen:
        aside(f"{said}; nobody was told.")
    else:
        aside(f"The archive has no items {night}.")
