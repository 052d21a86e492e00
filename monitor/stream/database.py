"""The database as a whole: whether it takes more, and how old what it holds is."""

from collections.abc import Callable

from monitor.stream import notes, upkeep
from monitor.stream.doctor import shortage
from monitor.stream.door import Door
from monitor.stream.notes import Pulse


class Database:
    """
    What is asked of the server besides its streams.

    Every method raises `Away` and `Unavailable` as those of `Stream` do.
    """

    def __init__(self, door: Door, fresh: Callable[[], str]) -> None:
        """Use `Stream.database`."""
        self._door, self._fresh = door, fresh

    async def shortage(self, *, stopped: bool) -> str:
        """
        Return why nothing more may be taken in, or nothing.

        Args:
            stopped: Nothing is taken in now; to go on, some more room is needed.
        """
        return await shortage(self._door, stopped=stopped)

    async def pulse(self, *, count: bool) -> Pulse:
        """Return how the database stands, and *count* that we work on it."""
        return await notes.pulse(self._door, self._fresh(), count=count)

    async def missing(self) -> dict[str, int]:
        """
        Return by queue how many entries are gone that we did not remove.

        It is counted when the queues are trimmed, and only ever grows.
        """
        return await upkeep.missing(self._door)
