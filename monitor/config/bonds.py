"""
What blocks say of each other: names given twice, names that nothing has, and rules
that could never match.

It looks at the blocks as they are written, so that a block with a mistake of its own
is neither left out nor missed by those that refer to it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from monitor.config.document import Path_
from monitor.config.files import Entry, Files
from monitor.config.shape import ENTRIES
from monitor.config.wording import hint
from monitor.config.written import address
from monitor.item import OURSELVES, Signal

NAMED = ("sources", "sinks", "subscribers", "rules", "topics", "signals")
COUNTRIES = ("RU", "UA")  # above every region; a national source's home
LANGUAGES = ("ru", "uk", "en")
ADDRESSED = ("telegram", "webhook")  # sinks that reach nobody without an address
POSTED = ("webhook",)  # sinks whose addresses are of the web
TOP = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")  # ISO 3166-2
BELOW = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
GLOBE = (90, 180)  # degrees north or south, east or west
LONGEST = 64  # characters of a name
MOST_HINTS = 50  # each compares 4,160 places, for some 10 ms

GAPS = {
    "sources": "nothing is read",
    "rules": "nothing matters to anybody",
    "sinks": "nobody can be told",
}
EXPECTING = ("rules", "topics", "signals")  # they have a list of blocks, `expect`
NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "sources": (("home", "places"),),
    "subscribers": (
        ("sink", "sinks"),
        ("rules", "rules"),
        ("topics", "topics"),
        ("places", "places"),
    ),
    "rules": (("places", "places"), ("topics", "topics"), ("sources", "sources")),
}
EXPECTED = (
    ("place", "places"),
    ("home", "places"),
    ("topic", "topics"),
    ("signal", "signals"),
)


@dataclass(frozen=True, slots=True)
class Given:
    """Where a name was given, to be looked up only if somebody asks."""

    entry: Entry
    path: Path_

    def __str__(self) -> str:
        mark = self.entry.document.at((*self.entry.path, *self.path))
        return f"{mark.file}:{mark.line}"


@dataclass(slots=True)
class Known:
    """
    The names of everything, by list, and where each was given first.

    Attributes:
        called: Ids of places by what people call them.
    """

    names: dict[str, dict[str, Given | str]]
    called: dict[str, str] = field(default_factory=dict)
    hints: int = MOST_HINTS

    def near(self, name: str, given: str) -> str:
        """Return which name of a list *given* was probably meant to be, as a hint."""
        known = self.names[name]
        self.hints -= 1
        if self.hints < 0:
            return ""
        if name == "places":
            last = given.rpartition(".")[2]
            ends = (place for place in known if place.rpartition(".")[2] == last)
            if meant := self.called.get(given.casefold()) or next(ends, ""):
                return f" (did you mean {meant!r}?)"
        return hint(given, known)


def known(files: Files) -> Known:
    """Return what is called how; a name that is given twice is told."""
    found = Known({name: {} for name in (*NAMED, "places")})
    for name in NAMED:
        for entry in files.entries[name]:
            _name(found.names[name], entry)
    for entry in files.entries["places"]:
        _place(found, entry, entry.raw, (), "")
    for name, always in (("signals", get_args(Signal)), ("places", COUNTRIES)):
        for one in always:
            found.names[name].setdefault(one, "")
    return found


def check(files: Files, known: Known) -> None:
    """Note what blocks say of each other that cannot be."""
    if not files.lacking:  # else half of what follows would be untrue
        for entry in (e for several in files.entries.values() for e in several):
            _check_names(entry, known)
        for entry in files.entries["rules"]:
            _check_signals(entry, files.entries["signals"])
            _check_voices(entry, files.entries["sources"])
        _check_gaps(files)
        _check_operators(files, known)
    for entry in files.entries["sources"]:
        if entry.name == OURSELVES:
            said = f"{OURSELVES!r} is what the program itself is called: choose another"
            entry.say(("name",), said)
    for entry in files.entries["subscribers"]:
        _check_address(entry, files.entries["sinks"])


def _name(names: dict[str, Given | str], entry: Entry) -> None:
    """Note a name that was given before, or is none."""
    if not isinstance(entry.raw, dict) or not isinstance(entry.raw.get("name"), str):
        return
    if entry.name in names:
        said = f"{entry.list[:-1]} {entry.name!r} was defined before"
        entry.say(("name",), f"{said}, in {names[entry.name]}")
    elif entry.list in ENTRIES and not _is_name(entry.name):
        where = ".".join(map(str, (*entry.path, "name")))
        entry.say(("name",), f"{where}: write 1 to 64 characters on one line")
    names.setdefault(entry.name, Given(entry, ("name",)))


def _is_name(text: str) -> bool:
    return text.strip() == text != "" and text.isprintable() and len(text) <= LONGEST


def _place(found: Known, entry: Entry, raw: Any, path: Path_, above: str) -> None:
    """Note the ids of a place and of all within it, and what is wrong with them."""
    id_ = raw.get("id") if isinstance(raw, dict) else None
    if not isinstance(id_, str):
        return
    full = f"{above}.{id_}" if above else id_
    places = found.names["places"]
    if full in places:
        said = f"place {full!r} was defined before, in {places[full]}"
        entry.say((*path, "id"), said)
    elif not (BELOW if above else TOP).fullmatch(id_):
        entry.say((*path, "id"), f"{id_!r}: {_form(above)}")
    places.setdefault(full, Given(entry, path))
    _look_at(found, entry, raw, path, full)
    inner = raw.get("places")
    for i, one in enumerate(inner if isinstance(inner, list) else ()):
        _place(found, entry, one, (*path, "places", i), full)


def _form(above: str) -> str:
    if above:
        return "an id is small letters, digits and '-', such as novaya-tavolzhanka"
    return "on top stands a region such as RU-BEL, and all else in its `places`"


def _look_at(found: Known, entry: Entry, raw: Any, path: Path_, full: str) -> None:
    """Note what is wrong with the names and the coordinates of one place."""
    for key in ("name", "adjective", "also"):
        names = raw.get(key)
        if isinstance(names, str):
            found.called.setdefault(names.casefold(), full)
        elif isinstance(names, dict):
            for language, several in names.items():
                if language not in LANGUAGES:
                    said = f"unknown language {language!r}: {', '.join(LANGUAGES)}"
                    entry.say((*path, key, language), said, key=True)
                for name in several if isinstance(several, list) else [several]:
                    found.called.setdefault(str(name).casefold(), full)
    at = raw.get("at")
    if isinstance(at, list) and len(at) == len(GLOBE):
        for i, (degrees, limit) in enumerate(zip(at, GLOBE, strict=True)):
            if isinstance(degrees, int | float) and abs(degrees) > limit:
                entry.say((*path, "at", i), "write latitude, then longitude")


def _check_names(entry: Entry, known: Known) -> None:
    """Note every name in a block that nothing has."""
    for key, name in NAMES.get(entry.list, ()):
        single = [((key,), entry.text(key))] if entry.text(key) else []
        for path, given in (*single, *(((key, i), t) for i, t in entry.texts(key))):
            _check_name(entry, path, given, name, known)
    if entry.list in EXPECTING and isinstance(entry.raw, dict):
        expected = entry.raw.get("expect")
        for i, one in enumerate(expected if isinstance(expected, list) else ()):
            for key, name in EXPECTED if isinstance(one, dict) else ():
                if one.get(key) and isinstance(one[key], str):
                    _check_name(entry, ("expect", i, key), one[key], name, known)


def _check_name(entry: Entry, path: Path_, given: str, name: str, known: Known) -> None:
    if given not in known.names[name]:
        said = f"no {name[:-1]} is called {given!r}{known.near(name, given)}"
        entry.say(path, said)


def _check_signals(rule: Entry, signals: Sequence[Entry]) -> None:
    """Note a rule that asks for signals of which no words are known."""
    asked = {text for _, text in rule.texts("signals")} & {*get_args(Signal)}
    worded = {signal.name for signal in signals} | {"none"}
    if asked and not asked & worded:
        said = "it can never match: no `signals:` has words for any of these"
        rule.say(("signals",), f"{rule.name}: {said}; is topics/*.yaml included?")


def _check_voices(rule: Entry, sources: Sequence[Entry]) -> None:
    """Note a rule that listens to sources, but to none of their voices."""
    voices = {text for _, text in rule.texts("voices")}
    named = {text for _, text in rule.texts("sources")}
    theirs = {one.text("voice") or "press" for one in sources if one.name in named}
    if voices and theirs and not voices & theirs:
        said = f"it can never match: its sources speak as {', '.join(sorted(theirs))}"
        rule.say(("voices",), f"{rule.name}: {said}")


def _check_address(subscriber: Entry, sinks: Sequence[Entry]) -> None:
    """Note a subscriber whose sink would not know where to find them."""
    called = subscriber.text("sink")
    sink = next((one for one in reversed(sinks) if one.name == called), None)
    if sink is None or not subscriber.value:
        return
    kind, to = sink.text("kind"), subscriber.value.to
    if kind in ADDRESSED and not to and not sink.text("url"):
        said = f"the key 'to' is needed: their address in {called!r}"
        subscriber.say((), f"{'.'.join(map(str, subscriber.path))}: {said}")
    if kind in POSTED and to:
        try:
            address(to)
        except ValueError as error:
            where = ".".join(map(str, (*subscriber.path, "to")))
            subscriber.say(("to",), f"{where}: {error}")


def _check_operators(files: Files, known: Known) -> None:
    """Note an operator whom nothing reaches."""
    for i, name in enumerate(files.root.operators):
        if name not in known.names["subscribers"]:
            near = known.near("subscribers", name)
            said = f"no subscriber is called {name!r}{near}"
            files.main.say(("operators", i), f"operators.{i}: {said}")


def _check_gaps(files: Files) -> None:
    """Warn of what must be there for anybody to be told of anything."""
    for name, follows in GAPS.items():
        if not files.entries[name]:
            files.main.say((), f"no {name}: {follows}", level="warning")
    public = any(getattr(sink, "open", False) for sink in files.values("sinks"))
    if not files.entries["subscribers"] and not public:
        files.main.say((), "no subscribers: nobody is told", level="warning")
