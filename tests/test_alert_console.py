"""Alerts as they are printed."""

import io
import os
import pty
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from monitor.alert import Alert, Console
from monitor.alert.console import render
from monitor.clock import SystemClock
from monitor.errors import Gone, Transient
from monitor.web import Web
from tests.alerts import KOZINKA, NAMES, ORIGIN, alert, deleted, edited, match

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]not bold[/bold] [link=x]y\r\nОтбой\u202e"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def web() -> Web:
    return Web(SystemClock())


async def test_says_everything_in_lines(web: Web) -> None:
    """An alert says what, who, when, where, the words, why, and where to read it."""
    out = io.StringIO()
    told = Alert(
        match=match("Первая\nВторая", places=(KOZINKA,), topics=("uav",)),
        origin=ORIGIN,
        names=NAMES,
    )

    message = await Console(name="console", stream=out).send(told, "", web)

    assert "belgorod-governor/12345/1" == message
    lines = out.getvalue().splitlines()
    assert lines[1].startswith(
        "belgorod-governor · официальный источник · 2023-05-24 04:35 UTC"
    )
    assert lines[:1] + lines[2:] == [
        "🔴 Опасность БПЛА — Козинка",
        "Козинка < Грайворонский округ < Белгородская область",
        "│ Первая",
        "│ Вторая",
        "Почему: правила: belgorod-danger · темы: БПЛА",
        "https://t.me/vvgladkov/12345",
        "",
    ]


async def test_a_correction_is_a_new_alert_that_says_what_changed(web: Web) -> None:
    """What was printed stays; an edit or a deletion is printed below it."""
    out = io.StringIO()
    console = Console(name="console", stream=out)
    was = match("Погибли 2")

    await console.edit(edited(was, "Погибли 3"), "", "x", web)
    await console.edit(deleted(was), "", "x", web)

    assert "✏️ Изменено в источнике 04:35 UTC: «2» → «3»\n│ Погибли 3" in out.getvalue()
    assert "🗑 Удалено в источнике 04:35 UTC\n│ Погибли 2" in out.getvalue()


@pytest.mark.parametrize("color", [True, False])
def test_what_is_hostile_is_text(color: bool) -> None:  # noqa: FBT001 - a case
    """Escapes do nothing, and no markup of a post's is ever read as such."""
    found = render(alert(HOSTILE, title=HOSTILE, forward=HOSTILE), color=color)

    assert "│ [31mred]0;title [bold]not bold[/bold] [link=x]y" in ESCAPES.sub("", found)
    rest = ESCAPES.sub("", found) if color else found
    assert not [one for one in rest if not one.isprintable() and one != "\n"]


def test_colours_say_how_grave() -> None:
    """With colours the text is the same, and a clear is as green as a danger is red."""
    grave, clear = alert("а"), alert("а", signal="clear")

    assert render(grave) == ESCAPES.sub("", render(grave, color=True))
    assert render(grave, color=True).startswith("\x1b[1;31m🔴")
    assert render(clear, color=True).startswith("\x1b[1;32m✅")


async def printed(color: bool | None, web: Web, *, terminal: bool) -> str:  # noqa: FBT001 - a setting
    """Return what is printed to a terminal or to a pipe."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    with os.fdopen(reading, "rb", 0) as ours, os.fdopen(writing, "w") as theirs:
        await Console(name="c", color=color, stream=theirs).send(
            alert("Тревога"), "", web
        )
        return ours.read(10_000).decode()


@pytest.mark.parametrize(
    ("color", "terminal", "env", "coloured"),
    [
        (None, True, {}, True),
        (None, False, {}, False),
        (None, True, {"NO_COLOR": "1"}, False),
        (None, True, {"NO_COLOR": ""}, True),
        (None, False, {"FORCE_COLOR": "1"}, True),
        (None, False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (True, False, {"NO_COLOR": "1"}, True),
        (False, True, {"FORCE_COLOR": "1"}, False),
    ],
)
async def test_colours_are_for_terminals(  # noqa: PLR0913 - a case has four parts
    *,
    color: bool | None,
    terminal: bool,
    env: dict[str, str],
    coloured: bool,
    web: Web,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal gets colours, a pipe none, and people's settings come before that."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    text = await printed(color, web, terminal=terminal)

    assert coloured == ("\x1b[" in text)
    assert "│ Тревога" in ESCAPES.sub("", text)


async def test_an_ascii_terminal_gets_escapes(web: Web) -> None:
    """Where the encoding has no Cyrillic, an alert is ugly, and there."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")

    await Console(name="c", stream=out).send(alert("Тревога"), "", web)

    assert b"\\u0422\\u0440\\u0435\\u0432" in raw.getvalue()


async def test_both_clocks_are_shown(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wall's clock is not UTC, its time and its zone are shown too."""
    with monkeypatch.context() as here:
        here.setenv("TZ", "MSK-3")
        time.tzset()
        out = io.StringIO()
        await Console(name="c", stream=out).send(alert(), "", web)
    time.tzset()

    assert "· 2023-05-24 04:35 UTC (07:35 MSK)\n" in out.getvalue()


async def test_nobody_reads_any_more(web: Web) -> None:
    """A closed output ends the sink, and not one address of it."""
    reading, writing = os.pipe()
    os.close(reading)
    broken = os.fdopen(writing, "w")
    closed = io.StringIO()
    closed.close()

    for out in (broken, closed):
        with pytest.raises(Gone) as caught:
            await Console(name="c", stream=out).send(alert(), "", web)
        assert caught.value.everywhere
    with pytest.raises(BrokenPipeError):
        broken.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
async def test_a_full_disk_is_waited_for(web: Web) -> None:
    """What cannot be written now is tried again, for every alert."""
    with io.FileIO("/dev/full", "w") as full:
        # Nothing stays in a buffer, or closing would fail once more.
        out = io.TextIOWrapper(cast("BinaryIO", full), write_through=True)
        with pytest.raises(Transient) as caught:
            await Console(name="c", stream=out).send(alert(), "", web)
        with suppress(OSError):
            out.detach()

    assert caught.value.everywhere
    assert "No space left" in str(caught.value)


async def test_says_where_it_prints(web: Web) -> None:
    """A check names where alerts are printed to."""
    assert "standard output" == (
        await Console(name="c", stream=io.StringIO()).check(web)
    )
