"""The program's processes, as a service manager has them: started, killed, started."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LOG_KEPT = 4 << 20  # bytes of what a process says


class Slot:
    """
    A process of some roles, and whatever comes in its place when it ends.

    Attributes:
        roles: What it does.
        starts: How long each of them took until it was ready, in seconds.
    """

    def __init__(self, roles: Sequence[str], file: Path, folder: Path) -> None:
        """Run *roles* as *file* says; keep their words in *folder*."""
        self.roles = tuple(roles)
        self.starts: list[float] = []
        self._file = file
        self._log = folder / f"{'-'.join(roles)}.log"
        self._path = folder / f"{'-'.join(roles)}.notify"
        self._path.unlink(missing_ok=True)
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(self._path))
        self._manager.setblocking(False)  # noqa: FBT003 - the socket's own word
        self._began = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self.ready = False

    async def start(self) -> None:
        """Start a process, in place of one that has ended."""
        self.listen()  # to the last words of the one before
        self.ready = False
        if self._log.exists() and self._log.stat().st_size > LOG_KEPT:
            self._log.replace(self._log.with_suffix(".log.1"))
        self._began = time.monotonic()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "monitor", "run", *self.roles,
                "-c", str(self._file), "--log-level", "warning",
                env=os.environ | {"NOTIFY_SOCKET": str(self._path)},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def listen(self) -> None:
        """Take note of what the process has told its manager."""
        while True:
            try:
                said = self._manager.recv(4096)
            except BlockingIOError:
                return
            if b"READY=1" in said and not self.ready:
                self.ready = True
                self.starts.append(time.monotonic() - self._began)

    @property
    def ended(self) -> int | None:
        """The exit status, if the process has ended."""
        return self._process.returncode if self._process else None

    def freeze(self) -> None:
        """Let it do nothing more, so that what it has begun can be looked at."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it do something again."""
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        if self._process:
            await self._process.wait()

    async def stop(self, patience: float) -> tuple[float, int | None]:
        """Ask it to end; return how long that took, and its exit status."""
        began = time.monotonic()
        self._signal(signal.SIGTERM)
        if self._process:
            try:
                await asyncio.wait_for(self._process.wait(), patience)
            except TimeoutError:
                await self.kill()
        return time.monotonic() - began, self.ended

    async def close(self) -> None:
        """End it, and listen no more."""
        if self.ended is None:
            await self.kill()
        self._manager.close()
        self._path.unlink(missing_ok=True)

    def last_words(self) -> str:
        """Return the end of what it has said."""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return " / ".join(lines[-3:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)
