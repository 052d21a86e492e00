"""
Mentions of places, and how a text writes them: capitals, types, heads, lists.

A mention is some words that may name a place, and the places that they may name.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from monitor.filter import surroundings as around
from monitor.filter.fold import capitals
from monitor.filter.places import Named, Node
from monitor.filter.predicates import is_predicate
from monitor.filter.words import Words

Points = tuple[str, float]

_ENDS = re.compile(r"[.!?]")

ENOUGH = 1.5  # points from which a mention is a place
DISTRICT = "го".encode("cp1251")
SPACES = (" ", "\u00a0")
FAR = 40  # characters; what stands further apart is no list


@dataclass(slots=True)
class Candidate:
    """
    A place that a mention may mean, and what speaks for it and against.

    Attributes:
        place: What it stands for.
    """

    named: Named
    place: Node = field(init=False)
    points: list[Points] = field(default_factory=list)
    score: float = 0.0

    def __post_init__(self) -> None:
        self.place = self.named.place

    def add(self, reason: str, points: float) -> None:
        """Count *points* for a *reason* that people can read."""
        self.points.append((reason, points))
        self.score += points


@dataclass(slots=True)
class Mention:
    """
    Some words that may name a place.

    Attributes:
        word: The first of its words.
        before: The word before it; `after`: the one after it.
        gap_before: What stands between it and that word; `gap_after`: likewise.
        capital: Its first letter is one.
        opening: It begins a sentence, where a capital says nothing.
        typed: The word that says what it is: "село", "city", "п.".
        head: The word an adjective goes with: "области", "районах".
        end: The last word that belongs to it, its head included.
        listed: It stands in a list of names.
        bound: It says of what kind the next word is: "Пермский театр".
        ground: That word is a place by itself: "белгородское приграничье".
        choice: Id and score of what it means, once that is decided.
        ids: The ids of all that it may mean.
    """

    first: int
    last: int
    candidates: list[Candidate]
    word: bytes = b""
    before: bytes = b""
    after: bytes = b""
    gap_before: str = ""
    gap_after: str = ""
    capital: bool = True
    opening: bool = False
    typed: bytes = b""
    head: bytes = b""
    end: int = 0
    listed: bool = False
    bound: bool = False
    ground: bool = False
    choice: tuple[str, float] | None = None
    ids: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.ids = frozenset([c.named.place.id for c in self.candidates])

    def best(self) -> list[Candidate]:
        """Return the candidates that reach `ENOUGH`, best first."""
        good = [c for c in self.candidates if c.score >= ENOUGH]
        return sorted(good, key=lambda c: (-c.score, c.place.id))


class Text:
    """
    The words of a text, and how it uses capitals.

    Attributes:
        spoken_of: For each region, the names with a capital that may lie in it.
        named: The numbers of all words that may name a place.
        said: The numbers of words at which a warning or a report begins.
    """

    def __init__(self, words: Words, said: Collection[int] = ()) -> None:
        self.words = words
        self.said = said
        self.folded = words.folded
        self.spoken_of: dict[str, set[frozenset[str]]] = {}
        self.named: set[int] = set()
        letters = sum(map(len, self.folded))
        large = capitals(words.text)
        self.all_capitals = large > 0.6 * letters
        self.no_capitals = large == 0

    def at(self, index: int) -> bytes:
        """Return the word at *index*, or nothing outside the text."""
        return self.folded[index] if 0 <= index < len(self.folded) else b""

    def capital(self, index: int) -> bool:
        """Whether the word at *index* begins with a capital."""
        if not 0 <= index < len(self.folded):
            return False
        return self.words.text[self.words.spans[index][0]].isupper()

    def look_around(self, mentions: Sequence[Mention]) -> None:
        """Note how each of *mentions* is written and what type stands before it."""
        left = None
        for mention in mentions:
            first, following = mention.first, mention.last + 1
            mention.word, mention.before = self.folded[first], self.at(first - 1)
            mention.after = self.at(following)
            mention.gap_before = self.words.gap(first)
            mention.gap_after = self.words.gap(following)
            self.named.update(range(first, following))
            mention.capital = self.capital(first)
            mention.opening = self.opens(first)
            mention.typed = self._type_of(mention, left)
            left = mention
            if mention.capital:
                for candidate in mention.candidates:
                    said = self.spoken_of.setdefault(candidate.place.region, set())
                    said.add(mention.ids)

    def look_for_lists(self, mentions: Sequence[Mention]) -> None:
        """Note which of *mentions* are neighbours in a list."""
        for left, right in pairwise(mentions):
            if self.adjacent(left, right):
                left.listed = right.listed = True

    def adjacent(self, left: Mention, right: Mention) -> bool:
        """Whether two mentions are neighbours in a list: "Козинка и Глотово"."""
        start, end = self.words.spans[left.end][1], self.words.spans[right.first][0]
        if end - start > FAR or _ENDS.search(self.words.text, start, end):
            return False
        between = self.folded[left.end + 1 : right.first]
        return all(word in around.BETWEEN or word.isdigit() for word in between)

    def opens(self, index: int) -> bool:
        """Whether the word at *index* begins a sentence."""
        if index == 0:
            return True
        gap = self.words.gap(index)
        if gap == " " or (gap[:1] == "." and self.at(index - 1) in around.DOTTED):
            return False
        return any(not (c.isalnum() or c in " ,-'’(\u00a0") for c in gap)

    def binds(self, index: int) -> bool:
        """Whether the word at *index*, an adjective, says of what kind the next is."""
        following = self.at(index + 1)
        return (
            self.words.gap(index + 1) in SPACES
            and following not in around.BETWEEN
            and following not in around.PREPOSITIONS
            and not following.isdigit()
            and not is_predicate(following)
        )

    def follows(self, mention: Mention) -> bool:
        """Whether nothing but a space parts *mention* from the word before it."""
        return mention.gap_before in SPACES

    def _type_of(self, mention: Mention, before: Mention | None) -> bytes:
        word, gap = mention.before, mention.gap_before
        if word == b"of":
            word = self.at(mention.first - 2)
        if word in around.TYPES:
            plain = word not in around.INITIALS or "." in gap
            if word in around.INITIALS and self._is_initial(mention):
                plain = False
            return word if plain or self.all_capitals else b""
        if mention.after in (b"village", b"settlement", b"town", b"city"):
            return mention.after
        if before and before.typed and self.adjacent(before, mention):
            return before.typed
        return b""

    def _is_initial(self, mention: Mention) -> bool:
        """Whether the capital letter before *mention* is that of a person's name."""
        return self.capital(mention.first - 1) and any(
            "surname" in c.place.ambiguous for c in mention.candidates
        )


