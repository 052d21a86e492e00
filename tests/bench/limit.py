"""
What a server and the line to it can do at all: plain commands over a bare socket.

Nothing of ours is between: no event loop, no values, no look at duplicates.  A batch is
one write, packed beforehand, and the next one waits for all of its answers.
"""

import socket
from collections.abc import Sequence
from typing import Any, Self

import hiredis

from monitor.item import WIRE

MOST = 1 << 16  # bytes of one read
GROUP = "g"


class Line:
    """A bare socket to the server behind a ``unix://`` address."""

    def __init__(self, url: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(url.removeprefix("unix://"))
        self._reader = hiredis.Reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, *command: str | bytes | int) -> Any:
        """Send one command, and return its answer."""
        return self.send(packed(*command), 1)[0]

    def send(self, commands: bytes, count: int) -> list[Any]:
        """Send so many packed commands in one write, and return their answers."""
        self._socket.sendall(commands)
        answers: list[Any] = []
        while len(answers) < count:
            self._reader.feed(self._socket.recv(MOST))
            while (answer := self._reader.gets()) is not False:
                if isinstance(answer, Exception):
                    raise answer
                answers.append(answer)
        return answers

    def group(self, key: str) -> None:
        """Let a group read a stream from its beginning."""
        self.ask("XGROUP", "CREATE", key, GROUP, "0", "MKSTREAM")

    def take(self, key: str, count: int) -> list[bytes]:
        """Return the ids of up to so many entries, now given to the group."""
        answer = self.ask(
            "XREADGROUP", "GROUP", GROUP, "c", "COUNT", count, "STREAMS", key, ">"
        )
        return [id_ for id_, _ in answer[0][1]] if answer else []

    def acknowledge(self, key: str, ids: Sequence[bytes]) -> None:
        """Acknowledge entries."""
        self.ask("XACK", key, GROUP, *ids)

    def settle(self, key: str, ids: Sequence[bytes], outcomes: bytes) -> None:
        """Acknowledge and delete entries, and send as many packed XADDs before it."""
        ends = packed("XACK", key, GROUP, *ids) + packed("XDEL", key, *ids)
        self.send(outcomes + ends, len(ids) + 2)

    def cpu(self) -> float:
        """Return how many seconds of a processor the server has had."""
        info: bytes = self.ask("INFO", "cpu")
        used = dict(line.split(b":") for line in info.splitlines() if b":" in line)
        return float(used[b"used_cpu_user"]) + float(used[b"used_cpu_sys"])


def packed(*command: str | bytes | int) -> bytes:
    """Return a command as it goes over the line."""
    # hiredis' types say a tuple of one, and nothing of what comes back.
    whole: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return whole


def adds(key: str, values: Sequence[bytes]) -> bytes:
    """Return one packed XADD for each of *values*."""
    return b"".join(packed("XADD", key, "*", WIRE, value) for value in values)
