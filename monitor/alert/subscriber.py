"""A subscriber: a value that deciding, delivering and configuring all share."""

from dataclasses import dataclass, field

from monitor.item import Severity, Voice


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
