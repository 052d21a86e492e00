"""DUMP and RESTORE, with bytes that only this model can read."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec

from tests.simulation.keyspace import Keyspace, Members, Value, kind_of
from tests.simulation.replies import OK, Args, Refused, Status, integer, unsupported
from tests.simulation.streams import Group, Node, Stream

DIGEST = 8


def dump(keys: Keyspace, args: Args) -> bytes | None:
    value = keys.get(args[1])
    return None if value is None else packed(value)


def restore(keys: Keyspace, args: Args) -> Status:
    """Make a key of what `dump` returned."""
    options = [option.upper() for option in args[4:]]
    if set(options) - {b"REPLACE", b"ABSTTL"}:
        raise unsupported(args[4:])
    if b"REPLACE" not in options and keys.get(args[1]) is not None:
        raise Refused("BUSYKEY Target key name already exists.")
    left = integer(args[2])
    if left < 0:
        raise Refused("ERR Invalid TTL value, must be >= 0")
    value = unpacked(args[3])
    keys.remove(args[1])
    at = left if b"ABSTTL" in options else keys.now + left
    if left and at < keys.now:
        return OK
    keys.put(args[1], value)
    keys.expire(args[1], at if left else None)
    keys.grown[args[1]] = None
    return OK


def packed(value: Value) -> bytes:
    """Return *value* as bytes that tell whether they are whole."""
    plain: Any = [*value] if isinstance(value, Members) else value
    if isinstance(value, Stream):
        plain = _plain(value)
    body = msgspec.msgpack.encode((kind_of(value).decode(), plain))
    return body + blake2b(body, digest_size=DIGEST).digest()


def unpacked(text: bytes) -> Value:
    """
    Return the value that `packed` made these bytes of.

    Raises:
        Refused: They are no such thing.
    """
    body, digest = text[:-DIGEST], text[-DIGEST:]
    if blake2b(body, digest_size=DIGEST).digest() != digest:
        raise Refused("ERR DUMP payload version or checksum are wrong")
    kind, plain = msgspec.msgpack.decode(body)
    made: dict[str, Callable[[Any], Value]] = {
        "string": bytes,
        "hash": dict,
        "set": lambda names: Members(dict.fromkeys(names)),
        "stream": _stream,
    }
    return made[kind](plain)


def _halves(id_: int) -> bytes:
    return id_.to_bytes(16, "big")


def _whole(halves: bytes) -> int:
    return int.from_bytes(halves, "big")


def _plain(stream: Stream) -> list[Any]:
    return [
        [(_halves(id_), stream.entries[id_]) for id_ in stream.ids],
        _halves(stream.last),
        _halves(stream.deleted),
        stream.added,
        [
            (
                _halves(start),
                _halves(node.last),
                node.live,
                node.gone,
                node.size,
                node.fields,
            )
            for start, node in stream.nodes()
        ],
        [(name, _plain_group(group)) for name, group in stream.groups.items()],
    ]


def _plain_group(group: Group) -> list[Any]:
    nacks = [(id_, group.pending[id_]) for id_ in group.order]
    return [
        _halves(group.last),
        group.read,
        [*group.consumers],
        [(_halves(id_), nack.owner, nack.time, nack.count) for id_, nack in nacks],
    ]


def _stream(plain: list[Any]) -> Stream:
    stream = Stream()
    entries, last, deleted, stream.added, nodes, groups = plain
    stream.entries = {_whole(id_): tuple(fields) for id_, fields in entries}
    stream.ids = [*stream.entries]
    stream.last, stream.deleted = _whole(last), _whole(deleted)
    stream.arrange([(_whole(start), _node(*rest)) for start, *rest in nodes])
    stream.groups = {name: _group(*rest) for name, rest in groups}
    return stream


def _node(last: bytes, live: int, gone: int, size: int, fields: list[bytes]) -> Node:
    node = Node(tuple(fields))
    node.last, node.live, node.gone, node.size = _whole(last), live, gone, size
    return node


def _group(last: bytes, read: int, names: list[bytes], nacks: list[Any]) -> Group:
    group = Group(_whole(last), read)
    group.consumers = {name: [] for name in names}
    for id_, *nack in nacks:
        group.give(_whole(id_), *nack)
    return group
