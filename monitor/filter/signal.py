"""
Whether a text announces a danger, reports one, or calls it off.

``config/topics/signals.yaml`` says by which words; here is what they come to.

1. Words of the vocabulary become *claims*: "опасность снята" claims `clear`.
2. A claim falls if its clause denies it ("не снята"), puts it off ("будет отбой"),
   or only supposes it ("если услышите сирену").
3. What is left is weighed in `_decide`, and one rule stands above all: an all-clear
   counts only where nothing dangerous is left standing, and a danger named by the
   all-clear that ends it is no danger.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from monitor.filter.clauses import (
    FUTURE,
    NEGATIONS,
    NOUGHT,
    UNDONE,
    WANTING,
    Clauses,
    starts_like,
)
from monitor.filter.expect import Expectation
from monitor.filter.words import Hit, Index, Words, parse, uncovered
from monitor.item import Signal

ACTIVE: frozenset[Signal] = frozenset({"danger", "alarm"})
EVENTS: frozenset[Signal] = frozenset({"impact", "casualties"})
SUPPOSABLE: frozenset[Signal] = ACTIVE | EVENTS
REACH: Mapping[Signal, tuple[int, int]] = {  # words before and after that may deny
    "clear": (3, 3),
    "casualties": (3, 4),
}
MOST_WORDS = 3000  # whose claims are weighed; a post of Telegram has 700 at most
MOST_CLAIMS = 300  # of one text; a warning makes five, and every pair is compared
MOST_FATES = 8  # of one thing in one clause
DEFINED = "defined"
HEADING = 3  # words of an all-clear that is the heading of what it calls off

Named = Mapping[int, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """
    Things, and what becomes of them, that together say something.

    Attributes:
        within: Both stand in one clause, or in one sentence.
    """

    things: Mapping[str, tuple[str, ...]]
    fates: Mapping[str, tuple[str, ...]]
    within: Literal["clause", "sentence"] = "clause"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEntry:
    """
    A signal of ``config/topics/signals.yaml``, and how it is worded.

    Attributes:
        words: By language, what says so by itself.
        advice: What people are told to do; it says so where nothing else is said.
        pairs: What says so together.
        without: Phrases in which those words mean something else.
    """

    name: Signal
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    advice: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    without: tuple[str, ...] = ()
    expect: tuple[Expectation, ...] = field(default=(), compare=False)


class Cue(NamedTuple):
    """A word of the vocabulary: of which signal, and in which part."""

    signal: Signal
    part: Literal["words", "advice", "thing", "fate", "without"]
    pair: int = 0
    within: Literal["clause", "sentence"] = "clause"


class Claim(NamedTuple):
    """Words of a text that say something, and why they do not count, if so."""

    signal: Signal
    first: int
    last: int
    whole: bool = True  # said by one phrase, not by a pair
    second: int = 0  # where the second half of a pair begins
    advice: bool = False
    fallen: str = ""


def enlist(signals: Sequence[SignalEntry], index: Index[object]) -> None:
    """
    Have *index* look for the words of *signals*.

    Raises:
        ValueError: A word is written wrongly.
    """
    for entry in signals:
        for word in _all(entry.words):
            index.add(parse(word), Cue(entry.name, "words"))
        for word in _all(entry.advice):
            index.add(parse(word), Cue(entry.name, "advice"))
        for word in entry.without:
            index.add(parse(word), Cue(entry.name, "without"))
        for number, pair in enumerate(entry.pairs):
            for word in _all(pair.things):
                index.add(parse(word), Cue(entry.name, "thing", number, pair.within))
            for word in _all(pair.fates):
                index.add(parse(word), Cue(entry.name, "fate", number, pair.within))


def claims_of(hits: Sequence[Hit[Cue]], words: Words) -> tuple[list[Claim], Clauses]:
    """Return what a text claims, with the reasons why some of it does not count."""
    clauses = Clauses(words.beginning(MOST_WORDS))
    hits = _uncovered([hit for hit in hits if hit.last < MOST_WORDS])
    claims = [
        Claim(h.term.signal, h.first, h.last, advice=h.term.part == "advice")
        for h in hits
        if h.term.part in ("words", "advice")
    ]
    claims += _paired(hits, clauses)
    claims = list(dict.fromkeys(sorted(claims, key=lambda c: (c.first, c.last))))
    return [_tried(claim, clauses) for claim in claims[:MOST_CLAIMS]], clauses


def signal_of(
    hits: Sequence[Hit[Cue]], words: Words, places: Named, threats: Named
) -> Signal:
    """
    Return what a text says, as a whole.

    Args:
        places: Ids of the places that a mention means, by its first word.
        threats: Names of dangerous topics, by the first word that speaks of them.
    """
    if not _may_claim(hits):
        return "none"
    claims, clauses = claims_of(hits, words)
    taught = any(claim.fallen == DEFINED for claim in claims)
    standing = [c for c in claims if not c.fallen and not (taught and c.advice)]
    return _Verdict(standing, clauses, places, threats).decide()


def _may_claim(hits: Iterable[Hit[Cue]]) -> bool:
    """Whether there is a claim, or both halves of one; cheaper than to look for it."""
    halves: set[tuple[str, Signal, int]] = set()
    for hit in hits:
        signal, part, pair, _ = hit.term
        if part in ("words", "advice"):
            return True
        halves.add((part, signal, pair))
    return any(
        ("fate", signal, pair) in halves
        for part, signal, pair in halves
        if part == "thing"
    )


def _all(words: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    return (word for several in words.values() for word in several)


def _uncovered(hits: Sequence[Hit[Cue]]) -> list[Hit[Cue]]:
    """Return *hits* without those that a phrase of `without` overlaps."""
    over = [hit for hit in hits if hit.term.part == "without"]
    if not over:
        return list(hits)
    others = [hit for hit in hits if hit.term.part != "without"]
    return uncovered(others, over, lambda cue: cue.signal)


def _paired(hits: Sequence[Hit[Cue]], clauses: Clauses) -> Iterable[Claim]:
    """Yield a claim for each thing whose fate stands in its clause or sentence."""
    fates: dict[tuple[Signal, int, int], list[Hit[Cue]]] = {}
    for hit in hits:
        if hit.term.part == "fate":
            fates.setdefault(_room(hit, clauses), []).append(hit)
    for hit in hits:
        if hit.term.part == "thing":
            for fate in fates.get(_room(hit, clauses), [])[:MOST_FATES]:
                first, last = min(hit.first, fate.first), max(hit.last, fate.last)
                second = max(hit.first, fate.first)
                yield Claim(hit.term.signal, first, last, whole=False, second=second)
    yield from _continued(hits, clauses)


def _continued(hits: Sequence[Hit[Cue]], clauses: Clauses) -> Iterable[Claim]:
    """Yield a claim for each fate that goes on with the clause before its own."""
    thing: Hit[Cue] | None = None
    for hit in hits:
        if hit.term.part == "thing" and hit.term.signal == "clear":
            thing = hit
        elif (
            thing is not None
            and (hit.term.signal, hit.term.part) == ("clear", "fate")
            and hit.term.pair == thing.term.pair
            and clauses.follows(thing.first, hit.first)
        ):
            yield Claim("clear", thing.first, hit.last, whole=False)


def _room(hit: Hit[Cue], clauses: Clauses) -> tuple[Signal, int, int]:
    clause = clauses.at(hit.first)
    room = clause.first if hit.term.within == "clause" else -1 - clause.sentence
    return hit.term.signal, hit.term.pair, room


def _tried(claim: Claim, clauses: Clauses) -> Claim:
    """Return *claim*, fallen if its own clause or sentence says so."""
    reason = _denied(claim, clauses) or _put_off(claim, clauses)
    reason = reason or _defined(claim, clauses)
    if not reason and claim.signal in SUPPOSABLE:
        reason = _supposed(claim, clauses)
    if not reason:
        return claim
    return claim._replace(fallen=reason)


def _denied(claim: Claim, clauses: Clauses) -> str:
    reach = REACH.get(claim.signal, (2, 5))
    before = clauses.near(claim.first, claim.last, (reach[0], 0))
    after = clauses.near(claim.first, claim.last, (0, reach[1]))
    inside = clauses.words[claim.first : claim.last + 1] if not claim.whole else []
    if claim.signal == "clear":  # an all-clear must not have a doubt beside it
        denied = _negates([*before, *after]) or _negates(inside, NEGATIONS - NOUGHT)
    else:
        undone = _negates(after) and starts_like(after, UNDONE)
        by = NEGATIONS - WANTING if claim.advice else NEGATIONS
        if not claim.whole:  # "дроны над городом не замечены"
            before = [*before, clauses.words[claim.second - 1]]
        denied = _negates(before, by) or undone or _negates(after[:4], NOUGHT)
    return "denied" if denied else ""


def _negates(words: Iterable[bytes], by: frozenset[bytes] = NEGATIONS) -> bool:
    return not by.isdisjoint(words)


def _put_off(claim: Claim, clauses: Clauses) -> str:
    if claim.signal != "clear":
        return ""
    if clauses.asks(clauses.at(claim.first).sentence):
        return "asked"
    words = clauses.near(claim.first, claim.last, (3, 3))
    return "put off" if starts_like(words, FUTURE) else ""


def _defined(claim: Claim, clauses: Clauses) -> str:
    """Return why "ракетная опасность — это сигнал" announces none."""
    if claim.signal not in ACTIVE and claim.signal != "clear":
        return ""
    end = clauses.definition(clauses.at(claim.first).sentence)
    return DEFINED if claim.first < end else ""


def _supposed(claim: Claim, clauses: Clauses) -> str:
    sentence = clauses.at(claim.first).sentence
    condition = clauses.condition(sentence)
    if claim.signal in ACTIVE:
        condition = min(condition, clauses.occasion(sentence))
    return "supposed" if condition < claim.last else ""


class _Verdict:
    """What the standing claims of one text come to."""

    def __init__(
        self,
        claims: Sequence[Claim],
        clauses: Clauses,
        places: Named,
        threats: Named,
    ) -> None:
        self.claims = claims
        self.clauses = clauses
        self.places = places
        self.threats = threats
        self.told = {self._sentence(c) for c in self._of("recap") if not c.whole}
        self.recounted = {self._sentence(c) for c in self._of("recap")}
        self.headed = min(
            (self._sentence(c) for c in self._of("recap") if c.whole), default=None
        )

    def decide(self) -> Signal:
        """Return the one signal of the text; the order of the steps is the rule."""
        if self._of("drill"):
            return "drill"
        now = [c for c in self._of("danger", "alarm") if not self._recounted(c)]
        clear = [c for c in self._of("clear") if not self._recounted(c)]
        left = [c for c in now if not any(self._ends(c, over) for over in clear)]
        events = self._events()
        if clear and not left and any(self._partly(c) for c in clear):
            return "danger"
        if clear and not left:
            dead = [c.first for c in events if c.signal == "casualties"]
            if min(dead, default=1e9) < clear[0].first:
                return "casualties"
            return "impact" if self._begins_anew(events, clear[-1]) else "clear"
        return self._standing(left, events)

    def _begins_anew(self, events: Sequence[Claim], clear: Claim) -> bool:
        """Whether something happened after the all-clear, which must not hide it."""
        over = self.clauses.at(clear.last)
        return any(
            event.signal == "impact"
            and event.first > over.last
            and not self.clauses.is_past(clause)
            and not self.clauses.is_aftermath(clause)
            for event in events
            for clause in [self.clauses.at(event.first)]
        )

    def _standing(self, left: Sequence[Claim], events: Sequence[Claim]) -> Signal:
        signals = {claim.signal for claim in [*left, *events] if not claim.advice}
        if not left and self._corrects():
            return "correction"
        for signal in ("casualties", "impact", "alarm", "danger"):
            if signal in signals:
                return signal
        if self._of("danger", "alarm", "impact", "casualties") and self._of("recap"):
            return "recap"
        if self._of("forecast"):
            return "forecast"
        return left[0].signal if left else "none"

    def _of(self, *signals: Signal) -> list[Claim]:
        return [claim for claim in self.claims if claim.signal in signals]

    def _sentence(self, claim: Claim) -> int:
        return self.clauses.at(claim.first).sentence

    def _recounted(self, claim: Claim) -> bool:
        """Whether its own sentence tells of a time that is over."""
        return self._sentence(claim) in self.recounted

    def _events(self) -> list[Claim]:
        """Return what happened, and is neither of yesterday nor only expected."""
        expected = {self.clauses.at(c.first) for c in self._of("forecast")}
        return [
            claim
            for claim in self._of("impact", "casualties")
            if self._sentence(claim) not in self.told
            and (self.headed is None or self._sentence(claim) < self.headed)
            and self.clauses.at(claim.first) not in expected
        ]

    def _corrects(self) -> bool:
        return any(self._sentence(c) == 0 for c in self._of("correction"))

    def _ends(self, danger: Claim, clear: Claim) -> bool:
        """Whether the all-clear *clear* is the end of *danger*."""
        clause, over = self.clauses.at(danger.first), self.clauses.at(clear.first)
        lasts = self.clauses.lasts(clause)
        if clause == over:
            return not lasts or danger.last <= clear.last
        if danger.first < clear.first:
            return not lasts and not self._elsewhere(danger, clear)
        if self.clauses.is_past(clause):
            return True
        heading = over.last - over.first < HEADING and clear.whole
        return heading and not lasts and self.clauses.begins_line(clause)

    def _partly(self, clear: Claim) -> bool:
        """Whether an all-clear leaves something out: "кроме", "в остальных"."""
        return self.clauses.goes_on(self.clauses.at(clear.last))

    def _elsewhere(self, danger: Claim, clear: Claim) -> bool:
        """Whether they speak of different places, or of different threats."""
        for named in (self.places, self.threats):
            here, there = self._named(danger, named), self._named(clear, named)
            related = any(_related(one, other) for one in here for other in there)
            if here and there and not related:
                return True
        return False

    def _named(self, claim: Claim, named: Named) -> frozenset[str]:
        first, last = self.clauses.sentence(self._sentence(claim))
        inside = [named[i] for i in range(first, last + 1) if i in named]
        return frozenset().union(*inside)


def _related(one: str, other: str) -> bool:
    """Whether two ids are the same, or one lies within the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
