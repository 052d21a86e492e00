"""
Services that carry messages in the simulated world, and sinks that speak to them.

A request that was sent goes its way whatever becomes of its sender: the message may
lie in the chat although the process has died, or has given up waiting for the answer.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from monitor.alert import NOT_RECOGNISED, Alert, Digest, Pace, Repeats
from monitor.errors import Gone, Moved, Rejected, Transient
from monitor.item import Item
from monitor.web import Web
from tests.simulation.chronicle import Chronicle
from tests.simulation.line import Point
from tests.simulation.loop import VirtualLoop
from tests.simulation.process import Life, here
from tests.simulation.weather import CALM, Weather

PATIENCE: Final = 30.0  # seconds; `Web` gives an answer up after it
BURST: Final = 3.0  # messages that a chat takes at once, and then one a second
OVERALL: Final = 30.0  # messages a second of the whole service
EXPIRED: Final = "the record has expired"
QUICK: Final = 0.25  # seconds in which a request arrives that does not hang
FIRM: Final = 0.03  # share of edits that a chat does not take


@dataclass(slots=True, eq=False)
class Copy:
    """
    A message that was taken, or a line of one: one version of a post, for somebody.

    Attributes:
        by: Who sent it.
        live: It is a message of its own, not a line of a digest.
        began: When its sending began.
        at: When it was taken.
        late: Its sender had given it up by then.
        heard: When its sender learned that it was taken.
        excuse: Why it may be there once more, if it may.
    """

    by: Life
    to: str
    item: Item
    live: bool
    began: float
    at: float
    late: bool = False
    heard: float | None = None
    excuse: str = ""


@dataclass(slots=True, eq=False)
class Message:
    """
    A message as it lies in a chat.

    Attributes:
        shown: What it says of each post, as it was sent or edited.
    """

    number: int
    copies: Sequence[Copy]
    shown: dict[str, Item]


@dataclass(slots=True, eq=False)
class Chat:
    """Somebody's chat."""

    name: str
    messages: dict[str, Message] = field(default_factory=dict)
    closed_until: float = 0.0
    hangs_until: float = 0.0
    floods_until: float = 0.0
    peace_until: float = 0.0  # it is not bothered again
    not_before: float = 0.0
    asked_by: Life | None = None  # whom we asked to wait till then
    tokens: float = BURST
    counted: float = 0.0
    moved_to: str = ""


@dataclass(slots=True, eq=False)
class Road:
    """What all services have in common."""

    loop: VirtualLoop
    chronicle: Chronicle
    dice: Random
    point: Point
    context: Context
    weather: Weather = CALM


@dataclass(slots=True, eq=False)
class _Request:
    """One request on its way."""

    life: Life
    alerts: Sequence[Alert]
    live: bool
    key: str
    to: str
    message: str  # the one that is edited; empty for a new one
    began: float
    answer: "asyncio.Future[str]"
    taken: Sequence[Copy] = ()
    unheard: bool = False


