"""
The gazetteer: which places there are, how they are called, and in what they lie.

One tree of entries, as ``config/places/*.yaml`` has it, becomes nodes with full
ids and the terms by which the index finds them.  Names and adjectives are data;
only their case forms are derived.  Which of several places a text means, and
whether it means a place at all, is for `resolver` to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitor.filter.fold import folded_words
from monitor.filter.inflect import (
    Language,
    adjective_forms,
    declined_word,
    dictionary_form,
    is_adjective,
)
from monitor.filter.words import Index, phrase_of

Kind = Literal[
    "region", "city", "district", "hromada",
    "town", "settlement", "village", "facility",
]  # fmt: skip
Ambiguity = Literal["word", "form", "surname", "name"]
Role = Literal["name", "adjective", "stem"]
Names = str | tuple[str, ...]

LANGUAGES: tuple[Language, ...] = ("ru", "uk", "en")
SUBJECTS = ("республика", "республіка", "город", "місто", "republic", "автономна")
HEADS = (
    "область", "край", "район", "округ", "громада", "територія", "округа",
    "region", "oblast", "district", "raion", "hromada", "krai", "province",
)  # fmt: skip
DECLINED_SO = ("region", "district", "hromada")  # kinds whose names are adjectives


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceEntry:
    """
    A node of the tree in ``config/places/*.yaml``.

    Attributes:
        id: At the top an ISO 3166-2 code, such as ``RU-BEL``; below it one segment.
        name: Russian under RU-, Ukrainian under UA-; or by language, one or several.
        adjective: By language, as a dictionary has it; it is never derived.
        also: Colloquial names by language, declined like the others.
        at: Latitude and longitude, in degrees.
        ambiguous: What else its name is: a common ``word``; a common word in an
            oblique ``form`` only (Короча, короче); a ``surname``; a first ``name``.
        places: What lies within it.
    """

    id: str
    kind: Kind
    name: str | Mapping[str, Names]
    adjective: Mapping[str, Names] = field(default_factory=dict)
    also: Mapping[str, Names] = field(default_factory=dict)
    at: tuple[float, float] | None = None
    ambiguous: tuple[Ambiguity, ...] = ()
    places: tuple["PlaceEntry", ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A place with its full id; `within` goes from near to far, to the country."""

    id: str
    name: str
    kind: Kind
    within: tuple[str, ...]
    ambiguous: frozenset[str]

    @property
    def region(self) -> str:
        """The region it is or lies in."""
        return self.within[-2] if len(self.within) > 1 else self.id

    @property
    def lineage(self) -> tuple[str, ...]:
        """Itself and all that it lies in."""
        return (self.id, *self.within)


@dataclass(frozen=True, slots=True)
class Named:
    """
    One way in which a text may speak of a place.

    Attributes:
        role: Its whole name, its adjective, or the first words of an English name
            that mean it only before "region" or "oblast".
        base: The name as a list has it, folded; in other forms it may be a word.
    """

    place: Node
    role: Role
    base: bytes


class Gazetteer:
    """All places by id, and the terms by which they are found."""

    def __init__(self, entries: Sequence[PlaceEntry]) -> None:
        self.nodes: dict[str, Node] = {}
        self.doubled: list[str] = []
        self._entries: list[tuple[PlaceEntry, Node]] = []
        for entry in entries:
            self._grow(entry, "", (entry.id.partition("-")[0],))

    def __contains__(self, place: str) -> bool:
        return place in self.nodes or any(place in n.within for n in self._tops())

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def name(self, place: str) -> str:
        """Return what people call *place*; its id where nobody said."""
        return self.nodes[place].name if place in self.nodes else place

    def enlist(self, index: Index[object]) -> None:
        """Have *index* look for every form of every name."""
        for entry, node in self._entries:
            for role, words, base in dict.fromkeys(_ways(entry, node)):
                if phrase := phrase_of(words):
                    index.add(phrase, Named(node, role, base))

    def _grow(self, entry: PlaceEntry, above: str, within: tuple[str, ...]) -> None:
        full = f"{above}.{entry.id}" if above else entry.id
        node = Node(full, _shown(entry, full), entry.kind, within, _flags(entry))
        if full in self.nodes:
            self.doubled.append(full)
        self.nodes[full] = node
        self._entries.append((entry, node))
        for inner in entry.places:
            self._grow(inner, full, (full, *within))

    def _tops(self) -> Iterator[Node]:
        return (node for node in self.nodes.values() if len(node.within) == 1)


def _flags(entry: PlaceEntry) -> frozenset[str]:
    return frozenset(entry.ambiguous)


def _shown(entry: PlaceEntry, full: str) -> str:
    if isinstance(entry.name, str):
        return entry.name
    own = _language(full)
    for language in (own, *LANGUAGES):
        for name in _several(entry.name.get(language, ())):
            return name
    return full


def _language(full: str) -> Language:
    return "uk" if full.startswith("UA") else "ru"


def _several(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


Forms = tuple[frozenset[str], ...]
Way = tuple[Role, Forms, bytes]


def _ways(entry: PlaceEntry, node: Node) -> Iterator[Way]:
    """Yield role, forms of each word, and base form, for all names of a place."""
    own = _language(node.id)
    names = {own: entry.name} if isinstance(entry.name, str) else entry.name
    for given in (names, entry.also):
        for language in LANGUAGES:
            for name in _several(given.get(language, ())):
                yield from _ways_of_name(name, language, node.kind)
    for language in LANGUAGES:
        for adjective in _several(entry.adjective.get(language, ())):
            yield _adjective(adjective, language)


def _ways_of_name(name: str, language: Language, kind: Kind) -> Iterator[Way]:
    words = name.split()
    if len(words) > 1 and words[-1].lower() in HEADS and kind in DECLINED_SO:
        yield from _ways_of_headed(words, language)
        return
    if language == "en" and len(words) > 1 and words[0].lower() == "republic":
        words = [word for word in words if word.lower() not in ("republic", "of")]
    yield _whole(words, language)
    if len(words) > 1 and words[0].lower() in SUBJECTS:
        yield _whole(words[1:], language)
    elif 1 < len(words) <= 3:  # noqa: PLR2004  (hashtags: #НоваяТаволжанка)
        joined = "".join(words).lower()
        yield ("name", (frozenset({joined}),), _base([joined]))
    if "-" in name and all(len(part) > 3 for part in name.split("-")):  # noqa: PLR2004
        yield _whole(name.replace("-", " ").split(), language)


def _ways_of_headed(words: list[str], language: Language) -> Iterator[Way]:
    """Yield the ways of "Белгородская область": the head is found by the resolver."""
    first = words[:-1]
    joined = "".join(words).lower()
    yield ("name", (frozenset({joined}),), _base([joined]))
    if language == "en":
        yield ("stem", tuple(frozenset({word.lower()}) for word in first), _base(first))
    elif is_adjective(first[0], language):
        yield _adjective(dictionary_form(first[0], language), language)
    else:
        yield _whole(words, language)


def _whole(words: list[str], language: Language) -> Way:
    forms = tuple(declined_word(word, language) for word in words)
    return ("name", forms, _base(words))


def _adjective(adjective: str, language: Language) -> Way:
    forms = adjective_forms(adjective, language)
    return ("adjective", (forms,), _base([adjective]))


def _base(words: Iterable[str]) -> bytes:
    return b" ".join(folded_words(" ".join(words)))
