"""The contract of a sink: what it is given, how fast, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Protocol

from monitor.item import Match, Origin
from monitor.web import Web


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    A match on its way to somebody.

    Attributes:
        match: The item's newest version, what it says and why it matters.
        origin: The source that published it.
        was: The match that this one corrects, if its post was alerted before.
        names: What the places around are called, by id; those left out are shown
            by no name.
        key: Names this message, the same however often it is tried; see
            `message_key`.  A sink whose service recognises repeats passes it on.
    """

    match: Match
    origin: Origin
    was: Match | None = None
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """
    Alerts that are told together, in one message, as they are no news of this moment.

    Attributes:
        alerts: The first to be shown comes first; those for which a message has no
            room are counted in it.  Each has the key that it would have by itself.
        since: When the first of them was published, or changed.
        until: The same of the last.
        at: When all this is told.
        key: Names the message; see `Alert.key`.
    """

    alerts: tuple[Alert, ...]
    since: datetime
    until: datetime
    at: datetime
    key: str = ""


Message = Alert | Digest


@dataclass(frozen=True, slots=True)
class Repeats:
    """
    How a service recognises a message that it has taken before.

    When an acceptance was not recorded, for the answer was lost or we died, the
    message is sent once more with the same `Alert.key`.  A service that is told the
    key shows it once; any other shows one copy more for each such acceptance.

    Attributes:
        by: What carries the key: ``webhook-id`` of a webhook, ``txnId`` in the path
            of Matrix, ``Message-ID`` of e-mail, ``random_id`` of MTProto (the key's
            first 8 bytes).  Empty where the service has nothing of the kind, as the
            Bot API of Telegram.
    """

    by: str = ""

    @property
    def recognised(self) -> bool:
        """Whether a repeat is shown to nobody."""
        return bool(self.by)


NOT_RECOGNISED = Repeats()


def message_key(instance: str, item: str, subscriber: str, part: str = "") -> str:
    """
    Return what names one message: 32 hexadecimal digits, for ever the same.

    Retries, restarts and another process come to the same; another version of the
    item, another recipient and another *part* do not.  Whoever reads it learns
    nothing of the subscriber, since *instance* is known to nobody else.

    Args:
        item: Key of the item, ``source/id/version``.
        part: What tells two messages of one version to one recipient apart, such as
            an edit and what rings beside it.
    """
    key = blake2b(key=instance.encode()[:64], digest_size=16)
    for text in (item, subscriber, part):
        raw = text.encode("utf-8", "surrogatepass")
        key.update(len(raw).to_bytes(4, "big") + raw)  # "a", "bc" is not "ab", "c"
    return key.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most *count* messages within any *span*."""

    count: int
    span: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How fast a sink takes messages; None is no limit.

    Attributes:
        per_recipient: The time between two messages to one recipient.
        overall_per_second: Messages of the whole sink within any second.
        per_group: What a recipient takes who is many people.
        group_mark: How the address of such a recipient begins, such as ``"-"``.
        thread_mark: What divides a recipient from a thread of theirs in an
            address, such as ``":"``: the threads of one share its pace.
    """

    per_recipient: timedelta | None = None
    overall_per_second: float | None = None
    per_group: Window | None = None
    group_mark: str = ""
    thread_mark: str = ""


class Sink(Protocol):
    """
    A service that carries alerts to people.

    A sink is a frozen dataclass whose fields are its settings.  It does not
    log, retry, sleep or store: it makes one attempt and says what follows.
    """

    @property
    def name(self) -> str:
        """Unique among the configured sinks."""

    @property
    def pace(self) -> Pace:
        """How fast it may be fed."""

    @property
    def repeats(self) -> Repeats:
        """How its service recognises a message that is sent again."""

    async def send(self, message: Message, to: str, web: Web) -> str:
        """
        Deliver *message* to the address *to*, and return the message's id there.

        The id is empty where the service has none; then `edit` is never called, nor is
        it of a digest.

        Raises:
            Transient: Try again, no sooner than it says.
            Rejected: It will never take this message.
            Gone: This address is closed to us.
            Moved: The address changed; store the new one and send again.
        """

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """
        Change the *message* that was sent before into what *alert* says now.

        Raises:
            Transient, Rejected, Gone, Moved: as for `send`.
        """

    async def check(self, web: Web) -> str:
        """
        Ask the service who we are, and return its answer in a few words.

        Raises:
            Transient, Rejected, Gone: It cannot be used, and why.
        """
