"""
What speaks for a place and against it, and how much.

Each function looks at one thing around a mention.  The numbers were found on the
labelled posts of tests/fixtures/filter; each was needed by at least one of them.
"""

from collections.abc import Sequence
from functools import lru_cache

from monitor.filter import surroundings as around
from monitor.filter.fold import folded_words
from monitor.filter.mention import Candidate, Mention, Text

FITS_HEAD = {
    "region": around.REGION_HEADS,
    "district": around.DISTRICT_HEADS,
    "hromada": around.HROMADA_HEADS,
}
WITNESS = 1.9  # points from which a mention speaks for its neighbours
LIST = 3  # names of one region that make a list of it

PRIOR = {
    "region": 4.0, "city": 2.4, "district": 2.0, "hromada": 2.0, "town": 2.0,
    "settlement": 1.7, "village": 1.3, "facility": 1.5,
}  # fmt: skip
FITS_TYPE = (
    (around.CITY, ("city", "town")),
    (around.VILLAGE, ("village",)),
    (around.SETTLEMENT, ("settlement", "town")),
)


def weigh(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Add up what *text* says for *candidate* and against it, witnesses aside."""
    if candidate.named.role == "name":
        _weigh_name(text, mention, candidate)
        _weigh_list(text, mention, candidate)
    else:
        _weigh_adjective(text, mention, candidate)
        if not mention.head:
            _weigh_person(text, mention, candidate)
    _weigh_half(text, mention, candidate)
    _weigh_street(text, mention, candidate)


def _weigh_adjective(text: Text, mention: Mention, candidate: Candidate) -> None:
    kind, head = candidate.place.kind, mention.head
    if candidate.named.role == "stem" and not head:
        candidate.add("no region after it", -5.0)
    elif not head and not _speaks_of_where(text, mention):
        candidate.add("says of what kind, not where", 0.2)
    elif kind == "region":
        _weigh_region(mention, candidate)
    elif head in around.HROMADA_HEADS:
        candidate.add("громада", 3.5 if kind == "hromada" else 0.6)
    elif head in around.DISTRICT_HEADS:
        candidate.add("район", 3.5 if kind == "district" else 0.9)
    elif head in around.REGION_HEADS:
        candidate.add("another's область", -3.0)
    else:
        unique = len(mention.candidates) == 1 and not candidate.place.ambiguous
        candidate.add("adjective alone", 1.6 if unique else 0.2)


def _speaks_of_where(text: Text, mention: Mention) -> bool:
    """Whether an adjective alone does: "над Белгородской — 5", not "Пермский театр"."""
    if mention.ground:
        return True
    return not mention.bound and (mention.capital or text.no_capitals)


def _weigh_region(mention: Mention, candidate: Candidate) -> None:
    if mention.head in around.REGION_HEADS:
        candidate.add("область", 4.0 if _is_headed(candidate.place.name) else 1.0)
    elif not mention.head:
        candidate.add("adjective of a region", 2.2)
    elif any(c.place.kind in ("district", "hromada") for c in mention.candidates):
        candidate.add("район has its own", 0.0)
    else:
        candidate.add("район of its name", 2.2)


@lru_cache(maxsize=256)
def _is_headed(name: str) -> bool:
    """Whether a region is called an область or the like, as Kyiv and Moscow are not."""
    return not around.REGION_HEADS.isdisjoint(folded_words(name))


def _weigh_name(text: Text, mention: Mention, candidate: Candidate) -> None:
    place = candidate.place
    candidate.add(place.kind, PRIOR[place.kind])
    if mention.head and _heads_longer_name(mention):
        candidate.add("part of a longer name", -4.0)
    if mention.last > mention.first:
        candidate.add("several words", 0.7)
    elif place.kind == "facility" and len(mention.candidates) > 1:
        candidate.add("a facility has its type beside it", -1.0)
    _weigh_type(mention, candidate)
    _weigh_capital(text, mention, candidate)
    _weigh_meaning(text, mention, candidate)
    _weigh_person(text, mention, candidate)
    before, after = mention.before, mention.after
    if _led(mention) and mention.capital:
        inside = before in around.INSIDE
        candidate.add("preposition and capital", 0.9 if inside else 0.6)
    elif mention.word == candidate.named.base:
        candidate.add("as it stands in a list", 0.3)
    if mention.opening:
        _weigh_heading(mention, candidate)
    if after in around.FEATURES:
        candidate.add("a river, a wind, a sea", -2.0)
    if after in around.REGION_HEADS and b"region" not in after and not mention.typed:
        candidate.add("its область is meant", -2.0 if place.kind != "region" else 0)
    _weigh_trade(text, mention, candidate)


def _heads_longer_name(mention: Mention) -> bool:
    """Whether "region" makes "Belgorod region" of it: the longest name wins."""
    return any(
        candidate.named.role != "name"
        and mention.head in FITS_HEAD.get(candidate.place.kind, ())
        for candidate in mention.candidates
    )


def _weigh_type(mention: Mention, candidate: Candidate) -> None:
    if not mention.typed or candidate.place.kind in ("region", "facility"):
        return
    candidate.add("its type is named", 2.5)
    for words, kinds in FITS_TYPE:
        if mention.typed in words:
            fits = candidate.place.kind in kinds
            candidate.add(
                "of this type" if fits else "of another", 0.8 if fits else -1.5
            )


def _weigh_capital(text: Text, mention: Mention, candidate: Candidate) -> None:
    if text.no_capitals:
        return
    several = mention.last > mention.first
    if not mention.capital:
        heavy = several or candidate.place.ambiguous
        if not (several and candidate.place.kind == "facility"):
            candidate.add("small letter", -3.0 if heavy else -1.5)
    elif several and not text.all_capitals and candidate.place.kind != "facility":
        rest = range(mention.first + 1, mention.last + 1)
        if not any(text.capital(i) for i in rest):
            candidate.add("small second word", -3.0)


def _weigh_meaning(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Take off for what else the word may be."""
    flags = _flags(mention, candidate)
    if not flags:
        if len(mention.candidates) == 1:
            candidate.add("nothing else has this name", 0.4)
        return
    if mention.last > mention.first or mention.typed:
        return
    oblique = mention.word != candidate.named.base
    if "word" in flags or ("form" in flags and oblique):
        telling = mention.capital and not mention.opening and not text.all_capitals
        candidate.add("a common word", -0.5 if telling else _plain_word(text, mention))
        if telling and _goes_on(text, mention):
            candidate.add("first word of another name", -1.5)
    if "surname" in flags:
        led = _led(mention)
        likely = oblique or _is_like_surname(mention)
        candidate.add("a surname", -0.5 if led or not likely else -1.0)
    if "name" in flags:
        candidate.add("a first name", -1.2)


def _led(mention: Mention) -> bool:
    """Whether a preposition stands before it; "В." is the initial of a name."""
    before = mention.before
    return before in around.PREPOSITIONS and "." not in mention.gap_before


def _goes_on(text: Text, mention: Mention) -> bool:
    """Whether a capital follows at once: "Остров Уайт", "Театр Дружбы Народов"."""
    index = mention.last + 1
    return text.words.gap(index) == " " and text.capital(index)


def _flags(mention: Mention, candidate: Candidate) -> frozenset[str]:
    """Return what else the form that was used may be: nobody is called Климово."""
    flags, base = candidate.place.ambiguous, candidate.named.base
    if base.endswith(_NEUTER) and mention.word == base:
        return flags - {"surname"}
    return flags


def _plain_word(text: Text, mention: Mention) -> float:
    if text.no_capitals or text.all_capitals:
        return -2.2
    return -2.6 if mention.opening else -1.6


def _weigh_person(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Take off where a person is meant: "Пётр Климов", "Климов заявил"."""
    if mention.typed or not mention.capital or mention.last > mention.first:
        return
    before, after = mention.before, mention.after
    flags = candidate.place.ambiguous
    gap = mention.gap_before
    capital_before = text.capital(mention.first - 1)
    if before in around.FIRST_NAMES and gap == " " and capital_before:
        candidate.add("a first name before it", -3.0)
    elif len(before) == 1 and "." in gap and capital_before:
        candidate.add("an initial before it", -3.0)
    elif before in around.TITLES and flags & {"surname", "name"}:
        candidate.add("a title before it", -2.5)
    if flags & {"surname", "name"} and after in around.SAYING:
        candidate.add("it speaks", -2.5)
    _weigh_full_name(text, mention, candidate)


def _weigh_full_name(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Take off where a surname or initials follow: "Тим Кук", "Николаев С. П."."""
    flags, after = candidate.place.ambiguous, mention.after
    if mention.gap_after != " " or not text.capital(mention.last + 1):
        return
    if "surname" in flags and len(after) == 1:
        candidate.add("initials after it", -3.0)
    elif "name" in flags:
        candidate.add("a surname after it", -2.5)
    elif mention.word in around.FIRST_NAMES:
        candidate.add("a surname after it", -4.0)


def _weigh_heading(mention: Mention, candidate: Candidate) -> None:
    follows = mention.gap_after.strip()[:1]
    if follows == ":":
        candidate.add("heads what follows", 2.6 if mention.first == 0 else 1.7)
    elif mention.first == 0 and follows in (",", "—", "–", "-") and follows:
        candidate.add("heads what follows", 0.9)


def _weigh_trade(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Take off for clubs and hotels, and for halves of longer names."""
    near = {mention.before, text.at(mention.first - 2)}
    if not near.isdisjoint(around.CLUBS) and not mention.typed:
        candidate.add("a club or a house", -2.5)
    if _quoted(mention) and not mention.typed and not mention.listed:
        candidate.add("the name of something, in quotes", -1.5)
    _weigh_first_half(text, mention, candidate)


def _quoted(mention: Mention) -> bool:
    """Whether a lone name stands in quotes after a word: "автомобиль «Славута»"."""
    before, after = mention.gap_before, mention.gap_after
    return before[-1:] in '«"“' and before[:1] == " " and after[:1] in '»"”'


def _weigh_half(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Take off for what only ends or begins a hyphenated name."""
    before, after = mention.before, mention.after
    leads = (
        before and mention.first - 1 not in text.named and before not in around.TYPES
    )
    if (leads and mention.gap_before == "-") or (
        mention.gap_after == "-" and _adjectival(after)
    ):
        candidate.add("half of a name", -4.0)


def _is_like_surname(mention: Mention) -> bool:
    return mention.word.endswith(_SURNAMES)


_SURNAMES = tuple(end.encode("cp1251") for end in ("ский", "цкий", "ов", "ев", "ин"))
_ADJECTIVES = tuple(
    folded_words("ский ского ском скому ским ський ського ському ським ская ской скую")
)
_NEUTER = "о".encode("cp1251")


def _weigh_first_half(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Take off where an unknown "Новая", "Северском" begins the name: it is another."""
    index = mention.first - 1
    plain = mention.gap_before == " " and not text.all_capitals
    known = candidate.place.kind in ("region", "facility") or mention.typed
    if plain and not known and text.capital(index) and not text.opens(index):
        word = text.at(index)
        if word in around.FIRST_HALVES or _adjectival(word):
            candidate.add("half of a name", -2.5)


def _adjectival(word: bytes) -> bool:
    return word.endswith(_ADJECTIVES)


def _weigh_street(text: Text, mention: Mention, candidate: Candidate) -> None:
    before, after = mention.before, mention.after
    if before in around.DOTTED:
        before = text.at(mention.first - 2)
    if before in around.STREETS or after in around.STREETS:
        candidate.add("a street", -4.0)


def _weigh_list(text: Text, mention: Mention, candidate: Candidate) -> None:
    """Add for standing in a list of places."""
    if candidate.place.kind in ("region", "facility"):
        return
    if not mention.listed:
        return
    candidate.add("in a list", 0.5)
    if len(text.spoken_of.get(candidate.place.region, ())) >= LIST:
        candidate.add("in a list of this region", 0.9)


def hear_witnesses(mentions: Sequence[Mention], home: str) -> None:
    """
    Add for what the rest of the text speaks of.

    A name repeated is no second witness, nor is a namesake: only mentions that
    could not mean the same place speak for one another.
    """
    told: dict[str, set[frozenset[str]]] = {}
    for mention in mentions:
        sure = [c for c in mention.candidates if c.score >= WITNESS]
        if len({c.place.region for c in sure}) == 1:
            shared = frozenset.intersection(*(frozenset(c.place.lineage) for c in sure))
            for above in shared - {sure[0].place.within[-1]}:
                told.setdefault(above, set()).add(mention.ids)
    regions = {place for place in told if "." not in place}
    for mention in mentions:
        for candidate in mention.candidates:
            _hear(mention, candidate, told, regions)
            place = candidate.place
            if home and (home == place.id or home in place.within):
                candidate.add("the source's own region", 0.8)


def _hear(
    mention: Mention,
    candidate: Candidate,
    told: dict[str, set[frozenset[str]]],
    regions: set[str],
) -> None:
    def witnessed(place: str) -> bool:
        if place not in told:
            return False
        return any(ids.isdisjoint(mention.ids) for ids in told[place])

    place = candidate.place
    if place.kind == "region":
        return
    if witnessed(place.region):
        candidate.add("its region is spoken of", 1.5)
        if any(witnessed(above) for above in place.within[:-2]):
            candidate.add("its district is spoken of", 1.0)
    elif any(witnessed(region) for region in regions if region != place.region):
        candidate.add("another region is spoken of", -0.5)
