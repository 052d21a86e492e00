"""
How long a post takes from its arrival to the handler, when posts come at random.

Two processes, as the roles of the daemon may be.  One accepts, in batches that form by
themselves: whatever arrived while the batch before was on its way.  The other takes,
hands each entry to a handler that looks at the clock, and acknowledges.  Posts arrive
whether or not the batch before is done, so that a slow answer shows in all that waited
for it.  The server has every commit on the disk before it answers.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

from monitor.item import Item
from monitor.stream import ITEMS, Server, Stream
from tests.bench.limit import Line
from tests.bench.stream import texts

LOADS = ((5_000, 10.0), (500, 6.0))  # posts a second, for so many seconds
WARM = 1.0  # seconds that do not count: connections, scripts, caches
MOST = 512  # posts a batch
PATIENCE = timedelta(seconds=2)
ADDS = 500  # plain entries, one after the other


@dataclass(frozen=True, slots=True)
class Post:
    """When a post arrived, was accepted for sending, and came to the handler; in s."""

    arrived: float
    asked: float
    handled: float


def measure() -> dict[str, float]:
    """Return latencies in ms."""
    return asyncio.run(_measured())


async def _measured() -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="monitor-bench-") as folder:
        async with Server(Path(folder)) as server:
            url = await server.ensure()
            with Line(url) as line:
                plain = list(_plain(line))
                figures |= {
                    "a plain XADD and back p50, ms": _share(plain, 50),
                    "a plain XADD and back p99, ms": _share(plain, 99),
                }
                for rate, seconds in LOADS:
                    line.ask("FLUSHALL")
                    posts = await _under_load(url, rate, seconds)
                    figures |= _figures(f"{rate:,}/s", posts)
    return figures


def _figures(load: str, posts: list[Post]) -> dict[str, float]:
    whole = [post.handled - post.arrived for post in posts]
    asked = [post.handled - post.asked for post in posts]
    batches = len({post.asked for post in posts})
    return {
        f"{load}: arrival → handler p50, ms": _share(whole, 50),
        f"{load}: arrival → handler p99, ms": _share(whole, 99),
        f"{load}: request → handler p50, ms": _share(asked, 50),
        f"{load}: request → handler p99, ms": _share(asked, 99),
        f"{load}: posts a batch": len(posts) / batches,
    }


def _share(seconds: list[float], percent: int) -> float:
    return quantiles(seconds, n=100)[percent - 1] * 1000


def _plain(line: Line) -> Iterator[float]:
    """Yield how long the server and its disk take for one entry each."""
    for number in range(ADDS):
        start = time.perf_counter()
        line.ask("XADD", "plain", "*", "1", f"{number:01000}")
        yield time.perf_counter() - start


async def _under_load(url: str, rate: int, seconds: float) -> list[Post]:
    """Return what became of the posts of a producer in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.latency", url, str(rate), str(seconds),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    posts = []
    async with aclosing(await Stream.connect(url, "handler")) as stream:
        reader = stream.reader(ITEMS, "filter")
        while entries := await reader.next(MOST, PATIENCE):
            for entry in entries:
                assert isinstance(entry.value, Item)
                posts.append(_handled(entry.value))
            await stream.publish([(entry, None) for entry in entries])
    await process.wait()
    if len(posts) < rate * seconds / 2:
        raise RuntimeError(f"only {len(posts)} posts came")
    begun = posts[0].arrived + WARM
    return [post for post in posts if post.arrived > begun]


def _handled(item: Item) -> Post:
    arrived, asked = item.title.split()
    return Post(float(arrived), float(asked), time.monotonic())


async def _produce(url: str, rate: int, seconds: float) -> None:
    """Accept posts that arrive at random, all that are there at a time."""
    chance = random.Random(1)  # noqa: S311 - no secret comes of it
    (post,) = texts(1)
    count = 0
    async with aclosing(await Stream.connect(url, "producer")) as stream:
        arrival = time.monotonic()
        end = arrival + seconds
        while arrival < end:
            batch: list[Item] = []
            asked = time.monotonic()
            while arrival <= asked and len(batch) < MOST:
                batch.append(_post(post, count, arrival, asked))
                count += 1
                arrival += chance.expovariate(rate)
            if batch:
                await stream.accept("bench", batch, str(count))
            elif arrival - asked > 0.002:  # a timer of the loop is a millisecond late
                await asyncio.sleep(arrival - asked - 0.002)


def _post(like: Item, number: int, arrived: float, asked: float) -> Item:
    return Item(
        source=like.source,
        id=str(number),
        url=like.url,
        published=like.published,
        seen=like.seen,
        title=f"{arrived:.6f} {asked:.6f}",
        text=like.text,
    )


if __name__ == "__main__":
    asyncio.run(_produce(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
