"""The daemon's locks, as others see them: which roles run, and in which process."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

ROLES = ("collect", "filter", "alert", "deliver", "archive")


def lock_in(state: Path, role: str) -> Path:
    """Return where the daemon locks a role of this state."""
    return state / "lock" / role


def holder_of(path: Path) -> str:
    """Return which process holds the lock at *path*; nothing if none does."""
    with suppress(OSError), path.open() as held:
        process = held.read(20).strip()
        # Asking takes the lock for a moment.  Where the process that is named has
        # ended, one that just starts would be turned away by that moment.
        if not _lives(process):
            return ""
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return process
    return ""


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except PermissionError:  # somebody else's
        return True
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    return True
