"""The shipped catalogue of sources keeps the rules of docs/sources.md."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from monitor.item import Voice

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "config" / "sources").glob("*.yaml"))
WRITTEN = date(2026, 11, 24)  # nothing was vouched for after this catalogue was written
ADDRESS = {"telegram": "channel", "feed": "url"}
FIELDS = {"name", "kind", "home", "voice", "owner", "verified", "note", "every"}
SECONDS = {"s": 1, "m": 60, "h": 3600}
NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
CHANNEL = r"[A-Za-z][A-Za-z0-9_]{3,30}[A-Za-z0-9]"  # Telegram's own rule
PLACE = r"(RU|UA)(-[A-Z0-9]{2,3})?|"  # a country, a region by ISO 3166-2, or none
REGIONS = {
    "RU-BEL", "RU-KRS", "RU-BRY", "RU-VOR",
    "UA-63", "UA-59", "UA-74", "UA-53", "UA-09", "UA-14",
}  # fmt: skip
NO_HTTPS = {"en.kremlin.ru", "kremlin.ru"}  # its feed is only known to work over http

Block = dict[str, Any]


def load(text: str) -> Any:
    """Return what YAML says, scalars as they are written: its `on` is true in 1.1."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes only texts


def blocks_of(path: Path) -> list[Block]:
    """Return the sources that a file lists."""
    return list(load(path.read_text("utf-8"))["sources"])


def candidates_of(path: Path) -> list[Block]:
    """Return the sources that stand commented out at the end of a file."""
    _, _, tail = path.read_text("utf-8").partition("\n# Not verified")
    lines = [line.removeprefix("# ") for line in tail.splitlines()]
    listed = [line for line in lines if re.match(r"- \{| {3}[a-z]+: ", line)]
    return list(load("\n".join(listed)) or [])


SOURCES = [block for path in FILES for block in blocks_of(path)]
CANDIDATES = [block for path in FILES for block in candidates_of(path)]
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda s: str(s["name"]))


def twice(values: Iterable[str]) -> list[str]:
    """Return what occurs more than once, whatever its case."""
    counted = Counter(value.casefold() for value in values)
    return [value for value, times in counted.items() if times > 1]


def period(source: Block) -> timedelta:
    """Return how often a source is read."""
    found = re.fullmatch(r"(\d+)([smh])", source["every"])
    assert found
    return timedelta(seconds=int(found[1]) * SECONDS[found[2]])


def test_the_catalogue_covers_every_kind_of_voice() -> None:
    """Each file promised is there, and every voice is heard."""
    names = {path.stem for path in FILES}

    assert names >= {
        "belgorod", "border", "ministries", "independent", "analysts", "press",
    }  # fmt: skip
    assert set(get_args(Voice)) == {source["voice"] for source in SOURCES}


def test_names_and_addresses_are_unique() -> None:
    """No source is listed twice, under its name or another, enabled or not."""
    everything = SOURCES + CANDIDATES

    assert [] == twice(source["name"] for source in everything)
    assert [] == twice(source[ADDRESS[source["kind"]]] for source in everything)


@each_source
def test_has_exactly_the_fields_of_its_kind(source: Block) -> None:
    """A source says all that the page lists, and nothing that nobody reads."""
    assert FIELDS | {ADDRESS[source["kind"]]} == set(source)


@each_source
def test_is_named_and_addressed_properly(source: Block) -> None:
    """Names are kebab-case, channels have no @, and feeds use https if they can."""
    assert re.fullmatch(NAME, source["name"])
    assert re.fullmatch(NAME, source["owner"])
    if source["kind"] == "telegram":
        assert re.fullmatch(CHANNEL, source["channel"])
        assert "__" not in source["channel"]
    else:
        found = re.fullmatch(r"(https?)://([a-z0-9.-]+)/\S*", source["url"])
        assert found
        assert found[1] == "https" or found[2] in NO_HTTPS


@each_source
def test_has_a_home_that_exists(source: Block) -> None:
    """Home is a country, one of the regions watched, or plainly none."""
    assert re.fullmatch(PLACE, source["home"])
    if "-" in source["home"]:
        assert source["home"] in REGIONS


@each_source
def test_says_who_vouches_and_since_when(source: Block) -> None:
    """The evidence has a date in the past and an address that can be opened."""
    verified = source["verified"]

    assert {"on", "by"} <= set(verified) <= {"on", "by", "until"}
    assert date(2022, 2, 24) <= date.fromisoformat(verified["on"]) <= WRITTEN
    assert re.fullmatch(r"https://\S+\.\S+/\S*", verified["by"])
    assert verified["on"] < verified.get("until", "9999-12-31")
    assert source["note"].strip()


@each_source
def test_is_read_neither_too_often_nor_too_rarely(source: Block) -> None:
    """What warns is read within a minute; nobody is asked more than thrice a minute."""
    assert timedelta(seconds=20) <= period(source) <= timedelta(minutes=15)
    if source["voice"] == "emergency" or source["home"] == "RU-BEL":
        assert period(source) <= timedelta(minutes=1)


def test_telegram_is_not_asked_more_than_it_bears() -> None:
    """All channels together stay below one request a second."""
    channels = [source for source in SOURCES if source["kind"] == "telegram"]

    assert sum(1 / period(source).total_seconds() for source in channels) < 0.8


def test_one_institution_is_one_witness() -> None:
    """The channels and feeds of one owner are told apart by name, not by owner."""
    owner = {source["name"]: source["owner"] for source in SOURCES}

    assert owner["belgorod-governor"] == owner["belgorod-operational-hq"]
    assert owner["russia-mchs"] == owner["belgorod-mchs"] == owner["voronezh-mchs"]
    assert owner["kharkiv-administration"] == owner["kharkiv-head"]
    assert owner["meduza"] == owner["meduza-feed"] == owner["meduza-english"]
    assert owner["rferl-ukraine"] == owner["radio-svoboda-war"] == owner["current-time"]


def test_parties_to_the_war_are_named_so_on_both_sides() -> None:
    """A ministry of defence claims; it is no authority on what it claims."""
    parties = {source["name"] for source in SOURCES if source["voice"] == "party"}

    assert {"russia-mod", "ukraine-mod", "ukraine-general-staff"} <= parties


def test_the_former_governor_is_no_longer_official() -> None:
    """The channel that an office left behind is kept, with the day that it ended."""
    (governor,) = [s for s in SOURCES if s.get("channel") == "vvgladkov"]

    assert "belgorod-governor" == governor["name"]
    assert "2023-05-22" == governor["verified"]["on"]
    assert "2026-10-01" == governor["verified"]["until"]


def test_what_nobody_vouches_for_is_not_enabled() -> None:
    """Candidates are ready to be switched on, but claim no evidence they lack."""
    assert len(CANDIDATES) >= 10
    for candidate in CANDIDATES:
        assert "verified" not in candidate
        assert FIELDS - {"verified", "note"} <= set(candidate)
        assert candidate["voice"] in get_args(Voice)
        assert candidate["kind"] in ADDRESS


def test_every_file_names_its_schema_and_the_registry_is_credited() -> None:
    """An editor can check the files, and who did the work is named."""
    for path in FILES:
        first, *_ = path.read_text("utf-8").splitlines()
        assert "# yaml-language-server: $schema=../schema.json" == first

    page = (ROOT / "docs" / "sources.md").read_text("utf-8")
    assert "European Observatory of Drone Incidents (EODI)" in page
    assert "CC BY 4.0" in page
    assert f"{len(SOURCES)} of them" in page
