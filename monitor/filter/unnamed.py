"""
A region that is not named, for everybody who reads the channel knows which: "над
областью", "на территории региона", "в нашому краї".

It is the region of the source, said where something is and nothing else: "губернатор
области" tells no place, "в области культуры" and "область поиска" are no regions,
and a text that names another region goes on speaking of that one.  "Сумы и область"
names its region by the town.
"""

from collections.abc import Sequence
from typing import NamedTuple

from monitor.filter import surroundings as around
from monitor.filter.fold import folded_words
from monitor.filter.mention import SPACES, Candidate, Mention, Text
from monitor.filter.places import Gazetteer, Named, Node
from monitor.filter.predicates import begins_statement
from monitor.filter.words import Hit, Index, Part

SURE = 2.0  # points: more than a place needs, less than a name is worth


def _folded(words: str) -> frozenset[bytes]:
    return frozenset(folded_words(words))


class Unnamed(NamedTuple):
    """A word for a kind of region: `forms` are those that it and its homes have."""

    forms: frozenset[bytes]
    any_home: bool = False


KINDS = (
    Unnamed(_folded("область области областью області областю oblast")),
    Unnamed(_folded("край края крае краю краем краї краєм krai")),
    Unnamed(
        _folded(
            "республика республики республике республику республикой республіка"
            " республіки республіці республіку республікою republic"
        )
    ),
    Unnamed(
        _folded("регион региона регионе региону регіон регіону регіоні region"),
        any_home=True,
    ),
)
OWN = _folded(
    "нашей нашу наша нашего нашем нашему всей всю всего всем всему нашою нашій нашого"
    " нашому всією всій усій усю всього усього всьому усьому our the whole entire"
)
DIRECT = _folded("в во у по на из із in")  # what follows tells field from region
ABOVE = _folded("над over across throughout above")
GROUND = tuple(
    folded_words(
        "территори неб север юг восток запад пригранич територі півноч півн півд сход"
        " захід заход прикордон"
    )
)


def enlist(index: Index[object]) -> None:
    """Have *index* look for the words that stand for a region."""
    for kind in KINDS:
        index.add((Part(kind.forms),), kind)


def find_unnamed(
    text: Text,
    hits: Sequence[Hit[Unnamed]],
    mentions: Sequence[Mention],
    home: str,
    gazetteer: Gazetteer,
) -> list[Mention]:
    """
    Return a mention of a region for each word that means it.

    Args:
        mentions: The names in the text, decided.
        home: The home of the source, or nothing.
    """
    ends = {m.end: gazetteer.region_of(m.choice[0]) for m in mentions if m.choice}
    taken = {i for m in mentions for i in range(m.first, m.end + 1)}
    free = [hit for hit in hits if hit.first not in taken]
    beside = [
        _mention(hit.first, region, "beside a town of it")
        for hit in free
        if text.at(hit.first - 1) in around.AND
        and (region := ends.get(hit.first - 2)) is not None
        and _is_called(region, hit.term)
        and not _names_another(text, hit.first)
    ]
    own = gazetteer.region_of(home)
    if own is None or any(m.choice and not _within(m.choice[0], own) for m in mentions):
        return beside
    return beside + [
        _mention(hit.first, own, "unnamed, so that of the source")
        for hit in free
        if _is_called(own, hit.term) and _tells_where(text, hit.first)
    ]


def _is_called(region: Node, kind: Unnamed) -> bool:
    """Whether *region* is an область, край and so on."""
    return kind.any_home or not kind.forms.isdisjoint(folded_words(region.name))


def _within(place: str, home: Node) -> bool:
    return place == home.id or place.startswith(f"{home.id}.") or place in home.within


def _mention(index: int, region: Node, why: str) -> Mention:
    candidate = Candidate(Named(region, "name", b""))
    candidate.add(why, SURE)
    mention = Mention(index, index, [candidate], end=index)
    mention.choice = (region.id, SURE)
    return mention


def _tells_where(text: Text, index: int) -> bool:
    """Whether the word at *index* says where: "над всей областью", "юг области"."""
    before = index - 1
    while text.at(before) in OWN:
        before -= 1
    word, alone = text.at(before), before == index - 1
    if _names_another(text, index):
        return False
    if word in ABOVE or word.startswith(GROUND):
        return True
    return word in DIRECT and (not alone or _is_free(text, index + 1))


def _names_another(text: Text, index: int) -> bool:
    """Whether a name follows at once: "в регионе Персидского залива"."""
    following = index + 1
    if text.all_capitals or text.words.gap(following) not in SPACES:
        return False
    return (
        text.capital(following) and not text.words.said(following, following).isupper()
    )


def _is_free(text: Text, index: int) -> bool:
    """Whether the word at *index* is not what "в области" is the field of."""
    word = text.at(index)
    return (
        index in text.said
        or text.words.gap(index) not in SPACES
        or word in around.PREPOSITIONS
        or word in around.AND
        or word.isdigit()
        or begins_statement(word)
    )
