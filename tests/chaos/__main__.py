"""
``make chaos``: real processes, killed at random while posts flow; a table of figures.

Exits with 1 if anything was lost, invented, changed, out of order, or there twice
without an acceptance that a killed process had not recorded.
"""

import argparse
import asyncio
import os
import platform
import random
import signal
import sys
from datetime import UTC, datetime

from tests.chaos.run import run
from tests.chaos.table import faults, figures


def main() -> None:
    """Run, print the table, and say what is wrong."""
    words = argparse.ArgumentParser(description="kill the daemon's processes at work")
    words.add_argument("--kills", type=int, default=100)
    words.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6)
    )
    given = words.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave nothing behind
    outcome = asyncio.run(run(given.kills, given.seed))
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, Python {sys.version.split()[0]}")  # noqa: T201
    print("\n| figure | value |\n|---|---:|")  # noqa: T201
    for figure, value in figures(outcome):
        print(f"| {figure} | {value} |")  # noqa: T201
    wrong = [*faults(outcome), *outcome.world.ledger.examples]
    for one in wrong:
        print(one, file=sys.stderr)  # noqa: T201
    sys.exit(1 if wrong else 0)


main()
