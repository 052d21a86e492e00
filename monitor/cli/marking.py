"""A text with what was found in it marked: in colours, or underlined in a pipe."""

import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

import click

from monitor.cli.options import coloured
from monitor.item import Span

WIDEST = 100  # columns; longer lines are hard to read
NARROWEST = 20
INDENT = "  "
KINDS = {"place": ("^", "cyan"), "topic": ("~", "yellow"), "word": ("=", "magenta")}
WIDE = ("W", "F")  # East Asian letters and most emoji take two columns
ACTING = ("Cc", "Cf", "Cs")  # not seen, but a terminal or a reader's eye obeys them
UPON = ("Mn", "Me")  # stand upon the letter before them


def marked(text: str, spans: Mapping[str, Iterable[Span]]) -> Iterator[str]:
    """Yield *text* with the *spans* of each of `KINDS` marked, and a legend."""
    kinds: list[str] = [""] * len(text)
    for kind in reversed(KINDS):  # a place shows above a topic, and that above a word
        for start, end in spans.get(kind, ()):
            kinds[start:end] = [kind] * (end - start)
    draw = _in_colours if coloured() else _underlined
    for start, end in _rows(text):
        yield from (INDENT + row for row in draw(text[start:end], kinds[start:end]))
    found = [kind for kind in KINDS if kind in kinds]
    if found:
        yield ""
        yield INDENT + "  ".join(map(_legend, found))


def _rows(text: str) -> Iterator[Span]:
    """Yield where each row of *text* begins and ends, broken between words."""
    columns = min(shutil.get_terminal_size().columns, WIDEST)
    width = max(columns, NARROWEST) - len(INDENT)
    start = 0
    for line in text.split("\n"):
        end = start + len(line)
        while end - start > width:
            space = text.rfind(" ", start + 1, start + width + 1)
            cut = space if space > 0 else start + width
            yield start, cut
            start = cut + (space > 0)
        yield start, end
        start = end + 1


def _underlined(text: str, kinds: list[str]) -> Iterator[str]:
    """Yield a row, and what is marked in it below it."""
    below = "".join(
        (KINDS[kind][0] if kind else " ") * _width(one)
        for one, kind in zip(text, kinds, strict=True)
    )
    yield "".join(map(_visible, text)).rstrip()
    if below.strip():
        yield below.rstrip()


def _in_colours(text: str, kinds: list[str]) -> Iterator[str]:
    row, start = "", 0
    for end in range(1, len(text) + 1):
        if end == len(text) or kinds[end] != kinds[start]:
            run = "".join(map(_visible, text[start:end]))
            row += _coloured(run, kinds[start]) if kinds[start] else run
            start = end
    yield row


def _coloured(text: str, kind: str) -> str:
    return click.style(text, fg=KINDS[kind][1], underline=True)


def _legend(kind: str) -> str:
    return _coloured(kind, kind) if coloured() else f"{KINDS[kind][0]} {kind}"


def _visible(one: str) -> str:
    """Return a character, or nothing if it is one that acts without being seen."""
    return "" if unicodedata.category(one) in ACTING else one


def _width(one: str) -> int:
    """Return how many columns a character takes."""
    if unicodedata.category(one) in ACTING + UPON:
        return 0
    return 2 if unicodedata.east_asian_width(one) in WIDE else 1
