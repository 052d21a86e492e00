"""The shipped gazetteer: what its files promise to everything that reads them."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import cos, hypot, radians
from pathlib import Path
from typing import Any

import pytest
import yaml

PLACES = Path(__file__).parents[1] / "config" / "places"
FILES = sorted(PLACES.glob("*.yaml"))

RUSSIA = """
    AD AL ALT AMU ARK AST BA BEL BRY BU CE CHE CHU CU DA IN IRK IVA KAM KB KC KDA KEM
    KGD KGN KHA KHM KIR KK KL KLU KO KOS KR KRS KYA LEN LIP MAG ME MO MOS MOW MUR NEN
    NGR NIZ NVS OMS ORE ORL PER PNZ PRI PSK ROS RYA SA SAK SAM SAR SE SMO SPE STA SVE
    TA TAM TOM TUL TVE TY TYU UD ULY VGG VLA VLG VOR YAN YAR YEV ZAB
"""
UKRAINE = """
    05 07 09 12 14 18 21 23 26 30 32 35 40 43 46 48 51 53 56 59 61 63 65 68 71 74 77
"""
KINDS = {
    "region",
    "district",
    "hromada",
    "city",
    "town",
    "settlement",
    "village",
    "facility",
}
FLAGS = {"word", "form", "surname", "name"}
KEYS = {"id", "kind", "name", "adjective", "also", "ambiguous", "at", "places"}
OWN = {"RU": "ru", "UA": "uk"}
LETTERS = {
    "ru": re.compile(r"[А-ЯЁа-яё0-9«»() —–-]+"),
    "uk": re.compile(r"[А-ЩЬЮЯЄІЇҐа-щьюяєіїґ0-9«»() '—–-]+"),
    "en": re.compile(r"[A-Za-z0-9. '-]+"),
}
MASCULINE = {
    "ru": re.compile(r"[а-яё-]+(ский|цкий|ской|цкой|ый|ий|ой)"),
    "uk": re.compile(r"[а-щьюяєіїґ'-]+(ський|цький|зький|ий)"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One place as the file has it, and where it stands."""

    file: str
    id: str
    parent: str
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.data["kind"])

    def names(self, language: str) -> list[str]:
        return texts(self.data["name"].get(language, []))


def texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@cache
def entries() -> tuple[Entry, ...]:
    found: list[Entry] = []
    for file in FILES:
        tree = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
        assert {"places"} == set(tree), file.name
        found += walk(file.name, "", tree["places"])
    return tuple(found)


def walk(file: str, parent: str, places: list[dict[str, Any]]) -> Iterator[Entry]:
    for data in places:
        path = f"{parent}.{data['id']}" if parent else data["id"]
        yield Entry(file, path, parent, data)
        yield from walk(file, path, data.get("places", []))


def regions() -> list[Entry]:
    return [entry for entry in entries() if not entry.parent]


def kilometres(one: list[float], other: list[float]) -> float:
    north = (one[0] - other[0]) * 111
    east = (one[1] - other[1]) * 111 * cos(radians(one[0]))
    return hypot(north, east)


def test_every_region_of_both_countries_is_there_once() -> None:
    """Each unit of ISO 3166-2 stands in exactly one file, and nothing else on top."""
    expected = [f"RU-{code}" for code in RUSSIA.split()]
    expected += [f"UA-{code}" for code in UKRAINE.split()]

    assert sorted(expected) == sorted(entry.id for entry in regions())
    assert len(expected) == 83 + 27


def test_ids_are_unique_and_well_formed() -> None:
    """An id names one place; below a region it is made of lower-case latin segments."""
    counted = Counter(entry.id for entry in entries())
    malformed = [
        entry.id
        for entry in entries()
        if entry.parent
        and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.data["id"])
    ]

    assert [] == [place for place, times in counted.items() if times > 1]
    assert [] == malformed


