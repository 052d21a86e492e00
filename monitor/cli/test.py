"""``monitor test``: whether rules, topics and signals do what stands beside them."""

import sys
from pathlib import Path

import click

from monitor.cli.options import answer, as_json, aside, configured, settings_of
from monitor.cli.shown import mark, one_line


@click.command("test")
@configured
@as_json
def command(file: Path | None, *, json: bool) -> None:
    """
    Try the `expect:` lines that stand beside rules, topics and signals.

    Exits with 1 if one of them is not met.
    """
    outcomes = list(settings_of(file).filter.expectations())
    failed = [one for one in outcomes if one.failure]
    for one in outcomes if json else failed:
        if json:
            answer(one)
        else:
            click.echo(f"{mark('fail')} {one.where}: {one.failure}")
            click.echo(f"    {one_line(one.text)}")
    good = len(outcomes) - len(failed)
    aside(f"{good} of {len(outcomes)} expectations met.")
    sys.exit(1 if failed else 0)
