"""
An event loop whose time passes only while everybody waits, and a clock on it.

A simulated day takes as long as its work does.  What runs on this loop runs in one
thread and in one order, so the same seed gives the same run.
"""

import asyncio
import gc
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START: Final = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)
RESOLUTION = 1e-9  # seconds: what is due so soon is due now
CLOSED = "the simulation is over"
PATIENCE = 100_000  # turns of the loop within one moment; some 0.2 s of real time


class Stuck(RuntimeError):
    """Everybody waits for something that nobody will do."""


class Unhandled(RuntimeError):
    """An exception that nobody would have heard of; its cause is that exception."""


class VirtualLoop(asyncio.BaseEventLoop):
    """
    Runs what is ready, and then leaps to the moment at which something is due.

    What is handed to a thread is done at once, in the only thread there is.  There is
    no network, and no signal arrives.
    """

    _ready: deque[asyncio.Handle]  # of `BaseEventLoop`
    _stopping: bool

    def __init__(self) -> None:
        """Begin at second 0."""
        super().__init__()
        self._now = 0.0
        self._turns = 0
        self._failure: Unhandled | None = None
        # Tuples compare faster than handles, and what is due at once comes in order.
        self._due: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Return the seconds since this loop began."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call *callback* in the next turn."""
        if self.is_closed():
            raise RuntimeError(CLOSED)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call *callback* after *delay* seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call *callback* at a moment of this loop."""
        if self.is_closed():
            raise RuntimeError(CLOSED)
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._due, (when, next(self._numbers), handle))
        return handle

    def _run_once(self) -> None:
        """
        Run what is ready; if nothing is, let time pass to when something is due.

        It is what `BaseEventLoop` does, without a selector, and for a third of the
        cost: a simulated hour makes half a million turns.

        Raises:
            Stuck: Nothing is ready and nothing is scheduled; or too much is, and no
                time passes.
            Unhandled: Something failed since the last turn, and nobody looked.
        """
        self.check()
        ready = self._ready
        if ready or self._stopping:
            self._turns += 1
            if self._turns > PATIENCE:
                raise Stuck(f"time stands still at {self._now:.6f} s; {_waiting(self)}")
        else:
            self._leap()
        now, due = self._now + RESOLUTION, self._due
        while due and due[0][0] < now:
            ready.append(heappop(due)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - as `BaseEventLoop` does

    def _leap(self) -> None:
        """Let time pass to when something is due."""
        due = self._due
        while due and due[0][2].cancelled():
            heappop(due)
        if not due:
            raise Stuck(f"nothing is scheduled at {self._now:.6f} s; {_waiting(self)}")
        if due[0][0] > self._now:
            self._now, self._turns = due[0][0], 0

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: it is left out when its time has come."""

    def close(self) -> None:
        """End it."""
        self._due.clear()
        super().close()

    def check(self) -> None:
        """
        Say so if something failed and nobody looked.

        Raises:
            Unhandled: That is so.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Let the run fail: the first failure is told at the next turn."""
        if self._failure is None:
            about = context.get("task") or context.get("future") or ""
            self._failure = Unhandled(f"{context['message']} {about}".strip())
            self._failure.__cause__ = context.get("exception")

    def run_in_executor(
        self, executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call *func* now; its result is there in the next turn, as from a thread."""
        answer: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
            self.call_soon(_fail, answer, error)
        else:
            self.call_soon(_give, answer, result)
        return answer

    async def getaddrinfo(self, *args: object, **options: object) -> NoReturn:
        """Refuse: it would ask the real network."""
        raise RuntimeError(f"there is no network in a simulation: {args} {options}")

    def _write_to_self(self) -> None:
        """Do nothing: nobody sleeps who would have to be woken."""


class VirtualClock:
    """
    A `monitor.clock.Clock` that goes with a loop, until somebody sets it.

    Every machine of a simulation may have its own, and `jump` it.
    """

    def __init__(self, loop: VirtualLoop, start: datetime = START) -> None:
        """Show *start* at the loop's second 0; `monotonic` starts at 1000 seconds."""
        self._loop = loop
        self._start = start
        self._jumped = timedelta()

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return self._start + timedelta(seconds=self._loop.time()) + self._jumped

    def timestamp(self) -> float:
        """Return the wall time in seconds since 1970, as a server counts them."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """Return 1000 seconds and what has passed since; never set back."""
        return 1000.0 + self._loop.time()

    async def sleep(self, duration: timedelta) -> None:
        """Wait for *duration* of the loop's time."""
        await asyncio.sleep(duration.total_seconds())

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as an operator or a time server does."""
        self._jumped += by


def run(main: Coroutine[Any, Any, T], loop: VirtualLoop | None = None) -> T:
    """
    Run *main* on a new loop, or on the *loop* it was made for, and close that.

    What is still at work when *main* ends is cancelled.

    Raises:
        Stuck: It can never end.
        Unhandled: Something failed in the background.
    """
    own = loop or VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: own) as runner:
        result = runner.run(main)
    gc.collect()  # tasks whose failure nobody looked at say so when they go
    own.check()
    return result


def _give(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _waiting(loop: VirtualLoop) -> str:
    """Return who waits, and where."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return "; ".join(
        f"{task.get_name()} waits in {' > '.join(_places(task.get_coro()))}"
        for task in tasks
    )


def _places(waiting: Any) -> Iterator[str]:
    """Yield where a coroutine stands, and where in turn what it awaits does."""
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            yield f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        waiting = getattr(waiting, "cr_await", None)
