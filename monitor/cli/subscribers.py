"""``monitor subscribers``: the people and desks who are told."""

from pathlib import Path

import click

from monitor.cli.options import answer, as_json, aside, columns, configured, settings_of


@click.group("subscribers")
def command() -> None:
    """The people and desks who are told."""


@command.command("list")
@configured
@as_json
def list_(file: Path | None, *, json: bool) -> None:
    """List the subscribers of the configuration, without their addresses."""
    found = settings_of(file).subscribers
    if json:
        for one in found:
            answer({
                "name": one.name, "sink": one.sink, "places": one.places,
                "topics": one.topics, "rules": one.rules, "voices": one.voices,
                "severity": one.severity,
            })  # fmt: skip
        return
    rows = [
        (
            one.name,
            one.sink,
            f"{one.severity} and up" if one.severity != "critical" else one.severity,
            ", ".join(one.places) or "everywhere",
            ", ".join((*one.topics, *one.rules, *one.voices)),
        )
        for one in found
    ]
    for line in columns(rows):
        click.echo(line)
    aside(f"{len(found)} subscriber{'s' * (len(found) != 1)}.")
