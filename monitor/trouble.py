"""
What is wrong with the program itself, told to its operators once, and again when over.

Troubles are posts of a source of our own, and go the way of all others: they outlive a
restart, are archived, and arrive once.  Which ones are open is that source's cursor, so
it moves in the same step in which they are told.  Each part of the program that tells
of any has a source of its own for that, under one name that operators see.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from monitor import log
from monitor.clock import Clock
from monitor.errors import Transient, Unavailable
from monitor.item import OURSELVES, Change, Item, Match, Reading, Severity
from monitor.secret import redact
from monitor.stream import Stream

OPERATOR = "operator"  # the rule by which a trouble matters
LANGUAGE = "en"  # of our logs, too
MOST = 50  # troubles of one part that are open at a time
REMEMBERED = timedelta(minutes=1)  # what is open, before it is looked up again
GRAVITY: Mapping[str, Severity] = {  # of the troubles of a part; of the others: warning
    "account": "critical",
    "intake": "critical",
    "redis": "critical",
}


class Trouble(msgspec.Struct, frozen=True):
    """Something that is wrong, since when, and what to do about it."""

    since: datetime
    text: str


class Troubles(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    The troubles of one part of the program, as its cursor has them.

    Attributes:
        open: Those that were told and are not over, by their key.
        kept: What the part wants to know again, moved in the same step.
    """

    open: dict[str, Trouble] = {}
    kept: str = ""

    def compared(
        self,
        current: Mapping[str, str],
        once: Mapping[str, str],
        now: datetime,
    ) -> tuple[list[Item], dict[str, Trouble]]:
        """
        Return what is to be told, and what is open after it.

        Args:
            current: The texts of all that is wrong now, by key: what is not open yet is
                told, what is open and not among them is over.
            once: What has happened, and has no end that could be told; no other thing
                will ever have its key.
        """
        fresh = [key for key in current if key not in self.open]
        room = MOST - len(self.open.keys() & current.keys())
        raised = {key: Trouble(now, current[key]) for key in fresh[: max(room, 0)]}
        over = {key: one for key, one in self.open.items() if key not in current}
        left = {key: one for key, one in self.open.items() if key in current}
        items = [_post(key, now, text, now) for key, text in once.items()]
        items += [
            _post(_id(key, one), now, one.text, now) for key, one in raised.items()
        ]
        items += [
            _post(_id(key, one), one.since, _ended(one, now), now, "edited")
            for key, one in over.items()
        ]
        return items, left | raised


class Teller:
    """
    Tells the operators of the troubles of one part of the program.

    One instance of that part at a time does: whoever holds its lease.
    """

    def __init__(self, part: str, stream: Stream, clock: Clock) -> None:
        """Tell of what *part* has to tell of, as posts on *stream*."""
        self._part, self._source = part, f"{OURSELVES}/{part}"
        self._stream, self._clock = stream, clock
        self._open: frozenset[str] | None = None  # as far as we know
        self._looked = 0.0

    async def kept(self) -> str:
        """
        Return what was kept when something was last told.

        Raises:
            Away: Redis does not say.
        """
        return _read(await self._stream.cursor(self._source)).kept

    async def tell(
        self,
        current: Mapping[str, str],
        once: Mapping[str, str] | None = None,
        kept: str | None = None,
    ) -> list[Item]:
        """
        Tell of what is new among the *current* troubles, and of what is over.

        Returns the posts that tell of it; those of what is over are edited ones.

        Args:
            once: What has happened, and has no end that could be told.
            kept: What is to be known again, from now on.

        Raises:
            Away: Do it again; nothing is told twice.
        """
        keys = {f"{self._part}:{key}": text for key, text in current.items()}
        happened = {f"{self._part}:{key}": text for key, text in (once or {}).items()}
        if not happened and kept is None and self._is_known(keys):
            return []
        now = self._clock.now()
        before = _read(await self._stream.cursor(self._source))
        items, left = before.compared(keys, happened, now)
        kept = before.kept if kept is None else kept
        if items or kept != before.kept:
            after = msgspec.json.encode(Troubles(left, kept)).decode()
            await self._stream.accept(self._source, items, after)
        self._open, self._looked = frozenset(left), self._clock.monotonic()
        return items

    def _is_known(self, current: Mapping[str, str]) -> bool:
        age = self._clock.monotonic() - self._looked
        return self._open == frozenset(current) and age < REMEMBERED.total_seconds()


class Announced:
    """
    What says why nothing more may be read, and tells the operators of it as well.

    It is asked by whoever collects, and so by one process at a time.
    """

    def __init__(
        self,
        intake: Callable[[], Awaitable[str]],
        stream: Stream,
        clock: Clock,
        lost: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """
        Ask *intake*, and tell on *stream*.

        Args:
            lost: Says what Redis lost, if it did, by a key of its own.
        """
        self._intake, self._lost = intake, lost
        self._teller = Teller("intake", stream, clock)
        self._losses = Teller("redis", stream, clock)
        self._told: Mapping[str, str] = {}

    async def __call__(self) -> str:
        """
        Return why nothing more may be read now, or nothing.

        Raises:
            Away: The server does not say.
        """
        why = await self._intake()
        said = f"Nothing is read any more: {why}. It goes on when there is room."
        with suppress(Transient, Unavailable):  # it is asked again in a moment
            await self._teller.tell({"stopped": said} if why else {})
            lost = self._lost()
            if lost != self._told:
                await self._losses.tell({}, once=lost)
                self._told = lost
        return why


def judged(item: Item) -> Match:
    """Return a post of our own as the match that it is: nothing of it is read."""
    part = item.id.partition(":")[0]
    over = item.change != "new"
    return Match(
        item=item,
        reading=Reading(language=LANGUAGE),
        rules=(OPERATOR,),
        severity="info" if over else GRAVITY.get(part, "warning"),
    )


def _read(cursor: str) -> Troubles:
    """Return the troubles that a cursor has; none, where nobody can read it."""
    try:
        return msgspec.json.decode(cursor or "{}", type=Troubles)
    except msgspec.MsgspecError as error:
        log.get("trouble").error("troubles_forgotten", why=str(error))
        return Troubles()


def _id(key: str, trouble: Trouble) -> str:
    """Return what tells a trouble from the same one at another time."""
    return f"{key}@{trouble.since:%Y-%m-%dT%H:%M:%S.%f}"


def _post(
    id_: str, published: datetime, text: str, now: datetime, change: Change = "new"
) -> Item:
    return Item(
        source=OURSELVES,
        id=id_,
        change=change,
        published=published,
        seen=now,
        text=redact(text),
    )


def _ended(trouble: Trouble, now: datetime) -> str:
    minutes = max((now - trouble.since) // timedelta(minutes=1), 0)
    hours, rest = divmod(minutes, 60)
    lasted = f"{hours} h {rest} min" if hours else f"{minutes} min"
    return f"Over since {now:%H:%M} UTC, after {lasted}.\n\n{trouble.text}"
