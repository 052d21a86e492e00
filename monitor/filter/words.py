"""
The one index of everything a text may say, and the syntax of words in rules.

    слово             this form only
    слово~            any inflected form
    начал*            any ending
    "одно другое~"    words that stand one after another

There are no regular expressions: every wanted word is looked up in a dictionary,
so that the cost of a text does not grow with the number of rules.  A phrase hangs
on its rarest part, which is taken to be its longest, and is verified from there.
Words that mean nothing to anybody are remembered, and then cost one set difference.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Generic, NamedTuple, TypeVar

from monitor.filter.fold import fold, folded_words, spellings
from monitor.filter.inflect import inflected
from monitor.filter.names import Anchor, Name, Names, Rest

REMEMBERED = 200_000  # distinct words; a busy month of a hundred channels has fewer
SHORTEST_PREFIX = 3  # letters before a `*`; "а*" would be every other word
SHORTEST_PIECE = 4  # letters of half a hyphenated word that are looked up by themselves

Span = tuple[int, int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One word of a phrase: one of these forms, or whatever begins like this."""

    forms: frozenset[bytes] = frozenset()
    prefix: bytes = b""

    def takes(self, word: bytes) -> bool:
        """Whether the folded *word* can stand here."""
        if self.prefix:
            return word.startswith(self.prefix) or any(
                form.startswith(self.prefix) for form in spellings(word)
            )
        return word in self.forms or not self.forms.isdisjoint(spellings(word))

    @property
    def weight(self) -> tuple[bool, int]:
        """How rare it is likely to be: whole words before prefixes, then length."""
        return (not self.prefix, len(self.prefix) or max(map(len, self.forms)))


Phrase = tuple[Part, ...]


class Hit(NamedTuple, Generic[T]):
    """A wanted thing, and the first and last of the words that say it."""

    first: int
    last: int
    term: T


class Words:
    """
    A text cut into words.

    Attributes:
        text: As it was published.
        folded: Each word in matchable form.
    """

    __slots__ = ("_gaps", "_spans", "folded", "text")

    def __init__(
        self, text: str, folded: list[bytes], spans: list[Span] | bytes
    ) -> None:
        self.text = text
        self.folded = folded
        self._spans = spans  # or the folded text, as long as nobody asks
        self._gaps: list[str] = []

    @property
    def spans(self) -> list[Span]:
        """Where each word stands in the text."""
        if isinstance(self._spans, bytes):
            self._spans = _spans(self._spans)
        return self._spans

    def gap(self, index: int) -> str:
        """Return what stands between the word at *index* and the one before it."""
        if self._gaps:
            return self._gaps[index]
        start = self.spans[index - 1][1] if index > 0 else 0
        end = self.spans[index][0] if index < len(self.spans) else len(self.text)
        return self.text[start:end]

    @property
    def gaps(self) -> list[str]:
        """What stands before each word, and what stands after the last."""
        if not self._gaps:
            text, end = self.text, 0
            for start, next_end in self.spans:
                self._gaps.append(text[end:start])
                end = next_end
            self._gaps.append(text[end:])
        return self._gaps

    def beginning(self, count: int) -> "Words":
        """Return no more than the first *count* words."""
        if len(self.folded) <= count:
            return self
        return Words(self.text, self.folded[:count], self.spans[:count])

    def said(self, first: int, last: int) -> str:
        """Return the text from the *first* to the *last* word."""
        return self.text[self.spans[first][0] : self.spans[last][1]]


@lru_cache(maxsize=1 << 13)  # words are parsed to be checked, and to be looked for
def parse(word: str) -> Phrase:
    """
    Return what a word of a rule asks for.

    Raises:
        ValueError: It is not written in the syntax above, or could never match.
    """
    pieces = word.strip().strip('"«»“”').split()
    phrase = tuple(part for piece in pieces for part in _parts(piece))
    if not phrase:
        raise ValueError(f"{word!r} has no letters to look for")
    return phrase


