"""Commands on keys, strings, hashes and sets."""

from collections.abc import Iterable
from typing import Any
from zlib import crc32

from tests.simulation.keyspace import Keyspace, Members, kind_of
from tests.simulation.replies import (
    NO_INTEGER,
    OK,
    SYNTAX,
    Args,
    Refused,
    Status,
    arity,
    glob,
    integer,
    unsupported,
)

LONGEST = (1 << 63) - 1
PAGE = 10  # of a scan that does not say how much it wants


# Keys


def delete(keys: Keyspace, args: Args) -> int:
    return sum(keys.remove(key) for key in args[1:])


def exists(keys: Keyspace, args: Args) -> int:
    return sum(keys.get(key) is not None for key in args[1:])


def type_of(keys: Keyspace, args: Args) -> Status:
    value = keys.get(args[1])
    return Status(b"none" if value is None else kind_of(value))


def rename(keys: Keyspace, args: Args) -> Status:
    value = keys.get(args[1])
    if value is None:
        raise Refused("ERR no such key")
    at = keys.expiry(args[1])
    keys.remove(args[1])
    keys.remove(args[2])
    keys.put(args[2], value)
    keys.expire(args[2], at)
    keys.grown[args[2]] = None
    return OK


def size(keys: Keyspace, _: Args) -> int:
    return len(keys)


def flush(keys: Keyspace, args: Args) -> Status:
    if len(args) > 1:
        raise unsupported(args)
    keys.clear()
    return OK


def named(keys: Keyspace, args: Args) -> list[bytes]:
    matches = glob(args[1]).fullmatch
    return [key for key in keys if matches(key)]


def expire(keys: Keyspace, args: Args) -> int:
    return _expire(keys, args, keys.now + _milliseconds(args, 1000))


def pexpire(keys: Keyspace, args: Args) -> int:
    return _expire(keys, args, keys.now + _milliseconds(args, 1))


def expireat(keys: Keyspace, args: Args) -> int:
    return _expire(keys, args, _milliseconds(args, 1000))


def pexpireat(keys: Keyspace, args: Args) -> int:
    return _expire(keys, args, _milliseconds(args, 1))


def persist(keys: Keyspace, args: Args) -> int:
    if keys.expiry(args[1]) is None:
        return 0
    keys.expire(args[1], None)
    return 1


def ttl(keys: Keyspace, args: Args) -> int:
    left = pttl(keys, args)
    return left if left < 0 else (left + 500) // 1000


def pttl(keys: Keyspace, args: Args) -> int:
    if keys.get(args[1]) is None:
        return -2
    at = keys.expiry(args[1])
    return -1 if at is None else max(at - keys.now, 0)


def _milliseconds(args: Args, unit: int) -> int:
    if len(args) > 3:
        raise unsupported(args)
    duration = integer(args[2]) * unit
    if abs(duration) > LONGEST >> 1:
        raise unsupported(args)
    return duration


def _expire(keys: Keyspace, args: Args, at: int) -> int:
    if keys.get(args[1]) is None:
        return 0
    if at <= keys.now:
        keys.remove(args[1])
    else:
        keys.expire(args[1], at)
    return 1


def scan(keys: Keyspace, args: Args) -> list[Any]:
    cursor, page = _page(args[1:], keys)
    return [cursor, page]


def hscan(keys: Keyspace, args: Args) -> list[Any]:
    _cursor(args[2])
    fields = keys.fields(args[1]) or {}
    cursor, page = _page(args[2:], fields)
    return [cursor, [part for name in page for part in (name, fields[name])]]


def sscan(keys: Keyspace, args: Args) -> list[Any]:
    _cursor(args[2])
    cursor, page = _page(args[2:], keys.members(args[1]) or ())
    return [cursor, page]


def _cursor(text: bytes) -> int:
    if not text.isdigit():
        raise Refused("ERR invalid cursor")
    return int(text)


