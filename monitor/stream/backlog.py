"""What waits in the streams, for an account of it: looked at, and left as it is."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from monitor.item import Envelope
from monitor.stream.door import Door
from monitor.stream.notes import MILLISECOND, START
from monitor.stream.queues import QUEUES, Queue, T, named
from monitor.stream.reader import Entry, decoded
from monitor.stream.upkeep import DEPTHS

PAGE = 256  # entries a step


class Backlog:
    """
    What groups have not acknowledged yet.

    Every method raises `Away` and `Unavailable` as those of `Stream` do.
    """

    def __init__(self, door: Door) -> None:
        """Use `Stream.backlog`."""
        self._door = door

    async def of(self, queue: Queue[T], group: str) -> AsyncIterator[Entry[T]]:
        """
        Yield what *group* has not acknowledged: first what was taken, then the rest.

        What is acknowledged meanwhile may be among it.
        """
        taken, last = await self._state(queue, group)
        if taken:
            async for id_ in self._pending(queue, group):
                for entry in await self._range(queue, id_, id_):
                    yield entry
        async for entry in self._after(queue, last):
            yield entry

    async def outboxes(self) -> AsyncIterator[Entry[Envelope]]:
        """Yield all that is to be sent, whatever sinks there are now."""
        names = await self._door.call("SMEMBERS", self._door.key("lanes"))
        for name in sorted(names):
            async for entry in self._after(named(name.decode()), b"-"):
                yield entry

    async def oldest(self, group: str) -> datetime | None:
        """Return when the oldest entry came that *group* has not acknowledged."""
        found = [await self._first(queue, group) for queue in QUEUES]
        return min((one for one in found if one), default=None)

    async def holds(self, owner: str, *leases: str) -> bool:
        """Whether all these leases are the *owner*'s now."""
        for name in leases:
            holder = await self._door.call("GET", self._door.key(f"lease:{name}"))
            if holder != owner.encode():
                return False
        return True

    async def _state(self, queue: Queue[Any], group: str) -> tuple[int, bytes]:
        """Return how many entries a group has taken, and where new ones begin."""
        ((_, groups),) = await self._door.run(DEPTHS, [queue.name])
        for flat in groups:
            known = dict(zip(flat[::2], flat[1::2], strict=True))
            if known[b"name"] == group.encode():
                return known[b"pending"], b"(" + known[b"last-delivered-id"]
        return 0, b"-"

    async def _pending(self, queue: Queue[Any], group: str) -> AsyncIterator[bytes]:
        after = b"-"
        while True:
            page = await self._door.call(
                "XPENDING", self._door.key(queue.name), group, after, "+", PAGE
            )
            for one in page:
                yield one[0]
            if len(page) < PAGE:
                return
            after = b"(" + page[-1][0]

    async def _after(self, queue: Queue[T], after: bytes) -> AsyncIterator[Entry[T]]:
        while page := await self._range(queue, after, b"+"):
            for entry in page:
                yield entry
            after = b"(" + page[-1].id.encode()

    async def _range(
        self, queue: Queue[T], first: bytes, last: bytes
    ) -> Sequence[Entry[T]]:
        key = self._door.key(queue.name)
        found = await self._door.call("XRANGE", key, first, last, "COUNT", PAGE)
        return [_entry(queue, id_, fields) for id_, fields in found]

    async def _first(self, queue: Queue[Any], group: str) -> datetime | None:
        taken, last = await self._state(queue, group)
        key, ids = self._door.key(queue.name), list[bytes]()
        if taken:
            page = await self._door.call("XPENDING", key, group, "-", "+", 1)
            ids += [one[0] for one in page]
        page = await self._door.call("XRANGE", key, last, "+", "COUNT", 1)
        ids += [one[0] for one in page]
        times = [int(id_.partition(b"-")[0]) for id_ in ids]
        return START + min(times) * MILLISECOND if times else None


def _entry(queue: Queue[T], id_: bytes, fields: Sequence[bytes]) -> Entry[T]:
    found = decoded(queue, fields)
    return Entry(
        id=id_.decode(), queue=queue.name, group="", value=found[0], was=found[1]
    )
