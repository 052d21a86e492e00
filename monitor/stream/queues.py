"""The streams, what their entries hold, and the groups that read them."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from monitor.item import Delivery, Envelope, Item, Match, Note

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Queue(Generic[T]):
    """
    A stream, and the groups of which each gets every entry.

    Attributes:
        name: Its key without the prefix, such as ``"items"``.
        kind: What its entries hold.
        groups: All must have acknowledged an entry before it may be trimmed.
        lane: It has one reader at a time, who holds the lease of its name; an entry
            is deleted when it is settled.
    """

    name: str
    kind: type[T]
    groups: tuple[str, ...]
    lane: bool = False


ITEMS: Final = Queue("items", Item, ("filter", "archive"))
MATCHES: Final = Queue("matches", Match, ("alert", "archive"))
DELIVERIES: Final = Queue("deliveries", Delivery, ("archive",))
NOTES: Final = Queue("notes", Note, ("archive",))
DEAD: Final = "dead"  # what could not be worked on; it has no groups
QUEUES: Final = (ITEMS, MATCHES, DELIVERIES, NOTES)


def outbox(sink: str, lane: int = 0) -> Queue[Envelope]:
    """Return what waits to be sent by *sink*."""
    return Queue(f"outbox:{sink}:{lane}", Envelope, ("deliver",), lane=True)


def sending(queue: str) -> str:
    """Return the key of what is being sent of the outbox called *queue*."""
    return f"sending:{queue.partition(':')[2]}"


def named(name: Queue[Any] | str) -> Queue[Any]:
    """
    Return the stream that is called *name*, or that it is.

    Raises:
        KeyError: There is none.
    """
    if isinstance(name, Queue):
        return name
    for queue in QUEUES:
        if queue.name == name:
            return queue
    match name.split(":"):
        case ["outbox", *sink, lane] if sink and lane.isdigit():
            return outbox(":".join(sink), int(lane))
    raise KeyError(name)
