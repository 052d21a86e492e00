"""dramatiq: one actor on its Redis broker, with as many threads as by default."""

import json
import sys
import threading
import time
from importlib.metadata import version

import dramatiq  # type: ignore[import-not-found]
from dramatiq.brokers.redis import (  # type: ignore[import-not-found]
    RedisBroker,
)


def main(url: str, count: int, text: str) -> dict[str, object]:
    """Return how many messages a second are sent, and then handled."""
    broker = RedisBroker(url=url)
    broker.flush_all()
    dramatiq.set_broker(broker)
    left, done, lock = count, threading.Event(), threading.Lock()

    def handle(_: str) -> None:
        nonlocal left
        with lock:
            left -= 1
            if not left:
                done.set()

    actor = dramatiq.actor(handle)
    start = time.perf_counter()
    for _ in range(count):
        actor.send(text)
    sent = time.perf_counter()
    worker = dramatiq.Worker(broker)
    worker.start()
    done.wait()
    end = time.perf_counter()
    worker.stop()
    return {
        "version": version("dramatiq"),
        "sent": count / (sent - start),
        "handled": count / (end - sent),
    }


answer = main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
print(json.dumps(answer))  # noqa: T201
