"""What commands of the simulated store answer, and how they refuse."""

import re
from functools import lru_cache
from hashlib import sha1
from typing import Any, Final

from redis._parsers import BaseParser
from redis.exceptions import RedisError

Args = list[bytes]

MOST: Final = (1 << 64) - 1  # of either half of an entry's id
PARTS = re.compile(rb"\[\^?[\w-]+\]|\\.|.", re.DOTALL)
NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")


class Refused(Exception):
    """An error answer; its text begins with the code, as on the wire."""


class Status(bytes):
    """A simple string, which Lua sees as a table."""

    __slots__ = ()


OK: Final = Status(b"OK")
SYNTAX: Final = "ERR syntax error"
WRONGTYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_INTEGER: Final = "ERR value is not an integer or out of range"
BAD_ID: Final = "ERR Invalid stream ID specified as stream command argument"


def integer(text: bytes, refusal: str = NO_INTEGER) -> int:
    """
    Return a number of 64 bits with its sign.

    Raises:
        Refused: It is none.
    """
    if NUMBER.fullmatch(text):
        value = int(text)
        if -(1 << 63) <= value < 1 << 63:
            return value
    raise Refused(refusal)


def arity(name: bytes) -> Refused:
    """Return the refusal of a command that was given too few or too many arguments."""
    shown = name.decode().lower()
    return Refused(f"ERR wrong number of arguments for '{shown}' command")


def unsupported(args: Any) -> NotImplementedError:
    """Return the refusal of the model itself: it had better not answer than wrongly."""
    return NotImplementedError(f"the simulated store does not know {args!r}")


@lru_cache(maxsize=64)
def glob(pattern: bytes) -> re.Pattern[bytes]:
    """
    Return a pattern of keys as a regular expression.

    Raises:
        NotImplementedError: A class of characters in it has an end of its own.
    """
    text = b""
    for part in PARTS.findall(pattern):
        if part == b"*":
            text += b".*"
        elif part == b"?":
            text += b"."
        elif part.startswith(b"[") and len(part) > 1:
            text += part
        elif part == b"[":
            raise unsupported(pattern)
        else:
            text += re.escape(part[-1:])
    return re.compile(text, re.DOTALL)


def digest(text: bytes) -> str:
    """Return by which name a server knows a text."""
    return sha1(text, usedforsecurity=False).hexdigest()


def failure(text: str) -> RedisError:
    """Return the exception that redis-py makes of an error answer."""
    error = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]
    assert isinstance(error, RedisError)
    return error
