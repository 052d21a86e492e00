"""
What is published in the simulated world, and whom it concerns by a rule of its own.

Every text can be made anew from the post and the number of its wording, so that a
mangled one is recognised.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Final

from monitor.alert import Subscriber
from monitor.filter import Filter, PlaceEntry, Rule, TopicEntry
from monitor.item import Severity

REGION: Final = "RU-BEL"
TOWNS: Final = {
    "grayvoron": "Грайвороном",
    "shebekino": "Шебекино",
    "valuyki": "Валуйками",
}
TOPICS: Final = {"uav": "беспилотник", "missile": "ракета"}
DULL: Final = "прошёл праздник улицы"
SEVERE: Final = ("missile",)


@dataclass(frozen=True, slots=True)
class Wording:
    """
    What a post says, from some moment on.

    Attributes:
        at: That moment, in seconds since the run began.
        town: Which place it names.
        topic: What of; empty if nobody wants to hear of it.
        text: Empty if the post is no more.
    """

    at: float
    town: str = ""
    topic: str = ""
    text: str = ""

    @property
    def gone(self) -> bool:
        """Whether it is that the post was deleted."""
        return not self.text


@dataclass(slots=True, eq=False)
class Post:
    """
    A post of the simulated world.

    Attributes:
        number: Its id there.
        published: When its publisher says that it was published.
        wordings: What it has said, in order; the last is what it says now.
        fresh: It has to be told soon: nothing goes wrong any more.
    """

    source: str
    number: int
    published: datetime
    wordings: list[Wording] = field(default_factory=list)
    fresh: bool = False

    @property
    def key(self) -> str:
        """What all its wordings have in common: ``source/id``."""
        return f"{self.source}/{self.number}"

    @property
    def now(self) -> Wording:
        """What it says now."""
        return self.wordings[-1]

    def said(self, at: float) -> Wording | None:
        """Return what it said at a moment, or None if it was not there yet."""
        return next((one for one in reversed(self.wordings) if one.at <= at), None)

    def say(self, at: float, town: str, topic: str) -> None:
        """Say something else from now on."""
        text = worded(self.key, len(self.wordings), town, topic)
        self.wordings.append(Wording(at, town, topic, text))

    def delete(self, at: float) -> None:
        """Be no more."""
        self.wordings.append(Wording(at))


def worded(post: str, number: int, town: str, topic: str) -> str:
    """Return the text of a wording, with a sum by which it is known to be whole."""
    what = TOPICS.get(topic, DULL)
    said = f"Над {TOWNS[town]} {what} 🚀\n{post}, {number}."
    return f"{said} {blake2b(said.encode(), digest_size=6).hexdigest()}"


def concerns(wording: Wording, subscriber: Subscriber) -> bool:
    """Return whether *subscriber* has to be told of it: the rule of this world."""
    if wording.gone or not wording.topic:
        return False
    place = f"{REGION}.{wording.town}"
    here = REGION in subscriber.places or place in subscriber.places
    wanted = not subscriber.topics or wording.topic in subscriber.topics
    severe = wording.topic in SEVERE or subscriber.severity != "critical"
    return here and wanted and severe


@cache
def judge() -> Filter:
    """Return a real filter that finds just this."""
    stems = {"grayvoron": "Грайворон", "shebekino": "Шебекино", "valuyki": "Валуйки"}
    towns = tuple(
        PlaceEntry(id=town, kind="town", name={"ru": stems[town]}) for town in TOWNS
    )
    region = PlaceEntry(
        id=REGION, kind="region", name={"ru": "Белгородская область"}, places=towns
    )
    topics = [
        TopicEntry(name="uav", words={"ru": ("беспилотник~",)}),
        TopicEntry(name="missile", words={"ru": ("ракета~",)}),
    ]
    rules = [
        Rule(name="drones", places=(REGION,), topics=("uav",), severity="warning"),
        Rule(name="rockets", places=(REGION,), topics=SEVERE, severity="critical"),
    ]
    return Filter([region], topics, [], rules)


def unlike() -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Severity]]:
    """Yield what people may wish for: places, topics, severity."""
    grayvoron, shebekino, valuyki = (f"{REGION}.{town}" for town in TOWNS)
    yield (REGION,), (), "info"
    yield (grayvoron,), (), "info"
    yield (shebekino, valuyki), ("uav",), "info"
    yield (REGION,), ("missile",), "info"
    yield (REGION,), (), "critical"
    yield (valuyki,), ("missile", "uav"), "warning"
    yield (grayvoron, shebekino), ("uav",), "warning"
    yield (REGION,), ("uav",), "info"
