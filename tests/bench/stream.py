"""
How fast the streams are, beside what the same server and line can do at all.

    python -m tests.bench.stream [no | everysec | always]

Every pair of figures comes from one server in one run, the limit first: only their
ratio says something about us, and it is to be 0.3 at least.  The limit of `accept` is
a pipeline of plain XADDs of the same bytes, packed beforehand, without a look at
duplicates; that of reading and acknowledging is a group read and one XACK a batch of
plain entries.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import hiredis
from redis.asyncio.connection import UnixDomainSocketConnection

from monitor.item import WIRE, Item, to_wire
from monitor.stream import ITEMS, Server, Stream
from tests.stream_values import NOW

COUNT = 16384
ROUNDS = 5
BATCHES = (64, 256)
OURS, LIMIT = "ours", "limit"


def texts(count: int) -> list[Item]:
    """Return items of about 1 KB on the wire, as a channel has them."""
    words = "Над районом работает противовоздушная оборона, просьба оставаться дома. "
    return [
        Item(
            source="bench",
            id=str(n),
            url=f"https://t.me/channel/{n}",
            published=NOW,
            seen=NOW,
            text=f"{n} {words * 6}",
        )
        for n in range(count)
    ]


async def measure(fsync: str = "no") -> dict[str, float]:
    """
    Return items a second of our commits, and which share that is of the limit.

    Each is of its best round, as other work on the machine only makes it slower.

    Args:
        fsync: When the server's disk has to have it.  The embedded one says `always`;
            `no` leaves the disk out, which both wait for, and is the harder test.
    """
    best: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory(prefix="monitor-bench-") as folder:
        async with Server(Path(folder)) as server:
            url = await server.ensure()
            line = await _line(url)
            await _exchange(line, "CONFIG", "SET", "appendfsync", fsync)
            await line.disconnect()
            for _ in range(ROUNDS):
                for batch in BATCHES:
                    for name, speed in (await _round(url, batch)).items():
                        best[name] = max(best.get(name, 0.0), speed)
    return dict(_figures(best))


def _figures(best: dict[tuple[str, str], float]) -> Iterator[tuple[str, float]]:
    for what in dict.fromkeys(what for what, _ in best):
        yield f"{what}, items/s", best[what, OURS]
        yield f"{what}, the limit, items/s", best[what, LIMIT]
        yield f"{what}, share of the limit", best[what, OURS] / best[what, LIMIT]


async def _round(url: str, batch: int) -> dict[tuple[str, str], float]:
    items = texts(COUNT)
    accept = f"accept, batches of {batch}"
    judge = f"read and acknowledge, batches of {batch}"
    async with aclosing(await Stream.connect(url, "bench")) as stream:
        line = await _line(url)
        try:
            return {
                (accept, LIMIT): await _speed(lambda: _xadds(line, items, batch)),
                (judge, LIMIT): await _speed(lambda: _reads(line, batch)),
                (accept, OURS): await _speed(lambda: _accepts(stream, items, batch)),
                (judge, OURS): await _speed(lambda: _judges(stream, batch)),
            }
        finally:
            await _exchange(line, "FLUSHALL")
            await line.disconnect()


async def _line(url: str) -> UnixDomainSocketConnection:
    line = UnixDomainSocketConnection(path=url.removeprefix("unix://"), protocol=2)
    await line.connect()  # type: ignore[no-untyped-call]
    return line


async def _speed(work: Callable[[], Awaitable[None]]) -> float:
    start = perf_counter()
    await work()
    return COUNT / (perf_counter() - start)


async def _accepts(stream: Stream, items: list[Item], batch: int) -> None:
    for start in range(0, COUNT, batch):
        await stream.accept("bench", items[start : start + batch], str(start))


async def _judges(stream: Stream, batch: int) -> None:
    reader = stream.reader(ITEMS, "filter")
    count = 0
    while entries := await reader.next(batch, timedelta()):
        await stream.publish([(entry, None) for entry in entries])
        count += len(entries)
    assert COUNT == count


async def _xadds(
    line: UnixDomainSocketConnection, items: list[Item], batch: int
) -> None:
    await _exchange(line, "XGROUP", "CREATE", "plain", "g", "0", "MKSTREAM")
    for start in range(0, COUNT, batch):
        some = items[start : start + batch]
        packed = [_packed("XADD", "plain", "*", WIRE, to_wire(item)) for item in some]
        await line.send_packed_command(b"".join(packed))
        for _ in some:
            await line.read_response()


async def _reads(line: UnixDomainSocketConnection, batch: int) -> None:
    group = ("GROUP", "g", "c", "COUNT", batch, "STREAMS", "plain", ">")
    while answer := await _exchange(line, "XREADGROUP", *group):
        ids = [id_ for id_, _ in answer[0][1]]
        await _exchange(line, "XACK", "plain", "g", *ids)


async def _exchange(
    line: UnixDomainSocketConnection, *command: str | bytes | int
) -> Any:
    await line.send_packed_command(_packed(*command))
    return await line.read_response()


def _packed(*command: str | bytes | int) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed  # its types say a tuple of one, and nothing of what comes back


if __name__ == "__main__":
    json.dump(asyncio.run(measure(*sys.argv[1:])), sys.stdout, indent=1)
