"""What a rule, topic or signal must make of a text: tests that stand beside them."""

from dataclasses import dataclass

from monitor.item import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """
    A text, and what must be read in it.  What is not given is not looked at.

    Attributes:
        text: A post, title and all.
        match: Whether the rule it stands beside matches.
        signal: What the text is read as.
        place: Id of a place that must be among those read; empty: no place at all.
        topic: Name of a topic that must be among those read; empty: no topic at all.
        source: Name of the source it is a post of.
        home: Home region of that source.
        voice: In whose name that source speaks; the first of the rule's, if not given.
    """

    text: str
    match: bool | None = None
    signal: str | None = None
    place: str | None = None
    topic: str | None = None
    source: str | None = None
    home: str = ""
    voice: Voice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an expectation; `failure` is empty where it was met."""

    where: str
    text: str
    failure: str = ""
