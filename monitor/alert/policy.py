"""
Who is told of a match, who is not, and why; pure.

What *concerns* somebody is what touches their places or, if they named none,
their rules.  What concerns them is told *now* or *never*: their topics, voices
and severity narrow it down.  Every "never" has its reason in words, because a
person who was not told will ask.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from monitor.alert.subscriber import Subscriber
from monitor.item import OURSELVES, SEVERITIES, Envelope, Match, Origin, Signal

RECIPIENTS = 1_000  # of an envelope at most: 100,000 people are 100 writes, 1 MB
FRESH = timedelta(hours=1)  # an edit of an older post is no warning

# A siren, a blast or an all-clear that names no topic is about any of them: who asked
# for missiles wants to hear "take cover" and "all clear" too.
ABOUT_ANY_TOPIC: frozenset[Signal] = frozenset(
    {"danger", "alarm", "impact", "clear", "drill"}
)

Audience = dict[str, list[str]]  # the names of those who are told, by sink
Action = Literal["now", "never", "unconcerned"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What one subscriber is told of one match, and why, in words."""

    action: Action
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Who is told of a match.

    Attributes:
        envelopes: By sink, and by the names of the recipients.
        suppressed: Whom it concerns and who is not told, and why; by name.
    """

    envelopes: tuple[Envelope, ...] = ()
    suppressed: tuple[tuple[str, str], ...] = ()

    @property
    def among(self) -> int:
        """How many the match concerns, be they told or not."""
        return sum(len(o.recipients) for o in self.envelopes) + len(self.suppressed)


class Subscribers:
    """
    Subscribers, arranged so that a match costs what it touches.

    Those who want the same are decided on together, and a place finds those who
    wait for it; so a hundred thousand people in a handful of regions are a handful
    of decisions, and a match of somewhere else is none.

    Raises:
        ValueError: Two subscribers have one name.
    """

    def __init__(
        self, subscribers: Iterable[Subscriber], operators: Collection[str] = ()
    ) -> None:
        """
        Arrange *subscribers*; in the order of their names, whatever theirs.

        Args:
            operators: The names of those who are told of the program itself.
        """
        self._by_name: dict[str, Subscriber] = {}
        alike: dict[object, list[Subscriber]] = defaultdict(list)
        for subscriber in sorted(subscribers, key=_name):
            if subscriber.name in self._by_name:
                raise ValueError(f"two subscribers are called {subscriber.name!r}")
            self._by_name[subscriber.name] = subscriber
            alike[_wish(subscriber)].append(subscriber)
        self._groups = [
            (some[0], tuple(one.name for one in some)) for some in alike.values()
        ]
        self._by_place = _index((wish.places for wish, _ in self._groups))
        self._by_rule = _index(
            (() if wish.places else wish.rules for wish, _ in self._groups)
        )
        self._all = [
            number
            for number, (wish, _) in enumerate(self._groups)
            if not wish.places and not wish.rules
        ]
        named = (self._by_name.get(name) for name in sorted(set(operators)))
        self._operators = [one for one in named if one]

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Subscriber | None:
        """Return the subscriber of this *name*, if there is one."""
        return self._by_name.get(name)

    def decide(
        self, match: Match, origin: Origin
    ) -> Iterator[tuple[Subscriber, Decision, tuple[str, ...]]]:
        """
        Yield what is decided for those whom *match* concerns, alike ones together.

        The subscriber that is yielded stands for all of the names.  What is told of the
        program itself concerns the operators and nobody else.
        """
        if match.item.source == OURSELVES:
            for one in self._operators:
                yield one, Decision("now", "an operator"), (one.name,)
            return
        for number in sorted(self._touched(match, origin)):
            wish, names = self._groups[number]
            yield wish, decide(match, wish, origin), names

    def _touched(self, match: Match, origin: Origin) -> set[int]:
        touched = set(self._all)
        for place in _around(match, origin):
            touched.update(self._by_place.get(place, ()))
        for rule in match.rules:
            touched.update(self._by_rule.get(rule, ()))
        return touched


def decide(match: Match, subscriber: Subscriber, origin: Origin) -> Decision:
    """Decide whether *subscriber* is told of *match*, and say why."""
    concern = _concern(match, subscriber, origin)
    if concern is None:
        return Decision("unconcerned", "about other places or by other rules")
    objection = (
        _objection("rules", subscriber.rules, match.rules)
        or _topic_objection(match, subscriber)
        or _objection("voices", subscriber.voices, (origin.voice,))
        or _severity_objection(match, subscriber)
    )
    return Decision("never", objection) if objection else Decision("now", concern)


def plan(
    match: Match,
    was: Match | None,
    subscribers: Subscribers,
    origin: Origin,
    sinks: Collection[str] | None = None,
) -> Plan:
    """
    Plan who is told of *match*, or of the correction that it is.

    A correction goes to those whom the match before concerned, so that they learn
    what became of it, and to those whom only the new wording concerns; a deletion
    goes to nobody new, nor does an edit of an old post that did not matter before:
    what was there before the first read is often edited, and no news.

    Args:
        was: The match that this one corrects, if the post was one before.
        sinks: Names of the sinks there are; who waits at another is not told, and
            the plan says so.  None takes them as they come.
    """
    told, refused = _sort(match, subscribers, origin)
    before = _sort(was, subscribers, origin)[0] if was else {}
    if match.item.change == "deleted":
        # Without a past, it concerned whom it would concern.
        told, refused, before = {}, [], before if was else told
    elif not match.rules:  # it matters no more: nobody new, and nothing to explain
        told, refused = {}, []
    knew = {name for names in before.values() for name in names}
    everyone = _together(before, told, knew)
    lost = [(name, why) for name, why in refused if name not in knew]
    for sink in everyone.keys() - (everyone if sinks is None else sinks):
        lost += [(name, f"there is no sink {sink!r}") for name in everyone.pop(sink)]
    wanted = {name for names in told.values() for name in names}
    if _is_for_the_told(match) or (
        was is None and (match.item.change == "new" or _is_old(match))
    ):
        wanted = set()
    envelopes = _envelopes(match, was, everyone, wanted)
    return Plan(tuple(envelopes), tuple(sorted(lost)))


def _is_for_the_told(match: Match) -> bool:
    """Whether it is the end of a trouble, of no use to those who never heard of it."""
    return match.item.source == OURSELVES and match.item.change != "new"


def _is_old(match: Match) -> bool:
    return match.item.seen - match.item.published > FRESH


def _name(subscriber: Subscriber) -> str:
    return subscriber.name


def _wish(subscriber: Subscriber) -> object:
    """Return what *subscriber* wants, to compare it with what others want."""
    one = subscriber
    return one.sink, one.places, one.topics, one.rules, one.voices, one.severity


def _index(keys: Iterable[Sequence[str]]) -> Mapping[str, list[int]]:
    """Return the numbers of the groups that have a key, by that key."""
    index: dict[str, list[int]] = defaultdict(list)
    for number, some in enumerate(keys):
        for key in some:
            index[key].append(number)
    return dict(index)


def _around(match: Match, origin: Origin) -> Iterator[str]:
    """
    Yield the ids of the places that *match* is about, and of all around them.

    A text that names no place speaks of where its source is at home: "Take cover!"
    of a region's governor is about that region.
    """
    if not match.reading.places and origin.home:
        yield from _upwards(origin.home)
    for place in match.reading.places:
        yield place.id
        yield from place.within


@lru_cache(maxsize=4096)
def _upwards(place: str) -> tuple[str, ...]:
    """Return *place* and what its id says it is within: RU-BEL.a, RU-BEL, RU."""
    found = [place]
    while "." in place:
        place = place.rpartition(".")[0]
        found.append(place)
    country, hyphen, _ = place.partition("-")
    return (*found, country) if hyphen else tuple(found)


def _concern(match: Match, subscriber: Subscriber, origin: Origin) -> str | None:
    """Return why *match* is about *subscriber*, or None."""
    if subscriber.places:
        around = set(_around(match, origin))
        near = [place for place in subscriber.places if place in around]
        return f"about {', '.join(near)}" if near else None
    if subscriber.rules:
        by = [rule for rule in subscriber.rules if rule in match.rules]
        return f"by {', '.join(by)}" if by else None
    return "about any place"


def _objection(what: str, wanted: Sequence[str], given: Sequence[str]) -> str:
    if not wanted or any(one in wanted for one in given):
        return ""
    return f"{what}: {', '.join(given) or 'none'}; wanted {', '.join(wanted)}"


def _topic_objection(match: Match, subscriber: Subscriber) -> str:
    topics = [topic.name for topic in match.reading.topics]
    if not topics and match.reading.signal in ABOUT_ANY_TOPIC:
        return ""
    return _objection("topics", subscriber.topics, topics)


def _severity_objection(match: Match, subscriber: Subscriber) -> str:
    if SEVERITIES.index(match.severity) >= SEVERITIES.index(subscriber.severity):
        return ""
    return f"severity: {match.severity}; wanted {subscriber.severity} or more"


def _sort(
    match: Match, subscribers: Subscribers, origin: Origin
) -> tuple[Audience, list[tuple[str, str]]]:
    """Return those who are told, and the reason for each who is not."""
    told: Audience = {}
    refused: list[tuple[str, str]] = []
    for wish, decision, names in subscribers.decide(match, origin):
        if decision.action == "now":
            told.setdefault(wish.sink, []).extend(names)
        else:
            refused.extend((name, decision.why) for name in names)
    return told, refused


def _together(before: Audience, told: Audience, knew: Collection[str]) -> Audience:
    """Return those of both, who are the *knew* and the others, in order."""
    everyone: Audience = {}
    for sink in sorted(before.keys() | told.keys()):
        fresh = [name for name in told.get(sink, ()) if name not in knew]
        everyone[sink] = sorted([*before.get(sink, ()), *fresh])
    return everyone


def _envelopes(
    match: Match, was: Match | None, everyone: Audience, wanted: Collection[str]
) -> Iterator[Envelope]:
    """Yield the envelopes to *everyone*; the *wanted* are told in any case."""
    for sink, names in everyone.items():
        for start in range(0, len(names), RECIPIENTS):
            some = tuple(names[start : start + RECIPIENTS])
            yield Envelope(
                match=match,
                sink=sink,
                recipients=some,
                was=was,
                newly=tuple(name for name in some if name in wanted),
            )
