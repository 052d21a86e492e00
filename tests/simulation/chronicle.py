"""What happened in a run: a hash of all of it, counts, and lines if they are wanted."""

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b


class Chronicle:
    """
    Everything that reached the world, in order.

    Attributes:
        counts: How often each kind of fault and each telling moment came.
        lines: What happened, one line each; empty unless they were asked for.
    """

    def __init__(self, time: Callable[[], float], *, keep: bool = False) -> None:
        """Begin with nothing; *time* tells the seconds since the run began."""
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []
        self._time, self._keep = time, keep
        self._hash = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """What two runs share only if all happened alike, and at the same moments."""
        return self._hash.hexdigest()

    def note(self, *what: object) -> None:
        """Let *what* have happened now."""
        line = f"{self._time():.6f} {' '.join(map(str, what))}"
        self._hash.update(line.encode("utf-8", "backslashreplace"))
        if self._keep:
            self.lines.append(line)

    def count(self, what: str, times: int = 1) -> None:
        """Count something that a run is to show; see `SOMETIMES`."""
        self.counts[what] += times
