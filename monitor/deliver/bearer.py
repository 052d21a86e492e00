"""
Brings one recipient what waits for them, and decides what follows from what came of it.

What has arrived is written down before anything else is done, however long that takes:
were Redis' absence an excuse to begin anew, the message would be sent twice.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from monitor import log
from monitor.alert import Subscriber
from monitor.clock import Clock
from monitor.deliver.errand import Elsewhere, Errands, Held, Turn
from monitor.deliver.mailbox import FIRST_WAIT, Ended, Mailbox, Opened
from monitor.deliver.rounds import Rounds
from monitor.errors import Away, Gone, Moved, Rejected, Transient, Unavailable
from monitor.item import Delivery
from monitor.pipeline import named
from monitor.stream import Settlement, Stream

TRIES = 5  # of what nobody foresaw, before it is set aside
RELOADS = timedelta(minutes=1)  # until all roles have taken up a configuration
MOVES = 3  # of an address in a row; who says more goes round in circles
LONGEST_WAIT = timedelta(minutes=1)  # so soon after its trouble a chat is told
DEAD_SINK_WAIT = timedelta(minutes=10)  # until a sink that refused us is asked again
FORGET = timedelta(seconds=15)  # for so long the stream may say that it is not ours


class Bearer:
    """
    Serves the recipients of one sink, one each time.

    Attributes:
        subscribers: Those whom it knows, by name.
    """

    def __init__(  # noqa: PLR0913 - those who serve together
        self,
        sink: str,
        errands: Errands,
        rounds: Rounds,
        stream: Stream,
        clock: Clock,
        *,
        close: Callable[[Opened], object],
        estrange: Callable[[], object],
    ) -> None:
        """
        Serve in *rounds*.

        Args:
            close: Called with what is settled for everybody.
            estrange: Called when the stream has taken something from us.
        """
        self.subscribers: Mapping[str, Subscriber] = {}
        self._sink, self._errands, self._rounds = sink, errands, rounds
        self._stream, self._clock = stream, clock
        self._close, self._estrange = close, estrange
        self._log = log.get("deliver").bind(sink=sink)
        self._refused = False  # the sink takes nothing of us, and that was told
        self._took = -math.inf  # when the sink last took a message
        self._failing: set[str] = set()  # recipients whose sends have to be repeated
        self._strangers: dict[str, float] = {}  # names we do not know, and since when

    def introduce(self, subscribers: Mapping[str, Subscriber]) -> None:
        """Serve these from now on."""
        self.subscribers = subscribers
        self._strangers.clear()

    def forget(self) -> None:
        """Forget how anybody fared."""
        self._failing.clear()

    async def serve(self, box: Mailbox, turn: Turn) -> None:
        """Do for one recipient what is to be done next, and note how to go on."""
        box.due, box.firmly = 0.0, False
        to = self.subscribers.get(box.name)
        if to is None:
            await self._await_or_give_up(box)
            return
        try:
            if not box.ended:
                box.ended = await self._attempt(box, to, turn)
        except Exception as failure:  # noqa: BLE001 - the seam: a bug costs one alert
            await self._meet(box, to, turn, failure)
        else:
            await self._arrived(box, turn)

    async def _meet(
        self, box: Mailbox, to: Subscriber, turn: Turn, failure: Exception
    ) -> None:
        """Do what follows from a failure."""
        match failure:
            case Away() | Unavailable():  # not the sink's fault; the stage tells of it
                self._rounds.pause(FIRST_WAIT)
            case Held():  # the rounds know for how long
                pass
            case Elsewhere():
                self._leave(box, failure.some)
            case Transient():
                await self._failed(box, to, turn, failure)
            case Moved():
                await self._follow(box, to, failure)
            case Rejected():
                await self._rejected(box, failure)
            case Gone():
                await self._gone(box, failure)
            case _:
                await self._broke(box, failure)

    async def _attempt(self, box: Mailbox, to: Subscriber, turn: Turn) -> list[Ended]:
        """Make one attempt, and return what is to be written down."""
        await self._errands.recall(box)
        if box.gather():  # that is told when all of it is there
            return []
        box.tried = some = box.next()
        if box.news or box.edits:
            news = bool(box.news)
            ended = await self._errands.alone(box, some[0], to, turn, news=news)
            if ended is None:
                box.fold(some[0])
            return [ended] if ended else []
        fold = await self._errands.together(box, some, to, turn)
        for one in fold.edits:
            box.unfold(one)
        return [*fold.ended]

    async def _arrived(self, box: Mailbox, turn: Turn) -> None:
        """Write down what became of an attempt, and of what it was a test for."""
        ended, trouble = box.ended, box.trouble
        if turn.sent:
            self._took = self._clock.monotonic()
            self._refused = False
            self._answered()
        await self._settle(box, ended)
        if turn.sent:
            await self._errands.after(box, ended)
        await self._set_aside_first(box)
        box.trouble = None if ended else trouble
        self._well(box.name)

    def _answered(self) -> None:
        """Note that the sink is there; if it was not, everybody is served at once."""
        if self._rounds.outage.answered(self._clock.monotonic()):
            self._rounds.hurry()

    async def _failed(
        self, box: Mailbox, to: Subscriber, turn: Turn, failure: Transient
    ) -> None:
        """Wait as a failure says, or give up what the sink takes of nobody."""
        now, asked = self._clock.monotonic(), failure.retry_after
        trouble = box.ail()
        if asked is None and not failure.everywhere and not turn.narrow:
            self._rounds.outage.failed(box.name, turn.began)
        if trouble.instead:
            trouble.instead = None  # it is no better off: the fault lies elsewhere
        elif asked is not None:
            trouble.why = str(failure)  # it is to wait: that says nothing against it
        elif trouble.refusals.hopeless(failure, now, self._took):
            await self._settle(box, _dead(box, str(failure)))
            box.trouble = None
            return
        else:
            trouble.why = str(failure)
            if box.news and trouble.refusals.due(now):
                trouble.instead = box.behind()
                if trouble.instead:
                    return
        if turn.began < self._rounds.outage.ended:  # it is over, and was the reason
            trouble.wait = FIRST_WAIT
        wait = trouble.wait if asked is None else asked
        trouble.wait = min(trouble.wait * 2, LONGEST_WAIT)
        box.due, box.firmly = now + wait.total_seconds(), asked is not None
        if asked is not None or failure.everywhere:
            await self._hold(to, failure, box.due)
        self._tell_waiting(box.name, failure, wait)

    async def _hold(self, to: Subscriber, failure: Transient, until: float) -> None:
        """Let the chat wait, or everybody, and let a restart not forget it."""
        address = self._errands.addresses.known(to.to)
        self._rounds.pacer.hold(None if failure.everywhere else address, until)
        await self._errands.addresses.hold(address, failure)

    async def _follow(self, box: Mailbox, to: Subscriber, moved: Moved) -> None:
        """Note where the recipient is now, and go there at once."""
        self._answered()
        trouble = box.ail()
        trouble.moves += 1
        if trouble.moves >= MOVES:
            why = f"the address moved {MOVES} times in a row"
            await self._settle(box, _dead(box, why))
            box.trouble = None
            return
        await self._errands.addresses.moved(to.to, moved.address)
        self._log.warning("address_moved", subscriber=box.name)

    async def _rejected(self, box: Mailbox, refusal: Rejected) -> None:
        """Set aside what is refused; of what is told together, find what it is."""
        self._answered()
        some = _dead(box, str(refusal))
        self._log.warning("alert_refused", subscriber=box.name, why=str(refusal),
                          alerts=len(some))  # fmt: skip
        if len(some) > 1:
            box.ail().most = len(some) // 2
            return
        await self._settle(box, some)
        await self._set_aside_first(box)
        box.trouble = None
        self._well(box.name)

    async def _gone(self, box: Mailbox, refusal: Gone) -> None:
        """Park an address that is closed to us, or wait where the sink itself is."""
        if refusal.everywhere:
            if not self._refused:
                self._log.error("sink_refused_us", why=str(refusal))
            self._refused = True
            wait = self._clock.monotonic() + DEAD_SINK_WAIT.total_seconds()
            self._rounds.pacer.hold(None, wait)
            self._tell_waiting(box.name, refusal, DEAD_SINK_WAIT)
            return
        self._answered()
        self._log.warning("address_parked", subscriber=box.name, why=str(refusal))
        await self._errands.addresses.park(box.name, str(refusal))
        first, *others = _dead(box, str(refusal))
        why = f"the address is parked: {refusal}"
        rest = [Ended(one.opened, "suppressed", why) for one in others]
        await self._settle(box, [first, *rest])
        box.trouble = None
        self._well(box.name)

    async def _broke(self, box: Mailbox, error: Exception) -> None:
        """Try a few times what nobody foresaw, then set it aside."""
        trouble = box.ail()
        trouble.tries += 1
        self._log.exception(
            "delivery_failed", subscriber=box.name, tries=trouble.tries, exc_info=error
        )
        if trouble.tries < TRIES:
            box.due = self._clock.monotonic() + trouble.wait.total_seconds()
            trouble.wait = min(trouble.wait * 2, LONGEST_WAIT)
            return
        some = _dead(box, named(error))
        if len(some) > 1:
            trouble.most, trouble.tries = len(some) // 2, 0
            return
        await self._settle(box, some)
        box.trouble = None

    async def _await_or_give_up(self, box: Mailbox) -> None:
        """
        Set aside what is for nobody we know, once a reload had time to come here, too.

        It is a letter, and not suppressed: those who decide knew the name.
        """
        now = self._clock.monotonic()
        since = self._strangers.setdefault(box.name, now)
        if now - since < RELOADS.total_seconds():
            box.due = since + RELOADS.total_seconds()
            return
        why = f"{self._sink} has no subscriber of this name"
        await self._settle(box, [Ended(one, "dead", why) for one in box.everything()])

    async def _set_aside_first(self, box: Mailbox) -> None:
        """Give up what is first if something else was tried instead, and was taken."""
        trouble = box.trouble
        if trouble and trouble.instead:
            first = [one for one in box.news if one.id == trouble.about]
            await self._settle(box, [Ended(one, "dead", trouble.why) for one in first])

    def _leave(self, box: Mailbox, some: Sequence[Opened]) -> None:
        """Leave what is not ours; should it be ours after all, it will come again."""
        now = self._clock.monotonic()
        box.due = now + FIRST_WAIT.total_seconds()
        for one in some:
            if one.strange is None:
                one.strange = now
            elif now - one.strange > FORGET.total_seconds():
                self._estrange()

    async def _settle(self, box: Mailbox, some: Sequence[Ended]) -> None:
        """Write down what became of *some*; the last recipient closes an entry."""
        if not some:
            return
        what = [
            Settlement(
                entry=one.opened.entry,
                deliveries=self._deliveries(box.name, one),
                done=one.opened.left == 1 and not one.opened.disowned,
                others=() if one.outcome else (box.name,),
            )
            for one in some
        ]
        await self._write(what)
        box.ended = ()
        box.take_out([one.opened for one in some if not one.opened.disowned])
        self._tell_settled(box.name, some)
        open_ = []
        for one, settled in zip(some, what, strict=True):
            if one.opened.disowned:
                continue
            one.opened.left -= 1
            if one.opened.left == 0:
                self._close(one.opened)
                if not settled.done:  # two were the last at the same time
                    open_.append(one.opened.entry)
        await self._write(
            [Settlement(entry=one, deliveries=(), done=True) for one in open_]
        )

    async def _write(self, what: Sequence[Settlement]) -> None:
        """Settle until it is known to stand."""
        while what:
            try:
                await self._stream.settle_all(what)
            except (Transient, Unavailable):
                await self._clock.sleep(FIRST_WAIT)
            else:
                return

    def _deliveries(self, name: str, one: Ended) -> list[Delivery]:
        if one.outcome is None:
            return [one.known] if one.known else []
        delivery = Delivery(
            item=one.opened.envelope.match.item.key,
            subscriber=name,
            sink=self._sink,
            outcome=one.outcome,
            at=self._clock.now(),
            message=_whole(one.receipt.message),
            address=one.receipt.address,
            why=_whole(one.why),
            repeats=one.repeats,
        )
        return [delivery]

    def _tell_settled(self, name: str, some: Sequence[Ended]) -> None:
        """Tell of each alert, but of many that were told together once."""
        doubled = [one for one in some if one.repeats]
        if doubled:
            first = doubled[0]
            self._log.warning(
                "alert_may_be_doubled",
                subscriber=name,
                item=first.opened.envelope.match.item.key,
                alerts=len(doubled),
                repeats=first.repeats,
            )
        told = [one for one in some if one.outcome]
        if len(told) > 1:
            self._log.info("alerts_settled", subscriber=name, alerts=len(told),
                           outcome=told[0].outcome)  # fmt: skip
        elif told:
            item = told[0].opened.envelope.match.item.key
            self._log.info("alert_settled", item=item, subscriber=name,
                           outcome=told[0].outcome)  # fmt: skip

    def _tell_waiting(self, name: str, failure: Exception, wait: timedelta) -> None:
        """Of many that fail at a time, tell of the first."""
        tell = self._log.debug if self._failing else self._log.warning
        self._failing.add(name)
        tell("sink_waits", subscriber=name, why=str(failure),
             again_in=wait.total_seconds())  # fmt: skip

    def _well(self, name: str) -> None:
        if name in self._failing:
            self._failing.remove(name)
            if not self._failing:
                self._log.info("sink_recovered")


def _whole(text: str) -> str:
    """Return *text* without half characters: a service may send them in JSON."""
    return text.encode("utf-8", "replace").decode()


def _dead(box: Mailbox, why: str) -> list[Ended]:
    """Return what was attempted last, as dead."""
    return [Ended(one, "dead", why) for one in box.tried]