def _page(args: Args, names: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    """
    Return the next cursor, and a page of *names* in an order nobody would guess.

    Whatever is there from the first page to the last comes exactly once, as a cursor
    says by which hash to go on.
    """
    start, count, pattern = _cursor(args[0]), PAGE, b"*"
    options = iter(args[1:])
    for option in options:
        value = next(options, None)
        if value is None:
            raise Refused(SYNTAX)
        match option.upper():
            case b"COUNT":
                count = integer(value)
                if count < 1:
                    raise Refused(SYNTAX)
            case b"MATCH":
                pattern = value
            case _:
                raise unsupported(args)
    after = sorted((hash_, name) for name in names if (hash_ := crc32(name)) >= start)
    matches = glob(pattern).fullmatch
    page = after[:count]
    rest = after[count:]
    while rest and rest[0][0] == page[-1][0]:
        page.append(rest.pop(0))
    cursor = b"%d" % rest[0][0] if rest else b"0"
    return cursor, [name for _, name in page if matches(name)]


# Strings


def get(keys: Keyspace, args: Args) -> bytes | None:
    return keys.find(args[1], bytes)


def mget(keys: Keyspace, args: Args) -> list[bytes | None]:
    found = (keys.get(key) for key in args[1:])
    return [value if isinstance(value, bytes) else None for value in found]


def strlen(keys: Keyspace, args: Args) -> int:
    return len(keys.find(args[1], bytes) or b"")


def setnx(keys: Keyspace, args: Args) -> int:
    if keys.get(args[1]) is not None:
        return 0
    keys.put(args[1], args[2])
    return 1


def set_(keys: Keyspace, args: Args) -> Status | None:
    """Set a key, with a condition and a time to live."""
    at: int | None = None
    only: bool | None = None  # if it is there, or is not
    keep = False
    options = iter(args[3:])
    for option in options:
        match option.upper():
            case b"EX" | b"PX" as unit if at is None and not keep:
                at = keys.now + _ttl(next(options, None), 1000 if unit == b"EX" else 1)
            case b"NX" if only is None:
                only = False
            case b"XX" if only is None:
                only = True
            case b"KEEPTTL" if at is None:
                keep = True
            case b"EXAT" | b"PXAT" | b"GET" | b"IFEQ":
                raise unsupported(args)
            case _:
                raise Refused(SYNTAX)
    if only is not None and only != (keys.get(args[1]) is not None):
        return None
    keys.put(args[1], args[2])
    if not keep:
        keys.expire(args[1], at)
    return OK


def _ttl(text: bytes | None, unit: int) -> int:
    if text is None:
        raise Refused(SYNTAX)
    duration = integer(text) * unit
    if not 0 < duration < LONGEST >> 1:
        raise Refused("ERR invalid expire time in 'set' command")
    return duration


def incr(keys: Keyspace, args: Args) -> int:
    return _add(keys, args[1], 1)


def decr(keys: Keyspace, args: Args) -> int:
    return _add(keys, args[1], -1)


def incrby(keys: Keyspace, args: Args) -> int:
    return _add(keys, args[1], integer(args[2]))


def _add(keys: Keyspace, key: bytes, by: int) -> int:
    total = _sum(keys.find(key, bytes), by, NO_INTEGER)
    keys.put(key, b"%d" % total)
    return total


def _sum(text: bytes | None, by: int, refusal: str) -> int:
    total = (0 if text is None else integer(text, refusal)) + by
    if not -(1 << 63) <= total < 1 << 63:
        raise Refused("ERR increment or decrement would overflow")
    return total


# Hashes


def hset(keys: Keyspace, args: Args) -> int:
    if len(args) % 2:
        raise arity(args[0])
    fields = keys.fields(args[1])
    if fields is None:
        fields = {}
        keys.put(args[1], fields)
    before = len(fields)
    fields.update(zip(args[2::2], args[3::2], strict=True))
    return len(fields) - before


def hsetnx(keys: Keyspace, args: Args) -> int:
    if hexists(keys, args):
        return 0
    return hset(keys, args)


def hget(keys: Keyspace, args: Args) -> bytes | None:
    fields = keys.fields(args[1])
    return None if fields is None else fields.get(args[2])


def hmget(keys: Keyspace, args: Args) -> list[bytes | None]:
    fields = keys.fields(args[1]) or {}
    return [*map(fields.get, args[2:])]


def hgetall(keys: Keyspace, args: Args) -> list[bytes]:
    fields = keys.fields(args[1]) or {}
    return [part for pair in fields.items() for part in pair]


def hkeys(keys: Keyspace, args: Args) -> list[bytes]:
    return [*(keys.fields(args[1]) or {})]


def hvals(keys: Keyspace, args: Args) -> list[bytes]:
    return [*(keys.fields(args[1]) or {}).values()]


def hdel(keys: Keyspace, args: Args) -> int:
    fields = keys.fields(args[1])
    if fields is None:
        return 0
    gone = sum(fields.pop(name, None) is not None for name in args[2:])
    if not fields:
        keys.remove(args[1])
    return gone


def hexists(keys: Keyspace, args: Args) -> int:
    fields = keys.fields(args[1])
    return int(fields is not None and args[2] in fields)


def hlen(keys: Keyspace, args: Args) -> int:
    return len(keys.fields(args[1]) or ())


def hincrby(keys: Keyspace, args: Args) -> int:
    by = integer(args[3])
    fields = keys.fields(args[1])
    old = None if fields is None else fields.get(args[2])
    total = _sum(old, by, "ERR hash value is not an integer")
    if fields is None:
        fields = {}
        keys.put(args[1], fields)
    fields[args[2]] = b"%d" % total
    return total


# Sets


def sadd(keys: Keyspace, args: Args) -> int:
    members = keys.members(args[1])
    if members is None:
        members = Members()
        keys.put(args[1], members)
    before = len(members)
    members.update(dict.fromkeys(args[2:]))
    return len(members) - before


def srem(keys: Keyspace, args: Args) -> int:
    members = keys.members(args[1])
    if members is None:
        return 0
    before = len(members)
    for name in args[2:]:
        members.pop(name, None)
    if not members:
        keys.remove(args[1])
    return before - len(members)


def smembers(keys: Keyspace, args: Args) -> list[bytes]:
    return [*(keys.members(args[1]) or ())]


def sismember(keys: Keyspace, args: Args) -> int:
    return int(args[2] in (keys.members(args[1]) or ()))


def scard(keys: Keyspace, args: Args) -> int:
    return len(keys.members(args[1]) or ())
