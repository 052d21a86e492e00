"""A look at the embedded server from outside: what is in flight, what is done."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from monitor.errors import Transient, Unavailable
from monitor.stream import PREFIX, QUEUES, Letter, outbox
from monitor.stream.door import Door
from monitor.stream.letters import letters
from monitor.stream.server import SOCKET
from monitor.stream.upkeep import DEPTHS

LANES = tuple(outbox(sink).name for sink in ("bot", "hook"))
NAMES = (*(queue.name for queue in QUEUES), *LANES)
GROUPS = {"filter", "alert", "archive", "deliver"}  # each is called as its role


@dataclass
class Look:
    """
    How far each role has come.

    Attributes:
        pending: Entries that it has taken and not acknowledged.
        lag: Entries that it has not taken yet.
        done: A number that grows with what it gets done.
    """

    pending: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0))
    lag: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0))
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, 0))

    @property
    def waiting(self) -> int:
        """How many entries are not done with."""
        return sum(self.pending.values()) + sum(self.lag.values())


class Gauge:
    """Commands to the server in a state folder, which may be away at any time."""

    def __init__(self, state: Path) -> None:
        """Look at the server on *state*, which need not run yet."""
        self.door = Door(f"unix://{quote(str(state / SOCKET))}", PREFIX)

    async def close(self) -> None:
        """Close every connection."""
        await self.door.aclose()

    async def look(self) -> Look | None:
        """Return how far everything is; None while the server is away."""
        try:
            queues = await self.door.run(DEPTHS, NAMES)
            items = await self.door.call("XINFO", "STREAM", self.door.key("items"))
        except (Transient, Unavailable):
            return None
        found = Look()
        for name, (length, groups) in zip(NAMES, queues, strict=True):
            for flat in groups:
                _count(
                    found, dict(zip(flat[::2], flat[1::2], strict=True)), name, length
                )
        found.done["collect"] = dict(zip(items[::2], items[1::2], strict=True))[
            b"entries-added"
        ]
        return found

    async def read(self, sources: Iterable[str]) -> Mapping[str, int] | None:
        """Return by source the newest post that was read; 1 for a feed that was."""
        names = [*sources]
        try:
            found = await self.door.call("HMGET", self.door.key("cursor"), *names)
        except (Transient, Unavailable):
            return None
        return {
            name: json.loads(cursor).get("newest", 1) if cursor else 0
            for name, cursor in zip(names, found, strict=True)
        }

    async def pid(self) -> int | None:
        """Return the server's process."""
        try:
            info: bytes = await self.door.call("INFO", "server")
        except (Transient, Unavailable):
            return None
        said = dict(
            line.split(":", 1) for line in info.decode().splitlines() if ":" in line
        )
        return int(said["process_id"])

    async def dead(self) -> list[Letter]:
        """Return what was set aside for a person."""
        return await letters(self.door, 100)


def _count(found: Look, group: Mapping[bytes, Any], queue: str, length: int) -> None:
    role, pending = group[b"name"].decode(), group[b"pending"]
    read = group.get(b"entries-read") or 0
    lag = length - pending if queue in LANES else group.get(b"lag") or 0
    found.pending[role] += pending
    found.lag[role] += lag
    found.done[role] += read - pending
