"""What the processes log: an error that no fault explains fails the run."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import structlog

from monitor import log
from tests.simulation.chronicle import Chronicle
from tests.simulation.process import known

# Events that are errors, and what explains them; what is not here nothing explains.
EXPLAINED: Final = {
    "intake_stopped": ("redis full", "redis cannot write", "disk full"),
    "sink_refused_us": ("sink revoked",),
    "house_not_kept": ("redis refused a connection", "request lost", "reply lost"),
}


class Diary:
    """
    What was logged.

    Attributes:
        faults: Errors that should not have come about.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self.faults: list[str] = []
        self._chronicle = chronicle

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep it while the block runs."""
        structlog.configure(
            processors=[structlog.processors.add_log_level, self._take],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            log.set_up("error")

    def _take(self, _: Any, __: str, line: MutableMapping[str, Any]) -> NoReturn:
        life = known()
        if life is None or life.alive:
            what, level = line["event"], line["level"]
            self._chronicle.note("log", life, what, line.get("why", ""))
            self._chronicle.count(f"logged {what}")
            if level == "error":
                self._judge(what, line)
        raise structlog.DropEvent

    def _judge(self, what: str, line: MutableMapping[str, Any]) -> None:
        counts = self._chronicle.counts
        if not any(counts[cause] for cause in EXPLAINED.get(what, ())):
            about = {name: value for name, value in line.items() if name != "level"}
            self.faults.append(f"logged as an error: {about}")
