"""
The gazetteer: which places there are, how they are called, and in what they lie.

One tree of entries, as ``config/places/*.yaml`` has it, becomes nodes with full
ids and the terms by which the index finds them.  Names and adjectives are data;
only their case forms are derived.  Which of several places a text means, and
whether it means a place at all, is for `resolver` to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from monitor.filter.fold import folded_words, readable
from monitor.filter.inflect import Language, dictionary_form, is_adjective
from monitor.filter.names import Name, Paradigm
from monitor.filter.words import Index

Kind = Literal[
    "region", "city", "district", "hromada",
    "town", "settlement", "village", "facility",
]  # fmt: skip
Ambiguity = Literal["word", "form", "surname", "name"]
Role = Literal["name", "adjective", "stem"]
Names = str | tuple[str, ...]

LANGUAGES: Mapping[str, Language] = {"ru": "ru", "uk": "uk", "en": "en"}
SUBJECTS = frozenset(
    folded_words("республика республіка город місто republic автономна")
)
HEADS = frozenset(
    folded_words(
        "область край район округ громада територія округа region oblast district"
        " raion hromada krai province"
    )
)
DECLINED_SO = ("region", "district", "hromada")  # kinds whose names are adjectives
LONGEST_HASHTAG = 3  # words of a name that are written as one: #НоваяТаволжанка
SHORTEST_PART = 4  # letters of either half of "Гора-Подол", to be told apart
_ADJECTIVES: Mapping[Language, Paradigm] = {
    "ru": "ru adjective",
    "uk": "uk adjective",
    "en": "en",
}


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


class Node(NamedTuple):
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


class Named(NamedTuple):
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

    def region_of(self, place: str) -> Node | None:
        """Return the region that *place* is or lies in, if it is known."""
        node = self.nodes.get(place)
        return None if node is None else self.nodes.get(node.region)

    def lineage(self, place: str) -> tuple[str, ...]:
        """Return *place* and all that it lies in, be it known or not."""
        node = self.nodes.get(place)
        return (place,) if node is None else node.lineage

    def enlist(self, index: Index[object]) -> None:
        """Have *index* look for every form of every name."""
        for entry, node in self._entries:
            for way in dict.fromkeys(_ways(entry, node)):
                role, words, paradigm = way
                named = Named(node, role, b" ".join(words))
                index.add_name(Name(words, paradigm, named))
        self._entries.clear()  # the settings are needed no more

    def _grow(self, entry: PlaceEntry, above: str, within: tuple[str, ...]) -> None:
        full = f"{above}.{entry.id}" if above else entry.id
        flags = _flags(entry.ambiguous)
        node = Node(full, _shown(entry, full), entry.kind, within, flags)
        if full in self.nodes:
            self.doubled.append(full)
        self.nodes[full] = node
        self._entries.append((entry, node))
        if entry.places:
            inside = (full, *within)
            for inner in entry.places:
                self._grow(inner, full, inside)

    def _tops(self) -> Iterator[Node]:
        return (node for node in self.nodes.values() if len(node.within) == 1)


@lru_cache
def _flags(ambiguous: tuple[Ambiguity, ...]) -> frozenset[str]:
    return frozenset(ambiguous)


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


Way = tuple[Role, tuple[bytes, ...], Paradigm]


def _ways(entry: PlaceEntry, node: Node) -> Iterator[Way]:
    """Yield all that a place may be called, and how that is declined."""
    own = _language(node.id)
    names = {own: entry.name} if isinstance(entry.name, str) else entry.name
    for given in (names, entry.also):
        for language, several in given.items():
            for name in _several(several):
                yield from _ways_of_name(name, LANGUAGES[language], node.kind)
    for language, several in entry.adjective.items():
        for adjective in _several(several):
            yield _adjective(adjective, LANGUAGES[language])


def _ways_of_name(name: str, language: Language, kind: Kind) -> Iterator[Way]:
    words = tuple(folded_words(name))
    if len(words) == 1:
        yield ("name", words, language)
    elif words[-1] in HEADS and kind in DECLINED_SO:
        yield from _ways_of_headed(words, language)
    elif words:
        yield from _ways_of_several(words, language)
    parts = tuple(part for word in words for part in word.split(b"-"))
    if len(parts) > len(words) and min(map(len, parts)) >= SHORTEST_PART:
        yield ("name", parts, language)  # "Гора Подол"


def _ways_of_several(words: tuple[bytes, ...], language: Language) -> Iterator[Way]:
    if words[0] == b"republic":
        words = tuple(word for word in words if word not in (b"republic", b"of"))
    yield ("name", words, language)
    if len(words) > 1 and words[0] in SUBJECTS:
        yield ("name", words[1:], language)
    elif 1 < len(words) <= LONGEST_HASHTAG:
        yield ("name", (b"".join(words),), "en")


def _ways_of_headed(words: tuple[bytes, ...], language: Language) -> Iterator[Way]:
    """Yield the ways of "Белгородская область": the head is found by the resolver."""
    first = words[:-1]
    yield ("name", (b"".join(words),), "en")
    if language == "en":
        yield ("stem", first, "en")
    elif is_adjective(readable(first[0]), language):
        yield _adjective(dictionary_form(readable(first[0]), language), language)
    else:
        yield ("name", words, language)


def _adjective(adjective: str, language: Language) -> Way:
    return ("adjective", tuple(folded_words(adjective)), _ADJECTIVES[language])
