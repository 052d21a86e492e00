"""The contract of a sink: what it is given, how fast, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
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
    """

    match: Match
    origin: Origin
    was: Match | None = None
    names: Mapping[str, str] = field(default_factory=dict, hash=False)


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

    async def send(self, alert: Alert, to: str, web: Web) -> str:
        """
        Deliver *alert* to the address *to*, and return the message's id there.

        The id is empty where the service has none; then `edit` is never called.

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
