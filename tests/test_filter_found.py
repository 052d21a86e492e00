"""Mistakes that were found in use, each with the post that shows it, stay mended."""

import csv
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.filter import Rule
from monitor.item import Match
from tests.filter_config import FIXTURES, made, origin, post, shipped, small_places

HOME = "RU-BEL"
LOADED = yaml.safe_load((FIXTURES / "found.yaml").read_text("utf-8"))
POSTS: list[dict[str, Any]] = LOADED["posts"]
UNPLACED = "Работает ПВО. Укройтесь!"
HERE = Rule(name="here", places=(HOME,))
needs_data = pytest.mark.skipif("DATA" not in os.environ, reason="no recordings here")


def judged(text: str, home: str, *rules: Rule) -> Match | None:
    """Return how a post without a place is judged by *rules*."""
    return made(small_places(), rules=rules or (HERE,)).judge(post(text), origin(home))


@pytest.mark.parametrize("home", ["", HOME])
@pytest.mark.parametrize("labelled", POSTS, ids=lambda p: str(p["text"])[:40])
def test_what_was_misread_is_read_right(labelled: dict[str, Any], home: str) -> None:
    """Places and signal are exactly those that a careful reader would name."""
    reading = shipped().read(post(labelled["text"]), origin(home))
    wanted = labelled["places"]
    if home:
        wanted = labelled.get("at_home", wanted)

    assert sorted(wanted) == sorted(place.id for place in reading.places)
    assert labelled["signal"] == reading.signal


def test_an_unnamed_region_is_pointed_at() -> None:
    """The span of a region that is not named is the word that stands for it."""
    text = "Ночь прошла тихо, но над областью сбиты дроны"
    (place,) = shipped().read(post(text), origin("RU-BEL.belgorod")).places
    ((start, end),) = place.spans

    assert (HOME, "областью") == (place.id, text[start:end])
    assert 0.5 < place.confidence < 0.75


def test_a_kind_of_region_is_that_of_the_home() -> None:
    """Край is said in Krasnodar, область in Belgorod, регион everywhere."""

    def places(text: str, home: str) -> list[str]:
        return [p.id for p in shipped().read(post(text), origin(home)).places]

    assert [] == places("Над краем сбиты дроны", HOME)
    assert ["RU-KDA"] == places("Над краем сбиты дроны", "RU-KDA")
    assert [] == places("Над областью сбиты дроны", "RU-KDA")
    assert ["UA-63"] == places("Над областю збили дрон", "UA-63")
    assert ["RU-MOW"] == places("В регионе сбит дрон", "RU-MOW")


@pytest.mark.parametrize(
    ("text", "home", "expected"),
    [
        (UNPLACED, HOME, True),
        ("Отбой!", HOME, True),
        ("Взрыв, есть раненые", HOME, True),
        ("Обстрел", "RU-BEL.grayvoronsky", True),
        (UNPLACED, "", False),
        (UNPLACED, "RU-KRS", False),
        ("Завтра проверка сирен", HOME, False),
        ("За ночь сбито семь дронов", HOME, False),
        ("Доброе утро!", HOME, False),
        ("Взрыв в Курске", HOME, False),
    ],
)
def test_a_warning_without_a_place_concerns_its_home(
    text: str, home: str, *, expected: bool
) -> None:
    """What warns, reports or calls off and names no place meets `places` by home."""
    assert bool(judged(text, home)) == expected


def test_no_place_is_invented_for_a_home() -> None:
    """The reading of such a post stays without a place, and `explain` says why."""
    match = judged(UNPLACED, HOME)
    reader = made(small_places(), rules=(HERE,))

    assert match is not None
    assert match.reading.places == ()
    lines = list(reader.explain(post(UNPLACED), origin(HOME)))
    assert f"no place is named: rules take the home of its source, {HOME}" in lines


def test_a_home_of_a_district_meets_a_rule_of_its_region() -> None:
    """A home counts with all that it lies in, and with nothing inside it."""
    rules = (
        Rule(name="country", places=("RU",)),
        Rule(name="region", places=(HOME,)),
        Rule(name="village", places=("RU-BEL.grayvoronsky.kozinka",)),
    )
    match = judged(UNPLACED, "RU-BEL.grayvoronsky", *rules)

    assert match is not None
    assert match.rules == ("country", "region")


@pytest.mark.parametrize(
    "text",
    ["В Шебекино сработала ПВО", "В Шебекино отработала ПВО", "Шебекино: сбит БПЛА"],
)
def test_air_defence_that_has_fired_matters(text: str) -> None:
    """Who asks for the dangers of Belgorod is told that it has fired there."""
    match = shipped().judge(post(text), origin())

    assert match is not None
    assert "belgorod-danger" in match.rules


OBLASTS = {
    "Вінницька": "05", "Волинська": "07", "Луганська": "09", "Дніпропетровська": "12",
    "Донецька": "14", "Житомирська": "18", "Закарпатська": "21", "Запорізька": "23",
    "Івано-Франківська": "26", "Київ": "30", "Київська": "32", "Кіровоградська": "35",
    "Львівська": "46", "Миколаївська": "48", "Одеська": "51", "Полтавська": "53",
    "Рівненська": "56", "Сумська": "59", "Тернопільська": "61", "Харківська": "63",
    "Херсонська": "65", "Хмельницька": "68", "Черкаська": "71", "Чернігівська": "74",
    "Чернівецька": "77",
}  # fmt: skip


@needs_data
def test_hashtags_of_recorded_alarms_are_known() -> None:
    """Of the hashtags of a hundred nights all but one are read as their oblast."""
    folder = Path(os.environ["DATA"]) / "alerts_regions" / "air_alert_ua"
    with (folder / "tag_map.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missed = []
    for row in rows:
        text = f"Повітряна тривога\n#{row['tag']}"
        places = shipped().read(post(text), origin()).places
        if {place.id.partition(".")[0] for place in places} != {
            f"UA-{OBLASTS[row['oblast']]}"
        }:
            missed.append(row["tag"])

    assert len(missed) <= 1, missed
