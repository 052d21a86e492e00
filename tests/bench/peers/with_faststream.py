"""FastStream: a subscriber of one stream, as its documentation shows it."""

import asyncio
import json
import sys
import time
from importlib.metadata import version

from faststream.redis import (  # type: ignore[import-not-found]
    RedisBroker,
    StreamSub,
)


async def main(url: str, count: int, text: str) -> dict[str, object]:
    """Return how many messages a second are published, and then handled."""
    broker = RedisBroker(url, logger=None)
    left, done = count, asyncio.Event()

    async def handle(_: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    queue = StreamSub("queue", group="workers", consumer="one", last_id="0")
    await broker.connect()
    start = time.perf_counter()
    for _ in range(count):
        await broker.publish(text, stream="queue")
    published = time.perf_counter()
    broker.subscriber(stream=queue)(handle)
    begun = time.perf_counter()
    await broker.start()
    await done.wait()
    end = time.perf_counter()
    await broker.stop()
    return {
        "version": version("faststream"),
        "sent": count / (published - start),
        "handled": count / (end - begun),
    }


answer = asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
print(json.dumps(answer))  # noqa: T201
