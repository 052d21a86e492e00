"""taskiq over taskiq-redis: one task on its stream broker, in one process."""

import asyncio
import json
import sys
import time
from importlib.metadata import version

from taskiq.receiver import Receiver  # type: ignore[import-not-found]
from taskiq_redis import RedisStreamBroker  # type: ignore[import-not-found]


async def main(url: str, count: int, text: str) -> dict[str, object]:
    """Return how many messages a second are sent, and then handled."""
    broker = RedisStreamBroker(url, consumer_id="0")
    left, done = count, asyncio.Event()

    async def handle(_: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    task = broker.register_task(handle, "handle")
    await broker.startup()
    start = time.perf_counter()
    for _ in range(count):
        await task.kiq(text)
    sent = time.perf_counter()
    receiver = Receiver(broker, max_async_tasks=100, run_startup=False)
    begun = time.perf_counter()
    listening = asyncio.create_task(receiver.listen(done))
    await done.wait()
    end = time.perf_counter()
    await listening
    await broker.shutdown()
    return {
        "version": version("taskiq-redis"),
        "sent": count / (sent - start),
        "handled": count / (end - begun),
    }


answer = asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
print(json.dumps(answer))  # noqa: T201
