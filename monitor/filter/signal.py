"""
Whether a text announces a danger, reports one, or calls it off.

``config/topics/signals.yaml`` says by which words; here is what they come to.

1. Words of the vocabulary become *claims*: "опасность снята" claims `clear`.
2. A claim falls, in `claims`, if the words about it deny it ("не снята"), put it off
   ("будет отбой"), or only suppose it ("если услышите сирену").
3. What is left is weighed in `verdict`: an all-clear counts only where nothing
   dangerous is left standing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from monitor.filter.claims import ACTIVE, DEFINED, Claim, tried
from monitor.filter.clauses import Clauses
from monitor.filter.expect import Expectation
from monitor.filter.verdict import Verdict
from monitor.filter.words import Hit, Index, Words, parse, uncovered
from monitor.item import Signal

MOST_WORDS = 3000  # whose claims are weighed; a post of Telegram has 700 at most
MOST_CLAIMS = 300  # of one text; a warning makes five, and every pair is compared
CONTINUED: frozenset[Signal] = frozenset({"clear", "danger"})
MOST_CLEARS = 12  # in one clause; their words are read again and again
MOST_FATES = 8  # of one thing in one clause

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


def claims_of(
    hits: Sequence[Hit[Cue]], words: Words, limit: int = MOST_WORDS
) -> tuple[list[Claim], Clauses]:
    """
    Return what a text claims, with the reasons why some of it does not count.

    Args:
        limit: How many words are judged.
    """
    clauses = Clauses(words.beginning(limit))
    hits = _uncovered([hit for hit in hits if hit.last < limit])
    claims = [
        Claim(h.term.signal, h.first, h.last, advice=h.term.part == "advice")
        for h in hits
        if h.term.part in ("words", "advice")
    ]
    claims += _paired(hits, clauses)
    claims = list(dict.fromkeys(sorted(claims, key=lambda c: (c.first, c.last))))
    return tried(_few(claims, clauses)[:MOST_CLAIMS], clauses), clauses


def signal_of(
    hits: Sequence[Hit[Cue]],
    words: Words,
    places: Named,
    threats: Named,
    limit: int = MOST_WORDS,
) -> tuple[Signal, frozenset[str]]:
    """
    Return what a text says, as a whole, and which places it is called off for.

    No ids stand for all places.  A text of which only the beginning is judged is no
    all-clear if anything beyond it may warn.

    Args:
        limit: How many words are judged.
        places: Ids of the places that a mention means, by its first word.
        threats: Names of dangerous topics, by the first word that speaks of them.
    """
    if not _may_claim(hits):
        return "none", frozenset()
    claims, clauses = claims_of(hits, words, limit)
    taught = any(claim.fallen == DEFINED for claim in claims)
    standing = [c for c in claims if not c.fallen and not (taught and c.advice)]
    verdict = Verdict(standing, clauses, places, threats)
    signal = verdict.decide()
    if signal != "clear":
        return signal, frozenset()
    judged = len(clauses.words) if len(claims) < MOST_CLAIMS else claims[-1].first
    if any(hit.last >= judged and hit.term.signal in ACTIVE for hit in hits):
        return "none", frozenset()
    return signal, verdict.cleared()


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
                claim = Claim(hit.term.signal, first, last, whole=False, second=second)
                if claim.signal != "clear" or clauses.joins(
                    (hit.first, hit.last), (fate.first, fate.last)
                ):
                    yield claim
    yield from _continued(hits, clauses)


def _continued(hits: Sequence[Hit[Cue]], clauses: Clauses) -> Iterable[Claim]:
    """Yield a claim for each fate that goes on with the clause before its own."""
    things: dict[tuple[Signal, int], Hit[Cue]] = {}
    for hit in hits:
        signal, part, pair, _ = hit.term
        if signal not in CONTINUED:
            continue
        if part == "thing":
            things[signal, pair] = hit
        elif part == "fate" and (signal, pair) in things:
            thing = things[signal, pair]
            if clauses.follows(thing.first, hit.first):
                second = hit.first
                yield Claim(signal, thing.first, hit.last, whole=False, second=second)


def _few(claims: Sequence[Claim], clauses: Clauses) -> list[Claim]:
    """Return *claims* with no more all-clears in a clause than make a difference."""
    counts: Counter[int] = Counter()
    kept = []
    for claim in claims:
        if claim.signal == "clear":
            first = clauses.at(claim.first).first
            counts[first] += 1
            if counts[first] > MOST_CLEARS:
                continue
        kept.append(claim)
    return kept


def _room(hit: Hit[Cue], clauses: Clauses) -> tuple[Signal, int, int]:
    clause = clauses.at(hit.first)
    room = clause.first if hit.term.within == "clause" else -1 - clause.sentence
    return hit.term.signal, hit.term.pair, room
