"""Commands on the consumer groups of streams."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from tests.simulation.keyspace import Keyspace
from tests.simulation.lag import lag, read_on
from tests.simulation.replies import (
    OK,
    SYNTAX,
    Args,
    Refused,
    Status,
    integer,
    unsupported,
)
from tests.simulation.stream_commands import (
    Read,
    Waiting,
    parsed,
    reading,
    span_of,
)
from tests.simulation.streams import LAST_ID, UNKNOWN, Group, Nack, Stream, id_of

NO_GROUP: Final = "NOGROUP No such key '{}' or consumer group '{}'"
NO_KEY: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may "
    "want to use the MKSTREAM option to create an empty stream automatically."
)
BAD_OPTION: Final = "ERR Invalid {} option argument for XCLAIM"
NO_STREAM: Final = "ERR no such key"
DOLLAR: Final = (
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the "
    "history of this consumer by specifying a proper ID, or use the > ID to get new "
    "messages. The $ ID would just return an empty result set."
)


def create(keys: Keyspace, args: Args) -> Status:
    """Make a group, and its stream if that is asked for."""
    options = [option.upper() for option in args[5:]]
    if options not in ([], [b"MKSTREAM"]):
        raise unsupported(args)
    stream = keys.stream(args[2])
    if stream is None and not options:
        raise Refused(NO_KEY)
    last = (stream.last if stream else 0) if args[4] == b"$" else parsed(args[4])
    if stream is None:
        stream = Stream()
        keys.put(args[2], stream)
    if args[3] in stream.groups:
        raise Refused("BUSYGROUP Consumer Group name already exists")
    stream.groups[args[3]] = Group(last, UNKNOWN)
    return OK


def destroy(keys: Keyspace, args: Args) -> int:
    """Remove a group; whoever waits for it hears of that."""
    if _there(keys, args).groups.pop(args[3], None) is None:
        return 0
    keys.grown[args[2]] = None
    return 1


def set_id(keys: Keyspace, args: Args) -> Status:
    """Let a group go on from another id."""
    if len(args) != 5:
        raise unsupported(args)
    stream, group = _named(keys, args)
    group.last = stream.last if args[4] == b"$" else parsed(args[4])
    group.read = UNKNOWN
    return OK


def create_consumer(keys: Keyspace, args: Args) -> int:
    """Make a consumer."""
    _, group = _named(keys, args)
    made = args[4] not in group.consumers
    group.consumers.setdefault(args[4], [])
    return int(made)


def delete_consumer(keys: Keyspace, args: Args) -> int:
    """Remove a consumer, and what was pending for it; return how much that was."""
    _, group = _named(keys, args)
    ids = [*group.consumers.get(args[4], [])]
    for id_ in ids:
        group.drop(id_)
    group.consumers.pop(args[4], None)
    return len(ids)


def _there(keys: Keyspace, args: Args) -> Stream:
    stream = keys.stream(args[2])
    if stream is None:
        raise Refused(NO_KEY)
    return stream


def _named(keys: Keyspace, args: Args) -> tuple[Stream, Group]:
    stream = _there(keys, args)
    group = stream.groups.get(args[3])
    if group is None:
        key, name = args[2].decode(), args[3].decode()
        raise Refused(f"NOGROUP No such consumer group '{name}' for key name '{key}'")
    return stream, group


def groups(keys: Keyspace, args: Args) -> list[Any]:
    """Tell about the groups of a stream."""
    stream = keys.stream(args[2])
    if stream is None:
        raise Refused(NO_STREAM)
    return [
        [
            *(b"name", name, b"consumers", len(group.consumers)),
            *(b"pending", len(group.pending), b"last-delivered-id", id_of(group.last)),
            *(b"entries-read", None if group.read == UNKNOWN else group.read),
            *(b"lag", lag(stream, group, old=keys.old)),
        ]
        for name, group in sorted(stream.groups.items())
    ]


def consumers(keys: Keyspace, args: Args) -> list[Any]:
    """Tell about the consumers of a group, but not when they were last seen."""
    stream = keys.stream(args[2])
    if stream is None:
        raise Refused(NO_STREAM)
    group = stream.groups.get(args[3])
    if group is None:
        key, name = args[2].decode(), args[3].decode()
        raise Refused(f"NOGROUP No such consumer group '{name}' for key name '{key}'")
    return [
        [b"name", name, b"pending", len(ids)]
        for name, ids in sorted(group.consumers.items())
    ]


def xack(keys: Keyspace, args: Args) -> int:
    stream = keys.stream(args[1])
    group = None if stream is None else stream.groups.get(args[2])
    if group is None:
        return 0
    ids = [*map(parsed, args[3:])]
    return sum(map(group.drop, ids))


def _asked(keys: Keyspace, args: Args) -> tuple[Stream, Group]:
    stream = keys.stream(args[1])
    group = None if stream is None else stream.groups.get(args[2])
    if stream is None or group is None:
        raise Refused(NO_GROUP.format(args[1].decode(), args[2].decode()))
    return stream, group


def xpending(keys: Keyspace, args: Args) -> list[Any]:
    """Tell what is pending: in sum, or entry by entry."""
    if len(args) == 3:
        return _in_sum(_asked(keys, args)[1])
    if not 6 <= len(args) <= 9:
        raise Refused(SYNTAX)
    idle, at = 0, 3
    if args[3].upper() == b"IDLE":
        idle, at = integer(args[4]), 5
    if not at + 3 <= len(args) <= at + 4:
        raise Refused(SYNTAX)
    count = max(integer(args[at + 2]), 0)
    first, last = span_of(args[at], args[at + 1])
    _, group = _asked(keys, args)
    ids: Sequence[int] = group.order
    if len(args) == at + 4:
        ids = group.consumers.get(args[at + 3], [])
    found = (
        [id_of(id_), nack.owner, max(keys.now - nack.time, 0), nack.count]
        for id_, nack in _between(group, ids, first, last)
        if not idle or keys.now - nack.time >= idle
    )
    return [*islice(found, count)]


def _in_sum(group: Group) -> list[Any]:
    if not group.order:
        return [0, None, None, None]
    shares = [
        [name, b"%d" % len(ids)] for name, ids in sorted(group.consumers.items()) if ids
    ]
    first, last = id_of(group.order[0]), id_of(group.order[-1])
    return [len(group.order), first, last, shares]


def _between(
    group: Group, ids: Sequence[int], first: int, last: int
) -> Iterator[tuple[int, Nack]]:
    for at in range(bisect_left(ids, first), bisect_right(ids, last)):
        yield ids[at], group.pending[ids[at]]


@dataclass(slots=True)
class _Claim:
    """How entries change hands."""

    owner: bytes
    idle: int
    time: int
    count: int | None = None
    force: bool = False
    bare: bool = False

    def apply(self, keys: Keyspace, stream: Stream, group: Group, id_: int) -> Any:
        """Return the entry as it is answered, or None if it does not change hands."""
        nack = group.pending.get(id_)
        if nack is None:
            if not self.force:
                return None
            count = 1 if self.bare else 2  # as if it had been given once before
        else:
            if self.idle and keys.now - nack.time < self.idle:
                return None
            count = nack.count + (not self.bare)
        if self.count is not None:
            count = self.count
        group.give(id_, self.owner, self.time, count)
        return id_of(id_) if self.bare else stream.shown(id_)


def xclaim(keys: Keyspace, args: Args) -> list[Any]:
    """Give pending entries to a consumer."""
    stream, group = _asked(keys, args)
    idle = max(integer(args[4], "ERR Invalid min-idle-time argument for XCLAIM"), 0)
    ids = [*_ids(args[5:])]
    claim = _claiming(args, 5 + len(ids), _Claim(args[3], idle, keys.now))
    answer = []
    if not keys.old:
        group.consumers.setdefault(claim.owner, [])
    for id_ in ids:
        if id_ not in stream.entries:
            group.drop(id_)
        elif (shown := claim.apply(keys, stream, group, id_)) is not None:
            answer.append(shown)
    return answer


def _ids(args: Args) -> Iterator[int]:
    for text in args:
        try:
            yield parsed(text)
        except Refused:  # an option begins here
            return


def _claiming(args: Args, at: int, claim: _Claim) -> _Claim:
    now = claim.time
    options = iter(args[at:])
    for option in options:
        match option.upper():
            case b"FORCE":
                claim.force = True
            case b"JUSTID":
                claim.bare = True
            case b"IDLE" if (text := next(options, None)) is not None:
                claim.time = now - integer(text, BAD_OPTION.format("IDLE"))
            case b"RETRYCOUNT" if (text := next(options, None)) is not None:
                claim.count = integer(text, BAD_OPTION.format("RETRYCOUNT"))
            case b"TIME" | b"LASTID":
                raise unsupported(args)
            case _:
                shown = option.decode()
                raise Refused(f"ERR Unrecognized XCLAIM option '{shown}'")
    if not 0 <= claim.time <= now:
        claim.time = now
    return claim


def xautoclaim(keys: Keyspace, args: Args) -> list[Any]:
    """Give a page of pending entries to a consumer, whoever has them."""
    idle = max(integer(args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM"), 0)
    start = span_of(args[5], b"+")[0]
    count, claim = 100, _Claim(args[3], idle, keys.now)
    options = iter(args[6:])
    for option in options:
        match option.upper():
            case b"COUNT" if (text := next(options, None)) is not None:
                count = integer(text, "ERR COUNT must be > 0")
                if not 0 < count < 1 << 32:
                    raise Refused("ERR COUNT must be > 0")
            case b"JUSTID":
                claim.bare = True
            case _:
                raise Refused(SYNTAX)
    stream, group = _asked(keys, args)
    if not keys.old:
        group.consumers.setdefault(claim.owner, [])
    answer, gone, tries = list[Any](), list[bytes](), count * 10
    at = bisect_left(group.order, start)
    while at < len(group.order) and tries and count:
        id_ = group.order[at]
        tries -= 1
        if id_ not in stream.entries:
            group.drop(id_)
            gone.append(id_of(id_))
            count -= 1
            continue
        at += 1
        if (shown := claim.apply(keys, stream, group, id_)) is not None:
            answer.append(shown)
            count -= 1
    cursor = group.order[at] if at < len(group.order) else 0
    return [id_of(cursor), answer, gone]


def xreadgroup(keys: Keyspace, args: Args) -> list[Any] | Waiting | None:
    """Return what a group has not been given, or a consumer not acknowledged."""
    if args[1].upper() != b"GROUP":
        raise unsupported(args)
    read = reading(args, 4, args[2], args[3])
    wanted = []
    for key, text in zip(read.keys, read.ids, strict=True):
        stream = keys.stream(key)
        group = None if stream is None else stream.groups.get(read.group)
        if stream is None or group is None:
            raise Refused(
                f"{NO_GROUP} in XREADGROUP with GROUP option".format(
                    key.decode(), read.group.decode()
                )
            )
        if text == b"$":
            raise Refused(DOLLAR)
        wanted.append((key, stream, group, None if text == b">" else parsed(text)))
    answer = []
    for key, stream, group, after in wanted:
        if not keys.old or after is not None:
            group.consumers.setdefault(read.owner, [])
        if after is None:
            new = _new(keys, stream, group, read)
            if new:
                answer.append([key, new])
        else:
            answer.append([key, _again(keys, stream, group, read, after)])
    if answer or read.block is None or not keys.blocking:
        return answer or None
    return Waiting(args, tuple(read.keys), read.block)


def _new(keys: Keyspace, stream: Stream, group: Group, read: Read) -> list[Any]:
    if group.last >= stream.last:
        return []
    ids = stream.span(group.last + 1, LAST_ID, read.count)
    for id_ in ids:
        group.read = read_on(stream, group, id_, old=keys.old)
        group.last = id_
        group.give(id_, read.owner, keys.now, 1)
    return [stream.shown(id_) for id_ in ids]


def _again(
    keys: Keyspace, stream: Stream, group: Group, read: Read, after: int
) -> list[Any]:
    answer: list[Any] = []
    for id_ in group.consumers[read.owner]:
        if id_ <= after:
            continue
        if len(answer) == read.count:
            break
        if id_ not in stream.entries:
            answer.append([id_of(id_), None])
            continue
        nack = group.pending[id_]
        nack.time = keys.now
        nack.count += 1
        answer.append(stream.shown(id_))
    return answer
