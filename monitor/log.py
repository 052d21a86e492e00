"""
Logs: what was decided, once, where it was decided.

On a terminal they are for eyes; elsewhere they are JSON, a line an event, with
the priority prefix that systemd's journal understands (sd-daemon(3)).  Event
names are snake_case in the past tense; the rest are fields.

The last step before a line leaves the program takes known secrets out, whoever
put them there, and control characters, which could forge lines or colours.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from monitor.secret import redact

Event = MutableMapping[str, Any]

PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
LEVELS = ("debug", "info", "warning", "error")
INERT = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """
    Send logs to *stream*, standard error by default, from *level* up.

    Libraries log through the same chain, from warnings up: at INFO, httpx prints
    whole addresses, and a bot's token is part of one.
    """
    out = stream or sys.stderr
    terminal = out.isatty()
    last: list[Any] = (
        [
            # the usual formatter shows the values of variables, and so people's texts
            structlog.dev.ConsoleRenderer(
                colors=True, exception_formatter=structlog.dev.plain_traceback
            )
        ]
        if terminal
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
            _with_priority,
        ]
    )
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _inert,
    ]
    structlog.configure(
        processors=[*first, *last, _without_secrets],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)


def get(stage: str) -> Any:
    """Return a logger whose lines name the *stage* they come from."""
    return structlog.get_logger(stage=stage)


class _ToStructlog(logging.Handler):
    """Hands what libraries log to our own chain."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(stage=record.name)
        log.log(record.levelno, "library_said", text=record.getMessage())


def _inert(_: Any, __: str, event: Event) -> Event:
    return {
        key: value.translate(INERT) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _with_priority(_: Any, name: str, line: Any) -> str:
    return f"<{PRIORITY.get(name, 6)}>{line}"


def _without_secrets(_: Any, __: str, line: Any) -> str:
    return redact(line)