@dataclass(slots=True, eq=False)
class Messenger:
    """
    One service and its chats.

    Attributes:
        recognises: A message that is sent again with its key is taken once.
        limited: It takes one message a second for a chat, and thirty in all.
        chats: By address.
        copies: What was taken, by whom it is for, post, version and text.
        down_until: Till then nobody gets an answer.
        deaf: While it is down, connections are taken and never answered.
        revoked_until: Till then it takes nothing of us.
        poison: Texts with one of these in them are never taken.
        refused: For whom, and which version of a post was never taken.
        faults: What the program did that it must never do.
    """

    name: str
    road: Road
    recognises: bool
    limited: bool
    recorded: Callable[[Copy], bool]
    chats: dict[str, Chat] = field(default_factory=dict)
    copies: dict[tuple[str, str, str], list[Copy]] = field(
        default_factory=lambda: defaultdict(list)
    )
    down_until: float = 0.0
    deaf: bool = False
    revoked_until: float = 0.0
    poison: set[str] = field(default_factory=set)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _asking: dict[Life, int] = field(default_factory=lambda: defaultdict(int))
    _known: dict[str, str] = field(default_factory=dict)
    _tokens: float = OVERALL
    _counted: float = 0.0
    _numbers: int = 0

    def add(self, name: str, address: str) -> None:
        """Let there be a chat of *name*."""
        self.chats[address] = Chat(name)

    def move(self, address: str, to: str) -> None:
        """Let the chat at *address* be at another one."""
        chat = self.chats[address]
        self.chats[to] = chat
        self.chats[address] = Chat(chat.name, moved_to=to)

    async def ask(
        self, alerts: Sequence[Alert], to: str, *, live: bool, key: str, message: str
    ) -> str:
        """
        Send or edit a message, and return what is answered.

        Raises:
            Transient, Rejected, Gone, Moved: as `Sink.send` says.
        """
        road, life = self.road, here()
        life.check()
        road.point(life)
        life.check()
        now = road.loop.time()
        answer: asyncio.Future[str] = road.loop.create_future()
        key = key or f"{alerts[0].match.item.key} {to}"
        request = _Request(life, alerts, live, key, to, message, now, answer)
        patience = PATIENCE
        if self._unreached(request):
            patience = road.dice.choice((0.05, 0.05, 10.0))
        self._asking[life] += 1
        try:
            async with asyncio.timeout(patience):
                text = await answer
        except TimeoutError:
            life.check()
            if patience < PATIENCE:
                raise Transient("All connection attempts failed") from None
            raise unsure("no answer within 30 s") from None
        finally:
            self._asking[life] -= 1
        life.check()
        for copy in request.taken:
            copy.heard = road.loop.time()
        return text

    def _unreached(self, request: _Request) -> bool:
        """Send a request on its way; return whether it does not even get there."""
        road, dice = self.road, self.road.dice
        weather, count = road.weather, road.chronicle.count
        now = road.loop.time()
        if now < self.down_until and not self.deaf:
            count("sink refused a connection")
            return True
        chat = self.chats[request.to]
        delay = dice.uniform(0.02, 0.2)
        fate = dice.random()
        if now < self.down_until:
            count("sink deaf")
            delay = dice.uniform(PATIENCE, 2 * PATIENCE)
            if dice.random() < 0.8:
                return False  # it will never be taken
        elif now < chat.hangs_until:
            count("chat hung")
            delay = dice.uniform(PATIENCE, 2 * PATIENCE)
        elif fate < weather.sink_unreached:
            count("sink not reached")
            return True
        elif fate < weather.sink_unreached + weather.sink_hangs:
            count("sink hung")
            delay = dice.uniform(2, 2 * PATIENCE)
        elif fate < (
            weather.sink_unreached + weather.sink_hangs + weather.sink_unheard
        ):
            request.unheard = True
        road.loop.call_later(delay, self._arrive, request, context=road.context)
        return False

    def _arrive(self, request: _Request) -> None:
        """Take a request, or not, and answer it."""
        road, dice = self.road, self.road.dice
        slow = road.loop.time() > request.began + QUICK
        if request.message and request.answer.done() and slow:
            return  # an old edit would undo a newer one, and nobody could help it
        waits = not request.answer.done()
        try:
            text = self._taken(request)
        except Exception as refusal:  # noqa: BLE001 - it goes to whoever asked
            self._after(dice.uniform(0.01, 0.1), _fail, request, refusal)
            return
        if waits:
            road.point(request.life)
        if request.answer.done():
            road.chronicle.count("taken of one who had given up or died")
        elif request.unheard:
            road.chronicle.count("taken, reply lost")
            if dice.random() < 0.7:
                failure = unsure("the connection broke while we waited")
                self._after(dice.uniform(0.01, 0.1), _fail, request, failure)
            elif dice.random() < 0.3:
                road.chronicle.count("taken, answered with an error")
                failure = Transient("504 Gateway Timeout")
                self._after(dice.uniform(0.5, 5), _fail, request, failure)
        else:
            self._after(dice.uniform(0.01, 0.1), _give, request, text)

    def _after(self, delay: float, do: Callable[..., object], *args: Any) -> None:
        self.road.loop.call_later(delay, do, *args, context=self.road.context)

    def _taken(self, request: _Request) -> str:
        """
        Take a message into its chat, and return its id.

        Raises:
            Transient, Rejected, Gone, Moved: It is not taken.
        """
        now, road = self.road.loop.time(), self.road
        count = road.chronicle.count
        if now < self.revoked_until:
            count("sink revoked")
            raise Gone("401 Unauthorized", everywhere=True)
        chat = self.chats[request.to]
        if chat.moved_to:
            count("chat moved")
            raise Moved("the group is a supergroup now", chat.moved_to)
        if now < chat.closed_until:
            count("chat closed")
            raise Gone("403 Forbidden: bot was blocked by the user")
        if road.dice.random() < road.weather.sink_fails:
            count("sink failed")
            raise Transient("500 Internal Server Error")
        self._pace(request, chat)
        if request.live and any(
            word in request.alerts[0].match.item.text for word in self.poison
        ):
            count("message refused for ever")
            item = request.alerts[0].match.item
            self.refused[(chat.name, item.key)] = "poison"
            raise Rejected("400 Bad Request: can't parse entities")
        if request.message:
            return self._edited(request, chat)
        if self.recognises and request.key in self._known:
            count("repeat recognised")
            id_ = self._known[request.key]
            request.taken = chat.messages[id_].copies
            return id_
        return self._new(request, chat)

    def _pace(self, request: _Request, chat: Chat) -> None:
        """
        Take no more than a chat and the service can bear.

        Raises:
            Transient: It is too much.
        """
        now, road = self.road.loop.time(), self.road
        count, dice = road.chronicle.count, road.dice
        if now < chat.not_before - 1e-3:
            count("too early")
            if chat.asked_by is request.life and request.began > chat.counted:
                why = f"was not left alone at {now:.1f}, as it asked to be"
                self.faults.append(f"{self.name}: {chat.name} {why}")
        chat.tokens = min(BURST, chat.tokens + now - chat.counted)
        self._tokens = min(OVERALL, self._tokens + (now - self._counted) * OVERALL)
        chat.counted = self._counted = now
        flooded = now < chat.floods_until or dice.random() < road.weather.sink_floods
        if flooded or (self.limited and chat.tokens < 1):
            count("chat flooded")
            wait = timedelta(seconds=dice.choice((1, 3, 20)))
            road.chronicle.note(self.name, "flooded", chat.name, wait)
            if not request.answer.done():
                chat.asked_by = request.life
                chat.not_before = now + wait.total_seconds()
            raise Transient("429 Too Many Requests", wait)
        if (
            self.limited and self._tokens < 1
        ) or dice.random() < road.weather.sink_floods / 10:
            count("sink flooded")
            raise Transient("429", timedelta(seconds=5), everywhere=True)
        chat.tokens -= 1
        self._tokens -= 1

    def _edited(self, request: _Request, chat: Chat) -> str:
        there = chat.messages.get(request.message)
        item = request.alerts[0].match.item
        if there is None:
            self.faults.append(f"{self.name}: an edit of no message of {chat.name}")
            raise Rejected("400 Bad Request: message to edit not found")
        if self.road.dice.random() < FIRM and self.road.weather is not CALM:
            self.road.chronicle.count("edit refused")
            raise Rejected("400 Bad Request: message can't be edited")
        there.shown = {item.post: item}
        self.road.chronicle.note(self.name, "edited", chat.name, item.key)
        self.road.chronicle.count("message edited")
        return request.message

    def _new(self, request: _Request, chat: Chat) -> str:
        now = self.road.loop.time()
        self._numbers += 1
        id_ = f"{self.name}-{self._numbers}"
        copies = [
            Copy(request.life, chat.name, alert.match.item, request.live,
                 request.began, now, request.answer.done())
            for alert in request.alerts
        ]  # fmt: skip
        for copy in copies:
            item = copy.item
            self._again(self.copies[(chat.name, item.key, item.text)], copy)
        shown = {copy.item.post: copy.item for copy in copies}
        chat.messages[id_] = Message(self._numbers, copies, shown)
        request.taken = copies
        self._known[request.key] = id_
        keys = " ".join(copy.item.key for copy in copies)
        self.road.chronicle.note(self.name, "told", chat.name, keys, request.live)
        self.road.chronicle.count("told" if request.live else "digest sent")
        return id_

    def _again(self, there: list[Copy], copy: Copy) -> None:
        """Note another copy, and whether what was taken before is excused."""
        for before in there:
            self._excuse(before)
        there.append(copy)

    def _excuse(self, copy: Copy) -> None:
        """Excuse a copy if its taker could not write down that it was taken."""
        heard = copy.heard
        cut_off = heard is not None and copy.by.troubled > heard
        if not copy.excuse and cut_off and not self.recorded(copy):
            copy.excuse = "its sender did not reach Redis"

    def carries_of(self, life: Life) -> int:
        """Return how many requests of *life* are on their way."""
        return self._asking[life]

    def died(self, life: Life) -> None:
        """Excuse what *life* was told was taken, and could not write down."""
        self._forgive(life, "its sender was killed")

    def rolled_back(self) -> None:
        """Excuse what was written down and is not any more."""
        self._forgive(None, "the record was lost")

    def forgotten(self) -> None:
        """Excuse all that was taken: what was written of it has expired."""
        for copies in self.copies.values():
            for copy in copies:
                copy.excuse = copy.excuse or EXPIRED

    def _forgive(self, life: Life | None, why: str) -> None:
        for copies in self.copies.values():
            for copy in copies:
                if copy.excuse or (life and copy.by is not life):
                    continue
                if not self.recorded(copy):
                    copy.excuse = why


