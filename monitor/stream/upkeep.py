"""Upkeep: what may go goes, and how much lies where."""

import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from monitor.stream.door import Door, Script
from monitor.stream.notes import pairs
from monitor.stream.queues import Queue

TRIM, FORGET, DEPTHS = Script("trim"), Script("forget"), Script("depths")
REMOVED = "removed"  # what is no longer in a queue; see trim.lua
PAGE = 1000  # ids a step: the server serves nobody else meanwhile
SHOWN = 1000  # posts that a source may show again; a feed is read up to its newest 500
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
        keys, arguments = [queue.name, REMOVED], [queue.name, *queue.groups]
        while some := await door.run(TRIM, keys, arguments):
            removed += some  # at most 10,000 at a time
    return removed


async def missing(door: Door) -> dict[str, int]:
    """Return by queue how many entries were found to be gone that nobody trimmed."""
    found = pairs(await door.call("HGETALL", door.key(REMOVED)))
    return {name[:-1]: int(n) for name, n in found.items() if name.endswith("!")}


async def forget(door: Door, source: str, today: int, days: int) -> int:
    """Forget what *source* has not shown for so many days; see `Stream.forget`."""
    last = await _last_seen(door, source)
    first = first_kept(last.values(), today, days)
    old = [id_ for id_, day in last.items() if day < first]
    forgotten = 0
    for start in range(0, len(old), PAGE):
        page = old[start : start + PAGE]
        forgotten += await door.run(FORGET, [f"seen:{source}"], [first, *page])
    return forgotten


async def _last_seen(door: Door, source: str) -> dict[bytes, int]:
    """Return on which day each post of *source* was last seen."""
    last: dict[bytes, int] = {}
    cursor, key = b"", door.key(f"seen:{source}")
    while cursor != b"0":
        cursor, flat = await door.call("HSCAN", key, cursor or 0, "COUNT", PAGE)
        for id_, seen in zip(flat[::2], flat[1::2], strict=True):
            last[id_] = SEEN.unpack(seen)[2]
    return last


def first_kept(last: Collection[int], today: int, days: int) -> int:
    """
    Return the first day whose posts are kept.

    It is counted back from when the source last showed something, as one that is quiet
    or was off shows its past again; but a clock that was ahead once does not count.

    Args:
        last: On which day each post was last seen.
    """
    if len(last) <= SHOWN:
        return 0
    newest_first = sorted(last, reverse=True)
    return min(newest_first[SHOWN - 1], min(newest_first[0], today) - days)


async def depths(door: Door, queues: Sequence[Queue[Any]]) -> list[Depth]:
    """
    Return how much lies in each queue for each of its groups.

    For one that nobody has read yet, or not since it was deleted, everything waits.
    """
    answer = await door.run(DEPTHS, [queue.name for queue in queues])
    return [
        depth
        for queue, (length, groups) in zip(queues, answer, strict=True)
        for depth in _depths(queue, length, groups)
    ]


def _depths(
    queue: Queue[Any], length: int, groups: Sequence[Sequence[Any]]
) -> Iterator[Depth]:
    missing = [*queue.groups]
    for flat in groups:
        depth = _depth(queue, length, dict(zip(flat[::2], flat[1::2], strict=True)))
        if depth.group in missing:
            missing.remove(depth.group)
        yield depth
    for name in missing:
        yield Depth(queue=queue.name, group=name, length=length, pending=0, lag=length)


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
