"""
The wording of an alert; pure.

The first line carries the meaning on a lock screen: how grave, what, where.  Then
when and where in full, what was corrected, the publisher's words in a quote, and
who said so and why it came.  Nothing of a publisher's stands outside the quote,
but for excerpts that `inert.line` has made harmless.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from monitor.alert import pieces
from monitor.alert.inert import clean, cut, escape, line, link, quiet, units
from monitor.alert.pieces import Line, Piece, element, joined, moment, utc, width
from monitor.alert.sink import Alert
from monitor.alert.words import LANGUAGES, SAY, THREATS, TOPICS, VOICES, WHAT, Language
from monitor.item import OURSELVES, Item, Match, Place, Severity, Signal

HEADLINE = 64  # what a lock screen shows
LIMIT = 4096  # what Telegram takes, in UTF-16 units, without the markup
SHOWN = 3  # places, topics, words or changes, before "+2" says the rest
EXCERPT = 60
COMPARED = 200  # words: 15 ms at worst, and it grows with the square and more
TOUCHABLE = 40  # commands and mentions in a quote: a message has 100 entities

_SEVERITY: Mapping[Severity, str] = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_SIGNAL: Mapping[Signal, str] = {
    "clear": "✅",
    "drill": "🧪",
    "forecast": "📅",
    "recap": "📋",
    "correction": "📝",
    "none": "📣",
}
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_UKRAINIAN = re.compile("[іїєґІЇЄҐ]")


def language_of(match: Match) -> Language:
    """Return the language in which to speak of *match*: its own, if it is ours."""
    for language in LANGUAGES:
        if match.reading.language == language:
            return language
    text = f"{match.item.title} {match.item.text}"
    if not _CYRILLIC.search(text):
        return "en"
    return "uk" if _UKRAINIAN.search(text) else "ru"


def headline(match: Match, language: Language | None = None) -> str:
    """Return what *match* says in one line of at most 64 characters."""
    deleted = match.item.change == "deleted"
    return _first_line(match, language or language_of(match), deleted=deleted)


def title(alert: Alert, language: Language | None = None) -> str:
    """Return the first line of *alert*."""
    match = subject(alert)
    deleted = alert.match.item.change == "deleted"
    return _first_line(match, language or language_of(match), deleted=deleted)


def emoji(match: Match) -> str:
    """Return the sign of what *match* announces, or of how grave it is."""
    if match.item.source == OURSELVES:
        return _SEVERITY[match.severity]
    return _SIGNAL.get(match.reading.signal) or _SEVERITY[match.severity]


def places(match: Match) -> list[str]:
    """Return the names of the places that *match* is about."""
    return [line(place.name) for place in _leaves(match)]


def subject(alert: Alert) -> Match:
    """Return the match whose words are shown: of a deletion, what was deleted."""
    gone = alert.match.item.change == "deleted"
    return alert.was if gone and alert.was is not None else alert.match


def why(
    match: Match,
    language: Language | None = None,
    names: Mapping[str, str] | None = None,
) -> str:
    """
    Return why *match* matters: its rules, places, topics and words.

    Args:
        names: What places are called, by id, besides those that the text names.
    """
    where = paths(match, names)
    return " · ".join(filter(None, [where, reasons(match, language)]))


def reasons(match: Match, language: Language | None = None) -> str:
    """Return the rules, topics and words by which *match* matters."""
    if match.item.source == OURSELVES:
        return ""
    speak = language or language_of(match)
    topics = [_topic(topic.name, speak) for topic in match.reading.topics]
    words = [word.word for word in match.reading.words]
    named = {"rules": match.rules, "topics": topics, "words": words}
    return " · ".join(
        f"{SAY[speak][what]}: {_listed(some)}" for what, some in named.items() if some
    )


def paths(match: Match, names: Mapping[str, str] | None = None) -> str:
    """
    Return the places of *match*, each with what is around it: village < region.

    Args:
        names: What places are called, by id, besides those that the text names.
    """
    named = {place.id: place.name for place in match.reading.places}
    known = {**(names or {}), **named}
    return _listed([_path(place, known) for place in _leaves(match)], "; ")


def voice(alert: Alert, language: Language | None = None) -> str:
    """Return in whose name the source of *alert* speaks."""
    if alert.match.item.source == OURSELVES:
        return "the program itself"
    return VOICES[language or language_of(subject(alert))][alert.origin.voice]


def correction(alert: Alert, language: Language | None = None) -> str:
    """Return what became of the post since it was alerted, or "" if nothing did."""
    speak = language or language_of(subject(alert))
    item = alert.match.item
    if item.change == "deleted":
        return f"🗑 {SAY[speak]['deleted']} {utc(item.seen, item.published)}"
    if item.change == "new" and alert.was is None:
        return ""
    news = [*changes(alert.was.item, item, speak)] if alert.was else []
    if not alert.match.rules:
        news.append(SAY[speak]["matters no more"])
    when = utc(item.edited or item.seen, item.published)
    said = f"✏️ {SAY[speak]['edited']} {when}"
    return f"{said}: {'; '.join(news)}" if news else said


def changes(was: Item, now: Item, language: Language) -> tuple[str, ...]:
    """Return in short what is new in the text of *now*; nothing if it is much."""
    old, new = _differing(_words(was), _words(now))
    if max(len(old), len(new)) > COMPARED:
        return ()
    said = _changes(tuple(old), tuple(new), language)
    return (*said[:SHOWN], "…") if len(said) > SHOWN else said


def quote(alert: Alert) -> tuple[str, str]:
    """Return the title and the text that the publisher wrote, cleaned."""
    item = subject(alert).item
    heading, text = clean(item.title), clean(item.text)
    return ("", text) if text.startswith(heading) else (heading, text)


def html(
    alert: Alert,
    limit: int = LIMIT,
    language: Language | None = None,
    *,
    tg_time: bool = True,
) -> str:
    """
    Return *alert* in Telegram's HTML.

    Args:
        limit: The most UTF-16 units that may be left when the markup is read.
        tg_time: Show the time in each reader's own zone, which servers older than
            Bot API 10 do not know.
    """
    speak = language or language_of(subject(alert))
    head = [*_head(alert, speak, tg_time=tg_time)]
    foot = [*_foot(alert, speak)]
    room = limit - sum(width(some) + 1 for some in head + foot)
    return joined([
        *map(pieces.html, head), _quote_html(alert, room), *map(pieces.html, foot),
    ])  # fmt: skip


def plain(alert: Alert, limit: int = LIMIT, language: Language | None = None) -> str:
    """Return *alert* as lines of text; the publisher's own begin with a bar."""
    speak = language or language_of(subject(alert))
    head = [pieces.plain(some) for some in _head(alert, speak, tg_time=False)]
    foot = [pieces.plain(some) for some in _foot(alert, speak)]
    foot.append(link(subject(alert).item.url))
    room = limit - sum(units(some) + 1 for some in head + foot)
    words = "\n".join(filter(None, quote(alert)))
    quoted = cut("│ " + words.replace("\n", "\n│ "), room) if words else ""
    return joined([*head, quoted, *foot])


