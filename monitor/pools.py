"""
Connections that are kept for the next request, in one small pool a host.

In a common pool each request would look at the connections of all hosts, and a
few slow hosts could take every place in it.
"""

import functools
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore
import httpx

from monitor.guard import Guard

POOLS = 256  # hosts that keep an idle connection; 1024 open files are a usual limit


@functools.cache
def usual_authorities() -> ssl.SSLContext:
    """Return those of Mozilla's list; reading it takes 25 ms, so it is read once."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(slots=True)
class _Pool:
    transport: httpx.AsyncHTTPTransport
    users: int = 0


class Pools:
    """The connections of one way to ask, such as posting."""

    def __init__(
        self, guard: Guard, trust: ssl.SSLContext, connections: int, keep_alive: float
    ) -> None:
        """
        Open connections as they are needed, and let *guard* judge each.

        Args:
            connections: To one host, at a time.
            keep_alive: Seconds for which an idle one is kept.
        """
        self._guard = guard
        self._trust = trust
        self._connections = connections
        self._keep_alive = keep_alive
        self._pools: OrderedDict[str, _Pool] = OrderedDict()

    @asynccontextmanager
    async def of(self, host: str) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Keep the pool of *host* open while the block runs, or longer."""
        if host not in self._pools:
            self._pools[host] = _Pool(self._transport())
        pool = self._pools[host]
        self._pools.move_to_end(host)
        pool.users += 1
        try:
            yield pool.transport
        finally:
            pool.users -= 1
            await self._close_the_least_used()

    async def aclose(self) -> None:
        """Close every connection."""
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.transport.aclose()

    def _transport(self) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(verify=self._trust, trust_env=False)
        # httpx offers no way to hand in a network backend; its version is pinned.
        transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
            ssl_context=self._trust,
            max_connections=self._connections,
            keepalive_expiry=self._keep_alive,
            network_backend=self._guard,
        )
        return transport

    async def _close_the_least_used(self) -> None:
        idle = [host for host, pool in self._pools.items() if not pool.users]
        for host in idle[: max(0, len(self._pools) - POOLS)]:
            await self._pools.pop(host).transport.aclose()
