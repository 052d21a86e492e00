"""What the deliverers know of addresses: who is parked, has moved, has to wait."""

from datetime import datetime

from monitor.clock import Clock
from monitor.stream.door import Door, Script
from monitor.stream.notes import MILLISECOND, START, pairs
from monitor.stream.queues import sending

NOTE, HELD = Script("note"), Script("held")


class Directory:
    """
    Notes on addresses, which outlive the deliverer that made them.

    Every method raises `Away` and `Unavailable` as those of `Stream` do.
    """

    def __init__(self, door: Door, clock: Clock) -> None:
        """Use `Stream.directory`."""
        self._door, self._clock = door, clock

    async def parked(self, sink: str, subscriber: str) -> str:
        """Return why nothing is sent to this one, or to the whole sink; else empty."""
        places = (sink, _place(sink, subscriber))
        found = await self._door.call("HMGET", self._door.key("parked"), *places)
        return next((why.decode() for why in found if why), "")

    async def parking(self) -> dict[str, str]:
        """Return all sinks and ``sink/subscriber`` that are parked, and why."""
        return pairs(await self._door.call("HGETALL", self._door.key("parked")))

    async def park(self, sink: str, subscriber: str, why: str) -> None:
        """Send nothing there until it is unparked; no subscriber is the whole sink."""
        await self._note("parked", _place(sink, subscriber), why)

    async def unpark(self, sink: str, subscriber: str) -> None:
        """Send there again."""
        await self._note("parked", _place(sink, subscriber))

    async def moved(self, sink: str, address: str) -> str:
        """Return what *address* is called now; itself, if it has not moved."""
        been: set[str] = set()
        while address not in been:
            been.add(address)
            place = _place(sink, address)
            if to := await self._door.call("HGET", self._door.key("moved"), place):
                address = to.decode()
        return address

    async def move(self, sink: str, address: str, to: str) -> None:
        """Remember that *address* is now called *to*."""
        await self._note("moved", _place(sink, address), to)

    async def held(self) -> dict[str, datetime]:
        """Return the sinks and ``sink/address`` that have to wait, and until when."""
        now = self._clock.now()
        flat = await self._door.run(HELD, ["wait"], [(now - START) // MILLISECOND])
        return {
            name: now + float(left) * MILLISECOND for name, left in pairs(flat).items()
        }

    async def hold(self, sink: str, address: str | None, until: datetime) -> None:
        """Let a sink, or one of its addresses, wait; a restart does not forget it."""
        until_ms = (until - START) // MILLISECOND
        whole_ms = max((until - self._clock.now()) // MILLISECOND, 0)
        place = _place(sink, address or "")
        await self._note("wait", place, f"{until_ms} {whole_ms}")

    async def sealed(self, queue: str, subscriber: str) -> str:
        """Return what `seal` noted; empty if there is nothing."""
        key, field = self._door.key(sending(queue)), f"digest/{subscriber}"
        found: bytes | None = await self._door.call("HGET", key, field)
        return found.decode() if found else ""

    async def seal(self, queue: str, subscriber: str, what: str) -> None:
        """Note what is on its way to somebody as one message; nothing forgets it."""
        field = f"digest/{subscriber}"
        await self._note(sending(queue), field, *([what] if what else []))

    async def _note(self, key: str, *field_and_text: str) -> None:
        """Write one field of a small hash, or remove it."""
        await self._door.run(NOTE, [key], field_and_text)


def _place(sink: str, within: str) -> str:
    """Return the name of a sink, or of something within it."""
    return f"{sink}/{within}" if within else sink
