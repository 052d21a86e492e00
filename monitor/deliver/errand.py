"""
One attempt for one recipient: ask whether it is still ours to send, decide, send.

Whatever is sent was written down as begun right before, so that a crash leaves a trace;
and what was begun and came to no known end is counted, as it may lie there twice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from monitor import log
from monitor.addresses import Addresses
from monitor.alert import Alert, Message, Sink, Subscriber, message_key
from monitor.alert.digest import digest
from monitor.alert.step import AND, Receipt, Step, step
from monitor.clock import Clock
from monitor.deliver.folding import Fold, Part, fold, newest
from monitor.deliver.mailbox import Ended, Mailbox, Opened, Sealed
from monitor.errors import Away, Failure, Rejected, Transient, Unavailable
from monitor.item import Envelope, Origin
from monitor.stream import Begun, Entry, Sending, Stream, outbox
from monitor.web import Web

SENDING = timedelta(seconds=35)  # that a message is on its way: longer than `Web` waits
AT_ONCE = 128  # envelopes that are begun in one step: a millisecond of the server
NOTHING = Sealed("", frozenset())


@dataclass(frozen=True, slots=True)
class Lane:
    """
    The outbox of one sink, as its owner has it.

    Attributes:
        take: Returns up to so many of what is next in it, having waited a little if
            there is nothing.
        lease: The name of the lease by which it is ours.
        held: Returns whether it is still ours alone, and so may be sent from.
    """

    take: Callable[[int], Awaitable[Sequence[Entry[Envelope]]]]
    lease: str
    held: Callable[[], bool] = lambda: True


class Elsewhere(Exception):
    """The stream says that entries are not ours to send."""

    def __init__(self, some: Sequence[Opened]) -> None:
        super().__init__(f"{len(some)} entries are another's")
        self.some = some


class Held(Exception):
    """The sink has asked everybody to wait since the turn began."""


@dataclass(slots=True, eq=False)
class Turn:
    """
    A recipient's turn.

    Attributes:
        began: When, in monotonic seconds.
        open: Returns whether the sink may be sent to now.
        arrived: Called when the sink has answered, or will not, and whether it failed.
        narrow: The last message to this recipient hung.
        sent: The sink was asked for something.
    """

    began: float
    open: Callable[[], bool]
    arrived: Callable[[bool], object]
    narrow: bool = False
    sent: bool = False


class Errands:
    """
    Makes attempts, each for one recipient, who has a place for it.

    Attributes:
        addresses: Where the recipients are.
        origins: What is known of each source.
        names: What places are called.
    """

    def __init__(
        self, sink: Sink, lane: Lane, stream: Stream, web: Web, clock: Clock
    ) -> None:
        """Send what is in *lane* by *sink*."""
        self.addresses = Addresses(sink.name, stream, clock)
        self.origins: Mapping[str, Origin] = {}
        self.names: Mapping[str, str] = {}
        self._sink, self._lane, self._stream = sink, lane, stream
        self._web, self._clock = web, clock
        self._log = log.get("deliver").bind(sink=sink.name)

    async def alone(
        self, box: Mailbox, opened: Opened, to: Subscriber, turn: Turn, *, news: bool
    ) -> Ended | None:
        """
        Tell of one entry, or find that nothing is to be told.

        Args:
            news: It is told anew if need be; else it may only change a message.

        Returns:
            What became of it; None if it is to be told together with others, as it is
            no news and to change a message is not possible, or not enough.

        Raises:
            Transient: Nothing is settled; try again.
            Rejected, Gone, Moved: as for `Sink.send`.
            Elsewhere, Held: Nothing was done.
        """
        address = await self.addresses.current(to.to)
        closed = await self._why_closed(to.name)
        (begun,) = await self._begin(box, [opened])
        todo = step(opened.envelope, to.name, begun.told)
        if todo.action == "done":
            return Ended(opened, known=begun.told)
        if todo.action == "suppress":
            return Ended(opened, "suppressed", todo.why)
        if closed and not opened.envelope.again:
            return Ended(opened, "suppressed", closed)
        if news:
            return await self._tell(box, opened, address, todo, turn)
        return await self._change(box, opened, address, todo, turn)

    async def together(
        self, box: Mailbox, some: Sequence[Opened], to: Subscriber, turn: Turn
    ) -> Fold:
        """
        Tell of what is no news any more, in one message; see `alone`.

        Where the service recognises repeats, what may have been taken as one message is
        sent as that very one, with its key.  So which entries it held is written down
        before it is sent; and one that may have been taken by itself goes by itself.

        Returns:
            What became of them, and which have to change a message first.
        """
        address = await self.addresses.current(to.to)
        closed = await self._why_closed(to.name)
        sealed = box.sealed or NOTHING
        some = [one for one in box.past if one.id in sealed.ids] or some
        begun = await self._begin(box, some)
        sorted_ = fold(box.name, [*zip(some, begun, strict=True)], box.changed)
        if closed:
            sorted_ = _suppressed(sorted_, closed)
        if not sorted_.told:
            return sorted_
        told, sealed = await self._composed(box, sorted_.told, sealed)
        box.tried = [part.opened for part in told]
        parts = [replace(part, doubts=self._repeats(box, part.opened)) for part in told]
        message = self._digest(told, sealed.key, box.name)
        try:
            async with self._asking(turn):
                await self._send(box, box.tried, message, address)
        finally:  # it is that very message until it is known not to have been taken
            doubtful = any(box.doubts.get(part.opened.id) for part in told)
            box.sealed = sealed if doubtful and len(told) > 1 else NOTHING
        why = f"in a digest of {len(told)}, after an outage"
        ended = [
            Ended(part.opened, "delivered", why, repeats=part.doubts) for part in parts
        ]
        return replace(sorted_, ended=(*sorted_.ended, *ended), told=())

    async def after(self, box: Mailbox, ended: Sequence[Ended]) -> None:
        """Note what is no more so, once it is settled that somebody was told."""
        name = box.name
        with suppress(Transient, Unavailable):  # it is out; nothing depends on this
            if await self.addresses.why_parked(name):
                await self.addresses.reopen(name)
                self._log.info("address_open_again", subscriber=name)
            if self._sink.repeats.recognised and len(ended) > 1:
                await self._stream.directory.seal(self._queue, name, "")

    async def recall(self, box: Mailbox) -> None:
        """Learn what may have been taken as one message, before we were started."""
        if not self._sink.repeats.recognised:
            box.sealed = NOTHING
        elif box.sealed is None:
            text = await self._stream.directory.sealed(self._queue, box.name)
            key, *ids = text.split(" ")
            box.sealed = Sealed(key, frozenset(ids))

    async def _composed(
        self, box: Mailbox, told: Sequence[Part], sealed: Sealed
    ) -> tuple[Sequence[Part], Sealed]:
        """Return what is told in one message, and by which key."""
        ids = [part.opened.id for part in told]
        if not self._sink.repeats.recognised:
            return told, NOTHING
        if sealed.ids.intersection(ids):
            return told, sealed
        doubtful = next((part for part in told if part.doubts), None)
        if doubtful or len(told) == 1:
            one = doubtful or told[0]
            return [one], Sealed(self._key(one.opened, box.name), frozenset())
        key = message_key(self._stream.epoch, "\n".join(ids), box.name, "digest")
        await self._stream.directory.seal(self._queue, box.name, " ".join([key, *ids]))
        return told, Sealed(key, frozenset(ids))

    def _digest(self, told: Sequence[Part], key: str, name: str) -> Message:
        shown = [(part.opened, part.todo) for part in newest(told)]
        keys = [""] * len(shown)
        if self._sink.repeats.recognised:  # else nobody asks for so many of them
            keys = [self._key(opened, name) for opened, _ in shown]
        alerts = [self._alert(*one, key) for one, key in zip(shown, keys, strict=True)]
        return digest(alerts, self._clock.now(), key)

    async def _why_closed(self, name: str) -> str:
        """Return why nothing is to be sent to *name*; empty if something is."""
        why = await self.addresses.why_parked(name)
        rests = why and self.addresses.rests(name)
        return f"the address is parked: {why}" if rests else ""

    async def _begin(self, box: Mailbox, some: Sequence[Opened]) -> list[Begun]:
        """
        Write down that *some* are being sent now, and return what is known of each.

        Raises:
            Elsewhere: Some are not ours.
        """
        begun: list[Begun] = []
        for start in range(0, len(some), AT_ONCE):
            part = some[start : start + AT_ONCE]
            what = [Sending(one.entry, box.doubts.get(one.id)) for one in part]
            begun += await self._stream.begin(self._lane.lease, box.name, what)
        strange = [one for one, of in zip(some, begun, strict=True) if not of.ours]
        if strange:
            raise Elsewhere(strange)
        for one, of in zip(some, begun, strict=True):
            box.doubts[one.id] = of.doubts
            one.strange = None
        return begun

    @asynccontextmanager
    async def _asking(self, turn: Turn) -> AsyncIterator[None]:
        """
        Ask something of the sink, as long as that is ours to do.

        Raises:
            Away: It may be another instance's by now; nothing was asked.
            Held: We are to wait; nothing was asked.
            Transient: There was no end within the time for which the lease goes on.
        """
        if not self._lane.held():
            raise Away("the lease of the outbox could not be renewed")
        if not turn.open():
            raise Held
        turn.sent = failed = True
        try:
            async with asyncio.timeout(SENDING.total_seconds()):
                yield
            failed = False
        except TimeoutError:
            why = f"no answer within {SENDING.total_seconds():g} s"
            raise Transient(why, unsure=True) from None
        finally:
            turn.arrived(failed)

    async def _tell(
        self, box: Mailbox, opened: Opened, address: str, todo: Step, turn: Turn
    ) -> Ended:
        """Send or edit one message."""
        alert = self._alert(opened, todo, self._key(opened, box.name))
        where = self.addresses.digest(address)
        rules = ", ".join(opened.envelope.match.rules)
        async with self._asking(turn):
            changed = await self._edit(box, opened, alert, address, todo)
            if changed and todo.action == "edit":
                receipt = Receipt(todo.message, where)
                return Ended(opened, "edited", rules, receipt)
            repeats = self._repeats(box, opened)
            message = await self._send(box, [opened], alert, address)
        if changed:  # what corrects it later has to correct both
            message = todo.message + AND + message
        return Ended(opened, "delivered", rules, Receipt(message, where), repeats)

    async def _change(
        self, box: Mailbox, opened: Opened, address: str, todo: Step, turn: Turn
    ) -> Ended | None:
        """Edit one message, and send none; see `alone`."""
        if todo.action not in ("edit", "ring"):
            return None
        alert = self._alert(opened, todo, "")
        async with self._asking(turn):
            changed = await self._edit(box, opened, alert, address, todo)
        if not changed:
            return None
        if todo.action == "ring":
            return None
        rules = ", ".join(opened.envelope.match.rules)
        receipt = Receipt(todo.message, self.addresses.digest(address))
        return Ended(opened, "edited", rules, receipt)

    async def _edit(
        self, box: Mailbox, opened: Opened, alert: Alert, to: str, todo: Step
    ) -> bool:
        """
        Edit what lies at this very address; return whether that was possible.

        To do so twice shows nothing twice; but where several messages tell of a post,
        those that were changed before are not asked for again.
        """
        there = todo.address in ("", self.addresses.digest(to))
        if not todo.message or not there:
            return False
        done = box.edited.get(opened.id, 0)
        try:
            for message in todo.message.split(AND)[done:]:
                key = self._key(opened, box.name, f"edit {message}")
                told = replace(alert, key=key)
                await self._sink.edit(told, to, message, self._web)
                box.edited[opened.id] = done = done + 1
        except Rejected:  # the old message cannot be changed: say it anew
            return False
        return True

    async def _send(
        self, box: Mailbox, some: Sequence[Opened], message: Message, to: str
    ) -> str:
        """Send one message, and count what ends without our knowing how."""
        box.doubt(some, 1)
        known = False
        try:
            sent = await self._sink.send(message, to, self._web)
            known = True
        except Failure as failure:
            known = not (isinstance(failure, Transient) and failure.unsure)
            raise
        finally:
            if known:
                box.doubt(some, -1)
        return sent

    def _repeats(self, box: Mailbox, opened: Opened) -> int:
        """Return how many copies may lie there already."""
        return 0 if self._sink.repeats.recognised else box.doubts.get(opened.id, 0)

    def _key(self, opened: Opened, name: str, part: str = "") -> str:
        item = opened.envelope.match.item.key
        return message_key(self._stream.epoch, item, name, part)

    def _alert(self, opened: Opened, todo: Step, key: str) -> Alert:
        """Return what is to be said; who was never told before learns of no change."""
        envelope = opened.envelope
        item = envelope.match.item
        untold = todo.action == "send" and item.change != "deleted"
        return Alert(
            match=envelope.match,
            origin=self.origins.get(item.source) or Origin(source=item.source),
            was=None if untold else envelope.was,
            names=self.names,
            key=key,
        )

    @property
    def _queue(self) -> str:
        return outbox(self._sink.name).name


def _suppressed(some: Fold, why: str) -> Fold:
    """Return *some* for an address that is closed: what was put back is tried."""
    told = tuple(part for part in some.told if part.opened.envelope.again)
    ended = [
        Ended(part.opened, "suppressed", why) for part in some.told if part not in told
    ]
    return Fold((*some.ended, *ended), some.edits, told)
