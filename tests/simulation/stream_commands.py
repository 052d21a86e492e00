"""Commands on streams."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation.keyspace import Keyspace
from tests.simulation.replies import (
    BAD_ID,
    MOST,
    OK,
    SYNTAX,
    Args,
    Refused,
    Status,
    arity,
    integer,
    unsupported,
)
from tests.simulation.streams import (
    LAST_ID,
    NODE_ENTRIES,
    TOO_SMALL,
    Stream,
    id_of,
)

LIMIT = 100 * NODE_ENTRIES  # entries that a trim of whole nodes removes at most

UNBALANCED: Final = (
    "ERR Unbalanced '{}' list of streams: for each stream key an ID or '{}' must be "
    "specified."
)
NEWER: Final = (
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP "
    "<group> <consumer> option."
)


@dataclass(slots=True)
class Waiting:
    """
    A read for which there was nothing yet.

    Attributes:
        command: To be run again when one of *keys* has grown.
        block: For so many milliseconds; 0 is for ever.
    """

    command: Args
    keys: tuple[bytes, ...]
    block: int


# Ids


def parsed(text: bytes, sequence: int = 0) -> int:
    """
    Return an id; one without a sequence has this one.

    Raises:
        Refused: It is none.
    """
    ms, dash, seq = text.partition(b"-")
    return _half(ms) << 64 | (_half(seq) if dash else sequence)


def _half(text: bytes) -> int:
    if text.isdigit() and len(text) <= 20 and (value := int(text)) <= MOST:
        return value
    raise Refused(BAD_ID)


def _bound(text: bytes, sequence: int) -> int:
    if text == b"-":
        return 0
    if text == b"+":
        return LAST_ID
    return parsed(text, sequence)


def span_of(start: bytes, end: bytes) -> tuple[int, int]:
    """
    Return the first and the last id of a span.

    Raises:
        Refused: One of the two is no id, or there is none beyond it.
    """
    first, after = _edge(start, 0)
    last, before = _edge(end, MOST)
    if after and first == LAST_ID:
        raise Refused("ERR invalid start ID for the interval")
    if before and last == 0:
        raise Refused("ERR invalid end ID for the interval")
    return first + after, last - before


def _edge(text: bytes, sequence: int) -> tuple[int, bool]:
    """Return an id, and whether it is itself not meant."""
    if text.startswith(b"("):
        return parsed(text[1:], sequence), True
    return _bound(text, sequence), False


# Entries


def xadd(keys: Keyspace, args: Args) -> bytes | None:
    """Add an entry, and trim the stream if that is asked for."""
    at, make, trim = _adding(args)
    choose = _chooser(args[at])
    if trim is not None:
        trim.check()
    fields = tuple(args[at + 1 :])
    if not fields or len(fields) % 2:
        raise arity(args[0])
    if choose is _none:
        choose(Stream(), keys.now)
    stream = keys.stream(args[1])
    if stream is None:
        if not make:
            return None
        stream = Stream()
        keys.put(args[1], stream)
    id_ = choose(stream, keys.now)
    stream.append(id_, fields)
    if trim is not None:
        trim.apply(stream)
    keys.grown[args[1]] = None
    return id_of(id_)


def _adding(args: Args) -> tuple[int, bool, "_Trim | None"]:
    """Return where the id stands, whether a stream may be made, and how to trim."""
    at, make, trim = 2, True, None
    while at < len(args):
        match args[at].upper():
            case b"NOMKSTREAM":
                make = False
                at += 1
            case b"MAXLEN" | b"MINID":
                trim, at = _trimming(args, at)
            case b"KEEPREF" | b"DELREF" | b"ACKED" | b"IDMPAUTO" | b"IDMP":
                raise unsupported(args)
            case _:
                return at, make, trim
    raise arity(args[0])


def _chooser(text: bytes) -> Callable[[Stream, int], int]:
    """Return how the id of a new entry comes about."""
    if text == b"*":
        return Stream.next_id
    if text.endswith(b"-*"):
        ms = _half(text.removesuffix(b"-*")) << 64
        return lambda stream, _: _following(stream, ms)
    given = parsed(text)
    return (lambda _, __: given) if given else _none


def _none(_: Stream, __: int) -> int:
    """Stand for the id 0-0, which is refused."""
    raise Refused("ERR The ID specified in XADD must be greater than 0-0")


def _following(stream: Stream, ms: int) -> int:
    """Return the first id of a millisecond that is not in the stream."""
    if ms >> 64 == stream.last >> 64:
        if stream.last & MOST == MOST:
            raise Refused(TOO_SMALL)
        return stream.last + 1
    return max(ms, 1)


@dataclass(slots=True)
class _Trim:
    most: int | None
    before: int
    whole: bool
    limit: int | None

    def check(self) -> None:
        if self.limit is not None and not self.whole:
            raise Refused(
                f"{SYNTAX}, LIMIT cannot be used without the special ~ option"
            )

    def apply(self, stream: Stream) -> int:
        limit = self.limit
        if limit is None:
            limit = LIMIT if self.whole else 0
        return stream.trim(
            before=self.before, most=self.most, whole=self.whole, limit=limit
        )


def _trimming(args: Args, at: int) -> tuple[_Trim, int]:
    """Return how to trim, and where the arguments of that end."""
    kind = args[at].upper()
    at += 1
    whole = False
    if args[at : at + 1] in ([b"~"], [b"="]) and at + 1 < len(args):
        whole = args[at] == b"~"
        at += 1
    if at >= len(args):
        raise Refused(SYNTAX)
    most, before = None, 0
    if kind == b"MAXLEN":
        most = integer(args[at])
        if most < 0:
            raise Refused("ERR The MAXLEN argument must be >= 0.")
    else:
        before = parsed(args[at])
    at += 1
    limit = None
    if at < len(args) and args[at].upper() == b"LIMIT":
        if at + 1 >= len(args):
            raise Refused(SYNTAX)
        limit = integer(args[at + 1])
        if limit < 0:
            raise Refused("ERR The LIMIT argument must be >= 0.")
        at += 2
    return _Trim(most, before, whole, limit), at


def xtrim(keys: Keyspace, args: Args) -> int:
    if args[2].upper() not in (b"MAXLEN", b"MINID"):
        raise Refused(SYNTAX)
    trim, at = _trimming(args, 2)
    if at < len(args):
        raise unsupported(args)
    trim.check()
    stream = keys.stream(args[1])
    return 0 if stream is None else trim.apply(stream)


def xdel(keys: Keyspace, args: Args) -> int:
    stream = keys.stream(args[1])
    if stream is None:
        return 0
    ids = [*map(parsed, args[2:])]
    return sum(map(stream.delete, ids))


def xsetid(keys: Keyspace, args: Args) -> Status:
    """Let ids go on from another one."""
    if len(args) != 3:
        raise unsupported(args)
    last = parsed(args[2])
    stream = keys.stream(args[1])
    if stream is None:
        raise Refused("ERR no such key")
    if stream.ids and last < stream.ids[-1]:
        raise Refused(
            "ERR The ID specified in XSETID is smaller than the target stream top item"
        )
    stream.last = last
    return OK


def xlen(keys: Keyspace, args: Args) -> int:
    stream = keys.stream(args[1])
    return 0 if stream is None else len(stream.ids)


def xrange(keys: Keyspace, args: Args) -> list[Any] | None:
    first, last = span_of(args[2], args[3])
    return _range(keys, args, first, last, newest=False)


def xrevrange(keys: Keyspace, args: Args) -> list[Any] | None:
    first, last = span_of(args[3], args[2])
    return _range(keys, args, first, last, newest=True)


def _range(
    keys: Keyspace, args: Args, first: int, last: int, *, newest: bool
) -> list[Any] | None:
    count = None
    if len(args) > 4:
        if len(args) != 6 or args[4].upper() != b"COUNT":
            raise Refused(SYNTAX)
        count = max(integer(args[5]), 0)
    stream = keys.stream(args[1])
    if stream is None:
        return []
    if count == 0:
        return None
    if newest:
        ids = stream.span(first, last)[::-1][:count]
    else:
        ids = stream.span(first, last, count)
    return [stream.shown(id_) for id_ in ids]


def about(keys: Keyspace, args: Args) -> list[Any]:
    """Tell about a stream, but not how its radix tree is built inside."""
    if len(args) > 3:
        raise unsupported(args)
    stream = keys.stream(args[2])
    if stream is None:
        raise Refused("ERR no such key")
    ends = [stream.shown(id_) for id_ in (stream.ids[:1] + stream.ids[-1:])]
    first = stream.ids[0] if stream.ids else 0
    return [
        *(b"length", len(stream.ids), b"radix-tree-keys", len([*stream.nodes()])),
        *(b"last-generated-id", id_of(stream.last)),
        *(b"max-deleted-entry-id", id_of(stream.deleted)),
        *(b"entries-added", stream.added, b"recorded-first-entry-id", id_of(first)),
        *(b"groups", len(stream.groups)),
        *(b"first-entry", ends[0] if ends else None),
        *(b"last-entry", ends[-1] if ends else None),
    ]


# Reads


@dataclass(slots=True)
class Read:
    group: bytes
    owner: bytes
    count: int | None
    block: int | None
    keys: Args
    ids: Args


def reading(args: Args, at: int, group: bytes, owner: bytes) -> Read:
    count = block = None
    while at < len(args):
        match args[at].upper():
            case b"COUNT" if at + 1 < len(args):
                count = integer(args[at + 1])
                at += 2
            case b"BLOCK" if at + 1 < len(args):
                block = integer(
                    args[at + 1], "ERR timeout is not an integer or out of range"
                )
                if block < 0:
                    raise Refused("ERR timeout is negative")
                at += 2
            case b"STREAMS":
                rest = args[at + 1 :]
                half = len(rest) // 2
                if len(rest) % 2:
                    sign = ">" if group else "$"
                    raise Refused(UNBALANCED.format(args[0].decode().lower(), sign))
                if not half:
                    raise Refused(SYNTAX)
                count = count if count is not None and count > 0 else None
                return Read(group, owner, count, block, rest[:half], rest[half:])
            case b"NOACK" | b"CLAIM":
                raise unsupported(args)
            case _:
                raise Refused(SYNTAX)
    raise Refused(SYNTAX)


def xread(keys: Keyspace, args: Args) -> list[Any] | Waiting | None:
    """Return what came after the given ids, or wait for it."""
    read = reading(args, 1, b"", b"")
    answer, after = [], list[bytes]()
    for key, text in zip(read.keys, read.ids, strict=True):
        stream = keys.stream(key)
        if text == b">":
            raise Refused(NEWER)
        if text == b"+":
            raise unsupported(args)
        last = 0 if stream is None else stream.last
        start = last if text == b"$" else parsed(text)
        after.append(id_of(start))
        if stream is not None and last > start:
            ids = stream.span(start + 1, LAST_ID, read.count)
            if ids:
                answer.append([key, [stream.shown(id_) for id_ in ids]])
    if answer or read.block is None or not keys.blocking:
        return answer or None
    again = [*args[: -len(after)], *after]  # "$" is what it is now
    return Waiting(again, tuple(read.keys), read.block)
