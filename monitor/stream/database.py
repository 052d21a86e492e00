"""The database as a whole: whether it takes more, and how old what it holds is."""

from monitor.stream import notes
from monitor.stream.doctor import shortage
from monitor.stream.door import Door


class Database:
    """
    What is asked of the server besides its streams.

    Every method raises `Away` and `Unavailable` as those of `Stream` do.
    """

    def __init__(self, door: Door) -> None:
        """Use `Stream.database`."""
        self._door = door

    async def shortage(self, *, stopped: bool) -> str:
        """
        Return why nothing more may be taken in, or nothing.

        Args:
            stopped: Nothing is taken in now; to go on, some more room is needed.
        """
        return await shortage(self._door, stopped=stopped)

    async def pulse(self) -> int:
        """
        Count one more, and return how far it was counted in this database.

        Who finds less than was counted before looks at an older state of it.
        """
        return await notes.pulse(self._door)
