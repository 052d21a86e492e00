"""Compare the simulated store with real servers for as long as one likes."""

import asyncio
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import click

from tests.simulation.model.compare import Parted, Town, at_random, work_at_random
from tests.simulation.model.servers import Rig, binaries, running

TELL = 10  # seconds between two lines of progress


@click.command()
@click.option("--ops", default=100_000, help="answers of each server to compare")
@click.option("--seed", default=1_000_000, help="of the first script")
def main(ops: int, seed: int) -> None:
    """Compare with every server there is; end with 1 if one differs."""
    sys.exit(asyncio.run(_with_all(ops, seed)))


async def _with_all(most: int, first: int) -> int:
    parted = 0
    for binary in binaries():
        with tempfile.TemporaryDirectory() as folder:
            async with running(binary, Path(folder) / "state") as rig:
                parted += await _with_one(rig, most, first)
    return min(parted, 1)


async def _with_one(rig: Rig, most: int, first: int) -> int:
    """Compare at least *most* answers; return how many scripts showed a difference."""
    parted = 0
    started = told = time.monotonic()
    async with rig.town(time.time) as town:
        for seed in count(first):
            parted += await _differs(rig, town, seed)
            if town.pair.compared >= most:
                break
            if time.monotonic() - told > TELL:
                told = time.monotonic()
                click.echo(f"{rig.name}: {town.pair.compared:,} answers", err=True)
        _summary(rig, town, time.monotonic() - started, parted)
    return parted


async def _differs(rig: Rig, town: Town, seed: int) -> int:
    parted = 0
    for run in (at_random(town.pair, seed), work_at_random(town, seed)):
        try:
            await run
        except Parted as difference:
            parted += 1
            click.echo(f"{rig.name}: {difference}\n")
    return parted


def _summary(rig: Rig, town: Town, seconds: float, parted: int) -> None:
    pair = town.pair
    click.echo(
        f"{rig.name}: {pair.compared:,} answers compared, {pair.refused.total():,} of "
        f"them refusals; {parted} differences; {pair.unknown:,} commands that the "
        f"model does not know; {pair.compared / seconds:,.0f} a second"
    )
    for title, numbers in (
        ("commands", pair.answered), ("refusals", pair.refused), ("work", town.did)
    ):  # fmt: skip
        shown = ", ".join(f"{name} {n:,}" for name, n in numbers.most_common())
        click.echo(f"  {title}: {shown}")


main()
