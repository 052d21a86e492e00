"""The commands that the simulated store knows, and what a server checks of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation import dumps
from tests.simulation import group_commands as groups
from tests.simulation import plain_commands as plain
from tests.simulation import stream_commands as streams
from tests.simulation.keyspace import Keyspace
from tests.simulation.replies import Args, arity, unsupported

Run = Callable[[Keyspace, Args], Any]
CONTAINERS: Final = frozenset({b"XGROUP", b"XINFO"})


@dataclass(frozen=True, slots=True)
class Command:
    """
    A command, as the server's own table has it.

    Attributes:
        name: With that of its container, if it has one.
        arity: Arguments with its name; a negative number is the least of them.
        writes: It is refused by a replica, and by a server that cannot write to disk.
        grows: It is refused while memory is full.
    """

    name: bytes
    run: Run
    arity: int
    writes: bool = False
    grows: bool = False

    def fits(self, size: int) -> bool:
        """Tell whether it takes so many arguments, its name included."""
        return size == self.arity if self.arity > 0 else size >= -self.arity


# As COMMAND INFO of 7.0 and of Valkey 9.1 has them; the two agree.
READS: Final[dict[str, tuple[Run, int]]] = {
    "DBSIZE": (plain.size, 1),
    "DUMP": (dumps.dump, 2),
    "EXISTS": (plain.exists, -2),
    "GET": (plain.get, 2),
    "HEXISTS": (plain.hexists, 3),
    "HGET": (plain.hget, 3),
    "HGETALL": (plain.hgetall, 2),
    "HKEYS": (plain.hkeys, 2),
    "HLEN": (plain.hlen, 2),
    "HMGET": (plain.hmget, -3),
    "HSCAN": (plain.hscan, -3),
    "HVALS": (plain.hvals, 2),
    "KEYS": (plain.named, 2),
    "MGET": (plain.mget, -2),
    "PTTL": (plain.pttl, 2),
    "SCAN": (plain.scan, -2),
    "SCARD": (plain.scard, 2),
    "SISMEMBER": (plain.sismember, 3),
    "SMEMBERS": (plain.smembers, 2),
    "SSCAN": (plain.sscan, -3),
    "STRLEN": (plain.strlen, 2),
    "TTL": (plain.ttl, 2),
    "TYPE": (plain.type_of, 2),
    "XINFO|CONSUMERS": (groups.consumers, 4),
    "XINFO|GROUPS": (groups.groups, 3),
    "XINFO|STREAM": (streams.about, -3),
    "XLEN": (streams.xlen, 2),
    "XPENDING": (groups.xpending, -3),
    "XRANGE": (streams.xrange, -4),
    "XREAD": (streams.xread, -4),
    "XREVRANGE": (streams.xrevrange, -4),
}
WRITES: Final[dict[str, tuple[Run, int]]] = {
    "DEL": (plain.delete, -2),
    "EXPIRE": (plain.expire, -3),
    "EXPIREAT": (plain.expireat, -3),
    "FLUSHALL": (plain.flush, -1),
    "FLUSHDB": (plain.flush, -1),
    "HDEL": (plain.hdel, -3),
    "PERSIST": (plain.persist, 2),
    "PEXPIRE": (plain.pexpire, -3),
    "PEXPIREAT": (plain.pexpireat, -3),
    "RENAME": (plain.rename, 3),
    "SREM": (plain.srem, -3),
    "UNLINK": (plain.delete, -2),
    "XACK": (groups.xack, -4),
    "XAUTOCLAIM": (groups.xautoclaim, -6),
    "XCLAIM": (groups.xclaim, -6),
    "XDEL": (streams.xdel, -3),
    "XGROUP|DELCONSUMER": (groups.delete_consumer, 5),
    "XGROUP|DESTROY": (groups.destroy, 4),
    "XGROUP|SETID": (groups.set_id, -5),
    "XREADGROUP": (groups.xreadgroup, -7),
    "XTRIM": (streams.xtrim, -4),
}
GROWS: Final[dict[str, tuple[Run, int]]] = {
    "DECR": (plain.decr, 2),
    "HINCRBY": (plain.hincrby, 4),
    "HSET": (plain.hset, -4),
    "HSETNX": (plain.hsetnx, 4),
    "INCR": (plain.incr, 2),
    "INCRBY": (plain.incrby, 3),
    "RESTORE": (dumps.restore, -4),
    "SADD": (plain.sadd, -3),
    "SET": (plain.set_, -3),
    "SETNX": (plain.setnx, 3),
    "XADD": (streams.xadd, -5),
    "XSETID": (streams.xsetid, -3),
    "XGROUP|CREATE": (groups.create, -5),
    "XGROUP|CREATECONSUMER": (groups.create_consumer, 5),
}

COMMANDS: Final[dict[bytes, Command]] = {
    name.encode(): Command(
        name.encode(), run, arity, writes=rows is not READS, grows=rows is GROWS
    )
    for rows in (READS, WRITES, GROWS)
    for name, (run, arity) in rows.items()
}


def command_of(args: Args) -> Command:
    """
    Return the command that *args* begin with.

    Raises:
        NotImplementedError: The model does not know it.
    """
    name = args[0].upper()
    if name in CONTAINERS:
        if len(args) == 1:
            raise arity(name)
        name += b"|" + args[1].upper()
    found = COMMANDS.get(name)
    if found is None:
        raise unsupported(name.decode())
    return found