def _head(alert: Alert, speak: Language, *, tg_time: bool) -> Iterator[Line]:
    match = subject(alert)
    first = title(alert, speak)
    former = headline(alert.was, speak) if alert.was else first
    was = (Piece("  "), Piece(former, "s")) if _is_new(alert, first, former) else ()
    yield Piece(first, "b"), *was
    where = paths(match, alert.names)
    place = (Piece(f" · {where}"),) if where and where not in first else ()
    item = match.item
    yield moment(item.published, item.seen, tg_time=tg_time), *place
    if said := correction(alert, speak):
        yield (Piece(said),)


def _foot(alert: Alert, speak: Language) -> Iterator[Line]:
    item = subject(alert).item
    href = f' href="{escape(link(item.url))}"'
    source = Piece(line(item.source), *(("a", href) if link(item.url) else ()))
    said = f" · {voice(alert, speak)}"
    if forward := cut(line(item.forward or ""), EXCERPT):
        said += f" · {SAY[speak]['from']} {forward}"
    yield source, Piece(said)
    if because := reasons(subject(alert), speak):
        yield (Piece(f"{SAY[speak]['why']}: {because}"),)


def _is_new(alert: Alert, first: str, former: str) -> bool:
    return alert.match.item.change != "deleted" and first != former


def _quote_html(alert: Alert, room: int) -> str:
    heading, text = quote(alert)
    words = _bounded(cut("\n".join(filter(None, [heading, text])), room))
    if not words:
        return ""
    struck = "s" if alert.match.item.change == "deleted" else ""
    end = len(heading)
    inner = _marked(words[:end], struck or "b") + _marked(words[end:], struck)
    return f"<blockquote expandable>{inner}</blockquote>"


