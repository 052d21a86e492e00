"""
A stage: one turn of work, made again and again by whoever holds its lease.

Every way in which a turn can end is told apart here and nowhere else: it worked, Redis
is away, nobody foresaw it, the work is another instance's.  A stage never dies.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from monitor import log
from monitor.clock import Clock
from monitor.errors import Away, Transient, Unavailable
from monitor.health import Health
from monitor.stream import Stream
from monitor.waiting import unless

LEASE = timedelta(seconds=30)  # a dead owner's work is taken over after it
LONGEST_LEASE = timedelta(seconds=55)  # and within a minute, whatever goes on
RENEWAL = timedelta(seconds=7)  # a lease is a write to the disk; not at every turn
STANDBY = timedelta(seconds=1)  # between two looks at a lease that another holds
FIRST_WAIT = timedelta(milliseconds=200)
LONGEST_WAIT = timedelta(seconds=30)  # between two tries of a stage that fails
LONGEST_AWAY = timedelta(seconds=5)  # between two looks whether Redis is back


class Lease:
    """
    The right to do something alone, as far as it is known here.

    Attributes:
        name: Of what is done, such as ``"filter"``.
        ours: It was, when it was last asked for.
        lapsed: It had run out when it was last asked for: in between it may have been
            another instance's.
    """

    def __init__(
        self, name: str, stream: Stream, clock: Clock, tail: timedelta = timedelta()
    ) -> None:
        """
        Ask for it at *stream*.

        Args:
            tail: How long something goes on that was begun while `held`.  It lasts so
                much longer, or as long as it may, and is held the shorter.
        """
        self.name = name
        self.ours = self.lapsed = False
        self._stream, self._clock = stream, clock
        self._lasts = min(LEASE + tail, LONGEST_LEASE)
        self._held = (self._lasts - tail).total_seconds()
        self._until = self._ends = 0.0

    def held(self) -> bool:
        """Return whether something may be begun: nobody else can have it by then."""
        return self._clock.monotonic() < self._until

    async def keep(self) -> bool:
        """
        Take it, or renew it in time; return False while another instance has it.

        Raises:
            Away, Unavailable: as for `Stream.take`; it ends by itself, see `held`.
        """
        asked = self._clock.monotonic()
        self.lapsed = self.ours and asked >= self._ends
        if self.ours and self._until - asked > self._held - RENEWAL.total_seconds():
            await asyncio.sleep(0)  # the others, too, even if a turn never waits
            return True
        self.ours = await self._stream.take(self.name, self._lasts)
        self._until = asked + self._held if self.ours else 0.0
        self._ends = asked + self._lasts.total_seconds()
        return self.ours

    async def release(self) -> None:
        """Let another instance have it at once."""
        if self.ours:
            self.ours, self._until = False, 0.0
            await self._stream.release(self.name)


async def _nothing() -> None:
    """Do nothing: most stages keep nothing between two turns."""


@dataclass(frozen=True, slots=True)
class Stage:
    """
    Something that is done turn by turn.

    Attributes:
        turn: One turn of it.  It ends soon when the program is told to stop.
        lease: Who holds it, makes the turns.
        begin: Called before a turn if anything may have been left half done, be it by
            another instance or by our own turn before, which failed.
        lose: Called when another instance has taken over, or may have.
        end: Called at the very end, while the lease is still ours.
    """

    turn: Callable[[], Awaitable[object]]
    lease: Lease
    begin: Callable[[], object] = lambda: None
    lose: Callable[[], Awaitable[object]] = _nothing
    end: Callable[[], Awaitable[object]] = _nothing


class Stages:
    """The stages of one process."""

    def __init__(self, clock: Clock, health: Health, stopping: asyncio.Event) -> None:
        """Turn them until *stopping* is set."""
        self._clock, self._health, self._stopping = clock, health, stopping
        self._log = log.get("daemon")
        self._troubles: dict[str, Exception] = {}  # by stage, what it last failed with
        self._elsewhere: set[str] = set()  # stages that another instance turns

    async def run(self, stage: Stage) -> None:
        """Turn one stage until the end: wait where it must, and never let it die."""
        name, failures, longest = stage.lease.name, 0, LONGEST_WAIT
        self._health.beat(name)  # one that hangs from the beginning is missed, too
        while not self._stopping.is_set():
            try:
                await self._turn(stage, anew=failures > 0)
            except (Transient, Unavailable) as failure:
                failures += 1
                longest = LONGEST_AWAY if isinstance(failure, Away) else LONGEST_WAIT
                self._tell_waiting(name, failure)
            except Exception as error:  # noqa: BLE001 - the seam: no bug may end a stage
                failures, longest = failures + 1, LONGEST_WAIT
                self._tell_broken(name, error)
            else:
                failures = 0
                self._tell_well(name)
            self._health.beat(name)  # to wait for Redis is no reason to die
            if failures:
                wait = FIRST_WAIT * 2 ** min(failures - 1, 16)
                await self._nap(min(wait, longest))
        await stage.end()  # what is on its way would be sent by the next owner, too
        with suppress(Transient, Unavailable):  # then it ends by itself
            await stage.lease.release()
        self._health.forget(name)

    async def _turn(self, stage: Stage, *, anew: bool) -> None:
        """Make one turn if the lease is ours, else wait for it a little."""
        lease, had = stage.lease, stage.lease.ours
        if await lease.keep():
            self._tell_ours(lease.name)
            if lease.lapsed:
                await stage.lose()
            if anew or not had or lease.lapsed:
                stage.begin()
            await stage.turn()
            return
        self._tell_theirs(lease.name, had=had)
        if had:
            await stage.lose()
        await self._nap(STANDBY)

    async def _nap(self, duration: timedelta) -> None:
        """Wait, or until the program is told to stop."""
        await unless(self._stopping, self._clock.sleep(duration))

    def _tell_waiting(self, name: str, failure: Transient | Unavailable) -> None:
        """Tell once what a stage waits for; of those that wait for Redis, one tells."""
        if name in self._troubles:
            return
        known = isinstance(failure, Away) and self._away()
        self._troubles[name] = failure
        tell = self._log.debug if known else self._log.warning
        tell("stage_waits", stage=name, why=str(failure))

    def _tell_broken(self, name: str, error: Exception) -> None:
        """Tell of a bug with its traceback, but not again until it is another one."""
        before = self._troubles.get(name)
        self._troubles[name] = error
        if repr(before) != repr(error):
            self._log.error("stage_failed", stage=name, exc_info=error)

    def _tell_well(self, name: str) -> None:
        trouble = self._troubles.pop(name, None)
        if trouble:
            known = isinstance(trouble, Away) and self._away()
            tell = self._log.debug if known else self._log.info
            tell("stage_recovered", stage=name)

    def _away(self) -> bool:
        return any(isinstance(one, Away) for one in self._troubles.values())

    def _tell_ours(self, name: str) -> None:
        if name in self._elsewhere:
            self._elsewhere.remove(name)
            self._log.info("stage_taken_over", stage=name)

    def _tell_theirs(self, name: str, *, had: bool) -> None:
        if name not in self._elsewhere:
            self._elsewhere.add(name)
            tell = self._log.warning if had else self._log.info
            tell("stage_lost" if had else "stage_stands_by", stage=name)
