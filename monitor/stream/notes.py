"""Small things that are looked up: cursors, the ledger, leases, who has to wait."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from monitor.item import WIRE, Delivery, from_wire
from monitor.stream.door import Door, Script

TAKE, RELEASE = Script("take"), Script("release")
NOTE, HELD = Script("note"), Script("held")
HEADER = 6  # bytes before the delivery in a field of the ledger; see record.lua
MILLISECOND = timedelta(milliseconds=1)
START = datetime(1970, 1, 1, tzinfo=UTC)


async def cursor(door: Door, source: str) -> str:
    """Return the cursor of *source*, or nothing."""
    text: bytes | None = await door.call("HGET", door.key("cursor"), source)
    return text.decode() if text else ""


async def told(
    door: Door, post: str, subscribers: Sequence[str]
) -> dict[str, Delivery]:
    """Return what the ledger of *post* shows for each of *subscribers*."""
    if not subscribers:
        return {}
    fields = await door.call("HMGET", door.key(f"ledger:{post}"), *subscribers)
    return {
        subscriber: from_wire({WIRE: field[HEADER:]}, Delivery)
        for subscriber, field in zip(subscribers, fields, strict=True)
        if field
    }


async def epoch(door: Door, fresh: str) -> str:
    """Return the database's name, which is *fresh* if it had none."""
    key = door.key("epoch")
    name: bytes | None = await door.call("GET", key)
    if name is None:  # asked first, as writing is refused when memory is full
        await door.call("SETNX", key, fresh)
        name = await door.call("GET", key)
    return (name or fresh.encode()).decode()


async def take(door: Door, name: str, owner: str, ttl: timedelta) -> bool:
    """Take or renew a lease."""
    return bool(await door.run(TAKE, [f"lease:{name}"], [owner, ttl // MILLISECOND]))


async def release(door: Door, name: str, owner: str) -> bool:
    """Give a lease back."""
    return bool(await door.run(RELEASE, [f"lease:{name}"], [owner]))


async def read(door: Door, key: str) -> dict[str, str]:
    """Return a whole small hash."""
    flat = await door.call("HGETALL", door.key(key))
    return _pairs(flat)


async def write(door: Door, key: str, name: str, text: str) -> None:
    """Write one field of a small hash."""
    await door.run(NOTE, [key], [name, text])


async def erase(door: Door, key: str, name: str) -> None:
    """Remove one field of a small hash."""
    await door.run(NOTE, [key], [name])


async def hold(door: Door, sink: str, address: str | None, until: datetime) -> None:
    """Remember that nothing may be sent there before *until*."""
    until_ms = str((until - START) // MILLISECOND)
    await write(door, "wait", place(sink, address or ""), until_ms)


async def held(door: Door, now: datetime) -> dict[str, datetime]:
    """Return who has to wait after *now*, and forget the others."""
    flat = await door.run(HELD, ["wait"], [(now - START) // MILLISECOND])
    return {
        name: START + int(until) * MILLISECOND for name, until in _pairs(flat).items()
    }


async def parked(door: Door, sink: str, subscriber: str) -> str:
    """Return why nothing is sent there; empty if something is."""
    places = (sink, place(sink, subscriber))
    found = await door.call("HMGET", door.key("parked"), *places)
    return next((why.decode() for why in found if why), "")


async def moved(door: Door, sink: str, address: str) -> str:
    """Return where *address* is now, over as many moves as it made."""
    been: set[str] = set()
    while address not in been:
        been.add(address)
        to = await door.call("HGET", door.key("moved"), place(sink, address))
        if to:
            address = to.decode()
    return address


def place(sink: str, within: str) -> str:
    """Return the name of a sink, or of something within it."""
    return f"{sink}/{within}" if within else sink


def _pairs(flat: Sequence[bytes]) -> dict[str, str]:
    texts = [text.decode() for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))