def _marked(text: str, tag: str) -> str:
    """Return *text* as HTML in which nothing but a link answers to a touch."""
    return "".join(
        element(part, "code" if touchable else tag) for part, touchable in quiet(text)
    )


def _bounded(text: str) -> str:
    """Return *text* up to the command or mention that would be one too many."""
    kept, end = 0, 0
    for part, touchable in quiet(text):
        kept += touchable
        if kept > TOUCHABLE:
            return text[:end].rstrip() + " …"
        end += len(part)
    return text


def _first_line(match: Match, speak: Language, *, deleted: bool) -> str:
    signal = match.reading.signal
    lead = f"🗑 {SAY[speak]['was deleted']}: " if deleted else f"{emoji(match)} "
    names = places(match)
    source = line(match.item.source)
    if signal == "none":
        lead += f"{source}: "
        where = few(names, HEADLINE - units(lead)) or first_words(match.item)
    else:
        lead += f"{_what(match, speak)} — "
        where = few(names, HEADLINE - units(lead)) or source
    return cut(lead + where, HEADLINE)


def first_words(item: Item, most: int = HEADLINE) -> str:
    """Return the first words of a post, on one line, about *most* characters."""
    return line((item.title or item.text)[: 4 * most]) or "…"


def _what(match: Match, speak: Language) -> str:
    """Return what *match* announces, such as "Ракетная опасность"."""
    signal = match.reading.signal
    names = [topic.name for topic in match.reading.topics]
    about = [threat for threat in THREATS if threat in names] or names
    if len(about) == 1 and (signal, about[0]) in WHAT[speak]:
        return WHAT[speak][signal, about[0]]
    alone = WHAT[speak][signal, ""]
    said = ", ".join(_topic(name, speak) for name in about[:SHOWN])
    return f"{alone}: {said}" if said else alone


def _topic(name: str, speak: Language) -> str:
    return TOPICS[speak].get(name) or line(name.replace("-", " "))


def _leaves(match: Match) -> list[Place]:
    """Return the places that are named for their own sake: Козинка, not its region."""
    places = {place.id: place for place in match.reading.places}
    around = {outer for place in places.values() for outer in place.within}
    return [place for place in places.values() if place.id not in around]


def _path(place: Place, known: Mapping[str, str]) -> str:
    """Return *place* and what is around it, as far as that has a name."""
    around = [known.get(outer, "") for outer in place.within if _is_local(outer)]
    return " < ".join(filter(None, map(line, [place.name, *around])))


def _is_local(place: str) -> bool:
    """Tell whether *place* is less than a country, which goes without saying."""
    return "-" in place or "." in place


def few(names: Sequence[str], room: int) -> str:
    """Return as many *names* as fit, one at least, and how many more there are."""
    for shown in range(min(len(names), 2 * SHOWN), 0, -1):
        rest = f" +{len(names) - shown}" if len(names) > shown else ""
        text = ", ".join(names[:shown]) + rest
        if units(text) <= room or shown == 1:
            return text
    return ""


def _listed(some: Sequence[str], between: str = ", ") -> str:
    rest = f" +{len(some) - SHOWN}" if len(some) > SHOWN else ""
    return between.join(cut(line(one), EXCERPT) for one in some[:SHOWN]) + rest


def _words(item: Item) -> list[str]:
    return line(f"{item.title} {item.text}").split()


def _differing(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Return both without the words they begin and end with alike."""
    start = _alike(zip(old, new, strict=False))
    old, new = old[start:], new[start:]
    end = _alike(zip(reversed(old), reversed(new), strict=False))
    return old[: len(old) - end], new[: len(new) - end]


def _alike(pairs: Iterable[tuple[str, str]]) -> int:
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


@lru_cache(maxsize=64)  # each of the many recipients of a correction asks again
def _changes(
    old: tuple[str, ...], new: tuple[str, ...], speak: Language
) -> tuple[str, ...]:
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return tuple(
        _change(" ".join(old[a:b]), " ".join(new[c:d]), speak)
        for kind, a, b, c, d in steps
        if kind != "equal"
    )


def _change(old: str, new: str, speak: Language) -> str:
    gone, come = cut(old, EXCERPT), cut(new, EXCERPT)
    if gone and come:
        return f"«{gone}» → «{come}»"
    return f"{SAY[speak]['added' if come else 'removed']}: «{come or gone}»"