@pytest.mark.parametrize(
    "place",
    [
        "RU-BEL",
        "RU-BEL.belgorod",
        "RU-BEL.grayvoronsky.kozinka",
        "RU-BEL.shebekinsky.shebekino",
        "RU-KRS.sudzhansky.sudzha",
        "RU-MOW.vnukovo",
        "UA-30",
        "UA-40",
        "UA-43.kerchenskyi.crimean-bridge",
        "UA-63.chuhuivskyi.vovchanska.vovchansk",
    ],
)
def test_ids_that_rules_and_subscribers_rely_on(place: str) -> None:
    """A published id never changes, for it stands in people's subscriptions."""
    assert place in {entry.id for entry in entries()}


def test_only_known_keys_kinds_and_flags_are_used() -> None:
    """A mistyped key or value is found here, not by a silent miss at night."""
    wrong = [
        entry.id
        for entry in entries()
        if not set(entry.data) <= KEYS
        or entry.kind not in KINDS
        or not set(entry.data.get("ambiguous", [])) <= FLAGS
        or not set(entry.data.get("also", {})) <= set(LETTERS)
        or entry.data.get("places") == []
    ]

    assert [] == wrong


def test_a_region_has_its_name_in_all_three_languages() -> None:
    """Every other place has at least the name that its own people call it by."""
    assert [] == [e.id for e in regions() if set(e.data["name"]) != set(LETTERS)]
    assert [] == [e.id for e in entries() if OWN[e.id[:2]] not in e.data["name"]]


@pytest.mark.parametrize("language", sorted(LETTERS))
def test_names_are_spelled_in_their_own_alphabet(language: str) -> None:
    """A Latin "o" in a Cyrillic name, or an "ы" in a Ukrainian one, never matches."""
    foreign = [
        (entry.id, name)
        for entry in entries()
        for name in entry.names(language) + entry.data.get("also", {}).get(language, [])
        if not LETTERS[language].fullmatch(name) or name != " ".join(name.split())
    ]

    assert [] == foreign


def test_adjectives_are_masculine_nominative() -> None:
    """Case forms are made from the dictionary form, so only that one may stand here."""
    wrong = [
        (entry.id, word)
        for entry in entries()
        for language, word in entry.data.get("adjective", {}).items()
        if not MASCULINE[language].fullmatch(word)
    ]

    assert [] == wrong


def test_every_district_has_its_adjective() -> None:
    """A district is known by its adjective; only a part of a city may have none."""
    kinds = {entry.id: entry.kind for entry in entries()}
    missing = [
        entry.id
        for entry in entries()
        if entry.kind in {"district", "hromada"}
        and not (kinds[entry.parent] == "city" or entry.parent == "UA-30")
        and OWN[entry.id[:2]] not in entry.data.get("adjective", {})
    ]

    assert [] == missing


def test_no_name_stands_twice_within_one_parent() -> None:
    """Two siblings of one name could never be told apart."""
    counted = Counter(
        (entry.parent, language, name)
        for entry in entries()
        for language in ("ru", "uk")
        for name in set(entry.names(language))
    )

    assert [] == [place for place, times in counted.items() if times > 1]


def test_a_raion_has_its_adjective_to_itself() -> None:
    """In Ukrainian, "Покровський район" is not a namesake in Russia."""
    raions = {
        entry.data["adjective"]["uk"]
        for entry in entries()
        if re.fullmatch(r"UA-\d\d\.[a-z-]+", entry.id) and entry.kind == "district"
        if "adjective" in entry.data and not entry.id.startswith("UA-30")
    }
    namesakes = [
        entry.id
        for entry in entries()
        if entry.id.startswith("RU-") and entry.kind == "district"
        if entry.data.get("adjective", {}).get("uk") in raions
    ]

    assert [] == namesakes


def test_names_of_one_place_are_different() -> None:
    """A spelling is listed once, as a name or as another name, not as both."""
    repeated = [
        (entry.id, language)
        for entry in entries()
        for language in LETTERS
        for listed in [
            entry.names(language) + entry.data.get("also", {}).get(language, [])
        ]
        if len(set(listed)) != len(listed)
    ]

    assert [] == repeated