class Index(Generic[T]):
    """
    Which terms a text contains, whatever their number.

    Terms may be added at any time; what was learned of words is then forgotten.
    """

    def __init__(self) -> None:
        self._anchors: dict[bytes, list[Anchor[T]]] = {}
        self._prefixes: dict[bytes, list[Anchor[T]]] = {}
        self._lengths: tuple[int, ...] = ()
        self._names: Names[T] = Names()
        self._whole: set[bytes] = set()
        self._learned: dict[bytes, tuple[Anchor[T], ...]] = {}
        self._dull: set[bytes] = set()

    def add(self, phrase: Phrase, term: T) -> None:
        """Look for *phrase* from now on, and say *term* where it stands."""
        offset, anchor = _anchored(phrase, term)
        part = phrase[offset]
        if part.prefix:
            self._prefixes.setdefault(part.prefix, []).append(anchor)
            if len(part.prefix) not in self._lengths:
                self._lengths = tuple(sorted((*self._lengths, len(part.prefix))))
        for form in part.forms:
            self._anchors.setdefault(form, []).append(anchor)
            if b"-" in form:
                self._whole.add(form)
        for other in phrase[:offset] + phrase[offset + 1 :]:
            self.keep_whole(other.forms)
        self._forget()

    def add_name(self, name: Name[T]) -> None:
        """Look for all cases of *name* from now on, and say its term there."""
        self._names.add(name)
        if len(name.words) > 1:
            self.keep_whole(name.words)
        self._forget()

    def keep_whole(self, words: Iterable[bytes]) -> None:
        """Never cut these *words* at a hyphen."""
        self._whole.update(word for word in words if b"-" in word)

    def cut(self, text: str, folded: bytes | None = None) -> Words | None:
        """
        Return the words of *text*, or None where not one of them matters.

        *folded* is the text in matchable form, where the caller has it already.
        """
        folded = fold(text) if folded is None else folded
        live = set(folded.split()) - self._dull
        matters = not live.isdisjoint(self._learned)
        for word in live.difference(self._learned):
            matters = self._matters(word) or matters
        return self._cut(text, folded) if matters else None

    def find(self, words: Words) -> list[Hit[T]]:
        """Return all that *words* say, in the order of its first word."""
        hits = []
        folded = words.folded
        known = self._learned
        live = set(folded) - self._dull
        for word in live.difference(known):
            self._matters(word)
        if known is not self._learned:  # it was full, and begins anew
            return self.find(words)
        live.intersection_update(known)
        for index, word in enumerate(folded):
            if word not in live:
                continue
            for term, offset, length, rest in known.get(word, ()):
                if not rest:
                    hits.append(Hit(index, index, term))
                elif _stands(folded, index - offset, length, index, rest):
                    hits.append(Hit(index - offset, index - offset + length - 1, term))
        hits.sort(key=_position)
        return hits

    def _forget(self) -> None:
        if self._learned or self._dull:
            self._learned.clear()
            self._dull.clear()

    def _matters(self, word: bytes) -> bool:
        """Learn *word*, and say whether it is worth anything."""
        if word in self._learned:
            return True
        if word in self._dull:
            return False
        keys = spellings(word)
        anchors = tuple(self._anchors_of(keys))
        if anchors:
            self._remember(word, anchors)
            return True
        if any(self._matters(piece) for piece, _, _ in self._pieces(word)):
            return True
        if keys:
            if len(self._dull) >= REMEMBERED:
                self._dull.clear()
            self._dull.add(word)
        return False

    def _remember(self, word: bytes, anchors: tuple[Anchor[T], ...]) -> None:
        if len(self._learned) >= REMEMBERED:
            self._learned = {}  # not cleared: somebody may be reading it
        self._learned[word] = anchors

    def _anchors_of(self, keys: tuple[bytes, ...]) -> Iterator[Anchor[T]]:
        """Yield what the first spelling that means anything means."""
        for key in keys:
            found = [*self._anchors.get(key, ()), *self._names.anchors(key)]
            for length in self._lengths:
                if len(key) >= length:
                    found += self._prefixes.get(key[:length], ())
            if found:
                yield from found
                return

    def _pieces(self, word: bytes) -> list[tuple[bytes, int, int]]:
        """Return the parts of a hyphenated *word* that is no word by itself."""
        if b"-" not in word or not self._whole.isdisjoint(spellings(word)):
            return []
        pieces, start = [], 0
        for piece in word.split(b"-"):
            if len(piece) >= SHORTEST_PIECE:
                pieces.append((piece, start, start + len(piece)))
            start += len(piece) + 1
        return pieces if len(pieces) > 1 or word.count(b"-") == 1 else []

    def _cut(self, text: str, folded: bytes) -> Words:
        words = folded.split()
        if b"-" in folded:
            return self._cut_hyphens(text, words, _spans(folded))
        return Words(text, words, folded)

    def _cut_hyphens(self, text: str, words: list[bytes], spans: list[Span]) -> Words:
        """Cut those hyphenated words whose halves mean something, and they do not."""
        kept: list[bytes] = []
        places: list[Span] = []
        for word, (start, end) in zip(words, spans, strict=True):
            if b"-" in word and (pieces := self._live_pieces(word)):
                kept += [piece for piece, _, _ in pieces]
                places += [(start + first, start + last) for _, first, last in pieces]
            else:
                kept.append(word)
                places.append((start, end))
        return Words(text, kept, places)

    def _live_pieces(self, word: bytes) -> list[tuple[bytes, int, int]]:
        self._matters(word)  # only what means nothing as a whole is cut
        if word in self._learned or word in self._dull:
            return []
        return self._pieces(word)


