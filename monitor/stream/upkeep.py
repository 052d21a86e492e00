"""Upkeep: what may go goes, and how much lies where."""

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from monitor.stream.door import Door, Script
from monitor.stream.queues import Queue

TRIM, FORGET, DEPTHS = Script("trim"), Script("forget"), Script("depths")
PAGE = 1000  # ids a step: the server serves nobody else meanwhile
SEEN = struct.Struct(">I8sHB")  # version, content hash, day last seen, gone


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """
    How much lies in a queue for one of its groups.

    Attributes:
        length: Entries in the stream, those that wait to be trimmed included.
        pending: Taken, and not acknowledged yet.
        lag: Not taken yet; None where the server cannot tell.
    """

    queue: str
    group: str
    length: int
    pending: int
    lag: int | None


async def trim(door: Door, queues: Sequence[Queue[Any]]) -> int:
    """Remove what all groups of each queue have acknowledged; return how much."""
    removed = 0
    for queue in queues:
        while some := await door.run(TRIM, [queue.name], queue.groups):
            removed += some  # at most 10,000 at a time
    return removed


async def forget(door: Door, source: str, day: int) -> int:
    """Forget the posts of *source* that were last seen before *day*."""
    forgotten = 0
    cursor = b"0"
    while True:
        cursor, flat = await door.call(
            "HSCAN", door.key(f"seen:{source}"), cursor, "COUNT", PAGE
        )
        old = [
            id_
            for id_, seen in zip(flat[::2], flat[1::2], strict=True)
            if SEEN.unpack(seen)[2] < day
        ]
        for start in range(0, len(old), PAGE):
            page = old[start : start + PAGE]
            forgotten += await door.run(FORGET, [f"seen:{source}"], [day, *page])
        if cursor == b"0":
            return forgotten


async def depths(door: Door, queues: Sequence[Queue[Any]]) -> list[Depth]:
    """Return how much lies in each queue for each of its groups."""
    answer = await door.run(DEPTHS, [queue.name for queue in queues])
    return [
        _depth(queue, length, dict(zip(flat[::2], flat[1::2], strict=True)))
        for queue, (length, groups) in zip(queues, answer, strict=True)
        for flat in groups
    ]


def _depth(queue: Queue[Any], length: int, group: dict[bytes, Any]) -> Depth:
    pending = group[b"pending"]
    # In a lane the server cannot count what was deleted in between; but whatever is
    # still there and was not taken is waiting.
    lag = length - pending if queue.lane else group.get(b"lag")
    return Depth(
        queue=queue.name,
        group=group[b"name"].decode(),
        length=length,
        pending=pending,
        lag=lag,
    )
