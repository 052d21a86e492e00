"""The console: alerts as a person at a terminal, or a pipe, wants to read them."""

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import ClassVar, TextIO

from monitor.alert import digest
from monitor.alert.compose import (
    correction,
    language_of,
    paths,
    quote,
    reasons,
    subject,
    title,
    voice,
)
from monitor.alert.inert import line, link
from monitor.alert.pieces import utc
from monitor.alert.sink import NOT_RECOGNISED, Alert, Digest, Message, Pace, Repeats
from monitor.alert.words import SAY
from monitor.errors import Gone, Transient
from monitor.item import Match
from monitor.web import Web

COLOURS = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan"}
ENDED = {"clear": "bold green", "drill": "bold magenta"}
BAR = "│ "
CLOSED = "nobody reads the standard output any more"

Styled = tuple[str, str]  # a line, and how it looks on a terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """
    Print each alert, and each correction as a new one that says what changed.

    Attributes:
        color: Whether to use colours; by default on a terminal, unless NO_COLOR
            says otherwise, and elsewhere if FORCE_COLOR does.
        stream: Where to print, instead of the standard output.
    """

    repeats: ClassVar[Repeats] = NOT_RECOGNISED

    name: str
    color: bool | None = None
    pace: Pace = field(default=Pace(), repr=False)
    stream: InitVar[TextIO | None] = None
    _stream: TextIO | None = field(init=False, repr=False, compare=False)

    def __post_init__(self, stream: TextIO | None) -> None:
        object.__setattr__(self, "_stream", stream)  # frozen, and this constructs it

    async def send(self, message: Message, to: str, web: Web) -> str:  # noqa: ARG002 - Sink
        """Print *message*; an alert's id is the item's: corrections come to `edit`."""
        self._print(message)
        return "" if isinstance(message, Digest) else message.match.item.key

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:  # noqa: ARG002 - Sink
        """Print the correction: what was printed before stays as it is."""
        self._print(alert)

    async def check(self, web: Web) -> str:  # noqa: ARG002 - Sink
        """Return where the alerts are printed."""
        return "terminal" if self._out().isatty() else "standard output"

    def _out(self) -> TextIO:
        return self._stream or sys.stdout  # as it is now: it may be replaced

    def _print(self, message: Message) -> None:
        """
        Print *message* at once and whole.

        Raises:
            Gone: Nobody reads any more.
            Transient: It cannot be written now; the disk may be full.
        """
        out = self._out()
        if out.closed:
            raise Gone(CLOSED, everywhere=True)
        text = render(message, color=_has_colours(self.color, out))
        try:
            out.write(_encodable(text, out))
            out.flush()
        except BrokenPipeError:
            raise Gone(CLOSED, everywhere=True) from None
        except OSError as error:
            why = f"the standard output: {error.strerror}"
            raise Transient(why, everywhere=True) from None


def render(message: Message, *, color: bool = False) -> str:
    """Return *message* as lines, the last of them empty, with or without colours."""
    some = _together(message) if isinstance(message, Digest) else _lines(message)
    lines = [(text, style) for text, style in some if text]
    return _coloured(lines) if color else _joined(lines)


def _together(told: Digest) -> Iterator[Styled]:
    first, *others = digest.plain(told).splitlines()
    yield first, "bold"
    for other in others:
        yield other, ""


def _lines(alert: Alert) -> Iterator[Styled]:
    match = subject(alert)
    item, speak = match.item, language_of(match)
    yield title(alert, speak), _style(alert.match, match)
    said = [line(item.source), voice(alert, speak), _times(item.published)]
    yield " · ".join(said), "bold"
    yield paths(match, alert.names), ""
    yield correction(alert, speak), "italic"
    struck = "strike" if alert.match.item.change == "deleted" else ""
    for text in "\n".join(filter(None, quote(alert))).splitlines():
        yield f"{BAR}{text}", struck
    because = reasons(match, speak)
    yield because and f"{SAY[speak]['why']}: {because}", "dim"
    yield link(item.url), "dim underline"


def _style(newest: Match, shown: Match) -> str:
    if newest.item.change == "deleted":
        return "bold"
    return ENDED.get(shown.reading.signal) or COLOURS[shown.severity]


def _times(moment: datetime) -> str:
    """Return *moment* in UTC, and as the clock on the wall has it."""
    here = moment.astimezone()
    return (
        f"{utc(moment)} ({here:%H:%M} {here.tzname()})"
        if here.utcoffset()
        else (utc(moment))
    )


def _joined(lines: list[Styled]) -> str:
    return "".join(f"{text}\n" for text, _ in [*lines, ("", "")])


def _coloured(lines: list[Styled]) -> str:
    # Here, because it takes 30 ms to import, and most runs print to no terminal.
    from rich.console import Console as Terminal  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    page = io.StringIO()
    terminal = Terminal(
        file=page, force_terminal=True, color_system="standard", soft_wrap=True,
        no_color=False, legacy_windows=False, _environ={},
    )  # fmt: skip
    for text, style in [*lines, ("", "")]:
        terminal.print(Text(text, style), soft_wrap=True)
    return page.getvalue()


def _has_colours(wanted: bool | None, out: TextIO) -> bool:  # noqa: FBT001 - a setting
    if wanted is not None:
        return wanted
    if os.environ.get("NO_COLOR"):  # no-color.org: any text but an empty one
        return False
    return bool(os.environ.get("FORCE_COLOR")) or out.isatty()


def _encodable(text: str, out: TextIO) -> str:
    """Return *text* as far as the terminal's encoding goes, the rest escaped."""
    encoding = out.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
