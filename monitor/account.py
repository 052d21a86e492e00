"""
How a stretch of time adds up; pure.

Every version of a post that was seen ends somewhere: it matters, or it does not and a
note says why, or it still waits.  A match ends for each subscriber whom it concerns:
they were told, or were not for a reason, or it still waits.  Of a channel that counts
what it publishes every number is something.  What is left over is *unexplained*: it was
lost, and somebody has to look.

`Books` are kept from what the archive and the streams hold, `accounts` closes them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from sys import intern
from typing import NamedTuple

import msgspec

from monitor.filter import MEDIA_ONLY
from monitor.item import Change, Delivery, Item, Match, Note, What

UNEXPLAINED, WAITING = "unexplained", "waiting"
MATCHED, DELETED = "matched", "deleted"
TOLD, DIGEST = ("delivered", "edited"), "in a digest"
SUPERSEDED = "superseded"  # a later version of the post reached them
NOBODY = "of nobody"
SHOWN = 20  # keys of what is unexplained

# How the notes of one number are ranked, where there are several.
RANK: Mapping[What, int] = {"absent": 0, "part": 1, "service": 2, "past": 3}

Key = tuple[str, int]  # the id of a post, and its version
Ending = tuple[str, str]  # how it ended for a subscriber, and why
Told = dict[int, dict[str, Ending]]  # by version of a post, and by name


class Gap(NamedTuple):
    """Numbers of a channel that nobody saw, from the first to the last of them."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    What stands in the streams and is not done with.

    Attributes:
        items: Keys of items that nobody has judged yet.
        matches: Keys of matches of which nobody has decided whom they go to.
        sends: By key of a match, those to whom it is to be sent.
        among: How many those matches concern, by their keys.
        since: What was seen later than this may be on its way to the streams.
    """

    items: Collection[str] = frozenset()
    matches: Collection[str] = frozenset()
    sends: Mapping[str, Collection[str]] = field(default_factory=dict)
    among: Mapping[str, int] = field(default_factory=dict)
    since: datetime | None = None

    def may_have(self, match: str, seen: datetime) -> bool:
        """Whether a match that was *seen* then may stand where nobody looked again."""
        going = self.since is not None and seen >= self.since
        return going or match in self.items or match in self.matches


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """
    How one source adds up.

    Attributes:
        ids: How many ids ended as what; each once, as its last version did, but as
            `matched` if any version mattered.
        versions: How many versions of posts ended as what.
        filtered: How many versions no rule wanted, by the rule that came nearest.
        gaps: Of a channel that counts: numbers that nobody saw.
        matches: How many times a match and a subscriber ended as what.
        suppressed: How many of those were not told, by the reason.
        dead: How many were set aside, by the reason.
        repeats: Copies that may lie in chats beside the one that was meant.
        unexplained: Keys of some versions and matches that were lost on the way.
    """

    source: str
    ids: dict[str, int]
    versions: dict[str, int]
    filtered: dict[str, int]
    gaps: tuple[Gap, ...]
    matches: dict[str, int]
    suppressed: dict[str, int]
    dead: dict[str, int]
    repeats: int
    unexplained: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        """Whether all is explained."""
        return not (self.gaps or self.unexplained)


@dataclass(slots=True)
class _Seen:
    """What is known of one source."""

    versions: dict[Key, tuple[Change, datetime]] = field(default_factory=dict)
    verdicts: dict[Key, tuple[What, str]] = field(default_factory=dict)
    matches: dict[Key, None] = field(default_factory=dict)  # in their order
    others: dict[str, What] = field(default_factory=dict)  # ids that are no posts
    known: set[int] = field(default_factory=set)  # numbers, whenever they were seen
    fresh: set[int] = field(default_factory=set)  # those first seen in the window


class Books:
    """
    What was written down of a window of time, taken value by value.

    Items and matches first, then notes and deliveries: of these only what belongs to
    them is kept, and what says what a number is.  The same value may come again.
    """

    def __init__(self, since: datetime, until: datetime) -> None:
        """Keep books of what was seen from *since* until before *until*."""
        self.since, self.until = since, until
        self.sources: dict[str, _Seen] = defaultdict(_Seen)
        self.told: dict[str, Told] = {}  # by post
        self.among: dict[str, int] = {}  # by match, how many it concerns
        self.repeats: dict[str, dict[str, int]] = defaultdict(dict)  # by match, name
        self._endings: dict[Ending, Ending] = {}

    def item(self, item: Item) -> None:
        """Take an item; one outside the window only tells that its number is there."""
        seen = self.sources[item.source]
        inside = self.since <= item.seen < self.until
        if inside:
            seen.versions[item.id, item.version] = item.change, item.seen
        _number(seen, item.id, fresh=inside and item.version == 1)

    def match(self, match: Match) -> None:
        """Take a match; its item is taken with it."""
        item = match.item
        if self.since <= item.seen < self.until:
            self.item(item)
            self.sources[item.source].matches[item.id, item.version] = None
            self.told.setdefault(item.post, {})

    def note(self, note: Note) -> None:
        """Take a note."""
        seen = self.sources[note.source]
        if note.version:
            key = note.id, note.version
            before, _ = seen.verdicts.get(key, ("dead", ""))
            if key in seen.versions and before == "dead":  # it may have been put back
                seen.verdicts[key] = note.what, intern(note.why)
            return
        inside = self.since <= note.at < self.until
        _number(seen, note.id, fresh=inside)
        known = seen.others.get(note.id, note.what)
        if inside:
            seen.others[note.id] = max(known, note.what, key=RANK.__getitem__)

    def delivery(self, delivery: Delivery) -> None:
        """Take a delivery."""
        post, _, version = delivery.item.rpartition("/")
        told = self.told.get(post)
        if told is None:
            return
        if delivery.among > self.among.get(delivery.item, 0):
            self.among[delivery.item] = delivery.among
        endings = told.setdefault(int(version), {})
        name, ending = intern(delivery.subscriber), _ending(delivery)
        before = endings.get(name)
        if before is None or _weight(ending) >= _weight(before):
            endings[name] = self._endings.setdefault(ending, ending)
            if delivery.repeats:
                self.repeats[delivery.item][name] = delivery.repeats


def accounts(
    books: Books,
    waiting: Waiting,
    counting: Collection[str] = (),
    last: Mapping[str, int] | None = None,
) -> list[Account]:
    """
    Close *books*, source by source.

    Args:
        waiting: What is not done with yet.
        counting: Sources that number all they publish.
        last: Their last numbers before the window, as far as they are known.
    """
    return [
        _account(source, seen, books, waiting, _gaps(seen, (last or {}).get(source)))
        if source in counting
        else _account(source, seen, books, waiting, ())
        for source, seen in sorted(books.sources.items())
        if seen.versions or seen.others
    ]


def newest(books: Books) -> dict[str, int]:
    """Return the highest number that was first seen in the window, by source."""
    return {name: max(seen.fresh) for name, seen in books.sources.items() if seen.fresh}


def _account(
    source: str, seen: _Seen, books: Books, waiting: Waiting, gaps: tuple[Gap, ...]
) -> Account:
    ended = {key: _verdict(source, key, seen, waiting) for key in seen.versions}
    lost = [f"{source}/{id_}/{v}" for (id_, v), e in ended.items() if e == UNEXPLAINED]
    matches, suppressed, dead = Counter[str](), Counter[str](), Counter[str]()
    for key in seen.matches:
        endings = Counter(_endings(source, key, seen, books, waiting))
        for (how, why), times in endings.items():
            matches[how] += times
            suppressed[why] += times * (how == "suppressed")
            dead[why] += times * (how == "dead")
            if how == UNEXPLAINED:
                lost.append(f"{source}/{key[0]}/{key[1]}")
    filtered = Counter(
        seen.verdicts[key][1] for key, how in ended.items() if how == "filtered"
    )
    copies = (books.repeats.get(f"{source}/{id_}/{v}", {}) for id_, v in seen.matches)
    return Account(
        source=source,
        ids=_counted(_ids(seen, ended)),
        versions=_counted(ended.values()),
        filtered=_ordered(filtered),
        gaps=gaps,
        matches=_ordered(matches),
        suppressed=_ordered(suppressed),
        dead=_ordered(dead),
        repeats=sum(sum(some.values()) for some in copies),
        unexplained=tuple(dict.fromkeys(lost)),
    )


def _verdict(source: str, key: Key, seen: _Seen, waiting: Waiting) -> str:
    """Return how a version ended."""
    change, at = seen.versions[key]
    what, why = seen.verdicts.get(key, ("", ""))
    if key in seen.matches or what == "unconcerned":
        return DELETED if change == "deleted" else MATCHED
    if what == "filtered":
        plain = MEDIA_ONLY if why == MEDIA_ONLY else what
        return DELETED if change == "deleted" else plain
    if waiting.may_have(f"{source}/{key[0]}/{key[1]}", at):
        return WAITING
    return what or UNEXPLAINED


def _ids(seen: _Seen, ended: Mapping[Key, str]) -> Iterator[str]:
    """Yield how each id ended."""
    posts: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (id_, version), how in ended.items():
        posts[id_].append((version, how))
    for several in posts.values():
        hows = {how for _, how in several}
        first = (how for how in (UNEXPLAINED, WAITING, MATCHED) if how in hows)
        yield next(first, max(several)[1])
    yield from (what for id_, what in seen.others.items() if id_ not in posts)


def _endings(
    source: str, key: Key, seen: _Seen, books: Books, waiting: Waiting
) -> Iterator[Ending]:
    """Yield how a match ended, for each whom it concerns."""
    post, version = f"{source}/{key[0]}", key[1]
    match = f"{post}/{version}"
    told = books.told.get(post, {})
    own = told.get(version, {})
    yield from own.values()
    left = [name for name in waiting.sends.get(match, ()) if name not in own]
    yield from ((WAITING, "") for _ in left)
    among = max(books.among.get(match, 0), waiting.among.get(match, 0))
    missing = max(among - len(own) - len(left), 0)
    what, why = seen.verdicts.get(key, ("", ""))
    if what == "unconcerned":
        yield NOBODY, ""
    elif missing or not (own or left):
        missing = max(missing, 1)  # one, where nobody knows how many they were
        later = _reached_later(told, version) - own.keys()
        over = min(missing, len(later))
        yield from ((SUPERSEDED, "") for _ in range(over))
        rest: Ending = (UNEXPLAINED, "")
        if waiting.may_have(match, seen.versions[key][1]):
            rest = WAITING, ""
        elif what == "dead":
            rest = what, why
        yield from (rest for _ in range(missing - over))


def _reached_later(told: Told, version: int) -> set[str]:
    """Return those who were told of a later version than this one."""
    return {
        name
        for other, endings in told.items()
        if other > version
        for name, (how, _) in endings.items()
        if how in (*TOLD, DIGEST)
    }


def _gaps(seen: _Seen, last: int | None) -> tuple[Gap, ...]:
    """Return the numbers above *last* that nobody saw, up to the newest there is."""
    if not seen.fresh:
        return ()
    low = min(seen.fresh) if last is None else last
    high = max(seen.fresh)
    known = sorted({low, *(number for number in seen.known if low < number <= high)})
    return tuple(Gap(a + 1, b - 1) for a, b in pairwise(known) if b - a > 1)


def _number(seen: _Seen, id_: str, *, fresh: bool) -> None:
    if id_.isdecimal() and id_.isascii():
        seen.known.add(int(id_))
        if fresh:
            seen.fresh.add(int(id_))


def _ending(delivery: Delivery) -> Ending:
    """Return how it ended; the reason only where it is one."""
    if delivery.outcome in TOLD:
        digest = delivery.why.startswith(DIGEST)
        return (DIGEST if digest else delivery.outcome), ""
    return delivery.outcome, delivery.why


def _weight(ending: Ending) -> int:
    return {"suppressed": 0, "dead": 1}.get(ending[0], 2)


def _counted(endings: Iterable[str]) -> dict[str, int]:
    return _ordered(Counter(endings))


def _ordered(counted: Counter[str]) -> dict[str, int]:
    """Return what is more than nothing, the most first."""
    return dict(sorted((+counted).items(), key=lambda one: (-one[1], one[0])))
