"""
``make bench``: every figure that the documentation names, as one table.

A ratio is measured in one run against the same server on the same machine; absolute
figures swing by a third with what else the machine does.  ``ARGS=peers`` measures
others beside us; they have to be installed from an index of packages for that.
"""

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from tests.bench import archive, audience, daemon, latency, peers, stream
from tests.bench.filter import measure as measure_filter


def main() -> None:
    """Measure, and print the table."""
    parts: dict[str, Callable[[], Mapping[str, object]]] = {
        "stream": lambda: asyncio.run(stream.measure()),
        "stream-on-disk": lambda: asyncio.run(stream.measure("always")),
        "latency": latency.measure,
        "audience": audience.measure,
        "filter": measure_filter,
        "archive": archive.measure,
        "daemon": daemon.measure,
        "peers": peers.measure,
    }
    chosen = sys.argv[1:] or [part for part in parts if part != "peers"]
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, Python {sys.version.split()[0]}")  # noqa: T201
    print("\n| figure | value |\n|---|---:|")  # noqa: T201
    for part in chosen:
        for figure, value in parts[part]().items():
            print(f"| {part}: {figure} | {_shown(value)} |", flush=True)  # noqa: T201


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


main()
