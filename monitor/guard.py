"""
Which addresses may be dialled, asked at the only place where the answer holds.

A check of the URL or of its name proves nothing: ``2130706433``, a name whose records
change between the check and the use, and ``::ffff:7f00:1`` are all this machine.  So
the guard is the network backend itself: it looks the name up, judges every address
that comes back, and connects to an address it has judged.
"""

# ruff: noqa: ARG002, ASYNC109 - the signatures are httpcore's

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from itertools import chain, zip_longest
from ssl import SSLContext
from typing import Any

import httpcore

from monitor.clock import Clock
from monitor.errors import Rejected, Transient

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str], Awaitable[Sequence[str]]]

PORTS = frozenset({80, 443, 8080, 8443})
REMEMBER = timedelta(seconds=60)  # a name's addresses; they are judged at each dial
NAMES = 4096  # remembered at once
LOOKUPS = 64  # under way at once; each is a thread that nothing can stop
ATTEMPTS = 4  # addresses of one name that are tried in turn
PATIENCE = 5.0  # seconds for one of them to answer
HEADERS = 128 * 1024  # bytes, interim answers too; h11 takes 100 KiB of one answer
BITE = 4 * 1024  # bytes of them at once; 200 interim answers, 10 ms of parsing

# The IANA special-purpose registries, written out: `is_global` knows only a part, and
# another part in each release of Python.
SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's host agent, which hands out a machine's secrets
        "2001::/23", "2001:db8::/32", "3fff::/20",
        "2002::/16",  # 6to4: IPv4 inside IPv6 that no website uses any more (RFC 7526)
    )
)  # fmt: skip
UNICAST = IPv6Network("2000::/3")  # nothing else of IPv6 has been given out
NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Return whether *address*, or the one inside it, is of the internet."""
    if isinstance(address, IPv4Address):
        return address.is_global and not _is_special(address)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    return address in UNICAST and address.is_global and not _is_special(address)


def _is_special(address: Address) -> bool:
    return any(address in network for network in SPECIAL)


def refusal(address: Address, port: int, allow: Iterable[Network]) -> str:
    """Return why *address* may not be dialled; empty if it may."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if any((mapped or address) in network for network in allow):
        return ""
    if not is_public(address):
        return f"{address} is not a public address"
    return "" if port in PORTS else f"port {port} is not one of the web's"


async def look_up(host: str) -> tuple[str, ...]:
    """
    Return the addresses of *host*, in the order in which to try them.

    Each look-up has a daemon thread of its own.  The loop's executor has a few threads
    for everything, and a dead name server holds each for half a minute: six dead names
    would stop all others, and the end of the program would wait for them.

    Raises:
        OSError: It has none, or nobody could be asked.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[tuple[str, ...]] = loop.create_future()

    def tell(addresses: tuple[str, ...], error: OSError | None) -> None:
        if found.done():  # the asker has given up
            return
        if error:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def ask() -> None:
        addresses, error = _ask(host)
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(tell, addresses, error)

    if _asking() >= LOOKUPS:
        raise OSError("too many names are being looked up")
    threading.Thread(target=ask, name=LOOKUP, daemon=True).start()
    return await found


LOOKUP = "monitor-lookup"


def _asking() -> int:
    return sum(thread.name == LOOKUP for thread in threading.enumerate())


def _ask(host: str) -> tuple[tuple[str, ...], OSError | None]:
    try:
        # As bytes: a text goes through a codec that fails on long labels.
        found = socket.getaddrinfo(host.encode(), None, type=socket.SOCK_STREAM)
    except OSError as error:
        return (), error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), None


class Guard(httpcore.AsyncNetworkBackend):
    """
    Dials public addresses, and those inside the networks in *allow*.

    What it refuses is `Rejected`; a name without addresses is `Transient`.  Both pass
    through httpcore and httpx as they are.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        allow: Sequence[Network] = (),
        resolve: Resolve = look_up,
    ) -> None:
        """Find the addresses of a name with *resolve*."""
        self._clock = clock
        self._allow = tuple(allow)
        self._resolve = resolve
        self._known: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """
        Connect to the first address of *host* that answers.

        Raises:
            Rejected: Any one of its addresses may not be dialled.
            Transient: It has no address.
            httpcore.ConnectError, httpcore.ConnectTimeout: None of them answers.
        """
        addresses = await self._addresses(host)
        for address in addresses:
            if why := refusal(address, port, self._allow):
                raise Rejected(f"{host}: {why}")
        try:
            return Bounded(await self._first_that_answers(addresses, port))
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            self._known.pop(host, None)  # perhaps they have changed
            raise

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no website is a file of this machine."""
        raise Rejected("a Unix socket is not of the internet")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore does between attempts it was told to make."""
        await self._clock.sleep(timedelta(seconds=seconds))

    async def _addresses(self, host: str) -> tuple[Address, ...]:
        now = self._clock.monotonic()
        until, addresses = self._known.get(host, (now, ()))
        if until > now:
            return addresses
        try:
            found = await self._resolve(host)
        except OSError:
            found = ()
        addresses = tuple(ip_address(text.partition("%")[0]) for text in found)
        if not addresses:
            raise Transient(f"{host}: the name does not resolve")
        if len(self._known) >= NAMES:
            self._known.clear()
        self._known[host] = (now + REMEMBER.total_seconds(), addresses)
        return addresses

    async def _first_that_answers(
        self, addresses: Sequence[Address], port: int
    ) -> httpcore.AsyncNetworkStream:
        *others, last = _by_turns(addresses)[:ATTEMPTS]
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(str(address), port, PATIENCE)
        return await self._network.connect_tcp(str(last), port, PATIENCE)


def _by_turns(addresses: Sequence[Address]) -> list[Address]:
    """Return them with the families in turn: often one of the two leads nowhere."""
    first = [one for one in addresses if one.version == addresses[0].version]
    second = [one for one in addresses if one.version != addresses[0].version]
    turns = chain.from_iterable(zip_longest(first, second))
    return [address for address in turns if address is not None]


class Bounded(httpcore.AsyncNetworkStream):
    """
    A connection on which an answer ends after a number of bytes.

    It counts what the caps on headers and bodies above it do not see: interim answers
    without end, the framing of chunks.  A new request starts a new count.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        """Expect no more than headers on *stream*."""
        self._stream = stream
        self._left = HEADERS
        self._bite = BITE

    def expect(self, size: int) -> None:
        """Let this answer have *size* more bytes, for its body."""
        self._left = self._bite = size

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """
        Return some of the bytes that have come.

        Raises:
            httpcore.ReadError: There were too many.
        """
        if self._left <= 0:
            raise httpcore.ReadError("an answer without end")
        content = await self._stream.read(min(max_bytes, self._bite), timeout)
        self._left -= len(content)
        return content

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send *buffer*, and expect headers in return."""
        self._left, self._bite = HEADERS, BITE
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Return the connection as it goes on in TLS, bounded as well."""
        try:
            tls = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:  # httpcore leaves it open where a deadline cuts it off
            await self._stream.aclose()
            raise
        return Bounded(tls)

    def get_extra_info(self, info: str) -> Any:
        """Return what the socket below knows."""
        return self._stream.get_extra_info(info)
