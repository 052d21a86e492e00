"""
What a server answers, in a form in which another one can be compared with it.

Only what a client can rely on is left: a set has no order, how long something lasts is
not exact, and versions may word a refusal differently.

Ids would differ, as they come from two clocks.  So each stream is first told of an
entry in a far future: all later ones are counted from there.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import hiredis
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import RedisError, ResponseError

from monitor.stream.door import Argument, Wire
from tests.simulation.store import Store

FUTURE: Final = "90000000000000"  # ms: the year 4822
# Versions differ in these words, and name a script that failed or do not; and the
# model does not know the line of what a script ends with.
WORDING: Final = re.compile(
    r" Redis| redis lib|Lua redis lib | Please use EVAL\.| script: (\w{40}, )?on .*$"
    r"|(?<=Unbalanced ).*$|(?<=user_script:)\d+"
)
TOLD: Final = frozenset({"role", "maxmemory_policy", "maxmemory"})
SLACK = 20_000  # milliseconds
UNKNOWN: Final = "not known to the model"

Line = Sequence[Argument]


class Hearer(Protocol):
    """Somebody who is told many commands at once."""

    async def hear(self, lines: Sequence[Line]) -> list[Any]:
        """Return what is answered to each of *lines*, in a form to be compared."""


class RealServer:
    """A server that is sent many commands in one go."""

    def __init__(self, path: str) -> None:
        self._connection = UnixDomainSocketConnection(
            path=path, protocol=2, retry=Retry(NoBackoff(), 0), driver_info=None
        )

    async def hear(self, lines: Sequence[Line]) -> list[Any]:
        """Return what is answered to each of *lines*; see `Hearer`."""
        # The types of both libraries are narrower than what they take.
        pack: Any = hiredis.pack_command
        packed = b"".join(pack(tuple(line)) for line in lines)
        await self._connection.connect()  # type: ignore[no-untyped-call]
        await self._connection.send_packed_command(packed)
        return [plain(line, await self._answer()) for line in lines]

    async def _answer(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error

    async def aclose(self) -> None:
        """Close the connection."""
        await self._connection.disconnect()


class Model:
    """
    The store that is to be like the real one.

    What it does not know of what it is told, it answers by `UNKNOWN`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    async def hear(self, lines: Sequence[Line]) -> list[Any]:
        """Return what is answered to each of *lines*; see `Hearer`."""
        return [plain(line, self._answer(line)) for line in lines]

    def _answer(self, line: Line) -> Any:
        try:
            return self.store.execute(line)
        except RedisError as error:
            return error
        except NotImplementedError:
            return UNKNOWN


class Listener:
    """
    A `Wire` that writes down what is said on it.

    Attributes:
        heard: What was said and how it ended, since this was last looked at.
        lose: Says of the next command whether its "request" or its "reply" is lost.
    """

    def __init__(self, wire: Wire) -> None:
        self.heard: list[tuple[Any, Any]] = []
        self.lose: Callable[[], str] = str
        self._wire = wire

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """Say something, and note how it ended; see `Wire`."""
        lost = self.lose()
        if lost == "request":
            self.heard.append((command, lost))
            raise Broken("lost on the way there")
        try:
            answer = await self._wire.exchange(command)
        except RedisError as error:
            self.heard.append((command, refusal(error)))
            raise
        self.heard.append((command, plain(command, answer)))
        if lost == "reply":
            raise Broken("lost on the way back")
        return answer

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()


def plain(command: Line, answer: Any) -> Any:
    """Return an answer to *command* in a form that can be compared."""
    if isinstance(answer, RedisError):
        return refusal(answer)
    if command[0] == "EVAL" and answer is not UNKNOWN and len(command) > 3:
        if command[2] != "0" or command[3] == "COUNT":
            return answer
        return plain(command[3:], answer)  # what the script said
    said = [_packed(part).upper() for part in command[:2]]
    shape = SHAPES.get(b" ".join(said)) or SHAPES.get(said[0])
    if shape is not None and answer is not UNKNOWN:
        return shape(answer)
    if isinstance(answer, list):
        return [_inner(part) for part in answer]
    return answer


def _inner(answer: Any) -> Any:
    return refusal(answer) if isinstance(answer, RedisError) else answer


def refusal(error: RedisError) -> tuple[str, str, str]:
    """Return an error in a form that can be compared."""
    text = WORDING.sub("", str(error)).replace("'", "").lower()
    code = getattr(error, "status_code", None) or str(error).split(" ", 1)[0]
    return type(error).__name__, text, code


def _packed(part: Argument) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


def _sorted(answer: Any) -> Any:
    return sorted(answer) if isinstance(answer, list) else answer


def _pairs(answer: Any) -> Any:
    return sorted(zip(answer[::2], answer[1::2], strict=True)) if answer else answer


def _scanned(answer: Any) -> Any:
    return [answer[0], _pairs(answer[1])]


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """A duration in milliseconds, as exact as two busy servers can have it."""

    exact: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, About) and abs(self.exact - other.exact) < SLACK

    __hash__ = None  # type: ignore[assignment] # two that are equal may differ


def _left(answer: Any) -> Any:
    return answer if answer is None or answer < 0 else About(answer)


def _seconds(answer: int) -> Any:
    return answer if answer < 0 else About(answer * 1000)


def _pending(answer: Any) -> Any:
    if not answer or not isinstance(answer[0], list):
        return answer
    return [[id_, who, About(idle), count] for id_, who, idle, count in answer]


def _without(names: Iterable[bytes]) -> Callable[[Any], Any]:
    gone = frozenset(names)

    def shape(answer: Any) -> Any:
        pairs = zip(answer[::2], answer[1::2], strict=True)
        return [part for pair in pairs if pair[0] not in gone for part in pair]

    return shape


def _consumers(answer: Any) -> Any:
    return [_without([b"idle", b"inactive"])(one) for one in answer]


def _settings(answer: Any) -> Any:
    return sorted(answer[::2])  # what they are set to differs


def _facts(answer: bytes) -> Any:
    lines = (line.split(":", 1) for line in answer.decode().splitlines() if ":" in line)
    return sorted((name, said) for name, said in lines if name in TOLD)


SHAPES: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"CONFIG GET": _settings,
    b"DUMP": lambda answer: answer is not None,
    b"HGETALL": _pairs,
    b"HKEYS": _sorted,
    b"HSCAN": _scanned,
    b"HVALS": _sorted,
    b"INFO": _facts,
    b"KEYS": _sorted,
    b"PTTL": _left,
    b"SMEMBERS": _sorted,
    b"TTL": _seconds,
    b"XINFO CONSUMERS": _consumers,
    b"XINFO STREAM": _without([b"radix-tree-nodes"]),
    b"XPENDING": _pending,
}
