"""Matches and alerts for the tests of everything that tells people of them."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.alert import Alert
from monitor.item import Item, Match, Origin, Place, Reading, Severity, Signal, Topic

PUBLISHED = datetime(2023, 5, 24, 4, 35, tzinfo=UTC)

BELGOROD = Place(id="RU-BEL", name="Белгородская область", within=("RU",))
DISTRICT = Place(
    id="RU-BEL.grayvoronsky", name="Грайворонский округ", within=("RU-BEL", "RU")
)
KOZINKA = Place(
    id="RU-BEL.grayvoronsky.kozinka",
    name="Козинка",
    within=("RU-BEL.grayvoronsky", "RU-BEL", "RU"),
)
NAMES = {"RU-BEL": "Белгородская область", "RU-BEL.grayvoronsky": "Грайворонский округ"}
ORIGIN = Origin(source="belgorod-governor", home="RU-BEL", voice="official")


def item(text: str = "Работает система ПВО.", **other: Any) -> Item:
    """Return a post with this *text*."""
    given: dict[str, Any] = {
        "source": "belgorod-governor",
        "id": "12345",
        "url": "https://t.me/vvgladkov/12345",
        "published": PUBLISHED,
        "seen": PUBLISHED,
        "text": text,
    }
    return Item(**(given | other))


def match(  # noqa: PLR0913 - each has a default, and a test names what it is about
    text: str = "Работает система ПВО.",
    *,
    signal: Signal = "danger",
    places: tuple[Place, ...] = (BELGOROD,),
    topics: tuple[str, ...] = (),
    severity: Severity = "critical",
    rules: tuple[str, ...] = ("belgorod-danger",),
    language: str = "ru",
    **other: Any,
) -> Match:
    """Return a match of a post with this *text*; the rest is of the item."""
    reading = Reading(
        places=places,
        topics=tuple(Topic(name=name) for name in topics),
        signal=signal,
        language=language,
    )
    return Match(
        item=item(text, **other), reading=reading, rules=rules, severity=severity
    )


def alert(text: str = "Работает система ПВО.", **other: Any) -> Alert:
    """Return an alert of such a match."""
    return Alert(match=match(text, **other), origin=ORIGIN)


def edited(was: Match, text: str, **reading: Any) -> Alert:
    """Return the alert of a post whose text is now this one."""
    now = msgspec.structs.replace(was.item, version=2, change="edited", text=text)
    read = msgspec.structs.replace(was.reading, **reading)
    new = msgspec.structs.replace(was, item=now, reading=read)
    return Alert(match=new, origin=ORIGIN, was=was)


def deleted(was: Match) -> Alert:
    """Return the alert of a post that is gone, as the stream tells of it."""
    now = msgspec.structs.replace(was.item, version=2, change="deleted", text="")
    gone = msgspec.structs.replace(was, item=now, reading=Reading(), rules=())
    return Alert(match=gone, origin=ORIGIN, was=was)
