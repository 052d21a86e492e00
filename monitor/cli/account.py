"""``monitor account``: what was seen, what became of it, and whether it adds up."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.account import DIGEST, UNEXPLAINED, WAITING, Account
from monitor.cli.options import (
    answer,
    as_json,
    aside,
    columns,
    configured,
    known,
    moment,
    settings_of,
)
from monitor.cli.reach import stream_of
from monitor.cli.shown import mark, one_line
from monitor.config import Settings
from monitor.errors import Transient, Unavailable
from monitor.findings import Window
from monitor.reconcile import Records, Standing, last_numbers, standing
from monitor.secret import redact
from monitor.stream.archive import Archive

OLDEST = datetime(1971, 1, 1, tzinfo=UTC)
NAMED = 5  # reasons, gaps or keys, before "+2 more"
ENDS = (  # of ids, in the order in which they are shown
    "matched", "filtered", "media only", "deleted", "past", "service", "part", "absent",
    "dead", WAITING, UNEXPLAINED,
)  # fmt: skip
SENDS = (  # of matches for a subscriber
    "delivered", "edited", DIGEST, "superseded", "suppressed", "dead", "of nobody",
    WAITING, UNEXPLAINED,
)  # fmt: skip


@click.command("account")
@configured
@as_json
@click.option(
    "--from",
    "since",
    metavar="TIME",
    callback=moment,
    required=True,
    help="What was seen from then on,",
)
@click.option(
    "--to",
    "until",
    metavar="TIME",
    callback=moment,
    help="and before then; else until now.",
)
@click.option("--source", metavar="NAME", help="Of this source only.")
def command(
    file: Path | None,
    *,
    json: bool,
    since: datetime,
    until: datetime | None,
    source: str | None,
) -> None:
    """
    Account for every id that was seen, every match and everybody it concerns.

    Times are ISO 8601, in UTC where they name no zone.  Exits with 0 if all adds up,
    with 1 if something is unexplained: a version of a post that was neither matched
    nor filtered, a match that was neither told nor suppressed, numbers of a channel
    that nobody saw.
    """
    now = datetime.now(UTC)
    window = Window(max(since, OLDEST), min(until or now, now))
    if window.since >= window.until:
        raise click.UsageError("--from has to be before --to, and in the past")
    settings = settings_of(file)
    here, remark = asyncio.run(_standing(settings))
    accounts = [*_accounts(settings, here, window, source)]
    for one in accounts:
        if json:
            answer(one)
    if not json:
        _show(accounts)
    if remark:
        aside(remark)
    sys.exit(0 if _sum_up(accounts, window) else 1)


async def _standing(settings: Settings) -> tuple[Standing, str]:
    """Return what stands in the streams, or why nobody can tell."""
    try:
        async with stream_of(settings) as stream:
            return await standing(stream, datetime.now(UTC)), ""
    except (Transient, Unavailable) as reason:
        said = redact(str(reason)).split(";")[0]
        return Standing(), f"What waits cannot be told from what was lost: {said}."


def _accounts(
    settings: Settings, here: Standing, window: Window, source: str | None
) -> Sequence[Account]:
    folder = settings.state / "archive"
    if not folder.is_dir():
        raise Unavailable(f"{folder}: nothing has been archived there yet")
    sources = None if source is None else frozenset([source])
    with Archive(folder) as archive:
        counting = settings.channels
        last = last_numbers(archive, window.since, counting)
        found, _ = Records(archive, here, sources).closed(window, counting, last)
    if source is not None and not found:
        known("source", source, [*settings.origins])  # or it has published nothing
    return found


def _show(accounts: Sequence[Account]) -> None:
    """Print a table of what became of the ids, and below it the rest of each source."""
    if not accounts:
        return
    ids = {one.source: one.ids for one in accounts}
    sends = {one.source: one.matches for one in accounts}
    for line in (*_table("ids", ids, ENDS), "", *_table("told", sends, SENDS)):
        click.echo(line)
    for one in accounts:
        details = [*_details(one)]
        if details:
            click.echo(f"\n{click.style(one_line(one.source), bold=True)}")
        for line in details:
            click.echo(f"  {line}")


def _table(
    what: str, counts: Mapping[str, Mapping[str, int]], order: Sequence[str]
) -> Iterator[str]:
    """Yield lines of how much ended as what, a source a line, and the sum."""
    total = sum((Counter(some) for some in counts.values()), Counter[str]())
    ends = [end for end in (*order, *total) if total[end]]
    ends = list(dict.fromkeys(ends))
    rows = [["", what, *ends]]
    named = {one_line(name): some for name, some in counts.items()}
    rest = [("all", total)] if len(named) > 1 else []
    for name, some in (*named.items(), *rest):
        cells = [f"{some.get(end, 0):,}" if some.get(end) else "·" for end in ends]
        rows.append([name, f"{sum(some.values()):,}", *cells])
    heads, *lines = columns(rows)
    yield click.style(heads, bold=True)
    yield from lines


def _details(account: Account) -> Iterator[str]:
    """Yield what the table has no room for."""
    for what, counts in (
        ("filtered", account.filtered),
        ("suppressed", account.suppressed),
        ("dead", account.dead),
    ):
        if counts:
            yield f"{what}: {_named(counts)}"
    if account.repeats:
        yield f"copies that may lie in chats beside the ones meant: {account.repeats}"
    if account.gaps:
        some = [_gap(gap.first, gap.last) for gap in account.gaps[:NAMED]]
        yield f"{mark('fail')} numbers that nobody saw: {_list(some, account.gaps)}"
    if account.unexplained:
        keys = [one_line(key) for key in account.unexplained[:NAMED]]
        yield f"{mark('fail')} unexplained: {_list(keys, account.unexplained)}"


def _gap(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first}–{last} ({last - first + 1})"


def _named(counts: Mapping[str, int]) -> str:
    some = [f"{one_line(why)} {count:,}" for why, count in counts.items()]
    return _list(some[:NAMED], some, " · ")


def _list(some: Sequence[str], every: Sequence[object], between: str = ", ") -> str:
    more = len(every) - len(some)
    return between.join(some) + (f"{between}+{more} more" if more else "")


def _sum_up(accounts: Sequence[Account], window: Window) -> bool:
    """Say whether all adds up, and return it."""
    stretch = f"from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC"
    if not accounts:
        aside(f"The archive has nothing {stretch}.")
        return True
    ids = sum(sum(one.ids.values()) for one in accounts)
    lost = sum(len(one.unexplained) for one in accounts)
    gaps = sum(gap.size for one in accounts for gap in one.gaps)
    if not lost and not gaps:
        aside(f"All adds up {stretch}: {ids:,} ids of {len(accounts)} sources.")
        return True
    aside(
        f"It does not add up {stretch}: {lost:,} versions or matches and {gaps:,}"
        " numbers are unexplained."
    )
    return False
