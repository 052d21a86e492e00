"""
The one door to Redis: connections, scripts, and what its errors mean for us.

redis-py retries by itself unless told not to, and then adds an entry twice or leaves
entries in limbo, without an error.  Here nothing is sent twice: a caller who is told
`Away` does not know whether the command was applied, and repeats what may be
repeated.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

from redis import exceptions
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from monitor.errors import Away, Unavailable
from monitor.stream.line import Argument, Line, Wire

__all__ = ["Argument", "Door", "Line", "NoGroup", "Script", "Wire", "judged"]

PATIENCE = 10.0  # seconds for an answer; a slow disk holds one back for a few

# What passes by itself, or once an operator has made room: intake waits meanwhile.
PASSING: Final = frozenset({
    "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS",
    "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED",
})  # fmt: skip
# What a server says of a script whose caller may not do what it does; 7.0, and later.
DENIED = ("The user executing the script can't", "ACL failure in script")


class NoGroup(Away):
    """The stream or its group is gone: make it again, and read from its beginning."""


class Script:
    """A Lua script under ``scripts/``, known to the server by its hash."""

    def __init__(self, name: str) -> None:
        self.name = name
        folder = Path(__file__).parent / "scripts"
        text = (folder / f"{name}.lua").read_text("utf-8")
        record = (folder / "record.lua").read_text("utf-8")
        self.text = text.replace("-- use record.lua\n", record)
        # The server names scripts so; nothing is kept secret by it.
        self.hash = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Door:
    """
    Commands and scripts, each sent once, and what comes of it.

    Attributes:
        prefix: What the names of all keys begin with.
    """

    def __init__(self, to: str | Wire, prefix: str) -> None:
        """
        Prepare for the server at an address, or behind a wire; nothing is dialled yet.

        Raises:
            Misconfigured: It is no address of a Redis server.
        """
        self.prefix = prefix
        self._wire: Wire = Line(to) if isinstance(to, str) else to

    def key(self, name: str) -> str:
        """Return the full name of a key."""
        return self.prefix + name

    async def call(self, *command: Argument, patience: float = PATIENCE) -> Any:
        """
        Send one command, and return the plain answer.

        Raises:
            Away: It may have been applied or not; see `judged`.
            Unavailable: This server cannot be used as it is.
        """
        try:
            return await self._exchange(command, patience)
        except RedisError as error:
            raise judged(error, str(command[0])) from None

    async def run(
        self,
        script: Script,
        keys: Sequence[str],
        arguments: Sequence[Argument] = (),
        *,
        patience: float = PATIENCE,
    ) -> Any:
        """
        Run *script* with the full names of *keys*.

        Raises:
            Away, Unavailable: as for `call`.
        """
        full = [self.prefix + key for key in keys]
        command = ("EVALSHA", script.hash, len(full), *full, *arguments)
        try:
            try:
                return await self._exchange(command, patience)
            except NoScriptError:  # a restarted server has forgotten it; nothing ran
                await self._exchange(("SCRIPT", "LOAD", script.text), PATIENCE)
                return await self._exchange(command, patience)
        except RedisError as error:
            raise judged(error, f"the script {script.name!r}") from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    async def _exchange(self, command: Sequence[Argument], patience: float) -> Any:
        try:
            async with asyncio.timeout(patience):
                return await self._wire.exchange(command)
        except TimeoutError:
            raise exceptions.ConnectionError(
                f"no answer within {patience:g} s"
            ) from None


def judged(error: RedisError, what: str = "it") -> Away | Unavailable:
    """Return what an error of redis-py or of the server, to *what*, means for us."""
    why = f"redis: {error}"
    # While it connects, redis-py makes a broken line of every refusal.
    error = error.__cause__ if isinstance(error.__cause__, RedisError) else error
    code = str(getattr(error, "status_code", "") or "") or str(error).split(" ", 1)[0]
    if isinstance(error, AuthenticationError | AuthorizationError):
        return Unavailable(f"{why}: give the right user and password in `redis:`")
    denied = any(words in str(error) for words in DENIED)
    if denied or isinstance(error, NoPermissionError) or code == "NOPERM":
        return Unavailable(f"{why}: allow {what} to this user in the server's ACL")
    if code == "NOGROUP":
        return NoGroup(why)
    if code == "WRONGTYPE":
        return Unavailable(
            f"{why}: the keys are somebody else's; choose another database in `redis:`"
        )
    if code in PASSING or not isinstance(error, ResponseError):
        return Away(why)
    return Unavailable(why)
