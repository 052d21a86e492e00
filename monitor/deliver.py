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
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from monitor import log
from monitor.addresses import Addresses
from monitor.alert import Alert, Sink, Subscriber
from monitor.alert.pace import Pacer
from monitor.alert.refusals import Refusals
from monitor.alert.step import AND, NO_RECEIPT, Receipt, Step, step
from monitor.clock import Clock
from monitor.errors import Away, Gone, Moved, Rejected, Transient, Unavailable
from monitor.item import Delivery, Envelope, Origin, Outcome
from monitor.pipeline import named, set_aside
from monitor.stream import Damaged, Entry, Stream
from monitor.waiting import unless, within
from monitor.web import Web

IN_FLIGHT = 8  # httpx slows down with every further connection of one client
LOOK_AHEAD = 2_000  # jobs in memory; more stay in the outbox
SHARE = 100  # jobs of one recipient that count for it: who hangs holds up nobody else
BLOCK = timedelta(seconds=2)  # until the lease has to be renewed
TRIES = 5  # of what nobody foresaw, before it is set aside
RELOADS = timedelta(minutes=1)  # until all roles have taken up a configuration
MOVES = 3  # of an address within one delivery; who says more goes round in circles
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=1)  # so soon after an outage everyone is told
DEAD_SINK_WAIT = timedelta(minutes=10)  # until a sink that refused us is asked again
PATIENCE = timedelta(seconds=7)  # with what is being sent when we have to stop


@dataclass(slots=True, eq=False)
class _Open:
    """An entry of the outbox that is not settled for everybody yet."""

    entry: Entry[Envelope]
    envelope: Envelope
    left: set[str]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Lane:
    """
    The outbox of one sink, as its owner has it.

    Attributes:
        take: Returns what is next in it, having waited a little if there is nothing.
        held: Returns whether it is still ours alone, and so may be sent from.
    """

    take: Callable[[], Awaitable[Sequence[Entry[Envelope]]]]
    held: Callable[[], bool] = lambda: True