def find_heads(text: Text, mentions: Sequence[Mention]) -> None:
    """Give each adjective its head, one for all of "Брянской и Курской областей"."""
    following: Mention | None = None
    for mention in reversed(mentions):
        if any(c.named.role != "name" for c in mention.candidates):
            _find_head(text, mention, following)
        following = mention


def _find_head(text: Text, mention: Mention, following: Mention | None) -> None:
    index = mention.last + 1
    while text.at(index) in around.QUALIFIERS:
        index += 1
    if "." in text.words.gap(index):
        pass
    elif text.at(index) in around.HEADS:
        mention.head, mention.end = text.at(index), index
        return
    elif (text.at(index), text.at(index + 1)) in around.SHORT_DISTRICTS:
        mention.head, mention.end = DISTRICT, index + 1
        return
    if following and _shares_head(text, mention, following):
        mention.head = following.head
    if not mention.head:
        mention.ground = mention.after.startswith(around.GROUND)
        mention.bound = text.binds(mention.last)


def _shares_head(text: Text, mention: Mention, following: Mention) -> bool:
    """Whether the head of *following* is for both: not "Kursk, Belgorod region"."""
    head = following.head
    if not head or (following.first == mention.last + 1 and text.follows(following)):
        return False
    plural = head.endswith(b"s") or not head.isascii()
    adjective = any(c.named.role == "adjective" for c in mention.candidates)
    return (plural or adjective) and text.adjacent(mention, following)
