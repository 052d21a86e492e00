"""
All progress of one instant, and putting it back.

What is kept of a key is the server's own form of it (DUMP), which loses nothing: who
has taken what, how often and when, and how many entries there ever were.  Beside it is
a digest of what it means, which another server, that stores it otherwise, comes to
as well.

What is put back is laid beside what is there, looked at, and then takes its place in
one step.  So whatever goes wrong before leaves everything as it was; it needs room for
both meanwhile.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from monitor.errors import Away, Unavailable
from monitor.stream import upkeep
from monitor.stream.doctor import examine
from monitor.stream.door import Argument, Door, Script
from monitor.stream.queues import DEAD, QUEUES, Queue, named
from monitor.stream.upkeep import Depth

BACKUP, STAGE, RESTORE = Script("backup"), Script("stage"), Script("restore")
ONE_STEP = 128 << 20  # bytes: some 6 s for which the server serves nobody else
PAGE_BYTES, PAGE_KEYS = 8 << 20, 500
PATIENCE = 120.0  # seconds for a step
STAGED = "stage:"  # before the names of keys that are not in their place yet
STAGED_FOR = 3_600_000  # ms; whoever dies meanwhile leaves nothing behind for ever
GLOB = re.compile(r"[*?\[\]^\\]")
UNREADABLE = re.compile("DUMP payload|Bad data format")
LEAST_LIFE = 60_000  # ms, so that nothing expires before it is in its place


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """
    A key as it was.

    Attributes:
        name: Without the prefix.
        lives: Milliseconds until it was to expire; -1 if it was not.
        length: Its entries, fields, members or bytes.
        digest: Of what it means, however a server stores it.
        dump: What RESTORE makes it of.
    """

    name: str
    kind: Literal["string", "set", "hash", "stream"]
    lives: int
    length: int
    digest: str
    dump: bytes = b""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All progress of one instant, which database it was, and on what server."""

    epoch: str
    server: str
    kept: Sequence[Kept]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far everything is."""

    cursors: int
    letters: int
    depths: Sequence[Depth]


@dataclass(frozen=True, slots=True)
class Restored:
    """
    What came of putting something back.

    Attributes:
        done: It is in its place; else nothing was changed.
        differing: Names of keys that are not what was kept.
        removed: How many keys there were before.
    """

    done: bool
    differing: tuple[str, ...] = ()
    removed: int = 0


async def snapshot(door: Door, one_step: int = ONE_STEP) -> Snapshot:
    """
    Return all progress of one instant.

    Only leases are left out: they say who works now.

    Args:
        one_step: What is more than so many bytes is taken in several steps, if nobody
            works on it.

    Raises:
        Unavailable: It is too large to be taken while somebody works.
        Away: The server does not answer.
    """
    server = await _server(door)
    epoch, left, kept = await _looked_at(door, (), one_step)
    several = bool(left)
    while left:
        if lease := await _lease(door):
            raise Unavailable(
                f"it is more than {one_step >> 20} MiB, which is too much for one "
                f"step while somebody works ({lease}): stop the program, and try again"
            )
        page, beyond = left[:PAGE_KEYS], left[PAGE_KEYS:]
        _, again, more = await _looked_at(door, page, one_step)
        kept, left = [*kept, *more], [*again, *beyond]
    if several and (await _lease(door) or await differing(door, kept)):
        raise Unavailable("somebody has begun to work meanwhile: stop them, try again")
    return Snapshot(epoch, server, kept)


async def standing(door: Door) -> Standing:
    """Return how far everything is."""
    lanes = await door.call("SMEMBERS", door.key("lanes"))
    queues: list[Queue[Any]] = [
        *QUEUES,
        *(named(lane.decode()) for lane in sorted(lanes)),
    ]
    return Standing(
        cursors=await door.call("HLEN", door.key("cursor")),
        letters=await door.call("XLEN", door.key(DEAD)),
        depths=await upkeep.depths(door, queues),
    )


async def restore(door: Door, what: Snapshot, *, replace: bool) -> Restored:
    """
    Put *what* back, and look whether it is what was kept.

    Args:
        replace: What is there may go.

    Raises:
        Unavailable: Somebody works there, there is progress already, or the server
            cannot read it.  Nothing was changed.
        Away: The server does not answer.  Everything was done, or nothing.
    """
    if lease := await _lease(door):
        raise _busy(lease)
    await _clear(door)
    try:
        await _stage(door, what)
        if wrong := await differing(door, what.kept, STAGED):
            return Restored(done=False, differing=tuple(wrong))
        removed = await _put_in_place(door, len(what.kept), replace=replace)
    finally:
        with suppress(Away):
            await _clear(door)
    wrong = await differing(door, what.kept)
    return Restored(done=True, differing=tuple(wrong), removed=removed)


async def differing(door: Door, kept: Sequence[Kept], under: str = "") -> list[str]:
    """Return the names of keys that are not there *under* a name, or not as *kept*."""
    wrong = []
    for page in _pages(kept):
        _, _, found = await _looked_at(door, [under + one.name for one in page], 0)
        there = {one.name: (one.kind, one.length, one.digest) for one in found}
        wrong += [
            one.name
            for one in page
            if there.get(under + one.name) != (one.kind, one.length, one.digest)
        ]
    return wrong


async def _looked_at(
    door: Door, names: Sequence[str], most: int
) -> tuple[str, list[str], list[Kept]]:
    """Return the epoch, the keys that were left, and what the others hold."""
    answer = await door.run(
        BACKUP,
        ["epoch", *names],
        [door.prefix, _pattern(door), most],
        patience=PATIENCE,
    )
    try:
        epoch, left, *flat = answer
        kept = [
            Kept(name.decode(), kind.decode(), lives, length, digest.decode(), dump)
            for name, kind, lives, length, digest, dump in zip(
                *(flat[part::6] for part in range(6)), strict=True
            )
        ]
        return epoch.decode(), [name.decode() for name in left], kept
    except UnicodeDecodeError:
        raise Unavailable("redis: there are keys among ours that are not") from None


async def _stage(door: Door, what: Snapshot) -> None:
    """Lay everything beside what is there."""
    for page in _pages(what.kept):
        arguments: list[Argument] = [STAGED_FOR]
        for one in page:
            lives = one.lives if one.lives < 0 else max(one.lives, LEAST_LIFE)
            arguments += (one.name, lives, one.dump)
        keys = [STAGED, *(STAGED + one.name for one in page)]
        try:
            await door.run(STAGE, keys, arguments, patience=PATIENCE)
        except Away as refusal:
            if "maxmemory" not in str(refusal):
                raise
            raise Unavailable(
                "redis has no room for it beside what is there: raise `maxmemory`; "
                "nothing was changed"
            ) from None
        except Unavailable as refusal:
            if not UNREADABLE.search(str(refusal)):
                raise
            raise Unavailable(
                f"it was kept on {what.server}, and {await _server(door)} cannot read "
                "it: put it back into a server that is no older; nothing was changed"
            ) from None


async def _put_in_place(door: Door, count: int, *, replace: bool) -> int:
    """Let what was staged take its place; return how many keys went."""
    word, what, *holder = await door.run(
        RESTORE,
        [STAGED],
        [door.prefix, _pattern(door), count, int(replace)],
        patience=PATIENCE,
    )
    match word:
        case b"done":
            return int(what)
        case b"lease":
            raise _busy(f"{what.decode()} of {holder[0].decode()}")
        case b"there":
            raise Unavailable(
                f"there is progress already ({what.decode('utf-8', 'replace')}): say "
                "--replace to lose it; nothing was changed"
            )
    raise Unavailable("somebody removed what was staged: try again")


async def _clear(door: Door) -> None:
    """Remove what was staged, by us or by somebody who died."""
    staged = await door.call("KEYS", _pattern(door, STAGED), patience=PATIENCE)
    for start in range(0, len(staged), PAGE_KEYS):
        await door.call("UNLINK", *staged[start : start + PAGE_KEYS])


async def _lease(door: Door) -> str:
    """Return a lease that somebody holds, if anybody does."""
    for key in await door.call("KEYS", _pattern(door, "lease:"), patience=PATIENCE):
        if holder := await door.call("GET", key):
            name = key.decode().removeprefix(door.prefix)
            return f"{name} of {holder.decode()}"
    return ""


def _busy(lease: str) -> Unavailable:
    return Unavailable(
        f"somebody works on this database ({lease}): stop the program first; one that "
        "was killed lets go within a minute"
    )


async def _server(door: Door) -> str:
    facts = await examine(door)
    return next(fact.value for fact in facts if fact.name == "version")


def _pattern(door: Door, name: str = "") -> str:
    """Return the pattern of all keys that begin so."""
    return GLOB.sub(r"\\\g<0>", door.prefix + name) + "*"


def _pages(kept: Sequence[Kept]) -> Iterator[list[Kept]]:
    """Yield what was kept in parts that are small enough for one command."""
    page: list[Kept] = []
    size = 0
    for one in kept:
        if page and (size + len(one.dump) > PAGE_BYTES or len(page) == PAGE_KEYS):
            yield page
            page, size = [], 0
        page.append(one)
        size += len(one.dump)
    if page:
        yield page