class Courier:
    """Carries what is in the outbox of one sink."""

    def __init__(
        self, sink: Sink, lane: Lane, stream: Stream, web: Web, clock: Clock
    ) -> None:
        self.sink = sink
        self._lane, self._stream, self._web = lane, stream, web
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
        self._begun = False
        self._refused = False  # the sink takes nothing of us, and that was told
        self._took = 0.0  # when the sink last took a message
        self._failing: set[str] = set()  # recipients whose sends have to be repeated
        self._strangers: dict[str, float] = {}  # names we do not know, and since when
        self._addresses = Addresses(sink.name, stream, clock)
        self._subscribers: Mapping[str, Subscriber] = {}
        self._origins: Mapping[str, Origin] = {}
        self._names: Mapping[str, str] = {}

    def know(
        self,
        subscribers: Iterable[Subscriber],
        origins: Mapping[str, Origin],
        names: Mapping[str, str],
    ) -> None:
        """
        Carry to these subscribers from now on, and use these names of places.

        Addresses that were closed to us are tried again: whoever changed something
        may have mended that, too.
        """
        ours = (one for one in subscribers if one.sink == self.sink.name)
        self._subscribers = {one.name: one for one in ours}
        self._strangers.clear()
        self._origins = origins
        self._names = names
        self._addresses.try_again()

    async def turn(self) -> int:
        """
        Take what is in the outbox, hand it to the recipients' queues, and return how
        many entries came.

        Raises:
            Transient: Redis is away; what was taken goes on being carried.
        """
        if not self._begun:
            await self._recall()
        ahead = sum(min(len(queue), SHARE) for queue in self._queues.values())
        if ahead >= LOOK_AHEAD or len(self._open) >= LOOK_AHEAD:
            self._room.clear()
            await unless(self._room, self._clock.sleep(BLOCK))
            return 0
        entries = await self._lane.take()
        for entry in entries:
            if isinstance(entry.value, Damaged):
                await set_aside(entry, entry.value.why, self._stream)
            elif entry.id not in self._open:
                await self._queue(entry, entry.value)
        return len(entries)

    async def stop(self, patience: timedelta = PATIENCE) -> None:
        """
        Leave in the outbox what is not being sent; finish the rest.

        Args:
            patience: After it, a send is given up; it will be repeated.
        """
        self._stopping = True
        self._room.set()
        for name, task in self._tasks.items():
            if name not in self._sending:
                task.cancel()
        tasks = list(self._tasks.values())
        for task in await within(self._clock, patience, tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def lose(self) -> None:
        """Forget what was taken: another instance carries it from now on."""
        await self.stop()
        self._open.clear()
        self._queues.clear()
        self._failing.clear()
        self._addresses.forget()
        self._stopping = self._begun = False

    async def _recall(self) -> None:
        """Remember who asked us to wait, and until when, before we were started."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for place, until in (await self._stream.directory.held()).items():
            sink, _, address = place.partition("/")
            if sink == self.sink.name:
                left = (until - now).total_seconds()
                self._pacer.hold(address or None, monotonic + left)
        self._begun = True

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
        tries, wait, refusals = 0, FIRST_WAIT, Refusals()
        while True:
            try:
                await self._attempt(opened, name)
            except (Away, Unavailable):  # not the sink's fault; the daemon tells of it
                await self._clock.sleep(FIRST_WAIT)
            except Transient as failure:
                now = self._clock.monotonic()
                hopeless = refusals.hopeless(failure, now, self._took)
                if hopeless or (refusals.due(now) and await self._others_pass(name)):
                    await self._settle(opened, name, "dead", why=str(failure))
                    break
                asked = failure.retry_after
                await self._wait(name, failure, wait if asked is None else asked)
                wait = min(wait * 2, LONGEST_WAIT)
            except Exception as error:  # noqa: BLE001 - the seam: a bug costs one alert
                tries += 1
                self._log.exception("delivery_failed", subscriber=name, tries=tries)
                if tries >= TRIES:
                    await self._settle(opened, name, "dead", why=named(error))
                    break
                await self._clock.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
            else:
                break
        self._well(name)

    async def _others_pass(self, name: str) -> bool:
        """
        Try what waits behind a refused message; return whether it was taken.

        If it was, the sink is well, and the fault lies with the first one.
        """
        queue = self._queues[name]
        post = queue[0].envelope.match.item.post
        behind = (one for one in queue if one.envelope.match.item.post != post)
        other = next(behind, None)
        if other is None:
            return False
        try:
            await self._attempt(other, name)
        except (Transient, Unavailable):
            return False
        queue.remove(other)
        return True

    async def _wait(self, name: str, failure: Transient, wait: timedelta) -> None:
        """Wait as a failure says; of many that fail at a time, the first is told."""
        if failure.everywhere:
            self._pacer.hold(None, self._clock.monotonic() + wait.total_seconds())
        tell = self._log.debug if self._failing else self._log.warning
        self._failing.add(name)
        tell("sink_waits", subscriber=name, why=str(failure),
             again_in=wait.total_seconds())  # fmt: skip
        await self._clock.sleep(wait)

    def _well(self, name: str) -> None:
        if name in self._failing:
            self._failing.remove(name)
            if not self._failing:
                self._log.info("sink_recovered")

    async def _attempt(self, opened: _Open, name: str) -> None:
        """
        Try once, and settle what came of it.

        Raises:
            Transient: Nothing is settled; try again.
        """
        envelope, subscriber = opened.envelope, self._subscribers.get(name)
        if subscriber is None:
            await self._unknown(opened, name)
            return
        todo = step(envelope, name, await self._told(opened, name))
        parked = await self._addresses.why_parked(name)
        leave = parked and self._addresses.rests(name) and not envelope.again
        if leave and todo.action in ("send", "edit", "ring"):
            todo = Step("suppress", why=f"the address is parked: {parked}")
        if todo.action == "done":
            await self._settled(opened, name, [])
        elif todo.action == "suppress":
            await self._settle(opened, name, "suppressed", why=todo.why)
        else:
            await self._tell(opened, subscriber, todo, parked=bool(parked))

    async def _unknown(self, opened: _Open, name: str) -> None:
        """
        Set aside what is for nobody we know, once a reload had time to come here, too.

        It is a letter, and not suppressed: those who decide knew the name.
        """
        first = self._strangers.setdefault(name, self._clock.monotonic())
        left = RELOADS.total_seconds() - (self._clock.monotonic() - first)
        while left > 0 and name not in self._subscribers:
            await self._clock.sleep(min(FIRST_WAIT, timedelta(seconds=left)))
            left -= FIRST_WAIT.total_seconds()
        if name in self._subscribers:
            await self._attempt(opened, name)
        else:
            why = f"{self.sink.name} has no subscriber of this name"
            await self._settle(opened, name, "dead", why=why)

    async def _told(self, opened: _Open, name: str) -> Delivery | None:
        """Return what *name* was told of the post before."""
        post = opened.envelope.match.item.post
        return (await self._stream.told(post, [name])).get(name)

    async def _tell(
        self, opened: _Open, subscriber: Subscriber, todo: Step, *, parked: bool
    ) -> None:
        """Send or edit one message, and settle it; see `_attempt`."""
        name, envelope = subscriber.name, opened.envelope
        try:
            alert = self._alert(envelope, todo)
            receipt = await self._follow(alert, subscriber, todo)
            if parked:
                await self._addresses.reopen(name)
                self._log.info("address_open_again", subscriber=name)
            outcome: Outcome = "edited" if todo.action == "edit" else "delivered"
            await self._settle(
                opened, name, outcome, ", ".join(envelope.match.rules), receipt
            )
        except Rejected as refusal:
            self._log.warning("alert_refused", subscriber=name, why=str(refusal))
            await self._settle(opened, name, "dead", why=str(refusal))
        except Gone as refusal:
            await self._gone(opened, name, refusal)
        finally:
            self._sending.discard(name)

    async def _follow(
        self, alert: Alert, subscriber: Subscriber, todo: Step
    ) -> Receipt:
        """Send or edit where the subscriber is now, wherever they moved."""
        name = subscriber.name
        for _ in range(MOVES):
            to = await self._addresses.current(subscriber.to)
            try:
                message = await self._in_turn(alert, to, name, todo)
                return Receipt(message, self._addresses.digest(to))
            except Moved as moved:
                await self._addresses.moved(subscriber.to, moved.address)
                self._log.warning("address_moved", subscriber=name)
            except Away:
                raise
            except Transient as failure:
                await self._addresses.hold(to, failure)
                raise
        raise Rejected(f"the address moved {MOVES} times in a row")

    async def _send(self, alert: Alert, to: str, todo: Step) -> str:
        """Edit what lies at this very address, if that is to do, or send it anew."""
        there = todo.address in ("", self._addresses.digest(to))
        if todo.action == "send" or not there:
            return await self.sink.send(alert, to, self._web)
        try:
            for message in todo.message.split(AND):
                await self.sink.edit(alert, to, message, self._web)
        except Rejected:  # the old message cannot be changed: say it anew
            return await self.sink.send(alert, to, self._web)
        if todo.action == "ring":  # what corrects it later has to correct both
            return todo.message + AND + await self.sink.send(alert, to, self._web)
        return todo.message

    async def _gone(self, opened: _Open, name: str, refusal: Gone) -> None:
        """Park an address that is closed to us, or wait where the sink itself is."""
        if refusal.everywhere:
            if not self._refused:
                self._log.error("sink_refused_us", why=str(refusal))
            self._refused = True
            raise Transient(str(refusal), DEAD_SINK_WAIT, everywhere=True) from None
        self._log.warning("address_parked", subscriber=name, why=str(refusal))
        await self._addresses.park(name, str(refusal))
        await self._settle(opened, name, "dead", why=str(refusal))

    def _alert(self, envelope: Envelope, todo: Step) -> Alert:
        """Return what is to be said; who was never told before learns of no change."""
        source = envelope.match.item.source
        return Alert(
            match=envelope.match,
            origin=self._origins.get(source) or Origin(source=source),
            was=None if todo.action == "send" else envelope.was,
            names=self._names,
        )

    async def _in_turn(self, alert: Alert, to: str, name: str, todo: Step) -> str:
        """
        Send or edit when the pace allows it and one of few is free to do so.

        Whoever waits for the pace holds no place: a flooded chat delays nobody.

        Raises:
            Away: Nothing was sent: another instance may be the owner by now.
        """
        while True:
            now = self._clock.monotonic()
            ready = self._pacer.ready_at(to, now)
            if ready > now:
                await self._clock.sleep(timedelta(seconds=ready - now))
            async with self._slots:
                if not self._lane.held():
                    raise Away("the lease of the outbox could not be renewed")
                now = self._clock.monotonic()
                if self._pacer.ready_at(to, now) <= now:
                    self._pacer.took(to, now)
                    self._sending.add(name)
                    message = await self._send(alert, to, todo)
                    self._refused, self._took = False, self._clock.monotonic()
                    return message

    async def _settle(
        self,
        opened: _Open,
        name: str,
        outcome: Outcome,
        why: str = "",
        receipt: Receipt = NO_RECEIPT,
    ) -> None:
        delivery = Delivery(
            item=opened.envelope.match.item.key,
            subscriber=name,
            sink=self.sink.name,
            outcome=outcome,
            at=self._clock.now(),
            message=receipt.message,
            address=receipt.address,
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
                except (Transient, Unavailable):
                    await self._clock.sleep(FIRST_WAIT)
            opened.left.discard(name)
        if last:
            self._open.pop(opened.entry.id, None)
