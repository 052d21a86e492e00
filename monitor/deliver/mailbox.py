"""
What waits for one recipient.

News come first, in their order.  What is no news any more is told together once there
is none; but what only corrects a message that lies in the chat is not told: the message
is changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.alert.refusals import Refusals
from monitor.alert.step import NO_RECEIPT, Receipt, warns_of_more
from monitor.item import Delivery, Envelope, Outcome
from monitor.stream import Entry

FIRST_WAIT = timedelta(seconds=1)
ENTRY, JOB, BOX = 5_000, 10, 1_000  # bytes; see `weight`


@dataclass(slots=True, eq=False)
class Opened:
    """
    An entry of the outbox that is not settled for everybody yet.

    Attributes:
        entry: It, with an envelope that names no recipients: they would take most of
            the memory.
        left: For how many it is not settled.
        taken: When it was taken from the outbox, in monotonic seconds.
        size: How many bytes it takes, about.
        strange: Since when the stream has said that it is not ours.
        disowned: It was taken anew: who is at it finishes, and the new one is closed.
    """

    entry: Entry[Envelope]
    envelope: Envelope
    left: int
    taken: float
    size: int = 0
    strange: float | None = None
    disowned: bool = False

    @property
    def id(self) -> str:
        """Names it within the outbox."""
        return self.entry.id

    @property
    def post(self) -> str:
        """The post that it tells of."""
        return self.envelope.match.item.post

    @property
    def corrects(self) -> bool:
        """Whether it tells of a post that may have been told before."""
        return self.envelope.match.item.version > 1


def weight(envelope: Envelope, recipients: int) -> int:
    """
    Return how many bytes of memory *envelope* takes while it waits, about.

    Measured: 4 KB with what it says of three places, and 10 bytes a recipient.  The
    names of 500 recipients would take 33 KB more.
    """
    matches = [envelope.match, *([envelope.was] if envelope.was else [])]
    texts = sum(len(match.item.text) for match in matches)
    return len(matches) * ENTRY + 2 * texts + JOB * recipients


@dataclass(frozen=True, slots=True)
class Ended:
    """
    What became of an entry for one recipient.

    Attributes:
        outcome: None if that was written down before.
        repeats: Sends of it before that may have left a copy, too.
        known: What was written down before.  It is once more: so what was begun now is
            known to have ended.
    """

    opened: Opened
    outcome: Outcome | None = None
    why: str = ""
    receipt: Receipt = NO_RECEIPT
    repeats: int = 0
    known: Delivery | None = None


@dataclass(slots=True, eq=False)
class Trouble:
    """
    How what is first in a mailbox has failed so far.

    Attributes:
        about: The entry that was first.
        wait: Before the next try, if nobody says otherwise.
        tries: That ended in what nobody foresaw.
        moves: Of the address, in a row.
        why: It failed last.
        instead: What waits behind it, and is tried to see whether the fault lies with
            the sink.
        most: Of what is told together: fewer each time that it was refused.
    """

    about: str
    wait: timedelta = FIRST_WAIT
    tries: int = 0
    moves: int = 0
    why: str = ""
    refusals: Refusals = field(default_factory=Refusals)
    instead: Opened | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """What may have been taken as one message, and is to be sent as that very one."""

    key: str
    ids: frozenset[str]


@dataclass(slots=True, eq=False)
class Mailbox:
    """
    What waits for one recipient.

    Attributes:
        news: In the order in which it came.
        edits: Corrections that are no news any more: they change messages, silently.
        past: What is no news any more, to be told together.
        urgent: How many of the news are critical.
        doubts: By entry, how many sends of it ended without our knowing how.
        edited: By entry, how many of the messages that it corrects it has changed.
        changed: Entries of `past` that have changed the message that they correct, or
            have found none that can be.
        tried: What was attempted last.
        ended: What is to be written down before anything else.
        due: Before this moment nothing is to be done, in monotonic seconds.
        firmly: Whatever happens.
        sealed: See `Errands.together`; None is not known yet.
    """

    name: str
    news: list[Opened] = field(default_factory=list)
    edits: list[Opened] = field(default_factory=list)
    past: list[Opened] = field(default_factory=list)
    urgent: int = 0
    doubts: dict[str, int] = field(default_factory=dict)
    edited: dict[str, int] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    trouble: Trouble | None = None
    due: float = 0.0
    firmly: bool = False
    sealed: Sealed | None = None
    tried: Sequence[Opened] = ()
    ended: Sequence[Ended] = ()

    def put(self, opened: Opened, *, past: bool) -> None:
        """
        Put something in; if it is *past*, among what is no news.

        So is a correction of what is to be told with that: the latter shows how things
        stand.  But worse news is news.
        """
        if past or self._follows(opened):
            self._lay_by(opened)
        else:
            self.news.append(opened)
            self.urgent += _is_urgent(opened)

    def age(self, is_past: Callable[[Opened], bool]) -> None:
        """
        Lay by what is no news any more.

        A correction follows what it corrects; see `put`.
        """
        while self.news:
            first = self.news[0]
            if not (is_past(first) or self._follows(first)):
                break
            self._lay_by(self._take_news(first))
        if later := [one for one in self.edits if _is_among(one.post, self.past)]:
            self.edits = [one for one in self.edits if one not in later]
            self.past += later

    def __bool__(self) -> bool:
        return bool(self.news or self.edits or self.past)

    def everything(self) -> list[Opened]:
        """Return all that waits."""
        return [*self.news, *self.edits, *self.past]

    def clear(self) -> None:
        """Forget what waits: it comes again.  How it fared so far is known still."""
        for some in (self.news, self.edits, self.past):
            some.clear()
        self.urgent = 0

    def gather(self) -> bool:
        """
        Lay by what may have been taken as part of one message, be it news again or not;
        return whether there was anything.
        """
        ids = self.sealed.ids if self.sealed else frozenset[str]()
        some = [one for one in (*self.news, *self.edits) if one.id in ids]
        for one in some:
            self.past.append(one)
        self.news = [one for one in self.news if one not in some]
        self.edits = [one for one in self.edits if one not in some]
        self.urgent = sum(map(_is_urgent, self.news))
        return bool(some)

    def next(self) -> list[Opened]:
        """Return what is to be told next: one by itself, or all that is past."""
        one = (self.news or self.edits)[:1]
        first = (one or self.past)[0].id
        if self.trouble and self.trouble.about != first:
            self.trouble = None
        if not self.trouble:
            return one or [*self.past]
        if self.trouble.instead:
            return [self.trouble.instead]
        return one or self.past[: self.trouble.most]

    def ail(self) -> Trouble:
        """Return the trouble that there is with what was tried."""
        if self.trouble is None:
            self.trouble = Trouble(self.tried[0].id)
        return self.trouble

    def behind(self) -> Opened | None:
        """Return the first of the news that is about another post than the first."""
        post = self.news[0].post
        return next((one for one in self.news if one.post != post), None)

    def fold(self, opened: Opened) -> None:
        """Let a correction be told with the past: it has changed what it can."""
        self.changed |= {opened.id}
        if opened in self.edits:
            self.edits.remove(opened)
            self.past.append(opened)

    def unfold(self, opened: Opened) -> None:
        """Let a correction change its message first."""
        if opened in self.past:
            self.past.remove(opened)
            self.edits.append(opened)

    def take_out(self, settled: Sequence[Opened]) -> None:
        """Take out what is settled for this recipient."""
        ids = {one.id for one in settled}
        self.changed -= ids
        for id_ in ids:
            self.doubts.pop(id_, None)
            self.edited.pop(id_, None)
        for some in (self.news, self.edits, self.past):
            some[:] = [one for one in some if one.id not in ids]
        self.urgent = sum(map(_is_urgent, self.news))

    def doubt(self, some: Sequence[Opened], more: int) -> None:
        """Count sends of *some* whose end we do not know, or know after all."""
        for one in some:
            self.doubts[one.id] = self.doubts.get(one.id, 0) + more

    def _take_news(self, opened: Opened) -> Opened:
        self.news.remove(opened)
        self.urgent -= _is_urgent(opened)
        return opened

    def _lay_by(self, opened: Opened) -> None:
        if opened.corrects and not _is_among(opened.post, self.past):
            self.edits.append(opened)
        else:
            self.past.append(opened)

    def _follows(self, opened: Opened) -> bool:
        """Return whether a correction has to wait for what it corrects."""
        if not opened.corrects:
            return False
        waits = any(_is_among(opened.post, some) for some in (self.past, self.edits))
        news = self.name in opened.envelope.newly and warns_of_more(opened.envelope)
        return waits and not news


def _is_among(post: str, some: Sequence[Opened]) -> bool:
    return any(one.post == post for one in some)


def _is_urgent(opened: Opened) -> bool:
    return opened.envelope.match.severity == "critical"
