"""
A process of the simulated world, and its death at any await.

Whatever runs in it is known by a context variable that its tasks inherit.  When it is
killed, all of them end at that moment; their ``finally`` blocks run, as Python has no
other way, but nothing they call reaches the world any more.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

MANY = 64  # tasks that are remembered before those that are done are forgotten
PATIENCE = 1000  # turns of the loop within which everything of a dead process has ended


class Life:
    """
    One run of a process, from its start to its end.

    Attributes:
        process: The name of the process, the same in its next life.
        owner: By which name it holds leases and reads.
        alive: It has not ended yet.
        cut_until: Till then it does not reach Redis, nor is reached.
        troubled: When it last did not get an answer from Redis.
    """

    def __init__(self, process: str, owner: str, number: int) -> None:
        self.process, self.owner, self.number = process, owner, number
        self.alive = True
        self.cut_until = 0.0
        self.troubled = -1.0
        self._tasks: list[asyncio.Task[Any]] = []
        self._many = MANY

    def __str__(self) -> str:
        return f"{self.process}{self.number}"

    def start(
        self, main: Coroutine[Any, Any, T], context: Context
    ) -> "asyncio.Task[T]":
        """Run *main* and all that it begins as a part of this life."""
        own = context.copy()
        own.run(_life.set, self)
        return asyncio.get_running_loop().create_task(main, context=own)

    def check(self) -> None:
        """
        Let nothing that is dead go on.

        Raises:
            CancelledError: It is dead.
        """
        if not self.alive:
            raise asyncio.CancelledError

    def end(self) -> None:
        """Be dead from now on: everything that runs ends, and reaches nothing."""
        self.alive = False
        self._end(PATIENCE)

    def own(self, task: "asyncio.Task[Any]") -> None:
        """Let *task* end with us."""
        self._tasks.append(task)
        if len(self._tasks) > self._many:  # a callback of each would cost more
            self._tasks = [one for one in self._tasks if not one.done()]
            self._many = 2 * len(self._tasks) + MANY

    def _end(self, patience: int) -> None:
        if patience == 0:
            raise RuntimeError(f"{self} cannot be killed: {self._tasks}")
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if not task.done():
                task.cancel()
                self._tasks.append(task)
            elif not task.cancelled():
                task.exception()  # nobody will ask a dead process for it
        if self._tasks:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._end, patience - 1, context=Context())


_life: ContextVar[Life] = ContextVar("life")


def here() -> Life:
    """Return the life that this code is a part of."""
    return _life.get()


def known() -> Life | None:
    """Return the life that this code is a part of, if it is one's at all."""
    return _life.get(None)


def own_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task that begins on *loop* belong to the life that began it."""
    loop.set_task_factory(_made)


def _made(
    loop: asyncio.AbstractEventLoop,
    main: Any,
    context: Context | None = None,
) -> "asyncio.Task[Any]":
    life = known() if context is None else context.get(_life)
    if life is None:
        return asyncio.Task(main, loop=loop, context=context)
    if not life.alive:
        return _stillborn(main, loop)
    task = asyncio.Task(main, loop=loop, context=context)
    life.own(task)
    return task


def _stillborn(main: Any, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[Any]":
    """
    Return a task that never does anything, nor ends: the dead begin nothing.

    If it ended at once, whoever begins the next when it ends would do so for ever.
    """
    main.close()
    task = asyncio.Task(_nothing(loop.create_future()), loop=loop)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
    return task


async def _nothing(never: "asyncio.Future[None]") -> None:
    await never
