"""
Who is told, and how.

`policy` decides who gets a match (pure), `compose` words it, `pace` says how
fast, and one module a service sends it.  A new sink is one file, one line in
`SINKS` and its API's refusals under ``tests/fixtures/alert/<kind>/``; the
conformance tests run over the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from monitor.item import Match, Origin, Severity, Voice
from monitor.web import Web


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """
    A person or a desk that is told of what concerns them.

    Empty `places`, `topics`, `rules` or `voices` mean all of them.

    Attributes:
        name: Unique; the only thing logs and the archive know them by.
        sink: Name of the configured sink that reaches them.
        to: Their address there, such as a chat id.
        places: Ids of places; everything within them counts.
        severity: The least severity they want to hear of.
    """

    name: str
    sink: str
    to: str = field(default="", repr=False)
    places: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    voices: tuple[Voice, ...] = ()
    severity: Severity = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    A match on its way to somebody.

    Attributes:
        match: The item's newest version, what it says and why it matters.
        origin: The source that published it.
        was: The match that this one corrects, if its post was alerted before.
    """

    match: Match
    origin: Origin
    was: Match | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a sink takes messages; None is no limit."""

    per_recipient: timedelta | None = None
    overall_per_second: float | None = None


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


SINKS: Mapping[str, type[Sink]] = {}
