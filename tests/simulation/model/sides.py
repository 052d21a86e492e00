"""
What a server answers, in a form in which another one can be compared with it.

Only what a client can rely on is left: an id that came from a clock is known by the
order in which ids were met, a set has no order, and how long ago something was is told
in tens of seconds.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from redis.exceptions import ConnectionError as Broken
from redis.exceptions import RedisError

from monitor.stream.door import Argument, Wire

CLOCKED: Final = re.compile(rb"\b\d{13}-\d{1,20}\b")
# Versions differ in these words, and name a script that failed or do not.
WORDING: Final = re.compile(
    r" Redis| redis lib|Lua redis lib | Please use EVAL\.| script: (\w{40}, )?on .*$"
)
SCRIPTS: Final = frozenset({b"EVAL", b"EVALSHA"})
TOLD: Final = frozenset({"role", "maxmemory_policy", "aof_enabled", "maxmemory"})
PERIOD = 10_000  # milliseconds


class Side:
    """
    One of two servers.

    Attributes:
        made: The ids that entries were given by its clock, in order.
        heard: What was said to it and how it answered, since this was last looked at.
        lose: Says of the next command whether its "request" or its "reply" is lost.
    """

    def __init__(self, wire: Wire) -> None:
        self.made: list[bytes] = []
        self.heard: list[tuple[Any, Any]] = []
        self.lose: Callable[[], str] = str
        self._wire = wire
        self._names: dict[bytes, bytes] = {}

    def forget(self) -> None:
        """Begin anew, as on an empty server."""
        self.made.clear()
        self.heard.clear()
        self._names.clear()

    async def exchange(self, command: Sequence[Argument]) -> Any:
        """Say something and note how it ended; see `Wire`."""
        lost = self.lose()
        said = self._known([_packed(part) for part in command])
        if lost == "request":
            self.heard.append((said, lost))
            raise Broken("lost on the way there")
        try:
            answer = await self._wire.exchange(command)
        except RedisError as error:
            self.heard.append((said, refusal(error)))
            raise
        self.heard.append((said, self.plain(command, answer)))
        if lost == "reply":
            raise Broken("lost on the way back")
        return answer

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    async def ask(self, command: Sequence[Argument]) -> Any:
        """Return what is answered, or refused, in a form that can be compared."""
        try:
            answer = await self._wire.exchange(command)
        except RedisError as error:
            return refusal(error)
        if _packed(command[0]) == b"XADD" and CLOCKED.fullmatch(answer or b""):
            self.made.append(answer)
        return self.plain(command, answer)

    def plain(self, command: Sequence[Argument], answer: Any) -> Any:
        """Return an answer to *command* in a form that can be compared."""
        said = [_packed(part) for part in command[:2]]
        shape = SHAPES.get(b" ".join(said)) or SHAPES.get(said[0])
        return self._known(shape(answer) if shape else answer)

    def _known(self, answer: Any) -> Any:
        if isinstance(answer, bytes):
            return CLOCKED.sub(self._name, answer) if b"-" in answer else answer
        if isinstance(answer, list | tuple):
            return [self._known(part) for part in answer]
        if isinstance(answer, RedisError):
            return refusal(answer)
        return answer

    def _name(self, found: re.Match[bytes]) -> bytes:
        return self._names.setdefault(found[0], b"id%d" % (len(self._names) + 1))


def refusal(error: RedisError) -> tuple[str, str, str]:
    """Return an error in a form that can be compared."""
    text = WORDING.sub("", str(error)).lower()
    return type(error).__name__, text, str(getattr(error, "status_code", ""))


def _packed(part: Argument) -> bytes:
    return part if isinstance(part, bytes) else str(part).encode()


def _sorted(answer: Any) -> Any:
    return sorted(answer) if isinstance(answer, list) else answer


def _pairs(answer: Any) -> Any:
    return sorted(zip(answer[::2], answer[1::2], strict=True)) if answer else answer


def _period(answer: Any) -> Any:
    return answer if answer is None or answer < 0 else (answer + PERIOD // 2) // PERIOD


def _seconds(answer: int) -> Any:
    return _period(answer * 1000 if answer > 0 else answer)


def _pending(answer: Any) -> Any:
    if not answer or not isinstance(answer[0], list):
        return answer
    return [[id_, who, _period(idle), count] for id_, who, idle, count in answer]


def _without(names: Iterable[bytes]) -> Callable[[Any], Any]:
    gone = frozenset(names)

    def shape(answer: Any) -> Any:
        pairs = zip(answer[::2], answer[1::2], strict=True)
        return [part for pair in pairs if pair[0] not in gone for part in pair]

    return shape


def _consumers(answer: Any) -> Any:
    return [_without([b"idle", b"inactive"])(one) for one in answer]


def _facts(answer: bytes) -> Any:
    lines = (line.split(":", 1) for line in answer.decode().splitlines() if ":" in line)
    return sorted((name, said) for name, said in lines if name in TOLD)


SHAPES: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"DUMP": lambda answer: answer is not None,
    b"HGETALL": _pairs,
    b"HKEYS": _sorted,
    b"HVALS": _sorted,
    b"INFO": _facts,
    b"KEYS": _sorted,
    b"PTTL": _period,
    b"SMEMBERS": _sorted,
    b"TTL": _seconds,
    b"XINFO CONSUMERS": _consumers,
    b"XINFO STREAM": _without([b"radix-tree-nodes"]),
    b"XPENDING": _pending,
}
