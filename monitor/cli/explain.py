"""``monitor explain``: what a text is read as, and who would be told of it."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from monitor.cli.explanation import explanation
from monitor.cli.options import answer, as_json, aside, configured, known, settings_of
from monitor.cli.posts import Usual, items
from monitor.config import Settings
from monitor.item import Item, Origin


@click.command("explain")
@click.argument("text", required=False)
@configured
@as_json
@click.option(
    "--source", metavar="NAME", help="Read it as a post of this configured source."
)
@click.option("--stdin", is_flag=True, help="Read items or bare lines as NDJSON.")
def command(
    text: str | None, file: Path | None, *, json: bool, source: str | None, stdin: bool
) -> None:
    """
    Say what TEXT is read as, which rules it meets, and who would be told.

    With --stdin each line is an item (the fields it lacks are as usual, and its source
    selects its home), a text in JSON, or a bare text.  With --json each is answered by
    one line {"id", "reading", "matches"}, in order, whether a rule matches or not.
    """
    if (text is None) != stdin:
        raise click.UsageError("give either TEXT or --stdin")
    settings = settings_of(file)
    if source:
        known("source", source, settings.origins)
    usual = Usual(source or "", datetime.now(UTC))
    found = items(_stdin(), usual, aside) if stdin else [usual.item(1, {"text": text})]
    _explain(settings, found, json=json)


def _stdin() -> BinaryIO:
    return sys.stdin.buffer  # as bytes: a line that is no UTF-8 is no end


def _explain(settings: Settings, posts: Iterable[Item], *, json: bool) -> None:
    for number, item in enumerate(posts):
        origin = settings.origins.get(item.source) or Origin(source=item.source)
        if json:
            judged = settings.filter.weigh(item, origin)
            matches = [judged.match] if judged.match else []
            answer({"id": item.id, "reading": judged.reading, "matches": matches})
        else:
            if number:
                click.echo()
            for line in explanation(settings, item, origin):
                click.echo(line)
