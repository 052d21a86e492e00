"""
One sink's part of the outbox, carried to its people: the last stage of the flow.

Each recipient has a queue of their own, so that what one source published reaches
them in its order, and a chat that hangs or is flooded holds up nobody else.  What
failed is tried again as the failure says; what cannot be delivered is set aside
with the reason.  Nothing is forgotten before `settle` has written what became of
it: a crash between sending and settling sends once more.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from monitor import log
from monitor.alert import Alert, Sink, Subscriber
from monitor.alert.pace import Pacer
from monitor.clock import Clock
from monitor.errors import Gone, Moved, Rejected, Transient
from monitor.item import Delivery, Envelope, Origin, Outcome
from monitor.stream import Damaged, Entry, Reader, Stream
from monitor.web import Web

IN_FLIGHT = 8  # httpx slows down with every further connection of one client
LOOK_AHEAD = 2_000  # jobs in memory; more stay in the outbox
BLOCK = timedelta(seconds=2)  # until the lease has to be renewed
TRIES = 5  # of what nobody foresaw, before it is set aside
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)
DEAD_SINK_WAIT = timedelta(minutes=10)  # until a sink that refused us is asked again

Action = Literal["send", "edit", "suppress", "done"]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do for one recipient, and why."""

    action: Action
    message: str = ""
    why: str = ""


def step(envelope: Envelope, recipient: str, told: Delivery | None) -> Step:
    """
    Return what to do for *recipient*, given what they were *told* of the post.

    A correction changes the message that was sent.  Those who never got one are
    told only if the new wording concerns them by itself.
    """
    item = envelope.match.item
    reached = told is not None and told.outcome in ("delivered", "edited")
    known = told is not None and int(told.item.rpartition("/")[2]) >= item.version
    if known and (reached or not envelope.again):
        return Step("done")
    if envelope.was is None:
        return Step("send")
    if told and told.message and reached:
        return Step("edit", told.message)
    if recipient in envelope.newly or envelope.again:
        return Step("send")
    return Step("suppress", why="was not told of the post before")


