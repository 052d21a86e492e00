"""How often what goes wrong: each seed has rates of its own, from calm to brutal."""

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Final

BRUTALITY: Final = (0.1, 0.3, 1.0, 1.0, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """
    Shares of calls that go wrong.

    Attributes:
        request_lost: Commands that never reach Redis.
        request_late: Commands that reach it long after their sender gave them up.
        reply_lost: Commands that were applied, and nobody hears of it.
        reply_late: Commands whose answer comes after their sender gave them up.
        slow: Commands that take seconds.
        sink_unreached: Messages that reach no service.
        sink_fails: Messages that a service answers with an error of its own.
        sink_floods: Messages that a service wants later, for one chat or for all.
        sink_hangs: Messages whose answer comes late, or too late.
        sink_unheard: Messages that a service takes, and nobody hears of it.
        source_fails: Reads that fail.
        source_hangs: Reads that take minutes.
        source_stale: Reads that show what was there some time ago.
        source_same: Reads of a feed that say that nothing is new.
        archive_full: Writes to the archive that find no room.
    """

    request_lost: float = 0.0
    request_late: float = 0.0
    reply_lost: float = 0.0
    reply_late: float = 0.0
    slow: float = 0.0
    sink_unreached: float = 0.0
    sink_fails: float = 0.0
    sink_floods: float = 0.0
    sink_hangs: float = 0.0
    sink_unheard: float = 0.0
    source_fails: float = 0.0
    source_hangs: float = 0.0
    source_stale: float = 0.0
    source_same: float = 0.0
    archive_full: float = 0.0


CALM = Weather()
USUAL = Weather(
    request_lost=0.004,
    request_late=0.001,
    reply_lost=0.004,
    reply_late=0.001,
    slow=0.002,
    sink_unreached=0.03,
    sink_fails=0.03,
    sink_floods=0.03,
    sink_hangs=0.01,
    sink_unheard=0.03,
    source_fails=0.05,
    source_hangs=0.01,
    source_stale=0.05,
    source_same=0.05,
    archive_full=0.01,
)


def dice(seed: object, concern: str) -> Random:
    """Return dice for one *concern* of a run: they do not move those of others."""
    return Random(f"{seed}/{concern}")  # noqa: S311 - it has to come out the same again


def drawn(chance: Random) -> Weather:
    """Return the weather of a run: what is usual, or much less or more of each."""
    brutality = chance.choice(BRUTALITY)
    shares = {
        field.name: min(
            getattr(USUAL, field.name) * brutality * 3 * chance.random() ** 2, 0.5
        )
        for field in fields(Weather)
    }
    return replace(CALM, **shares)
