"""The outbox of one sink: taken as far ahead as memory allows, and handed on."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta

from msgspec.structs import replace

from monitor.alert import Sink, Subscriber
from monitor.alert.step import step
from monitor.clock import Clock
from monitor.deliver.ages import Ages
from monitor.deliver.bearer import Bearer
from monitor.deliver.errand import Errands, Lane, Turn
from monitor.deliver.mailbox import BOX, Mailbox, Opened, weight
from monitor.deliver.rounds import Rounds, Service
from monitor.errors import Transient, Unavailable
from monitor.item import Envelope, Origin
from monitor.pipeline import set_aside
from monitor.stream import Damaged, Entry, Settlement, Stream
from monitor.waiting import unless
from monitor.web import Web

STALE_AFTER = timedelta(hours=1)  # then it is no news any more: see Ages
LOOK_AHEAD = 48 * 2**20  # bytes of what was taken; more stays in the outbox
PORTION = 8  # entries taken at a time, each for 1,000 people at most: 40 ms
SURE = 3  # short portions in a row: what was taken before, what others left, new ones
BLOCK = timedelta(seconds=2)  # until the lease has to be renewed
PATIENCE = timedelta(seconds=7)  # with what is being sent when we have to stop


class Courier:
    """Carries what is in the outbox of one sink."""

    def __init__(
        self, sink: Sink, lane: Lane, stream: Stream, web: Web, clock: Clock
    ) -> None:
        self.sink = sink
        self._lane, self._stream, self._clock = lane, stream, clock
        self._ages = Ages(clock)
        self._stale_after = STALE_AFTER
        service = Service(
            self._serve, lane.held, self._address, self._is_past, self._is_whole
        )
        self._rounds = Rounds(sink.pace, clock, service)
        self._errands = Errands(sink, lane, stream, web, clock)
        self._bearer = Bearer(
            sink.name,
            self._errands,
            self._rounds,
            stream,
            clock,
            close=self._close,
            estrange=self._estrange,
        )
        self._open: dict[str, Opened] = {}
        self._size = 0
        self._room = asyncio.Event()
        self._behind = SURE  # portions until we have surely seen all that waits
        self._begun = False
        self._anew = True  # what is taken may have been settled for some
        self._estranged = False  # the stream has taken something from us
        self._shaken = False  # Redis was away

    def know(
        self,
        subscribers: Iterable[Subscriber],
        origins: Mapping[str, Origin],
        names: Mapping[str, str],
        stale_after: timedelta = STALE_AFTER,
    ) -> None:
        """
        Carry to these subscribers from now on, and use these names of places.

        Addresses that were closed to us are tried again: whoever changed something
        may have mended that, too.

        Args:
            stale_after: What is older is told together, and not as news.
        """
        ours = {one.name: one for one in subscribers if one.sink == self.sink.name}
        self._stale_after = stale_after
        self._errands.origins, self._errands.names = origins, names
        self._errands.addresses.try_again()
        self._bearer.introduce(ours)
        if self._begun:
            self._rounds.hurry()

    async def turn(self) -> int:
        """
        Take what is in the outbox, hand it to the recipients' mailboxes, and return how
        many entries came.

        Raises:
            Transient: Redis is away, or what we know of the outbox may be wrong; what
                is on its way goes on.
        """
        if self._shaken:
            self._shaken = False
            self._disown()
        try:
            return await self._turn()
        except (Transient, Unavailable):
            self._shaken = True
            raise

    async def _turn(self) -> int:
        if not self._begun:
            await self._recall()
        if self._estranged:
            self._estranged = False
            await self.lose()
            raise Transient("something was not ours to send: all is looked at anew")
        self._rounds.begin()
        self._ages.look()
        if self._is_full():
            self._room.clear()
            self._rounds.stir()  # what is told together need not wait for more
            await unless(self._room, self._clock.sleep(BLOCK))
            return 0
        entries = await self._lane.take(PORTION)
        for entry in entries:
            if isinstance(entry.value, Damaged):
                await set_aside(entry, entry.value.why, self._stream)
            elif entry.id not in self._open:
                await self._take(entry, entry.value)
        short = self._behind - 1 if entries else 0
        self._behind = max(short, 0) if len(entries) < PORTION else SURE
        self._anew = self._anew and self._behind > 0
        self._rounds.stir()
        return len(entries)

    async def stop(self, patience: timedelta = PATIENCE) -> None:
        """
        Leave in the outbox what is not being sent; finish the rest.

        Args:
            patience: After it, a send is given up; it will be repeated.
        """
        self._room.set()
        await self._rounds.stop(patience)

    async def lose(self) -> None:
        """Forget what was taken: another instance carries it from now on."""
        await self.stop()
        self._rounds.clear()
        self._open.clear()
        self._size, self._behind, self._anew = 0, SURE, True
        self._bearer.forget()
        self._errands.addresses.forget()
        self._begun = False

    async def _recall(self) -> None:
        """Begin, and remember who asked us to wait before we were started."""
        self._ages = Ages(self._clock)  # nobody looked while it was another's
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for place, until in (await self._stream.directory.held()).items():
            sink, _, address = place.partition("/")
            if sink == self.sink.name:
                left = (until - now).total_seconds()
                self._rounds.pacer.hold(address or None, monotonic + left)
        self._begun = True

    async def _take(self, entry: Entry[Envelope], envelope: Envelope) -> None:
        """Hand an entry to those it is for, and keep it until all have it."""
        names = await self._untold(entry, envelope)
        untold = set(names)
        told = [name for name in envelope.recipients if name not in untold]
        if told or not names:  # what was begun for them has ended
            done = Settlement(entry=entry, deliveries=(), done=not names, others=told)
            await self._stream.settle_all([done])
        if not names:
            return
        slim = replace(envelope, recipients=())
        opened = Opened(
            entry=replace(entry, value=slim),
            envelope=slim,
            left=len(names),
            taken=self._clock.monotonic(),
            size=weight(slim, len(names)),
        )
        self._open[opened.id] = opened
        self._size += opened.size
        for name in names:
            self._rounds.put(name, opened)

    async def _untold(self, entry: Entry[Envelope], envelope: Envelope) -> list[str]:
        """
        Return for whom it is not settled.

        What was taken before was half settled, maybe.  To learn that from each send
        would take a restart as long as the sends themselves.
        """
        names = [*dict.fromkeys(envelope.recipients)]
        if entry.attempts == 1 and not self._anew:
            return names
        told = await self._stream.told(envelope.match.item.post, names)
        return [
            name
            for name in names
            if step(envelope, name, told.get(name)).action != "done"
        ]

    def _close(self, opened: Opened) -> None:
        """Keep an entry no longer."""
        if self._open.get(opened.id) is opened:
            del self._open[opened.id]
            self._size -= opened.size
            self._room.set()

    def _disown(self) -> None:
        """
        Take all that waits anew: Redis may have come back without its last second.

        Then it does not know what was settled for some of an entry's recipients, and
        the last of them must not close it for all.
        """
        for opened in self._open.values():
            opened.disowned = True
        self._open.clear()
        self._rounds.forget()
        self._size, self._behind, self._anew = 0, SURE, True

    def _estrange(self) -> None:
        """
        Do nothing before all that waits is taken anew, in its order.

        Were only what is strange taken anew, it would come behind what came after it.
        """
        self._estranged = True
        self._rounds.pause(10 * BLOCK)  # until the next turn
        self._room.set()

    async def _serve(self, box: Mailbox, turn: Turn) -> None:
        await self._bearer.serve(box, turn)

    def _address(self, name: str) -> str | None:
        subscriber = self._bearer.subscribers.get(name)
        if subscriber is None:
            return None
        return self._errands.addresses.known(subscriber.to)

    def _is_past(self, opened: Opened) -> bool:
        """Return whether something is no news any more."""
        if opened.envelope.late:
            return True
        seen = opened.envelope.match.item.seen
        return self._ages.of(seen, opened.taken) > self._stale_after

    def _is_full(self) -> bool:
        return self._size + BOX * len(self._rounds.boxes) >= LOOK_AHEAD

    def _is_whole(self) -> bool:
        return not self._behind or self._is_full()
