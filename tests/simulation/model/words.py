"""Commands at random, right and wrong ones, as they may be said to a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

STREAMS: Final = ("s1", "s2", "s3")  # ids of our own
CLOCKED: Final = ("a1",)  # ids of the server's clock: of two such, some would be equal
HASHES: Final = ("h1", "h2")
TEXTS: Final = ("t1", "t2")
SETS: Final = ("m1", "m2")
KEYS: Final = (*STREAMS, *CLOCKED, *HASHES, *TEXTS, *SETS, "none")
GROUPS: Final = ("g1", "g2")
OWNERS: Final = ("ann", "bob")
NAMES: Final = ("1", "f", "was")
LENGTHS: Final = (
    1,
    2,
    5,
    20,
    21,
    60,
    63,
    64,
    65,
    120,
    127,
    130,
    700,
    4090,
    4100,
    17000,
)
NUMBERS: Final = (
    "0", "1", "-1", "7", "127", "128", "-128", "4095", "4096", "-4096", "-4097", "32767",
    "32768", "8388607", "8388608", "2147483647", "-2147483649", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "007", "-0", "", "+1", "1.5", " 1",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """The id of an entry that a server gave: one of those so far."""

    number: int


Word = str | int | Made
Line = tuple[Word, ...]
Sayer = Callable[[Random], Line]


def _key(random: Random, own: Sequence[str]) -> str:
    """Return mostly a key of the right kind."""
    return random.choice(own if random.random() < 0.95 else KEYS)


def _text(random: Random) -> str:
    if random.random() < 0.4:
        return random.choice(NUMBERS)
    return random.choice("xyz") * random.choice(LENGTHS)


def _count(random: Random) -> str:
    return random.choice(("1", "2", "3", "10", "10", "100", "0", "-1", "x"))


def _id(random: Random, key: str) -> Word:
    if key in CLOCKED and random.random() < 0.8:
        return Made(random.randrange(100))
    if random.random() < 0.05:
        return random.choice(
            ("x", "", "1-", "-1", "1-1-1", "$", "18446744073709551616")
        )
    return f"{random.randrange(40)}-{random.randrange(3)}"


def _bound(random: Random, key: str, end: str) -> Word:
    chance = random.random()
    if chance < 0.4:
        return end
    id_ = _id(random, key)
    if isinstance(id_, str) and chance < 0.6:
        return f"({id_}"
    if isinstance(id_, str) and chance < 0.7:
        return id_.partition("-")[0]
    return id_


def _fields(random: Random) -> list[Word]:
    names = random.choices(NAMES, k=random.choice((1, 1, 1, 2, 2, 3)))
    return [part for name in names for part in (name, _text(random))]


def xadd(random: Random) -> Line:
    """Add an entry; now and then trim."""
    key = _key(random, (*STREAMS, *CLOCKED))
    trim: list[Word] = []
    if random.random() < 0.05:
        trim = _trim(random, key)
    if random.random() < 0.03:
        trim.insert(0, "NOMKSTREAM")
    id_: Word = "*"
    if key not in CLOCKED:
        id_ = random.choice((f"{random.randrange(60)}-*", _id(random, key), "5-*"))
    fields = _fields(random)
    if random.random() < 0.02:
        fields.pop()
    return "XADD", key, *trim, id_, *fields


def _trim(random: Random, key: str) -> list[Word]:
    kind = random.choice(("MINID", "MINID", "MAXLEN"))
    how = random.choice((["~"], ["~"], ["="], []))
    most = _id(random, key) if kind == "MINID" else _count(random)
    limit = ["LIMIT", _count(random)] if random.random() < 0.1 else []
    return [kind, *how, most, *limit]


def xtrim(random: Random) -> Line:
    key = _key(random, (*STREAMS, *CLOCKED))
    return "XTRIM", key, *_trim(random, key)


def xdel(random: Random) -> Line:
    key = _key(random, (*STREAMS, *CLOCKED))
    ids = [_id(random, key) for _ in range(random.choice((1, 1, 2, 5)))]
    return "XDEL", key, *ids


def xlen(random: Random) -> Line:
    return "XLEN", _key(random, (*STREAMS, *CLOCKED))


def xrange(random: Random) -> Line:
    key = _key(random, (*STREAMS, *CLOCKED))
    start, end = _bound(random, key, "-"), _bound(random, key, "+")
    count = ["COUNT", _count(random)] if random.random() < 0.5 else []
    if random.random() < 0.4:
        return "XREVRANGE", key, end, start, *count
    return "XRANGE", key, start, end, *count


def xread(random: Random) -> Line:
    keys = [_key(random, (*STREAMS, *CLOCKED)) for _ in range(random.choice((1, 1, 2)))]
    ids = [random.choice((_id(random, key), "0", "$")) for key in keys]
    count = ["COUNT", _count(random)] if random.random() < 0.5 else []
    return "XREAD", *count, "STREAMS", *keys, *ids


def xreadgroup(random: Random) -> Line:
    keys = [
        _key(random, (*STREAMS, *CLOCKED)) for _ in range(random.choice((1, 1, 1, 2)))
    ]
    ids = [random.choice((">", ">", ">", ">", "0", _id(random, key))) for key in keys]
    count = ["COUNT", _count(random)] if random.random() < 0.7 else []
    group, owner = random.choice(GROUPS), random.choice(OWNERS)
    return "XREADGROUP", "GROUP", group, owner, *count, "STREAMS", *keys, *ids


def xgroup(random: Random) -> Line:
    key, group = _key(random, (*STREAMS, *CLOCKED)), random.choice(GROUPS)
    start = random.choice(("0", "0", "$", _id(random, key)))
    chance = random.random()
    if chance < 0.7:
        make = ["MKSTREAM"] if random.random() < 0.8 else []
        return "XGROUP", "CREATE", key, group, start, *make
    if chance < 0.8:
        return "XGROUP", "SETID", key, group, start
    if chance < 0.85:
        return "XGROUP", "DESTROY", key, group
    action = random.choice(("CREATECONSUMER", "DELCONSUMER"))
    return "XGROUP", action, key, group, random.choice(OWNERS)


def xinfo(random: Random) -> Line:
    key = _key(random, (*STREAMS, *CLOCKED))
    action = random.choice(("GROUPS", "GROUPS", "STREAM", "CONSUMERS"))
    group = [random.choice(GROUPS)] if action == "CONSUMERS" else []
    return "XINFO", action, key, *group


def xack(random: Random) -> Line:
    key = _key(random, (*STREAMS, *CLOCKED))
    ids = [_id(random, key) for _ in range(random.choice((1, 1, 3)))]
    return "XACK", key, random.choice(GROUPS), *ids


def xpending(random: Random) -> Line:
    key, group = _key(random, (*STREAMS, *CLOCKED)), random.choice(GROUPS)
    if random.random() < 0.3:
        return "XPENDING", key, group
    idle = ["IDLE", random.choice(("0", "60000", "x"))] if random.random() < 0.4 else []
    owner = [random.choice((*OWNERS, "eve"))] if random.random() < 0.5 else []
    start, end = _bound(random, key, "-"), _bound(random, key, "+")
    return "XPENDING", key, group, *idle, start, end, _count(random), *owner


def xclaim(random: Random) -> Line:
    key = _key(random, (*STREAMS, *CLOCKED))
    options: list[Word] = []
    if random.random() < 0.5:
        options += ["RETRYCOUNT", random.choice(("0", "1", "9"))]
    if random.random() < 0.3:
        options += ["IDLE", random.choice(("61000", "120000"))]
    options += [word for word in ("FORCE", "JUSTID") if random.random() < 0.15]
    ids = [_id(random, key) for _ in range(random.choice((1, 1, 4)))]
    idle = random.choice(("0", "0", "0", "60000"))
    head = key, random.choice(GROUPS), random.choice(OWNERS), idle
    if random.random() < 0.3:
        bare = ["JUSTID"] if random.random() < 0.3 else []
        start = random.choice(("0", "-", ids[0]))
        return "XAUTOCLAIM", *head, start, "COUNT", _count(random), *bare
    return "XCLAIM", *head, *ids, *options


def string(random: Random) -> Line:
    key, text = _key(random, TEXTS), _text(random)
    times = ("EX 20", "EX 20", "PX 20000", "EX 0", "PX x", "EX -5", "PX")
    ttl = random.choice(times).split()
    options = [*(ttl if random.random() < 0.3 else []), random.choice(("NX", "XX", ""))]
    return random.choice([
        ("SET", key, text, *filter(None, options)),
        ("SET", key, text),
        ("SETNX", key, text),
        ("GET", key),
        ("STRLEN", key),
        ("MGET", key, _key(random, KEYS)),
        ("INCR", key),
        ("DECR", key),
        ("INCRBY", key, random.choice(("5", "-3", "9223372036854775807", "x"))),
    ])  # fmt: skip


def hash_(random: Random) -> Line:
    key = _key(random, HASHES)
    fields = random.choices([*NAMES, "n1", "n2", "n3"], k=random.choice((1, 1, 3)))
    pairs = [part for name in fields for part in (name, _text(random))]
    if random.random() < 0.03:
        pairs.pop()
    return random.choice([
        ("HSET", key, *pairs),
        ("HSET", key, *pairs),
        ("HSETNX", key, *pairs[:2]),
        ("HGET", key, fields[0]),
        ("HMGET", key, *fields, "none"),
        ("HGETALL", key),
        ("HDEL", key, *fields),
        ("HEXISTS", key, fields[0]),
        ("HLEN", key),
        ("HKEYS", key),
        ("HVALS", key),
        ("HINCRBY", key, fields[0], random.choice(("1", "-9", "x"))),
    ])  # fmt: skip


def set_(random: Random) -> Line:
    key, members = _key(random, SETS), random.choices(NUMBERS, k=2)
    return random.choice([
        ("SADD", key, *members),
        ("SREM", key, *members),
        ("SMEMBERS", key),
        ("SCARD", key),
        ("SISMEMBER", key, members[0]),
    ])  # fmt: skip


def key(random: Random) -> Line:
    """Something about a key of any kind."""
    one, two = random.choice(KEYS), random.choice(KEYS)
    return random.choice([
        ("DEL", one),
        ("DEL", one, two, one),
        ("UNLINK", one),
        ("EXISTS", one, two, one),
        ("TYPE", one),
        ("TYPE", one),
        ("EXPIRE", one, random.choice(("30", "0", "-1", "x"))),
        ("PEXPIRE", one, "30000"),
        ("PTTL", one),
        ("TTL", one),
        ("PERSIST", one),
        ("KEYS", random.choice(("*", "s?", "?1", "[hm]1", "[^hm]*", "\\s1", "none"))),
        ("DBSIZE",),
        ("DUMP", one),
        ("RESTORE", one, random.choice(("0", "-1")), "no dump", "REPLACE"),
        ("RENAME", one, two),
    ])  # fmt: skip


def wrong(random: Random) -> Line:
    """A command without some of its words."""
    line = random.choice(SAYERS)(random)
    return line[: random.randrange(1, max(2, len(line)))]


WEIGHTS: Final[dict[Sayer, int]] = {
    xadd: 18, xreadgroup: 14, xack: 8, xclaim: 8, xpending: 8, xgroup: 6, xinfo: 6,
    xdel: 5, xtrim: 4, xrange: 5, xread: 3, xlen: 1, string: 5, hash_: 5, set_: 3,
    key: 5, wrong: 2,
}  # fmt: skip
ENDING: Final = frozenset({"DEL", "EXPIRE", "RENAME", "RESTORE", "SET", "UNLINK"})
SAYERS: Final = [sayer for sayer in WEIGHTS if sayer is not wrong]


def lines(random: Random, number: int) -> list[Line]:
    """Return about *number* commands, and sometimes first a stream of many entries."""
    burst: list[Line] = []
    if random.random() < 0.1:
        burst = [_bulk(random) for _ in range(random.choice((30, 110, 250)))]
    sayers, weights = [*WEIGHTS], [*WEIGHTS.values()]
    chosen = random.choices(sayers, weights, k=number)
    return burst + [_lasting(sayer(random)) for sayer in chosen]


def _bulk(random: Random) -> Line:
    """Return an entry as most are: one field, and of some length."""
    name = "1" if random.random() < 0.9 else "f"
    length = random.choice((1, 5, 20, 60, 64, 130, 300))
    return "XADD", "s1", f"{random.randrange(8)}-*", name, "z" * length


def _lasting(line: Line) -> Line:
    """Return a line that does not make a stream again within one millisecond."""
    if line[0] not in ENDING:
        return line
    return tuple(STREAMS[0] if word in CLOCKED else word for word in line)