def unsure(why: str) -> Transient:
    """Return the failure of a request that may have been taken."""
    return Transient(why, unsure=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A sink that speaks to a messenger."""

    name: str
    messenger: Messenger = field(compare=False, repr=False)
    pace: Pace = field(default=Pace())
    repeats: Repeats = NOT_RECOGNISED

    async def send(self, message: Alert | Digest, to: str, web: Web) -> str:
        """Send a message."""
        live = not isinstance(message, Digest)
        alerts = [*message.alerts] if isinstance(message, Digest) else [message]
        return await self.messenger.ask(
            alerts, to, live=live, key=message.key, message=""
        )

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """Change a message."""
        await self.messenger.ask([alert], to, live=True, key=alert.key, message=message)

    async def check(self, web: Web) -> str:
        """Be there."""
        return self.name


def by_person(messengers: Sequence[Messenger]) -> Mapping[str, list[Copy]]:
    """Return all copies, by whom they are for, in the order of their taking."""
    told: dict[str, list[Copy]] = defaultdict(list)
    for messenger in messengers:
        for copies in messenger.copies.values():
            for copy in copies:
                told[copy.to].append(copy)
    for copies in told.values():
        copies.sort(key=lambda copy: copy.at)
    return told


def _give(request: _Request, text: str) -> None:
    if not request.answer.done():
        request.answer.set_result(text)


def _fail(request: _Request, failure: Exception) -> None:
    if not request.answer.done():
        request.answer.set_exception(failure)
