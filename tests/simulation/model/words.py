"""Commands at random, right and wrong ones, as they may be said to a server."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from tests.simulation.model.sides import FUTURE

Said = tuple[str, ...]
Sayer = Callable[[Random], Said]

STREAMS: Final = ("s1", "s2")  # ids of our own
COUNTED: Final = ("a1",)  # ids of the server
HASHES: Final = ("h1",)
TEXTS: Final = ("t1", "t2")
SETS: Final = ("m1",)
KEYS: Final = (*STREAMS, *COUNTED, *HASHES, *TEXTS, *SETS, "copy", "none")
GROUPS: Final = ("g1", "g2")
# Which of them are spoken of: much is to happen to a few, or nothing meets.
LOGS: Final = (*STREAMS, STREAMS[0], *COUNTED * 3)
GROUPED: Final = (*GROUPS, GROUPS[0], GROUPS[0])
OWNERS: Final = ("ann", "bob")
NAMES: Final = ("1", "f", "was")
BEGIN: Final[tuple[Said, ...]] = (
    ("REPLICAOF", "NO", "ONE"),
    ("CONFIG", "SET", "maxmemory", "0"),
    ("FLUSHALL",),
    *(
        line
        for key in COUNTED
        for line in (
            ("XGROUP", "CREATE", key, "gone", "$", "MKSTREAM"),
            ("XGROUP", "DESTROY", key, "gone"),
            ("XSETID", key, f"{FUTURE}-0"),
        )
    ),
)
LENGTHS: Final = (1, 5, 20, 21, 63, 64, 65, 127, 130, 700, 4090, 4100, 17000)
NUMBERS: Final = (
    "0", "1", "-1", "127", "128", "-128", "4095", "4096", "-4096", "-4097", "32767",
    "32768", "8388607", "8388608", "2147483647", "-2147483649", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "007", "-0", "", "+1", "1.5", " 1",
)  # fmt: skip


def _key(random: Random, own: Sequence[str]) -> str:
    """Return mostly a key of the right kind."""
    return random.choice(own if random.random() < 0.95 else KEYS)


def _text(random: Random) -> str:
    if random.random() < 0.4:
        return random.choice(NUMBERS)
    return random.choice("xyz") * random.choice(LENGTHS)


def _count(random: Random) -> str:
    return random.choice(("1", "2", "3", "10", "10", "100", "0", "-1", "x"))


def _id(random: Random, key: str) -> str:
    if key in COUNTED and random.random() < 0.8:
        return f"{FUTURE}-{random.randrange(1, 12)}"
    if random.random() < 0.05:
        return random.choice(
            ("x", "", "1-", "-1", "1-1-1", "$", "18446744073709551616")
        )
    return f"{random.randrange(12)}-{random.choice((0, 0, 0, 1))}"


def _bound(random: Random, key: str, end: str) -> str:
    chance = random.random()
    if chance < 0.4:
        return end
    id_ = _id(random, key)
    if chance < 0.6:
        return f"({id_}"
    if chance < 0.7:
        return id_.partition("-")[0]
    return id_


def _fields(random: Random) -> list[str]:
    names = random.choices(NAMES, k=random.choice((1, 1, 1, 2, 2, 3)))
    return [part for name in names for part in (name, _text(random))]


def xadd(random: Random) -> Said:
    """Add an entry; now and then trim."""
    key = _key(random, LOGS)
    trim: list[str] = []
    if random.random() < 0.05:
        trim = _trim(random, key)
    if random.random() < 0.03:
        trim.insert(0, "NOMKSTREAM")
    id_: str = "*"
    if key not in COUNTED:
        id_ = random.choice(("0-*", "0-*", "0-*", _id(random, key)))
    fields = _fields(random)
    if random.random() < 0.02:
        fields.pop()
    return "XADD", key, *trim, id_, *fields


def _trim(random: Random, key: str) -> list[str]:
    kind = random.choice(("MINID", "MINID", "MAXLEN"))
    how = random.choice((["~"], ["~"], ["="], []))
    most = _id(random, key) if kind == "MINID" else random.choice(("5", "20", "0", "x"))
    limit = ["LIMIT", _count(random)] if random.random() < 0.1 else []
    return [kind, *how, most, *limit]


def xtrim(random: Random) -> Said:
    key = _key(random, LOGS)
    return "XTRIM", key, *_trim(random, key)


def xdel(random: Random) -> Said:
    key = _key(random, LOGS)
    ids = [_id(random, key) for _ in range(random.choice((1, 1, 2, 5)))]
    return "XDEL", key, *ids


def xlen(random: Random) -> Said:
    return "XLEN", _key(random, LOGS)


def xrange(random: Random) -> Said:
    key = _key(random, LOGS)
    start, end = _bound(random, key, "-"), _bound(random, key, "+")
    count = ["COUNT", _count(random)] if random.random() < 0.5 else []
    if random.random() < 0.4:
        return "XREVRANGE", key, end, start, *count
    return "XRANGE", key, start, end, *count


def xread(random: Random) -> Said:
    keys = [_key(random, LOGS) for _ in range(random.choice((1, 1, 2)))]
    ids = [random.choice((_id(random, key), "0", "$")) for key in keys]
    count = ["COUNT", _count(random)] if random.random() < 0.5 else []
    return "XREAD", *count, "STREAMS", *keys, *ids


def xreadgroup(random: Random) -> Said:
    keys = [_key(random, LOGS) for _ in range(random.choice((1, 1, 1, 2)))]
    ids = [random.choice((">", ">", ">", ">", "0", _id(random, key))) for key in keys]
    count = ["COUNT", _count(random)] if random.random() < 0.7 else []
    group, owner = random.choice(GROUPED), random.choice(OWNERS)
    return "XREADGROUP", "GROUP", group, owner, *count, "STREAMS", *keys, *ids


def xgroup(random: Random) -> Said:
    key, group = _key(random, LOGS), random.choice(GROUPED)
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


def xinfo(random: Random) -> Said:
    key = _key(random, LOGS)
    action = random.choice(("GROUPS", "GROUPS", "STREAM", "CONSUMERS"))
    group = [random.choice(GROUPED)] if action == "CONSUMERS" else []
    return "XINFO", action, key, *group


def xack(random: Random) -> Said:
    key = _key(random, LOGS)
    ids = [_id(random, key) for _ in range(random.choice((1, 1, 3)))]
    return "XACK", key, random.choice(GROUPED), *ids


def xpending(random: Random) -> Said:
    key, group = _key(random, LOGS), random.choice(GROUPED)
    if random.random() < 0.3:
        return "XPENDING", key, group
    idle = ["IDLE", random.choice(("0", "60000", "x"))] if random.random() < 0.4 else []
    owner = [random.choice((*OWNERS, "eve"))] if random.random() < 0.5 else []
    start, end = _bound(random, key, "-"), _bound(random, key, "+")
    return "XPENDING", key, group, *idle, start, end, _count(random), *owner


def xclaim(random: Random) -> Said:
    key = _key(random, LOGS)
    options: list[str] = []
    if random.random() < 0.5:
        options += ["RETRYCOUNT", random.choice(("0", "1", "9"))]
    if random.random() < 0.3:
        options += ["IDLE", random.choice(("61000", "120000"))]
    options += [word for word in ("FORCE", "JUSTID") if random.random() < 0.15]
    ids = [_id(random, key) for _ in range(random.choice((1, 1, 4)))]
    idle = random.choice(("0", "0", "0", "0", "0", "60000"))
    head = key, random.choice(GROUPED), random.choice(OWNERS), idle
    if random.random() < 0.3:
        bare = ["JUSTID"] if random.random() < 0.3 else []
        start = random.choice(("0", "-", ids[0]))
        return "XAUTOCLAIM", *head, start, "COUNT", _count(random), *bare
    return "XCLAIM", *head, *ids, *options


def string(random: Random) -> Said:
    key, text = _key(random, TEXTS), _text(random)
    times = ("EX 300", "EX 300", "PX 300000", "EX 0", "PX x", "EX -5", "PX")
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


def hash_(random: Random) -> Said:
    key = _key(random, HASHES)
    fields = random.choices([*NAMES, "n1"], k=random.choice((1, 1, 3)))
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
        ("HSET", key, *pairs),
        ("HDEL", key, *fields),
        ("HEXISTS", key, fields[0]),
        ("HLEN", key),
        ("HKEYS", key),
        ("HVALS", key),
        ("HINCRBY", key, fields[0], random.choice(("1", "-9", "x"))),
    ])  # fmt: skip


def set_(random: Random) -> Said:
    key, members = _key(random, SETS), random.choices(NUMBERS[:8], k=2)
    return random.choice([
        ("SADD", key, *members),
        ("SREM", key, *members),
        ("SMEMBERS", key),
        ("SCARD", key),
        ("SISMEMBER", key, members[0]),
    ])  # fmt: skip


def key(random: Random) -> Said:
    """Something about a key of any kind."""
    one, two = random.choice(KEYS), random.choice(KEYS)
    return random.choice([
        ("DEL", one),
        ("DEL", one, two, one),
        ("UNLINK", one),
        ("EXISTS", one, two, one),
        ("TYPE", one),
        ("TYPE", one),
        ("EXPIRE", one, random.choice(("200", "0", "-1", "x"))),
        ("PEXPIRE", one, "100000"),
        ("PTTL", one),
        ("TTL", one),
        ("PERSIST", random.choice(TEXTS)),
        ("KEYS", random.choice(("*", "s?", "?1", "[hm]1", "[^hm]*", "\\s1", "none"))),
        ("DBSIZE",),
        ("DUMP", one),
        ("RESTORE", one, random.choice(("0", "-1")), "no dump", "REPLACE"),
        ("RENAME", one, two),
        ("RENAME", random.choice((*TEXTS, *HASHES)), random.choice((*TEXTS, *SETS))),
    ])  # fmt: skip


def wrong(random: Random) -> Said:
    """A command without some of its words."""
    line = random.choice(SAYERS)(random)
    return line[: random.randrange(1, max(2, len(line)))]


def state(random: Random) -> Said:
    """Let memory be full, or the server be a replica, or end that."""
    return random.choice([
        ("CONFIG", "SET", "maxmemory", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        *[("CONFIG", "SET", "maxmemory", "0"), ("REPLICAOF", "NO", "ONE")] * 2,
    ])  # fmt: skip


def scripted(random: Random) -> Said:
    """Let a script say something."""
    line = random.choice(SAYERS)(random)
    return "EVAL", random.choice(CALLS), "0", *line


def copied(random: Random) -> Said:
    one = random.choice((*STREAMS, *COUNTED, *KEYS))
    return "EVAL", COPY, "2", one, "copy"


def scanned(random: Random) -> Said:
    count = random.choice(("1", "3", "100"))
    if random.random() < 0.3:
        return "EVAL", SCAN, "0", "COUNT", count, "MATCH", random.choice(("*", "s*"))
    kind, keys = random.choice((("HSCAN", HASHES), ("SSCAN", SETS)))
    return "EVAL", SCAN, "1", _key(random, keys), kind, "COUNT", count


FLAGS: Final = ("", " flags=allow-oom", " flags=no-writes")
CALLS: Final = (
    *(f"#!lua{flags}\nreturn redis.call(unpack(ARGV))" for flags in FLAGS),
    *(f"#!lua{flags}\nreturn redis.pcall(unpack(ARGV))" for flags in FLAGS),
    "return redis.call(unpack(ARGV))",
    "redis.call('DEL', 'none') return redis.call(unpack(ARGV))",
)
COPY: Final = """#!lua
local dump = redis.call('DUMP', KEYS[1])
return dump and redis.call('RESTORE', KEYS[2], 0, dump, 'REPLACE')"""
SCAN: Final = """#!lua
local found, cursor, command = {}, '0', {'SCAN', unpack(ARGV)}
if KEYS[1] then command = {ARGV[1], KEYS[1], unpack(ARGV, 2)} end
repeat
  table.insert(command, KEYS[1] and 3 or 2, cursor)
  local answer = redis.call(unpack(command))
  table.remove(command, KEYS[1] and 3 or 2)
  cursor = answer[1]
  for _, one in ipairs(answer[2]) do found[#found + 1] = one end
until cursor == '0'
table.sort(found)
return found"""
WEIGHTS: Final[dict[Sayer, int]] = {
    xadd: 20, xreadgroup: 14, xack: 8, xclaim: 8, xpending: 8, xgroup: 6, xinfo: 6,
    xdel: 4, xtrim: 2, xrange: 5, xread: 3, xlen: 1, string: 5, hash_: 8, set_: 4,
    key: 8, wrong: 2, scripted: 10, copied: 2, scanned: 1, state: 1,
}  # fmt: skip
ENDING: Final = frozenset({"DEL", "EXPIRE", "RENAME", "RESTORE", "SET", "UNLINK"})
ODD: Final = (copied, scanned, scripted, state, wrong)
SAYERS: Final = [sayer for sayer in WEIGHTS if sayer not in ODD]


def lines(random: Random, number: int) -> list[Said]:
    """
    Return about *number* commands.

    Before them most groups are made, and sometimes a stream of many entries.
    """
    made: list[Said] = [
        ("XGROUP", "CREATE", stream, group, random.choice(("0", "0", "$")), "MKSTREAM")
        for stream in (*STREAMS, *COUNTED)
        for group in GROUPS
        if random.random() < 0.8
    ]
    if random.random() < 0.6:
        made.append(
            ("HSET", *HASHES, "1", _text(random), "f", "5", "n1", _text(random))
        )
        made.append(("SADD", *SETS, *NUMBERS[:4]))
        made.append(("SET", TEXTS[0], _text(random), "EX", "300"))
    if random.random() < 0.2:
        made += _burst(random)
    elif random.random() < 0.8:
        made += _shared(random)
    sayers, weights = [*WEIGHTS], [*WEIGHTS.values()]
    chosen = random.choices(sayers, weights, k=number)
    said = [_onward(sayer(random), at) for at, sayer in enumerate(chosen)]
    return [*made, *map(_lasting, said)]


def _onward(line: Said, at: int) -> Said:
    """Let most ids of ours grow from command to command."""
    if line[0] != "XADD" or "0-*" not in line[2:3]:
        return line
    return (*line[:2], f"{6 + at // 16}-*", *line[3:])


def _shared(random: Random) -> Iterator[Said]:
    """Yield entries, and how two owners take them in turns."""
    for at in range(5):
        for stream in (STREAMS[0], COUNTED[0]):
            for _ in range(random.choice((1, 2, 3))):
                id_ = "*" if stream in COUNTED else f"{at}-*"
                yield "XADD", stream, id_, *_fields(random)
            owner, group = random.choice(OWNERS), random.choice(GROUPED)
            head = ("XREADGROUP", "GROUP", group, owner, "COUNT", "2")
            yield *head, "STREAMS", stream, ">"


def _burst(random: Random) -> list[Said]:
    """
    Return many entries of about one length, and how they go node by node.

    What goes with ``~`` tells where nodes end, by number of entries or by bytes.
    """
    length = random.choice((1, 5, 20, 62, 63, 64, 65, 122, 124, 125, 126, 130, 700))
    fields = [random.choice(("1", "1", "field")), "z" * length]
    if random.random() < 0.3:
        fields = ["1", random.choice(NUMBERS)] * 24
    size = random.choice((110, 250))
    entries: list[Said] = [("XADD", "s1", "1-*", *fields) for _ in range(size)]
    for at in random.sample(range(size), 10):
        entries[at] = ("XADD", "s1", "1-*", *_fields(random))
    for at in random.sample(range(size), 5):
        entries.insert(at, ("XDEL", "s1", f"1-{random.randrange(at + 1)}"))
    entries.append(("EVAL", COPY, "2", "s1", "copy"))
    cuts = sorted(random.sample(range(size), 12))
    key = random.choice(("s1", "s1", "copy"))
    return [*entries, *(("XTRIM", key, "MINID", "~", f"1-{cut}") for cut in cuts)]


def _lasting(line: Said) -> Said:
    """Return a line that does not end a stream whose ids are counted on."""
    if not ENDING & {*line[:4]}:
        return line
    return tuple(STREAMS[0] if word in COUNTED else word for word in line)
