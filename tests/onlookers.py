"""A look at a daemon that runs on a state folder, from outside."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from monitor.errors import Transient
from monitor.stream import Server, Stream

LOOK = 0.02  # seconds between two looks at what is awaited


async def met(state: Path, sources: Iterable[str]) -> Stream:
    """
    Return a look into the stream, once each of *sources* has been read.

    What they show from then on is news; the caller closes the stream.
    """
    while not (url := await Server.running_url(state)):
        await asyncio.sleep(LOOK)
    names, stream = list(sources), await _connected(url)
    while not all([await stream.cursor(name) for name in names]):
        await asyncio.sleep(LOOK)
    return stream


async def _connected(url: str) -> Stream:
    while True:
        try:
            return await Stream.connect(url, "onlooker")
        except Transient:  # it is loading what it has
            await asyncio.sleep(LOOK)
