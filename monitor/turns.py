"""Politeness: one request at a time to a host, not too soon, and none while it asks."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.clock import Clock
from monitor.errors import Transient

HOSTS = 4096  # remembered before those at rest are forgotten


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0  # who waits for a turn or has it
    next_start: float = -math.inf  # by the monotonic clock, as is `held_until`
    held_until: float = -math.inf


class Turns:
    """Whose turn it is at each host; no host waits for another."""

    def __init__(self, clock: Clock, pace: timedelta) -> None:
        """Let *pace* pass between the starts of two turns at one host."""
        self._clock = clock
        self._pace = pace
        self._hosts: dict[str, _Host] = {}

    def __len__(self) -> int:
        """Return how many hosts are remembered."""
        return len(self._hosts)

    @asynccontextmanager
    async def at(self, name: str) -> AsyncIterator[None]:
        """
        Have a turn at the host *name* while the block runs; first come, first served.

        Raises:
            Transient: The host asked us to stay away, and for how much longer.
        """
        host = self._host(name)
        host.users += 1
        try:
            self._refuse_while_held(name, host)
            async with host.lock:
                self._refuse_while_held(name, host)
                await self._wait(host)
                yield
        finally:
            host.users -= 1

    def hold(self, name: str, duration: timedelta) -> None:
        """Let nobody have a turn at the host *name* for *duration*."""
        until = self._clock.monotonic() + duration.total_seconds()
        self._host(name).held_until = until

    async def _wait(self, host: _Host) -> None:
        left = host.next_start - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(timedelta(seconds=left))
        host.next_start = self._clock.monotonic() + self._pace.total_seconds()

    def _refuse_while_held(self, name: str, host: _Host) -> None:
        left = host.held_until - self._clock.monotonic()
        if left > 0:
            wait = timedelta(seconds=left)
            raise Transient(f"{name}: it asked us to wait", wait, everywhere=True)

    def _host(self, name: str) -> _Host:
        if name not in self._hosts and len(self._hosts) >= HOSTS:
            self._forget()
        return self._hosts.setdefault(name, _Host())

    def _forget(self) -> None:
        now = self._clock.monotonic()
        self._hosts = {
            name: host
            for name, host in self._hosts.items()
            if host.users or max(host.next_start, host.held_until) > now
        }
