"""``monitor schema``: what the configuration files may hold, for editors."""

import json

import click

from monitor.config import schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the configuration files, for editors."""
    click.echo(json.dumps(schema(), indent=2, ensure_ascii=False))
