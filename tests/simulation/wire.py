"""The wire between `Door` and the simulated store."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.simulation.store import Argument, Store
from tests.simulation.stream_commands import Waiting


class StoreWire:
    """
    A `monitor.stream.door.Wire` that neither loses nor delays anything.

    A simulation wraps it, or extends `exchange`, to do so.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """Run one command, and return the plain answer; see `Wire`."""
        answer = self.store.execute(command)
        if isinstance(answer, Waiting):
            return await self._waited(answer)
        return answer

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""

    async def _waited(self, waiting: Waiting) -> Any:
        """Return what a blocking read gets, or None after the loop's time for it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        ticket = self.store.wait(waiting, partial(_settle, answer))
        try:
            async with asyncio.timeout(waiting.block / 1000 or None):
                return await answer
        except TimeoutError:
            return None
        finally:
            self.store.leave(ticket)


def _settle(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
