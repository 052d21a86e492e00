"""
Why a post is read as it is, for people: the text with what was found in it marked,
then form → place → score → topics → signal → rules → those who are told.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from monitor.alert.policy import decide
from monitor.cli.marking import INDENT, marked
from monitor.cli.options import coloured, columns
from monitor.cli.shown import NARROWEST, SEVERITIES, mark, one_line
from monitor.config import Settings
from monitor.filter import Rule
from monitor.item import Item, Match, Origin, Reading, Span

MARGIN = 10  # columns; what a block is about stands in them
FURTHER = "    "  # before what a line of a block goes on with
FAILED = "no, by its "  # how the filter begins to say why a rule does not match


def explanation(settings: Settings, item: Item, origin: Origin) -> Iterator[str]:
    """Yield the lines that explain *item*, a post of *origin*."""
    judged = settings.filter.weigh(item, origin)
    match, reading = judged.match, judged.reading
    said = _said(settings.filter.explain(item, origin))
    if item.title:
        yield INDENT + click.style(one_line(item.title), bold=True)
    yield from marked(item.text, _spans(reading))
    yield ""
    yield from _block("read as", [_speaker(origin, settings), _language(reading)])
    yield from _block("places", said[""] or ["none"])
    yield from _block("topics", _subjects(reading, item.text))
    yield from _block("signal", [*said["signal:"], *said["claim"]])
    yield from _block("rules", _rules(settings.rules, said["rule"]))
    yield from _block("told", _told(settings, match, origin, judged.why))


def _said(lines: Iterable[str]) -> Mapping[str, list[str]]:
    """Return what the filter says, by the word that tells what it is about."""
    about = ("topic", "word", "claim", "signal:", "language:", "rule")
    said: dict[str, list[str]] = {word: [] for word in ("", *about)}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in about:
            said[word].append(rest)
        else:
            said[""].append(line)
    return said


def _spans(reading: Reading) -> Mapping[str, list[Span]]:
    return {
        "place": [span for place in reading.places for span in place.spans],
        "topic": [span for topic in reading.topics for span in topic.spans],
        "word": [span for word in reading.words for span in word.spans],
    }


def _block(about: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield *lines* beside what they are about, folded to the width of a screen."""
    if coloured():
        width = max(shutil.get_terminal_size().columns, NARROWEST) - MARGIN
        lines = [row for line in lines for row in _folded(line, width)]
    heads = [click.style(about.ljust(MARGIN), bold=True)]
    heads += [" " * MARGIN] * (len(lines) - 1)
    yield from map("".join, zip(heads, lines, strict=True))


def _folded(line: str, width: int) -> Iterator[str]:
    """Yield *line* in rows of at most *width* columns, broken between words."""
    row, indent = "", " " * (len(line) - len(line.lstrip())) + FURTHER
    for word in re.findall(r"\s*\S+", line):
        if row.strip() and len(click.unstyle(row + word)) > width:
            yield row
            row = indent + word.lstrip()
        else:
            row += word
    yield row


def _speaker(origin: Origin, settings: Settings) -> str:
    home = f"at home in {origin.home}" if origin.home else "at home nowhere"
    if not origin.source:
        said = f"a post of no source: {origin.voice}, {home}"
        return f"{said}; --source NAME reads it as one of yours"
    known = "" if origin.source in settings.origins else ", which is not configured"
    return f"a post of {one_line(origin.source)}{known}: {origin.voice}, {home}"


def _language(reading: Reading) -> str:
    known = {"ru": "Russian", "uk": "Ukrainian", "en": "English"}
    return f"in {known.get(reading.language, reading.language or 'no known language')}"


def _subjects(reading: Reading, text: str) -> list[str]:
    """Return the topics and the words of rules, each with what says so."""
    found = [(one.name, one.spans) for one in reading.topics]
    found += [(f"word {one.word}", one.spans) for one in reading.words]
    rows = [(name, _quoted(spans, text)) for name, spans in found]
    return columns(rows) or ["none"]


def _quoted(spans: Iterable[Span], text: str) -> str:
    said = (f"“{one_line(text[start:end])}”" for start, end in spans)
    return ", ".join(dict.fromkeys(said)) or "in the title"


def _rules(rules: Iterable[Rule], said: Iterable[str]) -> list[str]:
    """Return the rules: first those that match, then the others and what they lack."""
    named = {rule.name: rule for rule in rules}
    matched, others = [], []
    for line in said:
        name, _, why = line.partition(": ")
        rule = named.get(name)
        if rule is None or why != "matches":
            others.append((f"{mark('fail')} {name}", _lacking(rule, why)))
        else:
            severity = click.style(rule.severity, fg=SEVERITIES[rule.severity])
            matched.append((f"{mark('ok')} {click.style(name, bold=True)}", severity))
    return columns([*matched, *others]) or ["there are none"]


def _lacking(rule: Rule | None, why: str) -> str:
    """Return what a rule asks for that a post does not have."""
    key = why.removeprefix(FAILED)
    wanted = ", ".join(getattr(rule, key, ()))
    if not wanted:
        return why
    return (
        f"there is one of {wanted}" if key == "without" else f"not its {key}: {wanted}"
    )


def _told(
    settings: Settings, match: Match | None, origin: Origin, why: str
) -> list[str]:
    """Return who would be told, who would not be, and why."""
    if match is None:
        return [f"nobody: no rule matches ({why})"]
    rows, unconcerned = [], 0
    for one in settings.subscribers:
        decision = decide(match, one, origin)
        if decision.action == "unconcerned":
            unconcerned += 1
        else:
            sign = mark("ok" if decision.action == "now" else "fail")
            rows.append((f"{sign} {one.name}", one.sink, decision.why))
    lines = columns(rows)
    if unconcerned or not rows:
        lines.append(f"{unconcerned} not concerned: other places, or other rules")
    return lines