@dataclass(slots=True, eq=False)
class _Open:
    """An entry of the outbox that is not settled for everybody yet."""

    entry: Entry[Envelope]
    envelope: Envelope
    left: set[str]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Courier:
    """Carries what is in the outbox of one sink."""

    def __init__(
        self,
        sink: Sink,
        reader: Reader[Envelope],
        stream: Stream,
        web: Web,
        clock: Clock,
    ) -> None:
        self.sink = sink
        self._reader, self._stream, self._web = reader, stream, web
        self._clock = clock
        self._log = log.get("deliver").bind(sink=sink.name)
        self._pacer = Pacer(sink.pace)
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._open: dict[str, _Open] = {}
        self._queues: dict[str, deque[_Open]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sending: set[str] = set()
        self._room = asyncio.Event()
        self._stopping = False
        self._told_dead = False
        self._subscribers: Mapping[str, Subscriber] = {}
        self._origins: Mapping[str, Origin] = {}
        self._names: Mapping[str, str] = {}

    def know(
        self,
        subscribers: Iterable[Subscriber],
        origins: Mapping[str, Origin],
        names: Mapping[str, str],
    ) -> None:
        """Carry to these subscribers from now on, and use these names of places."""
        self._subscribers = {one.name: one for one in subscribers}
        self._origins = origins
        self._names = names

    async def turn(self, block: timedelta = BLOCK) -> int:
        """
        Take what is in the outbox and hand it to the recipients' queues.

        Args:
            block: How long to wait for something to come.

        Raises:
            Transient: Redis is away; what was taken goes on being carried.
        """
        if sum(map(len, self._queues.values())) >= LOOK_AHEAD:
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), block.total_seconds())
            return 0
        entries = await self._reader.next(block=block)
        for entry in entries:
            if isinstance(entry.value, Damaged):
                await self._stream.bury(entry, entry.value.why)
            elif entry.id not in self._open:
                await self._queue(entry, entry.value)
        return len(entries)

    async def stop(self, patience: float) -> None:
        """
        Leave in the outbox what is not being sent; finish the rest.

        Args:
            patience: Seconds after which a send is given up; it will be repeated.
        """
        self._stopping = True
        for name, task in self._tasks.items():
            if name not in self._sending:
                task.cancel()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _queue(self, entry: Entry[Envelope], envelope: Envelope) -> None:
        opened = _Open(entry, envelope, set(envelope.recipients))
        if not opened.left:
            await self._stream.settle(entry, [], done=True)
            return
        self._open[entry.id] = opened
        for name in envelope.recipients:
            self._queues.setdefault(name, deque()).append(opened)
            if name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._serve(name))

    async def _serve(self, name: str) -> None:
        """Carry everything that waits for one recipient, in its order."""
        queue = self._queues[name]
        try:
            while queue and not self._stopping:
                await self._carry(queue[0], name)
                queue.popleft()
                self._room.set()
        finally:
            del self._tasks[name]
            if not queue:
                del self._queues[name]

    async def _carry(self, opened: _Open, name: str) -> None:
        """Bring one entry to one recipient, however long it takes."""
        tries, wait = 0, FIRST_WAIT
        while True:
            try:
                await self._attempt(opened, name)
            except Transient as failure:
                await self._clock.sleep(self._waits(failure, wait))
            except Exception as error:  # noqa: BLE001 - the seam: a bug costs one alert
                tries += 1
                self._log.exception("delivery_failed", subscriber=name, tries=tries)
                if tries >= TRIES:
                    await self._settle(opened, name, "dead", why=_named(error))
                    return
                await self._clock.sleep(wait)
            else:
                return
            wait = min(wait * 2, LONGEST_WAIT)

    def _waits(self, failure: Transient, usual: timedelta) -> timedelta:
        wait = failure.retry_after or usual
        if failure.everywhere:
            self._pacer.hold(None, self._clock.monotonic() + wait.total_seconds())
        self._log.info("delivery_waits", why=str(failure), seconds=wait.total_seconds())
        return wait

    async def _attempt(self, opened: _Open, name: str) -> None:
        """
        Try once, and settle what came of it.

        Raises:
            Transient: Nothing is settled; try again.
        """
        envelope, subscriber = opened.envelope, self._subscribers.get(name)
        if subscriber is None:
            await self._settle(opened, name, "suppressed", why="no longer subscribed")
            return
        post = envelope.match.item.post
        told = (await self._stream.told(post, [name])).get(name)
        todo = step(envelope, name, told)
        parked = await self._stream.parked(self.sink.name, name)
        if parked and envelope.again:
            await self._stream.unpark(self.sink.name, name)
        elif parked and todo.action in ("send", "edit"):
            todo = Step("suppress", why=f"the address is parked: {parked}")
        if todo.action == "done":
            await self._settled(opened, name, [])
        elif todo.action == "suppress":
            await self._settle(opened, name, "suppressed", why=todo.why)
        else:
            await self._tell(opened, subscriber, todo)

    async def _tell(self, opened: _Open, subscriber: Subscriber, todo: Step) -> None:
        """Send or edit one message, and settle it; see `_attempt`."""
        name, envelope = subscriber.name, opened.envelope
        to = await self._stream.moved(self.sink.name, subscriber.to)
        try:
            message = await self._in_turn(self._alert(envelope, todo), to, name, todo)
            outcome: Outcome = "edited" if todo.action == "edit" else "delivered"
            await self._settle(opened, name, outcome, message, _reasons(envelope))
        except Moved as moved:
            await self._stream.move(self.sink.name, subscriber.to, moved.address)
            self._log.warning("address_moved", subscriber=name)
            raise Transient("the address moved", timedelta()) from None
        except Rejected as refusal:
            self._log.warning("alert_refused", subscriber=name, why=str(refusal))
            await self._settle(opened, name, "dead", why=str(refusal))
        except Gone as refusal:
            await self._gone(opened, name, refusal)
        finally:
            self._sending.discard(name)

    async def _send(self, alert: Alert, to: str, todo: Step) -> str:
        if todo.action == "edit":
            try:
                await self.sink.edit(alert, to, todo.message, self._web)
            except Rejected:  # the old message cannot be changed: say it anew
                return await self.sink.send(alert, to, self._web)
            return todo.message
        return await self.sink.send(alert, to, self._web)

    async def _gone(self, opened: _Open, name: str, refusal: Gone) -> None:
        """Park an address that is closed to us, or wait where the sink itself is."""
        if refusal.everywhere:
            if not self._told_dead:
                self._log.error("sink_refused_us", why=str(refusal))
            self._told_dead = True
            raise Transient(str(refusal), DEAD_SINK_WAIT, everywhere=True) from None
        self._log.warning("address_parked", subscriber=name, why=str(refusal))
        await self._stream.park(self.sink.name, name, str(refusal))
        await self._settle(opened, name, "dead", why=str(refusal))

    def _alert(self, envelope: Envelope, todo: Step) -> Alert:
        """Return what is to be said; who was never told before learns of no change."""
        source = envelope.match.item.source
        return Alert(
            match=envelope.match,
            origin=self._origins.get(source) or Origin(source=source),
            was=envelope.was if todo.action == "edit" else None,
            names=self._names,
        )

    async def _in_turn(self, alert: Alert, to: str, name: str, todo: Step) -> str:
        """
        Send or edit when the pace allows it and one of few is free to do so.

        Whoever waits for the pace holds no place: a flooded chat delays nobody.
        """
        while True:
            now = self._clock.monotonic()
            ready = self._pacer.ready_at(to, now)
            if ready > now:
                await self._clock.sleep(timedelta(seconds=ready - now))
            async with self._slots:
                now = self._clock.monotonic()
                if self._pacer.ready_at(to, now) <= now:
                    self._pacer.took(to, now)
                    self._sending.add(name)
                    return await self._send(alert, to, todo)

    async def _settle(
        self,
        opened: _Open,
        name: str,
        outcome: Outcome,
        message: str = "",
        why: str = "",
    ) -> None:
        delivery = Delivery(
            item=opened.envelope.match.item.key,
            subscriber=name,
            sink=self.sink.name,
            outcome=outcome,
            at=self._clock.now(),
            message=message,
            why=why,
        )
        await self._settled(opened, name, [delivery])
        self._log.info("alert_settled", item=delivery.item, subscriber=name,
                       outcome=outcome)  # fmt: skip

    async def _settled(self, opened: _Open, name: str, what: list[Delivery]) -> None:
        """
        Write *what* became of it; the last recipient closes the entry.

        It is written again until it is known to stand: were Redis' absence an
        excuse to begin anew, the message would be sent twice.
        """
        async with opened.lock:
            last = opened.left == {name}
            while True:
                try:
                    await self._stream.settle(opened.entry, what, done=last)
                    break
                except Transient:
                    await self._clock.sleep(FIRST_WAIT)
            opened.left.discard(name)
        if last:
            self._open.pop(opened.entry.id, None)


def _reasons(envelope: Envelope) -> str:
    return ", ".join(envelope.match.rules)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
