"""
Who is served when.

Whatever changes, a message that came, a place that is free, a moment that was waited
for, everything that may be begun is begun at once, the most urgent first.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from monitor.alert import Pace
from monitor.alert.pace import INSTANT, Pacer
from monitor.clock import Clock
from monitor.deliver.agenda import Agenda, Level
from monitor.deliver.errand import Turn
from monitor.deliver.mailbox import FIRST_WAIT, Mailbox, Opened
from monitor.deliver.outage import Outage
from monitor.deliver.slots import Place, Slots
from monitor.waiting import unless, within


@dataclass(frozen=True, slots=True)
class Service:
    """
    What is done in a round, and what has to be known of it.

    Attributes:
        serve: Does for one recipient what is to be done next, and notes in their
            mailbox how to go on.
        held: Returns whether anything may be sent.
        address: Returns where the recipient of this name is; None if nobody knows.
        is_past: Returns whether something is no news any more.
        is_whole: Returns whether all of the past is there that is to be told together.
    """

    serve: Callable[[Mailbox, Turn], Coroutine[Any, Any, None]]
    held: Callable[[], bool]
    address: Callable[[str], str | None]
    is_past: Callable[[Opened], bool]
    is_whole: Callable[[], bool]


class Rounds:
    """
    Serves recipients in their turn.

    Attributes:
        boxes: Of those for whom something waits.
        pacer: How fast the sink may be fed.
        outage: Whether it is there at all.
    """

    def __init__(self, pace: Pace, clock: Clock, service: Service) -> None:
        """Begin with nobody; nothing happens before `stir`."""
        self.boxes: dict[str, Mailbox] = {}
        self.pacer = Pacer(pace)
        self.outage = Outage()
        self._clock, self._service = clock, service
        self._agenda = Agenda()
        self._slots = Slots(self.stir)
        self._turns: dict[str, tuple[asyncio.Task[None], Turn]] = {}
        self._alarm: asyncio.Task[None] | None = None
        self._rings_at = math.inf
        self._sooner = asyncio.Event()
        self._paused = -math.inf
        self._stopping = False
        self._broken: BaseException | None = None

    def begin(self) -> None:
        """
        Serve, from now on.

        Raises:
            Exception: What it broke at since it was called last; it goes on.
        """
        self._stopping = False
        if self._alarm is None or self._alarm.done():
            self._alarm = asyncio.create_task(self._ring())
            self._alarm.add_done_callback(self._note_end)
        broken, self._broken = self._broken, None
        if broken:
            raise broken

    def put(self, name: str, opened: Opened) -> None:
        """Put something into a recipient's mailbox."""
        box = self.boxes.setdefault(name, Mailbox(name))
        box.put(opened, past=self._service.is_past(opened))
        if name in self._turns or self._agenda.waits(name):
            return
        if box.due > self._clock.monotonic():
            self._agenda.wait(box, box.due, firmly=box.firmly)
        else:
            self._line_up(box)

    def stir(self) -> None:
        """Begin what may be begun, and note when there may be more."""
        if self._stopping:
            return
        moment = self._begin_all()
        if moment < self._rings_at:
            self._rings_at = moment
            self._sooner.set()

    def pause(self, duration: timedelta) -> None:
        """Begin nothing for a while: it is Redis that is away."""
        self._paused = self._clock.monotonic() + duration.total_seconds()

    def hurry(self) -> None:
        """Let nobody wait any more for an end of their trouble: it may have ended."""
        self._slots.forgive()
        for box in self._agenda.hurry():
            self._line_up(box)
        self.stir()

    async def stop(self, patience: timedelta) -> None:
        """
        Begin nothing more, and finish what is being sent.

        Args:
            patience: After it, a message is given up.
        """
        self._stopping = True
        if self._alarm:
            self._alarm.cancel()
        for task, turn in self._turns.values():
            if not turn.sent:
                task.cancel()
        tasks = [task for task, _ in self._turns.values()]
        for task in await within(self._clock, patience, tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self) -> None:
        """Forget what waits: it comes again.  What is on its way goes on."""
        self._agenda = Agenda()
        for name, box in [*self.boxes.items()]:
            box.clear()
            fared = box.doubts or box.trouble or box.due > self._clock.monotonic()
            if name not in self._turns and not fared:
                del self.boxes[name]

    def clear(self) -> None:
        """Forget everybody; to be called when it has stopped."""
        self.boxes.clear()
        self._paused = -math.inf
        self._agenda = Agenda()
        self._slots.forgive()

    def _begin_all(self) -> float:
        """Begin what may be begun; return when to look again."""
        now = self._clock.monotonic()
        for box in self._agenda.woken(now + INSTANT):
            self._line_up(box)
        while self._agenda.ready:
            opens = self._opens_at(now)
            if opens > now + INSTANT:
                return min(opens, self._agenda.due)
            chosen = self._agenda.next(
                quick=self._slots.has_room("quick"),
                narrow=self._slots.has_room("narrow"),
                past=self._service.is_whole(),
            )
            if chosen is None:
                break
            self._begin_one(*chosen, now)
        return self._agenda.due

    def _opens_at(self, now: float) -> float:
        """Return from when on anything at all may be begun."""
        held = now if self._service.held() else now + FIRST_WAIT.total_seconds()
        asked = self.outage.ready_at()
        return max(self._paused, held, asked, self.pacer.open_at(now))

    def _begin_one(self, box: Mailbox, level: Level, now: float) -> None:
        """Serve somebody, unless it turns out that they have to wait."""
        box.age(self._service.is_past)
        if not box:
            self._dismiss(box)
            return
        if _level(box) != level:  # it is no news any more: that is told later
            self._line_up(box)
            return
        to = self._service.address(box.name)
        if to is not None:
            ready = self.pacer.ready_at(to, now)
            if ready > now:
                self._agenda.wait(box, ready, firmly=True)
                return
            self.pacer.took(to, now)
            self.outage.begun(now)
        place = self._slots.take(box.name)
        arrived = partial(_release, place)
        turn = Turn(now, self._is_open, arrived, narrow=place.narrow)
        task = asyncio.create_task(self._service.serve(box, turn))
        self._turns[box.name] = task, turn
        task.add_done_callback(partial(self._end, box, turn, place, to))

    def _is_open(self) -> bool:
        return not self.pacer.is_held(self._clock.monotonic())

    def _end(
        self,
        box: Mailbox,
        turn: Turn,
        place: Place,
        to: str | None,
        task: asyncio.Task[None],
    ) -> None:
        """Go on after a turn, however it ended."""
        del self._turns[box.name]
        if to is not None and not turn.sent:
            self.pacer.give_back(to, turn.began)
        place.release()
        if self._note_end(task):
            box.due = self._clock.monotonic() + FIRST_WAIT.total_seconds()
        if self._stopping:
            return
        if not box:
            self._dismiss(box)
        elif box.due > self._clock.monotonic():
            self._agenda.wait(box, box.due, firmly=box.firmly)
        else:
            self._line_up(box)
        self.stir()

    def _note_end(self, task: asyncio.Task[None]) -> bool:
        """Return whether a task broke, and let `begin` say so."""
        if task.cancelled() or task.exception() is None:
            return False
        self._broken = task.exception()
        return True

    def _line_up(self, box: Mailbox) -> None:
        narrow = self._slots.is_hung(box.name)
        self._agenda.line_up(box, _level(box), narrow=narrow)

    def _dismiss(self, box: Mailbox) -> None:
        self._agenda.remove(box.name)
        self.boxes.pop(box.name, None)

    async def _ring(self) -> None:
        """Stir whenever a moment comes that somebody waits for."""
        while True:
            self._sooner.clear()
            left = self._rings_at - self._clock.monotonic()
            if left <= INSTANT:
                self._rings_at = math.inf
                self.stir()
            elif math.isinf(left):
                await self._sooner.wait()
            else:
                wait = self._clock.sleep(timedelta(seconds=left))
                await unless(self._sooner, wait)


def _release(place: Place, failed: bool) -> None:  # noqa: FBT001 - as a turn says it
    place.release(failed=failed)


def _level(box: Mailbox) -> Level:
    if not box.news:
        return Level.PAST
    return Level.URGENT if box.urgent else Level.NEWS
