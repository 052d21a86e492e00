"""Small things that are looked up: cursors, the ledger, leases, what is being sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.item import WIRE, Delivery, Envelope, from_wire
from monitor.stream.door import Argument, Door, Script
from monitor.stream.queues import sending
from monitor.stream.reader import Entry

TAKE, RELEASE = Script("take"), Script("release")
BEGIN, PROGRESS = Script("begin"), Script("progress")
PULSE = Script("pulse")
HEADER = 6  # bytes before the delivery in a field of the ledger; see record.lua
MILLISECOND = timedelta(milliseconds=1)
START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a source was read, and when that was; empty and None if never.

    Attributes:
        turn: How many reads of it were accepted.
    """

    cursor: str = ""
    read: datetime | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Pulse:
    """
    How the database stands.

    Attributes:
        epoch: Which one it is.
        count: How far was counted while somebody worked on it; less than before where
            it is an older state of it.
        reads: When each source was last read.
    """

    epoch: str
    count: int
    reads: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Sending:
    """
    An envelope that is about to be sent to one recipient.

    Attributes:
        doubts: Sends before this one whose end nobody knows; None to have those that
            are written down.
    """

    entry: Entry[Envelope]
    doubts: int | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """
    What is known of an envelope right before it is sent to one recipient.

    Attributes:
        ours: It may be sent: the lease is ours, and so is the entry.
        doubts: Sends before this one whose end nobody knows.
        told: What the ledger has of the post for the recipient.
    """

    ours: bool
    doubts: int
    told: Delivery | None


async def begin(
    door: Door, owner: str, lease: str, subscriber: str, what: Sequence[Sending]
) -> list[Begun]:
    """Write down that envelopes of one outbox are being sent; see `Stream.begin`."""
    if not what:
        return []
    queue = what[0].entry.queue
    keys = [queue, sending(queue), f"lease:{lease}"]
    arguments: list[Argument] = ["deliver", owner, subscriber]
    for one in what:
        entry = one.entry
        if not isinstance(entry.value, Envelope):
            raise TypeError("what is damaged cannot be sent")
        keys.append(f"ledger:{entry.value.match.item.post}")
        arguments += (entry.id, "" if one.doubts is None else one.doubts)
    flat = await door.run(BEGIN, keys, arguments)
    return [
        Begun(bool(ours), doubts, _delivery(field))
        for ours, doubts, field in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]


async def progress(door: Door, source: str) -> Progress:
    """Return how far *source* was read, and when."""
    text, reads = await door.run(PROGRESS, ["cursor", "reads"], [source])
    at, _, turn = (reads or b"").decode().partition(" ")
    read = START + int(at) * MILLISECOND if at else None
    return Progress(text.decode() if text else "", read, int(turn or 0))


async def told(
    door: Door, post: str, subscribers: Sequence[str]
) -> dict[str, Delivery]:
    """Return what the ledger of *post* shows for each of *subscribers*."""
    if not subscribers:
        return {}
    fields = await door.call("HMGET", door.key(f"ledger:{post}"), *subscribers)
    return {
        subscriber: delivery
        for subscriber, field in zip(subscribers, fields, strict=True)
        if (delivery := _delivery(field))
    }


async def epoch(door: Door, fresh: str) -> str:
    """Return the database's name, which is *fresh* if it had none."""
    key = door.key("epoch")
    name: bytes | None = await door.call("GET", key)
    if name is None:  # asked first, as writing is refused when memory is full
        await door.call("SETNX", key, fresh)
        name = await door.call("GET", key)
    return (name or fresh.encode()).decode()


async def pulse(door: Door, fresh: str, *, count: bool) -> Pulse:
    """Return how the database stands, and *count* that we work on it."""
    keys = ["epoch", "pulse", "reads"]
    name, counted, flat = await door.run(PULSE, keys, [fresh, int(count)])
    return Pulse(name.decode(), counted, _times(flat))


async def take(door: Door, name: str, owner: str, ttl: timedelta) -> bool:
    """Take or renew a lease."""
    return bool(await door.run(TAKE, [f"lease:{name}"], [owner, ttl // MILLISECOND]))


async def release(door: Door, name: str, owner: str) -> bool:
    """Give a lease back."""
    return bool(await door.run(RELEASE, [f"lease:{name}"], [owner]))


async def reads(door: Door) -> dict[str, datetime]:
    """Return when each source was last read."""
    return _times(await door.call("HGETALL", door.key("reads")))


def _times(flat: Sequence[bytes]) -> dict[str, datetime]:
    moments = {name: said.partition(" ")[0] for name, said in pairs(flat).items()}
    return {name: START + int(at) * MILLISECOND for name, at in moments.items()}


def _delivery(field: bytes | None) -> Delivery | None:
    return from_wire({WIRE: field[HEADER:]}, Delivery) if field else None


def pairs(flat: Sequence[bytes]) -> dict[str, str]:
    """Return a hash as it comes over the wire: name, text, name, …."""
    texts = [text.decode() for text in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))
