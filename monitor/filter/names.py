"""
Names of places, declined when a text first has something like them.

Four thousand places have some two hundred thousand forms in three languages, of
which the texts of a year use a few thousand.  So a name waits under the beginning
that all forms of its longest word share, and is declined when a word of a text
begins so.  A start costs a tenth of what declining everything would.

Apostrophes and hyphens count for nothing here, for hashtags leave them out:
"#Купянський_район", "#ІваноФранківськ".
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Generic, Literal, NamedTuple, TypeVar

from monitor.filter.fold import fold, spellings
from monitor.filter.inflect import adjective_forms, declined_word

T = TypeVar("T")
Paradigm = Literal["ru", "uk", "en", "ru adjective", "uk adjective"]
Fits = Callable[[bytes], bool]
Rest = tuple[tuple[int, Fits], ...]

CHANGING: Mapping[Paradigm, int] = {  # letters at its end that cases may change
    "ru": 3,
    "uk": 3,
    "en": 0,
    "ru adjective": 2,
    "uk adjective": 2,
}
LONGEST_KEY = 6  # letters; the more, the fewer names are declined for nothing
_UNWRITTEN = b"'-"


class Name(NamedTuple, Generic[T]):
    """
    What a text may say, as a list has it.

    Attributes:
        words: Each of them folded.
        paradigm: How they are declined; "en": not at all.
    """

    words: tuple[bytes, ...]
    paradigm: Paradigm
    term: T


class Anchor(NamedTuple, Generic[T]):
    """
    A term, and what has to stand around the word it was found by.

    Attributes:
        offset: Which word of its phrase that is.
        length: How many words the phrase has.
        rest: How far away each of the others stands, and what it may be.
    """

    term: T
    offset: int = 0
    length: int = 1
    rest: Rest = ()


class Names(Generic[T]):
    """All names, by the beginning of their longest word."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[Name[T]]] = {}
        self._declined: dict[bytes, dict[bytes, list[Anchor[T]]]] = {}

    def add(self, name: Name[T]) -> None:
        """Look for *name* from now on."""
        key = _key(max(name.words, key=len), CHANGING[name.paradigm])
        self._waiting.setdefault(key, []).append(name)
        self._declined.pop(key, None)

    def anchors(self, word: bytes) -> Iterator[Anchor[T]]:
        """Yield an anchor for each name of which *word* is the longest word."""
        word = word.translate(None, _UNWRITTEN)
        for length in range(1, LONGEST_KEY + 1):
            key = word[:length]
            if len(key) == length and key in self._waiting:
                yield from self._forms(key).get(word, ())

    def _forms(self, key: bytes) -> dict[bytes, list[Anchor[T]]]:
        """Return the names under *key* by the forms of their longest words."""
        forms = self._declined.get(key)
        if forms is None:
            forms = {}
            for name in self._waiting[key]:
                offset = name.words.index(max(name.words, key=len))
                anchor = _anchor(name, offset)
                for form in forms_of(name.words[offset], name.paradigm):
                    forms.setdefault(form, []).append(anchor)
            self._declined[key] = forms
        return forms


@lru_cache(maxsize=1 << 12)
def forms_of(word: bytes, paradigm: Paradigm) -> frozenset[bytes]:
    """Return every form of a folded *word*, without apostrophes and hyphens."""
    plain = word.decode("cp1251")
    if paradigm == "ru adjective":
        forms = adjective_forms(plain, "ru")
    elif paradigm == "uk adjective":
        forms = adjective_forms(plain, "uk")
    else:
        forms = declined_word(plain, paradigm)
    return frozenset(fold(" ".join(forms)).translate(None, _UNWRITTEN).split())


def _key(word: bytes, changing: int) -> bytes:
    """Return the beginning that all forms of *word* share."""
    first = word.partition(b"-")[0].translate(None, _UNWRITTEN)
    sure = len(first) - changing if changing else LONGEST_KEY
    return word.translate(None, _UNWRITTEN)[: max(1, min(sure, LONGEST_KEY))]


def _anchor(name: Name[T], offset: int) -> Anchor[T]:
    rest = tuple(
        (i - offset, _fits(forms_of(word, name.paradigm)))
        for i, word in enumerate(name.words)
        if i != offset
    )
    return Anchor(name.term, offset, len(name.words), rest)


def _fits(forms: frozenset[bytes]) -> Fits:
    def fits(word: bytes) -> bool:
        if word in forms:
            return True
        return any(s.translate(None, _UNWRITTEN) in forms for s in spellings(word))

    return fits