def test_coordinates_lie_where_their_country_does() -> None:
    """Latitude comes first; a swapped or a foreign pair falls out of these boxes."""
    boxes = {"RU": (41, 78, 19, 180), "UA": (44, 53, 22, 41)}
    outside = []
    for entry in entries():
        if "at" in entry.data:
            south, north, west, east = boxes[entry.id[:2]]
            latitude, longitude = entry.data["at"]
            if not (south <= latitude <= north and west <= longitude <= east):
                outside.append(entry.id)

    assert [] == outside
    assert [] == [entry.id for entry in regions() if "at" not in entry.data]


def test_places_of_one_district_are_near_each_other() -> None:
    """A namesake's coordinates lie in another region, far from its neighbours."""
    limits = {"hromada": 45, "district": 110, "city": 40}
    kinds = {entry.id: entry.kind for entry in entries()}
    near: dict[str, list[Entry]] = {}
    for entry in entries():
        if "at" in entry.data and kinds.get(entry.parent) in limits:
            near.setdefault(entry.parent, []).append(entry)
    far = [
        (one.id, other.id)
        for parent, children in near.items()
        for one, other in pairwise(children)
        if kilometres(one.data["at"], other.data["at"]) > limits[kinds[parent]]
    ]

    assert [] == far


def test_kinds_nest() -> None:
    """A village holds nothing, and a region stands only on top."""
    kinds = {entry.id: entry.kind for entry in entries()}
    holders = {"region", "district", "hromada", "city"}

    assert [] == [e.id for e in entries() if (e.kind == "region") != (not e.parent)]
    assert [
        e.id for e in entries() if e.parent and kinds[e.parent] not in holders
    ] == []


@pytest.mark.parametrize(
    ("place", "flag"),
    [
        ("RU-BEL.yakovlevsky.stroitel", "word"),  # a builder
        ("RU-BEL.belgorodsky.razumnoye", "word"),  # reasonable
        ("RU-BEL.korochansky.korocha", "form"),  # its dative is "in short"
        ("RU-BEL.gubkinsky.gubkin", "surname"),
        ("RU-BEL.shebekinsky.sereda", "word"),  # Wednesday, in Ukrainian
        ("RU-KRS.timsky.tim", "name"),
        ("RU-KRS.dmitriyevsky.dmitriyev", "surname"),
        ("RU-MOW.vnukovo", "form"),  # its genitive plural is "of grandsons"
        ("UA-59.sumskyi.sumska.sumy", "word"),  # sums of money
        ("UA-74.koriukivskyi.menska.mena", "word"),  # exchange, in Russian
    ],
)
def test_names_that_are_words_are_marked(place: str, flag: str) -> None:
    """A name that people also write for something else wants more evidence."""
    (entry,) = (entry for entry in entries() if entry.id == place)

    assert flag in entry.data["ambiguous"]


def test_most_names_are_not_marked() -> None:
    """A flag makes a place harder to find, so the great cities carry none."""
    cities = {
        "RU-BEL.belgorod",
        "RU-BEL.shebekinsky.shebekino",
        "RU-BEL.grayvoronsky.grayvoron",
        "RU-KRS.kursk",
        "RU-VOR.voronezh",
        "UA-63.kharkivskyi.kharkivska.kharkiv",
        "UA-51.odeskyi.odesa",
    }

    marked = {entry.id for entry in entries() if entry.data.get("ambiguous")}
    assert set() == marked & cities
    assert len(marked) < len(entries()) / 2


def test_the_border_region_is_complete() -> None:
    """Belgorod's 21 districts stand there, with a village or a town in each."""
    districts = [
        entry
        for entry in entries()
        if entry.parent == "RU-BEL" and entry.kind == "district"
    ]

    assert 21 == len(districts)
    assert [] == [entry.id for entry in districts if not entry.data.get("places")]
    assert sum(entry.id.startswith("RU-BEL.") for entry in entries()) >= 250


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_say_what_they_are(file: Path) -> None:
    """Each names its schema for editors, credits GeoNames, and keeps short lines."""
    text = file.read_text("utf-8")
    head = text.split("places:", 1)[0]

    assert head.startswith("# yaml-language-server: $schema=../schema.json\n")
    assert "CC BY 4.0" in head
    assert max(map(len, text.splitlines())) < 200
