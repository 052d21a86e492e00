"""``monitor doctor``: whether what the program stands on is as it should be."""

import asyncio
import sys
from pathlib import Path

import click

from monitor.cli.diagnosis import Finding, examine
from monitor.cli.options import answer, as_json, aside, configured, settings_of
from monitor.cli.shown import mark, one_line


@click.command("doctor")
@configured
@as_json
def command(file: Path | None, *, json: bool) -> None:
    """
    Look whether Redis, the clock, the disk and the secrets are as they should be.

    Exits with 1 if something is to be mended (✗); what is marked with ! can be lived
    with.
    """
    findings = asyncio.run(examine(settings_of(file)))
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        if json:
            answer(finding)
        else:
            _show(finding, width)
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    aside(f"{failed} to mend, {warned} to know of.")
    sys.exit(1 if failed else 0)


def _show(finding: Finding, width: int) -> None:
    said = one_line(finding.said)
    click.echo(f"{mark(finding.level)} {finding.what.ljust(width)}  {said}")
    if finding.advice:
        click.echo(f"  {' ' * width}  → {one_line(finding.advice)}")
