"""
Who is told, and how.

`policy` decides who gets a match (pure), `compose` words it, `pace` says how
fast, and one module a service sends it.  A new sink is one file, one line in
`SINKS` and its API's refusals under ``tests/fixtures/alert/<kind>/``; the
conformance tests run over the table.
"""

from collections.abc import Mapping

from monitor.alert.console import Console
from monitor.alert.sink import (
    NOT_RECOGNISED,
    Alert,
    Digest,
    Message,
    Pace,
    Repeats,
    Sink,
    Window,
    message_key,
)
from monitor.alert.subscriber import Subscriber
from monitor.alert.telegram import Telegram
from monitor.alert.webhook import Webhook

__all__ = [
    "NOT_RECOGNISED",
    "SINKS",
    "Alert",
    "Console",
    "Digest",
    "Message",
    "Pace",
    "Repeats",
    "Sink",
    "Subscriber",
    "Telegram",
    "Webhook",
    "Window",
    "message_key",
]

SINKS: Mapping[str, type[Sink]] = {
    "console": Console,
    "telegram": Telegram,
    "webhook": Webhook,
}
