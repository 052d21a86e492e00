"""Whose turn it is: those who are ready, the most urgent first, and those who wait."""

import heapq
import itertools
import math
from collections import OrderedDict
from enum import IntEnum

from monitor.deliver.mailbox import Mailbox


class Level(IntEnum):
    """How soon somebody is served: critical news, other news, what is none any more."""

    URGENT = 0
    NEWS = 1
    PAST = 2


_Line = OrderedDict[str, Mailbox]


class Agenda:
    """
    The recipients for whom something is to be done.

    Each of them stands in one line at most, first come, first served, or waits for a
    moment.  Lines come in pairs: one for those whose last message hung.
    """

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lines = {
            narrow: tuple(_Line() for _ in Level) for narrow in (False, True)
        }
        self._standing: dict[str, _Line] = {}
        self._waiting: dict[str, tuple[float, int, bool, Mailbox]] = {}
        self._moments: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()

    @property
    def due(self) -> float:
        """The first moment somebody waits for; infinite if nobody does."""
        while self._moments:
            moment, number, name = self._moments[0]
            waits = self._waiting.get(name)
            if waits and waits[1] == number:
                return moment
            heapq.heappop(self._moments)
        return math.inf

    @property
    def ready(self) -> bool:
        """Whether anybody is ready."""
        return bool(self._standing)

    def line_up(self, box: Mailbox, level: Level, *, narrow: bool) -> None:
        """Let somebody stand at the end of a line, unless they stand in it already."""
        line = self._lines[narrow][level]
        if self._standing.get(box.name) is line:
            return
        self.remove(box.name)
        line[box.name] = box
        self._standing[box.name] = line

    def wait(self, box: Mailbox, until: float, *, firmly: bool) -> None:
        """
        Let somebody wait for a moment.

        Args:
            firmly: Whatever happens; else `hurry` ends it.
        """
        self.remove(box.name)
        number = next(self._numbers)
        self._waiting[box.name] = (until, number, firmly, box)
        heapq.heappush(self._moments, (until, number, box.name))

    def remove(self, name: str) -> None:
        """Do nothing for somebody any more."""
        self._waiting.pop(name, None)
        if line := self._standing.pop(name, None):
            del line[name]

    def woken(self, now: float) -> list[Mailbox]:
        """Remove and return those whose moment has come, in its order."""
        boxes = []
        while self.due <= now:
            _, _, name = heapq.heappop(self._moments)
            boxes.append(self._waiting.pop(name)[3])
        return boxes

    def hurry(self) -> list[Mailbox]:
        """Remove and return those who wait, but not firmly."""
        boxes = [box for _, _, firmly, box in self._waiting.values() if not firmly]
        for box in boxes:
            del self._waiting[box.name]
        return boxes

    def next(
        self, *, quick: bool, narrow: bool, past: bool
    ) -> tuple[Mailbox, Level] | None:
        """
        Remove and return who is next, and of which level; None if nobody may be.

        Args:
            quick: There is a place for those who are well.
            narrow: There is one for those whose last message hung.
            past: What is no news may be told.
        """
        for level in Level:
            if level == Level.PAST and not past:
                break
            for open_, hung in ((quick, False), (narrow, True)):
                line = self._lines[hung][level]
                if open_ and line:
                    name, box = line.popitem(last=False)
                    del self._standing[name]
                    return box, level
        return None

    def waits(self, name: str) -> bool:
        """Return whether somebody waits for a moment."""
        return name in self._waiting
