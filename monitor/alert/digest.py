"""
The wording of a digest; pure.

The first line says what it is and of which hours.  Then as many alerts as there is
room for, a line each: how grave, when, where, the publisher's first words, and the
link to the rest; at the end, how many more there are, and of whom.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from monitor.alert import pieces
from monitor.alert.compose import (
    LIMIT,
    emoji,
    few,
    first_words,
    language_of,
    places,
    subject,
)
from monitor.alert.inert import cut, escape, line, link
from monitor.alert.pieces import Line, Piece, joined, moment
from monitor.alert.sink import Alert, Digest
from monitor.alert.words import LANGUAGES, MESSAGES, SAY, Language
from monitor.item import SEVERITIES

MOST = 40  # lines: a message has 100 entities, and each line takes two of them
LEAST_WORDS, MOST_WORDS = 24, 400  # of one alert
PLACE = 40
SOURCES = 5  # named of those that had no room
MORE = 200  # room for the line that says how many have none
ONE, FEW, TEN, TEENS = 1, (2, 3, 4), 10, range(11, 15)


def digest(alerts: Iterable[Alert], at: datetime, key: str = "") -> Digest:
    """
    Return what tells of *alerts* in one message.

    The gravest come first, of those that are alike the newest, and what was deleted
    comes last.

    Raises:
        ValueError: There are none.
    """
    order = sorted(alerts, key=_urgency, reverse=True)
    when = [_happened(alert) for alert in order]
    return Digest(alerts=tuple(order), since=min(when), until=max(when), at=at, key=key)


def headline(told: Digest, language: Language | None = None) -> str:
    """Return what *told* is, in one line."""
    return pieces.plain(_first(told, language or spoken(told), tg_time=False))


def html(told: Digest, limit: int = LIMIT, *, tg_time: bool = True) -> str:
    """
    Return *told* in Telegram's HTML.

    Args:
        limit: The most UTF-16 units that may be left when the markup is read.
        tg_time: Show times in each reader's own zone; see `compose.html`.
    """
    lines = _lines(told, limit, tg_time=tg_time, links=False)
    return joined(map(pieces.html, lines))


def plain(told: Digest, limit: int = LIMIT) -> str:
    """Return *told* as lines of text, each with its link."""
    lines = _lines(told, limit, tg_time=False, links=True)
    return joined(map(pieces.plain, lines))


def spoken(told: Digest) -> Language:
    """Return the language of most of the alerts."""
    counted = Counter(language_of(subject(alert)) for alert in told.alerts)
    return max(LANGUAGES, key=lambda language: counted[language])


def _urgency(alert: Alert) -> tuple[bool, int, datetime]:
    there = alert.match.item.change != "deleted"
    return there, SEVERITIES.index(subject(alert).severity), _happened(alert)


def _happened(alert: Alert) -> datetime:
    item = alert.match.item
    return item.published if item.change == "new" else item.edited or item.seen


def _first(told: Digest, speak: Language, *, tg_time: bool) -> Line:
    since = moment(told.since, told.at, tg_time=tg_time, zone=False)
    until = moment(told.until, told.at, tg_time=tg_time)
    hours = (until,) if since.text in until.text else (since, Piece("–"), until)
    count = _counted(len(told.alerts), speak)
    return Piece(f"📭 {SAY[speak]['blind']} (", "b"), *hours, Piece(f"): {count}", "b")


def _lines(told: Digest, limit: int, *, tg_time: bool, links: bool) -> Iterator[Line]:
    """Yield the lines that *limit* has room for, and what is left out."""
    speak = spoken(told)
    first = _first(told, speak, tg_time=tg_time)
    yield first
    room = limit - pieces.width(first)
    lines: list[Line] = []
    if len(told.alerts) <= MOST:
        lines = [*_some(told, room, tg_time=tg_time, links=links)]
    if len(lines) < len(told.alerts):
        lines = [*_some(told, room - MORE, tg_time=tg_time, links=links)]
    yield from lines
    if rest := told.alerts[len(lines) :]:
        room -= sum(pieces.width(one) + 1 for one in lines)
        yield (Piece(cut(_rest(rest, speak), room - 1)),)


def _some(told: Digest, room: int, *, tg_time: bool, links: bool) -> Iterator[Line]:
    """Yield a line for each of the first alerts, until *room* is full."""
    left = min(len(told.alerts), MOST)
    for alert in told.alerts[:MOST]:
        one = _line(alert, told.at, room // left, tg_time=tg_time, links=links)
        room, left = room - pieces.width(one) - 1, left - 1
        if room < 0:
            break
        yield one


def _line(
    alert: Alert, beside: datetime, share: int, *, tg_time: bool, links: bool
) -> Line:
    """Return one alert in about *share* units, or in a few words if that is little."""
    match, item = subject(alert), subject(alert).item
    gone = alert.match.item.change == "deleted"
    where = few(places(match), PLACE) or cut(line(item.source), PLACE)
    url = link(item.url)
    when = moment(_happened(alert), beside, tg_time=tg_time)
    named = Piece(where, "a", f' href="{escape(url)}"') if url else Piece(where)
    head = Piece(f"{'🗑' if gone else emoji(match)} "), when, Piece(" "), named
    tail = f" {url}" if url and links else ""
    room = share - pieces.width(head) - len(tail) - 3  # a colon, a space, the end
    words = first_words(item, MOST_WORDS)
    said = cut(words, max(LEAST_WORDS, min(room, MOST_WORDS)))
    return *head, Piece(": "), Piece(said, "s" if gone else ""), Piece(tail)


def _rest(rest: Sequence[Alert], speak: Language) -> str:
    """Return how many are left out, and by whom they were published."""
    by = Counter(alert.match.item.source for alert in rest).most_common()
    named = [f"{cut(line(source), PLACE)} {count}" for source, count in by[:SOURCES]]
    if len(by) > SOURCES:
        named.append(f"+{sum(count for _, count in by[SOURCES:])}")
    return f"… {SAY[speak]['more']} {len(rest)}: {', '.join(named)}"


def _counted(count: int, speak: Language) -> str:
    """Return how many messages there are, as the language counts them."""
    one, few_, many = MESSAGES[speak]
    if speak == "en":
        return f"{count} {one if count == 1 else many}"
    if count % 100 in TEENS:
        return f"{count} {many}"
    last = count % TEN
    return f"{count} {one if last == ONE else few_ if last in FEW else many}"
