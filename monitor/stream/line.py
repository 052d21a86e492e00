"""
What carries commands to a server and its answers back, each once.

Commands go over one connection as they come, however many wait for their answers: a
thousand deliveries that are settled at a time are a few writes, and one wait for the
disk.  Who waits for something new has a connection of their own meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

import hiredis
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LineError
from redis.exceptions import RedisError, ResponseError

from monitor.errors import Misconfigured
from monitor.secret import Secret

Argument = bytes | str | int | float

CONNECTING = 5.0  # seconds
SILENCE = 5.0  # seconds; half of what a caller is ready to wait
WAITING: Final = frozenset({"XREADGROUP", "XREAD"})  # that may block


class Wire(Protocol):
    """What carries a command to a server, once, and its answer back."""

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """
        Send one command, and return the plain answer.

        Raises:
            RedisError: Of redis-py: the server refused it, or the line broke, and then
                the command may have been applied or not.
        """

    async def aclose(self) -> None:
        """Close every connection."""


class Line:
    """One connection for all, and one for each that waits for something new."""

    def __init__(self, url: str, *, silence: float = SILENCE) -> None:
        """
        Prepare for the server at *url*; nothing is dialled yet.

        Args:
            silence: Seconds: if somebody gives up who waited longer for an answer, the
                line is thought to be dead, and given up for all.

        Raises:
            Misconfigured: It is no address of a Redis server.
        """
        self._silence = silence
        self._options = _options(url)
        self._kind: type[AbstractConnection] = self._options.pop("connection_class")
        self._shared: _Shared | None = None
        self._dialling = asyncio.Lock()
        self._idle: list[AbstractConnection] = []

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """Send one command, and return the plain answer; see `Wire`."""
        # redis-py packs in Python here; hiredis does so nine times cheaper.  Its types
        # say a tuple of one.
        packed = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
        if command[0] in WAITING and "BLOCK" in command:
            return await self._alone(packed)
        shared = self._shared
        if shared is None or shared.broken:
            shared = await self._dial()
        return await shared.exchange(packed)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._shared is not None:
            await self._shared.aclose()
        for connection in self._idle:
            await connection.disconnect()

    async def _dial(self) -> "_Shared":
        async with self._dialling:  # of those that come meanwhile, one dials
            if self._shared is None or self._shared.broken:
                connection = self._kind(**self._options)
                # In redis-py this is behind a decorator without types.
                await connection.connect()  # type: ignore[no-untyped-call]
                self._shared = _Shared(connection, self._silence)
            return self._shared

    async def _alone(self, packed: bytes) -> Any:
        connection = self._idle.pop() if self._idle else self._kind(**self._options)
        try:
            # One that was broken off in between was closed by redis-py.  One that the
            # server closed has come to its end, and can be read.
            if connection.is_connected and await connection.can_read():
                await connection.disconnect()
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_packed_command(packed, check_health=False)
            return await connection.read_response()
        finally:
            self._idle.append(connection)


class _Shared:
    """
    A connection on which answers come in the order of the commands.

    Attributes:
        broken: It has come to its end, and nobody who waited will be answered.
    """

    def __init__(self, connection: AbstractConnection, silence: float) -> None:
        self.broken = False
        self._connection = connection
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._unanswered: deque[asyncio.Future[Any]] = deque()
        self._reading = asyncio.create_task(self._read())

    async def exchange(self, packed: bytes) -> Any:
        answer, sent = self._loop.create_future(), self._loop.time()
        # Nobody comes between this and the sending, so answers come in this order.
        self._unanswered.append(answer)
        try:
            await self._connection.send_packed_command(packed, check_health=False)
            return await answer
        except asyncio.CancelledError:
            answer.cancel()  # nobody waits for it any more
            if self._loop.time() - sent > self._silence:
                self._break(LineError("no answers come any more"))
            raise
        except RedisError as error:
            if not answer.done():  # it could not be sent
                answer.cancel()
                self._break(error)
            raise

    async def aclose(self) -> None:
        self._reading.cancel()
        self._break(LineError("the line was closed"))
        await self._connection.disconnect()

    async def _read(self) -> None:
        """Hand out the answers as they come, until there are none any more."""
        end: BaseException = LineError("the line was closed")
        try:
            while True:
                try:
                    answer = await self._connection.read_response()
                except ResponseError as refusal:
                    self._hand(refusal)
                else:
                    self._hand(answer)
        except (RedisError, OSError) as error:
            end = error
        finally:
            self._break(end)
            await self._connection.disconnect(nowait=True)

    def _hand(self, answer: Any) -> None:
        """Give the next answer to whom it is for; who gave up wants none any more."""
        waiting = self._unanswered.popleft()
        if waiting.done():
            return
        if isinstance(answer, ResponseError):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _break(self, error: BaseException) -> None:
        self.broken = True
        while self._unanswered:
            waiting = self._unanswered.popleft()
            if not waiting.done():
                waiting.set_exception(error)


def _options(url: str) -> dict[str, Any]:
    """Return how to connect to *url*, whatever else the address asks for."""
    try:
        given = dict(parse_url(url))
    except ValueError:  # its text may hold the password
        raise Misconfigured(
            "redis: the address must look like redis://host:6379/0, rediss://… or "
            "unix:///path/to/socket"
        ) from None
    if password := given.get("password"):
        Secret(str(password))  # from now on `redact` knows it
    known = ("connection_class", "host", "port", "path", "db", "username", "password")
    return {"connection_class": Connection} | {
        name: given[name] for name in (*known, "ssl_ca_certs") if name in given
    } | {
        "protocol": 2,  # the other one has other shapes of answers
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,  # `Door` has one deadline for all of it
        "socket_connect_timeout": CONNECTING,
        "driver_info": None,  # CLIENT SETINFO is unknown to 7.0
    }  # fmt: skip
