"""
Lines made of pieces, as Telegram's HTML or as plain text.

No template ever joins foreign text and markup: a piece is text, and at most one
element around it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.alert.inert import escape, units

FRESH = timedelta(hours=12)  # what is older is shown with its day
LAST_SECOND = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line, and the element that it becomes; attributes are escaped."""

    text: str
    tag: str = ""
    attributes: str = ""


Line = tuple[Piece, ...]


def width(line: Line) -> int:
    """Return how long Telegram finds *line*: markup does not count."""
    return sum(units(piece.text) for piece in line)


def html(line: Line) -> str:
    """Return *line* in Telegram's HTML."""
    return "".join(element(one.text, one.tag, one.attributes) for one in line)


def plain(line: Line) -> str:
    """Return *line* as text; what would be struck out stands in brackets."""
    return "".join(f"({one.text})" if one.tag == "s" else one.text for one in line)


def element(text: str, tag: str, attributes: str = "") -> str:
    """Return *text* as HTML that shows it, within an element if *tag* names one."""
    shown = escape(text)
    return f"<{tag}{attributes}>{shown}</{tag}>" if tag and shown else shown


def joined(lines: Iterable[str]) -> str:
    """Return those of *lines* that say something, below each other."""
    return "\n".join(filter(None, lines))


def moment(
    at: datetime, beside: datetime, *, tg_time: bool, zone: bool = True
) -> Piece:
    """
    Return the time *at*, in UTC if nobody can say it better.

    Args:
        beside: The day is shown as well, unless it is this one's.
        tg_time: Let each reader see it in their own zone.
        zone: Name the zone.
    """
    said = utc(at, beside)
    said = said if zone else said.removesuffix(" UTC")
    unix = int(at.timestamp())
    if not tg_time or not 0 <= unix <= LAST_SECOND:
        return Piece(said)
    form = "dt" if "-" in said else "t"
    return Piece(said, "tg-time", f' unix="{unix}" format="{form}"')


def utc(moment: datetime, beside: datetime | None = None) -> str:
    """Return *moment* in UTC; with its day, unless it is hours from *beside*."""
    near = beside is not None and abs(moment - beside) < FRESH
    form = "%H:%M UTC" if near else "%Y-%m-%d %H:%M UTC"
    return moment.astimezone(UTC).strftime(form)
