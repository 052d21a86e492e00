"""
What the service manager is told, and the locks that keep a second instance out.

Both are a few lines of system calls; sd_notify(3) is a datagram to a socket.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from stat import S_ISDIR

from monitor.errors import Unavailable
from monitor.secret import Secret


def notify(*lines: str) -> None:
    """Tell the service manager *lines* such as ``READY=1``; without one, nobody."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    # a manager that went away is no reason to stop
    with socket.socket(socket.AF_UNIX, kind) as out, suppress(OSError):
        out.sendto("\n".join(lines).encode(), address.replace("@", "\0", 1))


def watchdog_interval() -> float | None:
    """Return after how many seconds the manager wants a sign of life, if it does."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdigit() else None


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """
    Hold the lock at *path* as long as the block runs; it ends with the process.

    Raises:
        Unavailable: Another process holds it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.seek(0)
            holder = held.read(20).strip() or "unknown"
            raise Unavailable(f"{what} is in use by process {holder}") from None
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield


def lock_of(secret: Secret) -> Path:
    """
    Return where this machine keeps the lock of an account.

    Raises:
        Unavailable: as for `lock_named`.
    """
    return lock_named(secret.reveal())


def lock_named(what: str) -> Path:
    """
    Return where this machine keeps the lock of something that has no folder of its own.

    Raises:
        Unavailable: The folder of such locks is somebody else's: they could take
            the lock away from under us.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("RUNTIME_DIRECTORY")
    folder = Path(runtime or tempfile.gettempdir()) / f"monitor-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    about = folder.lstat()
    if about.st_uid != os.getuid() or not S_ISDIR(about.st_mode):
        raise Unavailable(f"{folder} is not a folder of ours: remove it")
    name = what.encode("utf-8", "surrogateescape")
    digest = blake2b(name, digest_size=12, person=b"monitor-lock")
    return folder / digest.hexdigest()
