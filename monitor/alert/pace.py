"""
How fast a sink may be fed: bookkeeping on monotonic seconds; it never waits itself.

Three limits hold at once: the time between two messages to one recipient (GCRA with
a burst of one), the messages to a group within a window, and those of the whole sink
within a second.  The windows slide, so that no second and no minute, wherever it
begins, ever has too many; and a burst may use all of one at once, which gets the
first warnings out as soon as the service allows.
"""

from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass, field

from monitor.alert.sink import Pace

GLANCE = 2  # recipients looked at for each message; more than come, so idle ones go

INSTANT = 1e-6  # seconds; no sleep is shorter, and waiting for it would never end


@dataclass(slots=True)
class _Recent:
    """When one recipient was last sent to, and may be again."""

    ready: float = 0.0
    last: float = 0.0
    sent: deque[float] = field(default_factory=deque)


class Pacer:
    """
    Says when a recipient may be sent to, and remembers what was sent and held.

    Times are monotonic seconds.  Only recipients of the last window and those on
    hold take memory.
    """

    def __init__(self, pace: Pace) -> None:
        """Keep this *pace*, with nothing sent so far."""
        self._pace = pace
        gap, group, rate = pace.per_recipient, pace.per_group, pace.overall_per_second
        self._gap = gap.total_seconds() if gap else 0.0
        self._span = group.span.total_seconds() if group else 0.0
        # A rate below one a second is one message in a longer window.
        self._count = max(1, int(rate)) if rate else 0
        self._second = self._count / rate if rate else 0.0
        self._recent: OrderedDict[str, _Recent] = OrderedDict()
        self._held: OrderedDict[str, float] = OrderedDict()
        self._overall: deque[float] = deque()
        self._held_all = 0.0

    def __len__(self) -> int:
        """Return how many recipients are remembered."""
        return len(self._recent.keys() | self._held.keys())

    def ready_at(self, to: str, now: float) -> float:
        """
        Return *now* if *to* may be sent to at once, else when to ask again.

        It is not a promise: what is sent to others meanwhile may put it off.
        """
        recipient = self._recipient(to)
        moments = [self.open_at(now), self._held.get(recipient, now)]
        if recent := self._recent.get(recipient):
            moments.append(recent.ready)
            window = self._pace.per_group
            if window and len(recent.sent) >= window.count:
                moments.append(recent.sent[-window.count] + self._span)
        latest = max(moments)
        return latest if latest - now > INSTANT else now

    def open_at(self, now: float) -> float:
        """Return the same for whoever was never sent to: by the sink's own limits."""
        latest = max(now, self._held_all)
        if self._count and len(self._overall) >= self._count:
            latest = max(latest, self._overall[-self._count] + self._second)
        return latest if latest - now > INSTANT else now

    def is_held(self, now: float) -> bool:
        """Return whether the sink has asked everybody to wait."""
        return self._held_all - now > INSTANT

    def took(self, to: str, now: float) -> None:
        """Count a message that is sent to *to* now."""
        if self._count:
            self._overall.append(now)
            if len(self._overall) > self._count:
                self._overall.popleft()
        recipient = self._recipient(to)
        if self._gap or self._is_group(recipient):
            recent = self._recent.setdefault(recipient, _Recent())
            self._recent.move_to_end(recipient)
            recent.ready, recent.last = now + self._gap, now
            self._count_in_window(recipient, recent, now)
        self._forget(now)

    def give_back(self, to: str, at: float) -> None:
        """Do not count what was counted *at* that moment: nothing was sent."""
        with suppress(ValueError):
            self._overall.remove(at)
        recent = self._recent.get(self._recipient(to))
        if recent and recent.last == at:
            recent.ready = at
            if recent.sent and recent.sent[-1] == at:
                recent.sent.pop()

    def hold(self, to: str | None, until: float) -> None:
        """Send nothing to *to*, or to nobody if that is None, before *until*."""
        if to is None:
            self._held_all = max(self._held_all, until)
            return
        recipient = self._recipient(to)
        self._held[recipient] = max(self._held.get(recipient, until), until)

    def _recipient(self, to: str) -> str:
        """Return whose pace *to* shares: that of its chat, if it is a thread."""
        mark = self._pace.thread_mark
        return to.partition(mark)[0] if mark else to

    def _is_group(self, recipient: str) -> bool:
        pace = self._pace
        return pace.per_group is not None and recipient.startswith(pace.group_mark)

    def _count_in_window(self, recipient: str, recent: _Recent, now: float) -> None:
        window = self._pace.per_group
        if window is None or not self._is_group(recipient):
            return
        recent.sent.append(now)
        if len(recent.sent) > window.count:
            recent.sent.popleft()

    def _forget(self, now: float) -> None:
        """Drop a few of those who can no longer be too early."""
        for _ in range(min(GLANCE, len(self._recent))):
            recipient, recent = next(iter(self._recent.items()))
            if recent.last + max(self._gap, self._span) > now:
                break  # the others were sent to later
            del self._recent[recipient]
        for _ in range(min(GLANCE, len(self._held))):
            recipient, until = next(iter(self._held.items()))
            if until <= now:
                del self._held[recipient]
            else:
                self._held.move_to_end(recipient)
