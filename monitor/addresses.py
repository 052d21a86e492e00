"""
Where the people of one sink are: what moved, what is closed to us, what was tried.

Only the owner of the sink's outbox writes these notes, so what was read once stays
true until it writes again, or loses the outbox.
"""

from contextlib import suppress
from datetime import timedelta
from hashlib import blake2b

from monitor.clock import Clock
from monitor.errors import Transient
from monitor.stream import Stream

PARKED = timedelta(minutes=10)  # until an address that was closed to us is tried again


class Addresses:
    """The notes of one sink's courier about its recipients."""

    def __init__(self, sink: str, stream: Stream, clock: Clock) -> None:
        """Keep the notes of *sink* in *stream*."""
        self._sink, self._stream, self._clock = sink, stream, clock
        self._closed: dict[str, str] = {}  # recipients, and why they are parked, if so
        self._rest: dict[str, float] = {}  # and until when they are left alone
        self._moves: dict[str, str] = {}  # addresses, and what they are called now

    def known(self, address: str) -> str:
        """Return what *address* is called, as far as that was ever asked."""
        return self._moves.get(address, address)

    async def current(self, address: str) -> str:
        """Return what *address* is called now."""
        if address not in self._moves:
            self._moves[address] = await self._stream.directory.moved(
                self._sink, address
            )
        return self._moves[address]

    async def moved(self, address: str, to: str) -> None:
        """Note that *address* is called *to* from now on."""
        self._moves.pop(address, None)
        await self._stream.directory.move(self._sink, address, to)

    async def why_parked(self, name: str) -> str:
        """Return why nothing is sent to *name*; empty if something is."""
        if name not in self._closed:
            self._closed[name] = await self._stream.directory.parked(self._sink, name)
        return self._closed[name]

    def rests(self, name: str) -> bool:
        """Return whether a parked recipient is left alone, for it was tried of late."""
        return self._clock.monotonic() < self._rest.get(name, 0.0)

    async def park(self, name: str, why: str) -> None:
        """Note that the address of *name* is closed to us."""
        self._rest[name] = self._clock.monotonic() + PARKED.total_seconds()
        self._closed[name] = why
        await self._stream.directory.park(self._sink, name, why)

    async def reopen(self, name: str) -> None:
        """Note that the address of *name* takes messages again."""
        self._rest.pop(name, None)
        self._closed[name] = ""
        with suppress(Transient):  # the message is out: to fail now would repeat it
            await self._stream.directory.unpark(self._sink, name)

    async def hold(self, address: str, failure: Transient) -> None:
        """Let a restart not forget how long the sink asked us to wait."""
        if failure.retry_after:
            until = self._clock.now() + failure.retry_after
            whom = None if failure.everywhere else address
            with suppress(Transient):  # it is a courtesy, and Redis is away
                await self._stream.directory.hold(self._sink, whom, until)

    def digest(self, address: str) -> str:
        """
        Return what stands for an address in the ledger, which must not show it.

        All who deliver from one database come to the same.
        """
        key = self._stream.epoch.encode()[:64]
        return blake2b(address.encode(), key=key, digest_size=6).hexdigest()

    def try_again(self) -> None:
        """Leave nobody alone any more: whatever closed them may be mended."""
        self._rest.clear()

    def forget(self) -> None:
        """Look everything up anew: somebody else may write the notes."""
        self._closed.clear()
        self._moves.clear()
