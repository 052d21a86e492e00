"""What a log line shows, and what it never shows."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from monitor import log
from monitor.secret import Secret, redact

TOKEN = "123456:AAH-a-token-of-tests"


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    yield
    log.set_up("error")


def _fail(why: str) -> None:
    chat = int("-100123" + "4567890")  # in no line of this file as it would be shown
    if chat:
        raise ValueError(why)


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_secrets_do_not_show(out: type[io.StringIO]) -> None:
    """A secret is taken out of fields, of exceptions and of what libraries log."""
    stream, secret = out(), Secret(TOKEN)
    log.set_up("debug", stream)

    log.get("deliver").info("sent", to=f"https://api/bot{secret.reveal()}/sendMessage")
    logging.getLogger("httpx").warning("POST /bot%s/x", TOKEN)
    try:
        _fail(f"bad {TOKEN}")
    except ValueError:
        log.get("deliver").exception("failed", secret=secret)

    assert TOKEN not in stream.getvalue()
    assert 3 <= stream.getvalue().count("[secret]")


def test_elsewhere_than_on_a_terminal_a_line_is_json_with_a_priority() -> None:
    """The journal gets one JSON object a line, after the prefix of its level."""
    stream = io.StringIO()
    log.set_up("info", stream)

    log.get("collect").warning("source_failed", source="governor", why="Ошибка")

    prefix, line = stream.getvalue()[:3], stream.getvalue()[3:]
    assert "<4>" == prefix
    shown = json.loads(line)
    assert ("source_failed", "collect", "Ошибка") == (
        shown["event"], shown["stage"], shown["why"]
    )  # fmt: skip


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_a_text_cannot_forge_lines_or_colours(out: type[io.StringIO]) -> None:
    """Control characters of a post arrive as nothing, and one event stays one line."""
    stream = out()
    log.set_up("info", stream)

    log.get("collect").info("read", text="\x1b[31mred\x07\x9b2J\r\n<0>forged")

    assert "\x1b[31m" not in stream.getvalue().replace("\x1b[31m\x1b[1m", "")
    assert "\x07" not in stream.getvalue()
    assert 1 == len(stream.getvalue().splitlines())


def test_local_values_do_not_show_in_tracebacks() -> None:
    """A traceback names the lines that failed, and not what the variables held."""
    stream = Terminal()
    log.set_up("info", stream)

    try:
        _fail("broken")
    except ValueError:
        log.get("deliver").exception("failed")

    assert "-1001234567890" not in stream.getvalue()
    assert "ValueError: broken" in stream.getvalue()


def test_a_secret_never_prints_itself() -> None:
    """Neither repr, str nor formatting shows what a secret holds."""
    secret = Secret(TOKEN)

    assert TOKEN not in f"{secret!r} {secret!s} {secret}"
    assert Secret(TOKEN) == secret
    assert f"bot{redact(TOKEN)}" == "bot[secret]"