def _spans(folded: bytes) -> list[Span]:
    """Return where the words of a *folded* text stand."""
    pieces = folded.split(b" ")
    ends = accumulate(map(len, pieces))
    return [
        (end + spaces - len(word), end + spaces)
        for spaces, (word, end) in enumerate(zip(pieces, ends, strict=True))
        if word
    ]


def _anchored(phrase: Phrase, term: T) -> tuple[int, Anchor[T]]:
    """Return which part of *phrase* it hangs on, and how."""
    if len(phrase) == 1:
        return 0, Anchor(term)
    offset = max(range(len(phrase)), key=lambda i: phrase[i].weight)
    rest = tuple(
        (i - offset, part.takes) for i, part in enumerate(phrase) if i != offset
    )
    return offset, Anchor(term, offset, len(phrase), rest)


def _stands(
    folded: list[bytes], first: int, length: int, index: int, rest: Rest
) -> bool:
    """Whether the *rest* of a phrase stands around the word at *index*."""
    if first < 0 or first + length > len(folded):
        return False
    for away, fits in rest:  # noqa: SIM110  (a generator takes twice as long)
        if not fits(folded[index + away]):
            return False
    return True


def uncovered(
    hits: Sequence[Hit[T]], over: Sequence[Hit[T]], of: Callable[[T], str]
) -> list[Hit[T]]:
    """Return the *hits* that no hit *over* overlaps which is *of* the same."""
    covered = {
        (of(hit.term), index)
        for hit in over
        for index in range(hit.first, hit.last + 1)
    }
    return [
        hit
        for hit in hits
        if covered.isdisjoint((of(hit.term), i) for i in range(hit.first, hit.last + 1))
    ]


def _position(hit: Hit[T]) -> tuple[int, int]:
    return hit.first, hit.last


def _parts(piece: str) -> list[Part]:
    stem, sign = (piece[:-1], piece[-1]) if piece[-1] in "~*" else (piece, "")
    if "~" in stem or "*" in stem:
        raise ValueError(f"{piece!r}: ~ and * stand at the end of a word")
    words = folded_words(stem)
    if not sign:
        return [Part(frozenset({word})) for word in words]
    if len(words) != 1:
        raise ValueError(f"{piece!r}: {sign} needs one word before it")
    if sign == "~":
        return [Part(_folded_forms(inflected(stem)))]
    if len(words[0]) < SHORTEST_PREFIX:
        raise ValueError(f"{piece!r}: * needs {SHORTEST_PREFIX} letters before it")
    return [Part(prefix=words[0])]


def _folded_forms(forms: Iterable[str]) -> frozenset[bytes]:
    """Return *forms*, none of which has a space, folded all at once."""
    return frozenset(fold(" ".join(forms)).split())
