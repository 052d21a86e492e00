"""``monitor demo``: the whole program on a recording."""

import asyncio

import click

from monitor.demo.show import show


@click.command("demo")
@click.option("--exit", "leave", is_flag=True, help="End with a summary.")
@click.option("--speed", type=click.FloatRange(60), default=None, hidden=True)
def command(*, leave: bool, speed: float | None) -> None:
    """
    Show the whole program on a bundled recording: no key, no internet.

    Three days of May 2023 in the Belgorod region, reconstructed from what the press
    reported, are served on loopback and run through the real daemon in half a minute.
    """
    asyncio.run(show(leave=leave, speed=speed))
