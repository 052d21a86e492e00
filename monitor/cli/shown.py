"""
How values that flow look to eyes: one line each, whatever publishers put into them.

On a terminal a line is cut to its width, and coloured by what it means; in a pipe it
is whole, so that `grep` finds what is in it.
"""

import shutil
from datetime import datetime

import click

from monitor.alert.inert import clean
from monitor.cli.options import coloured
from monitor.item import Delivery, Item, Match

NARROWEST = 60  # columns; below it a cut leaves nothing to read
MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
SEVERITIES = {"critical": "red", "warning": "yellow", "info": "cyan"}
OUTCOMES = {"delivered": "green", "edited": "green", "dead": "red"}


def line_of(value: object) -> str:
    """Return any value that flows as one line."""
    if isinstance(value, Match):
        return _fitted(*_of_match(value))
    if isinstance(value, Item):
        return _fitted(_head(value, value.seen), _words(value))
    if isinstance(value, Delivery):
        return _fitted(*_of_delivery(value))
    return one_line(str(value))


def mark(level: str) -> str:
    """Return the sign of how something is: ✓, ! or ✗."""
    sign, colour = MARKS[level]
    return click.style(sign, fg=colour, bold=True)


def one_line(text: str) -> str:
    """Return foreign *text* on one line, without what is unseen and acts."""
    return " ".join(clean(text).split())


def _head(item: Item, at: datetime) -> str:
    changed = "" if item.change == "new" else f" {item.change}"
    where = click.style(one_line(item.key), bold=True)
    return f"{at:%Y-%m-%d %H:%M:%S} {where}{changed}"


def _words(item: Item) -> str:
    title = "" if item.text.startswith(item.title) else item.title
    media = " ".join(f"[{part.kind}]" for part in item.media)
    return one_line(f"{title} {item.text}") or media


def _of_match(match: Match) -> tuple[str, str]:
    colour = SEVERITIES[match.severity] if match.rules else None
    rules = ", ".join(match.rules) or "matters no more"
    said = f"{match.severity} {match.reading.signal}, by {rules}"
    severity = click.style(said if match.rules else rules, fg=colour)
    return f"{_head(match.item, match.item.seen)} {severity}", _words(match.item)


def _of_delivery(one: Delivery) -> tuple[str, str]:
    outcome = click.style(one.outcome, fg=OUTCOMES.get(one.outcome, "yellow"))
    item = click.style(one_line(one.item), bold=True)
    who = one_line(f"{one.subscriber} ({one.sink})")
    return f"{one.at:%Y-%m-%d %H:%M:%S} {item} → {who} {outcome}", one_line(one.why)


def _fitted(head: str, rest: str) -> str:
    """Return both in one line; on a terminal the rest is cut to what there is room."""
    if coloured() and rest:
        width = max(shutil.get_terminal_size().columns, NARROWEST)
        room = max(width - len(click.unstyle(head)) - 2, 0)
        rest = rest if len(rest) <= room else rest[: max(room - 1, 0)] + "…"
    return f"{head}  {rest}".rstrip()
