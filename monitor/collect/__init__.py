"""
Where posts come from: one module a service, one frozen dataclass each.

A new kind is one file, one line in `SOURCES` and one folder under
``tests/fixtures/collect/<kind>/``; the conformance tests run over the table.
The contract they keep is in `source`.
"""

from collections.abc import Mapping

from monitor.collect.feed import Feed
from monitor.collect.source import Batch, Source
from monitor.collect.telegram_web import Telegram

__all__ = ["SOURCES", "Batch", "Source"]

SOURCES: Mapping[str, type[Source]] = {
    "telegram": Telegram,
    "feed": Feed,
}
