"""Backup: all progress of one instant, kept, proved and put back."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import exceptions

from monitor.errors import Away, Unavailable
from monitor.stream import Accepted, Server, Stream
from monitor.stream.backup import (
    BACKUP,
    RESTORE,
    Restored,
    Snapshot,
    differing,
    restore,
    snapshot,
    standing,
)
from monitor.stream.door import Argument, Door, Line
from tests.clock import FakeClock
from tests.stream_values import (
    NOW,
    delivery,
    drained,
    matched,
    post,
    posted,
    posts,
)

BINARY = bytes(range(256)) + b"\r\n$-1\r\n"


@pytest.fixture
async def elsewhere(redis_url: str, prefix: str) -> AsyncIterator[Door]:
    """Keys that nobody has used, behind a prefix with signs that mean something."""
    door = Door(redis_url, f"a[{prefix[:-1]}]*?\\:")
    yield door
    await door.aclose()


async def at_work(stream: Stream, other: Stream, door: Door) -> None:
    """Leave everything behind that work leaves: half of it done, by two owners."""
    await posted(stream, posts(4), "ann", "bob")
    *_, entry = await posted(stream, [post("7", "sirens")], "ann")
    await stream.settle(entry, [delivery("town/7/1", "ann", message="m1")], done=True)
    for letter in await matched(other, [post("8")]):
        await other.bury(letter, "no", attempts=5)
    await other.accept("city", [post("9", "quiet")], "c9", baseline=True)
    await drained(stream.reader("items", "archive"), 3)
    items, archive = door.key("items"), ("archive", "two", 0)
    taken = await door.call("XPENDING", items, "archive", "-", "+", 2)
    ids = [one[0] for one in taken]
    await door.call("XCLAIM", items, *archive, *ids, "RETRYCOUNT", 7, "JUSTID")
    await door.call("XDEL", items, ids[1])  # it stays in the list of what is pending
    await door.call("XGROUP", "CREATECONSUMER", items, "filter", "nobody")
    await stream.directory.park("chat", "bob", "blocked")
    await stream.directory.move("chat", "-5", "-1005")
    await stream.directory.hold("chat", None, NOW + timedelta(hours=1))
    await door.call("SET", door.key("text"), BINARY, "PX", 3_000_000)
    await door.call("HSET", door.key("seen:b"), BINARY, BINARY, "", "")
    await door.call("SADD", door.key("lanes"), "outbox:other:0")
    await stream.take("filter", timedelta(seconds=30))
    await other.take("outbox:chat:0", timedelta(seconds=30))


async def let_go(stream: Stream, other: Stream) -> None:
    await stream.release("filter")
    await other.release("outbox:chat:0")


async def contents(door: Door) -> dict[str, Any]:
    """Return all that there is but for leases, as plain commands tell it."""
    found: dict[str, Any] = {}
    for key in await every(door):
        name = key.decode().removeprefix(door.prefix)
        lives = await door.call("PTTL", key)
        found[name] = (lives > 0, await content(door, key))
    return {name: found[name] for name in sorted(found) if "lease:" not in name}


async def every(door: Door) -> list[bytes]:
    found, cursor = list[bytes](), b"0"
    while True:
        cursor, page = await door.call("SCAN", cursor, "COUNT", 1000)
        found += [key for key in page if key.startswith(door.prefix.encode())]
        if cursor == b"0":
            return found


async def content(door: Door, key: bytes) -> Any:
    match await door.call("TYPE", key):
        case b"hash":
            flat = await door.call("HGETALL", key)
            return dict(zip(flat[::2], flat[1::2], strict=True))
        case b"set":
            return set(await door.call("SMEMBERS", key))
        case b"stream":
            full = await door.call("XINFO", "STREAM", key, "FULL", "COUNT", 0)
            return {k: v for k, v in named(full).items() if "radix" not in k}
    return await door.call("GET", key)


def named(value: Any) -> Any:
    """Return an answer of XINFO as mappings, without the times of this moment."""
    if not isinstance(value, list):
        return value
    keys = value[::2]
    if value and all(isinstance(key, bytes) and key.islower() for key in keys):
        both = zip(keys, value[1::2], strict=True)
        return {k.decode(): named(v) for k, v in both if b"-time" not in k}
    return [named(one) for one in value]


async def kept_of(door: Door) -> Snapshot:
    kept = await snapshot(door)
    assert kept.kept
    return kept


# What is kept


async def test_everything_comes_back(
    stream: Stream, other: Stream, door: Door, elsewhere: Door
) -> None:
    """Entries, groups, who has taken what and how often, ages, bytes: all of it."""
    await at_work(stream, other, door)
    before = await contents(door)

    kept = await kept_of(door)
    outcome = await restore(elsewhere, kept, replace=False)

    assert Restored(done=True) == outcome
    assert before == await contents(elsewhere)
    assert before == await contents(door)
    pending = await elsewhere.call(
        "XPENDING", elsewhere.key("items"), "archive", "-", "+", 10
    )
    assert [("two", 7), ("two", 7), ("one", 1)] == [
        (one[1].decode(), one[3]) for one in pending[:3]
    ]
    assert stream.epoch == kept.epoch
    assert len(before) == len(kept.kept)
    assert {"string", "set", "hash", "stream"} == {one.kind for one in kept.kept}


async def test_work_goes_on_where_it_was(
    redis_url: str, stream: Stream, other: Stream, door: Door, elsewhere: Door
) -> None:
    """What was taken is taken, what was settled is settled, what was seen is seen."""
    await at_work(stream, other, door)
    await restore(elsewhere, await kept_of(door), replace=False)

    again = await Stream.connect(
        redis_url, "one", clock=FakeClock(), prefix=elsewhere.prefix
    )
    left = await drained(again.reader("outbox:chat:0", "deliver"))
    seen = await again.accept("town", [*posts(4), post("7", "sirens")], "c")
    told = await again.told("town/7", ["ann"])
    await again.aclose()

    assert ["0", "1", "2", "3"] == [entry.value.match.item.id for entry in left]
    assert (Accepted(unchanged=5), "m1") == (seen, told["ann"].message)
    assert stream.epoch == again.epoch


async def test_it_stands_as_far_as_it_was(
    stream: Stream, other: Stream, door: Door, elsewhere: Door
) -> None:
    """What is said of the backup is true of what was put back."""
    await at_work(stream, other, door)

    before = await standing(door)
    await restore(elsewhere, await kept_of(door), replace=False)

    assert before == await standing(elsewhere)
    assert (2, 1) == (before.cursors, before.letters)
    waiting = {one.queue: one.pending for one in before.depths if one.pending}
    assert 4 == waiting["outbox:chat:0"]


async def test_what_lives_on_lives_as_long(
    stream: Stream, door: Door, elsewhere: Door
) -> None:
    """A key expires after what was left to it, and not sooner than in a minute."""
    await stream.release("nothing")
    for name, left in (("long", 5_000_000), ("short", 900)):
        await door.call("SET", door.key(name), "x", "PX", left)
    kept = await kept_of(door)
    await restore(elsewhere, kept, replace=False)

    long, short, epoch = [
        await elsewhere.call("PTTL", elsewhere.key(name))
        for name in ("long", "short", "epoch")
    ]
    assert 4_990_000 < long <= 5_000_000
    assert 50_000 < short <= 60_000
    assert -1 == epoch


async def test_leases_are_left_out(stream: Stream, door: Door) -> None:
    """Who works now does not work there; what a restore left behind is nobody's."""
    await stream.take("filter", timedelta(seconds=30))
    await door.call("SET", door.key("stage:items"), "x")

    names = [one.name for one in (await kept_of(door)).kept]

    assert "epoch" in names
    assert not [name for name in names if name.startswith(("lease:", "stage:"))]


async def test_it_is_of_one_instant(stream: Stream, door: Door) -> None:
    """Whatever is committed meanwhile is in it as a whole, or not at all."""
    assert stream.owner
    keys = [door.key(name) for name in ("a", "z", *map(str, range(20)))]
    both = "for _, key in ipairs(KEYS) do redis.call('XADD', key, '*', 'f', 1) end"
    lengths, done = set[int](), asyncio.Event()

    async def commit() -> None:
        while not done.is_set():
            await door.call("EVAL", both, len(keys), *keys)

    committing = asyncio.create_task(commit())
    while len(lengths) < 5:
        kept = (await snapshot(door)).kept
        found = [one.length for one in kept if door.key(one.name) in keys]
        assert len(set(found)) <= 1
        lengths |= set(found)
    done.set()
    await committing


@pytest.mark.parametrize("key", [b"x", b"\xff\xfe"], ids=["list", "bytes"])
async def test_what_is_not_ours_is_told(key: bytes, door: Door, stream: Stream) -> None:
    """Rather than leave out what it does not know, it keeps nothing."""
    assert stream.owner
    full = door.prefix.encode() + key
    await door.call("RPUSH" if key == b"x" else "SET", full, "y")

    with pytest.raises(Unavailable, match="redis: "):
        await snapshot(door)


# Digests

CHANGES: dict[str, Sequence[Argument]] = {
    "a value": ("HSET", "seen:town", "0", b"x"),
    "a field": ("HDEL", "seen:town", "0"),
    "a text": ("SET", "text", "other", "KEEPTTL"),
    "a member": ("SREM", "lanes", "outbox:other:0"),
    "an entry": ("XADD", "items", "*", "1", "x"),
    "a letter": ("XTRIM", "dead", "MAXLEN", 0),
    "an owner": ("XCLAIM", "items", "archive", "three", 0, "FIRST", "JUSTID"),
    "which owner": ("XCLAIM", "items", "archive", "two", 0, "LAST", "JUSTID"),
    "attempts": (
        "XCLAIM", "items", "archive", "two", 0, "FIRST", "RETRYCOUNT", 9, "JUSTID",
    ),
    "an acknowledgement": ("XACK", "items", "archive", "FIRST"),
    "where a group is": ("XGROUP", "SETID", "items", "filter", "0"),
    "a group": ("XGROUP", "DESTROY", "items", "filter"),
    "a consumer": ("XGROUP", "DELCONSUMER", "items", "filter", "nobody"),
    "how many there were": ("XSETID", "items", "9999999999999-1", "ENTRIESADDED", 99),
    "a kind": ("RENAME", "lanes", "seen:town"),
    "the key": ("DEL", "parked"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_each_change_is_seen(
    change: str, stream: Stream, other: Stream, door: Door
) -> None:
    """No part of what is kept can become another without being told."""
    await at_work(stream, other, door)
    kept = (await kept_of(door)).kept
    assert [] == await differing(door, kept)
    pending = await door.call("XPENDING", door.key("items"), "archive", "-", "+", 10)
    full: dict[Argument, Argument] = {one.name: door.key(one.name) for one in kept}
    full |= {"FIRST": pending[0][0], "LAST": pending[-1][0]}

    command = [full.get(word, word) for word in CHANGES[change]]
    await door.call(*command)

    changed = [str(word).removeprefix(door.prefix) for word in command[1:3]]
    assert set(await differing(door, kept)) & set(changed)


async def test_a_digest_is_of_what_it_means(state: Path) -> None:
    """How a server stores it, and in which order it was written, changes nothing."""
    async with Server(state) as server:
        door = Door(await server.ensure(), "p:")
        digests = set[tuple[str, ...]]()
        for most in (0, 512):
            for order in (1, -1):
                await door.call("FLUSHALL")
                for what in ("hash", "set"):
                    name = f"{what}-max-listpack-entries"
                    with suppress(Unavailable):  # Redis 7.0 packs no sets
                        await door.call("CONFIG", "SET", name, most)
                await door.call("CONFIG", "SET", "stream-node-max-entries", most or 1)
                for n in list(range(40))[::order]:
                    await door.call("HSET", "p:h", f"f{n}", n)
                    await door.call("SADD", "p:s", f"m{n}")
                for n in range(40):
                    await door.call("XADD", "p:x", f"1-{n + 1}", "f", n)
                digests.add(
                    tuple(sorted(k.digest for k in (await snapshot(door)).kept))
                )
        await door.aclose()

    assert 1 == len(digests)


@pytest.mark.parametrize(
    "kinds",
    [
        (("SET", "x", "a"), ("SET", "x", "b")),
        (("SADD", "x", "a", "b"), ("SADD", "x", "a", "c")),
        (("HSET", "x", "a", "b"), ("HSET", "x", "a", "c")),
        (("HSET", "x", "a", "bc"), ("HSET", "x", "ab", "c")),
        (("XADD", "x", "1-1", "a", "b"), ("XADD", "x", "1-1", "a", "c")),
        (("XADD", "x", "1-1", "a", "b c"), ("XADD", "x", "1-1", "a b", "c")),
    ],
)
async def test_what_is_as_long_is_not_the_same(
    kinds: tuple[tuple[str, ...], tuple[str, ...]], door: Door
) -> None:
    """Of as many things of the same names each counts, and where it ends."""
    digests = list[str]()
    for command, _, *words in kinds:
        await door.call("DEL", door.key("x"))
        await door.call(command, door.key("x"), *words)
        digests += (one.digest for one in (await snapshot(door)).kept)

    assert 2 == len(digests) == len(set(digests))


async def test_long_streams_are_read_to_their_end(
    stream: Stream, door: Door, elsewhere: Door
) -> None:
    """What is pending or stands beyond the first page counts, too."""
    await stream.accept("town", posts(2500), "c")
    await drained(stream.reader("items", "filter"), 700)
    kept = await kept_of(door)
    last = (await door.call("XREVRANGE", door.key("items"), "+", "-", "COUNT", 1))[0][0]

    await restore(elsewhere, kept, replace=False)
    await door.call("XDEL", door.key("items"), last)
    await elsewhere.call("XACK", elsewhere.key("items"), "filter", last)

    assert ["items"] == await differing(door, kept.kept)
    assert ["items"] == await differing(elsewhere, kept.kept)


# Putting it back


async def unchanged(door: Door, attempt: Callable[[], Any], said: str) -> None:
    """Expect a refusal that says so and changes nothing at all."""
    before = await contents(door)
    with pytest.raises(Unavailable, match=said):
        await attempt()
    assert before == await contents(door)
    assert not [name for name in before if name.startswith("stage:")]


async def test_progress_is_not_lost_by_mistake(
    stream: Stream, other: Stream, door: Door
) -> None:
    """Where something was read already, only who says so loses it."""
    await stream.accept("town", posts(3), "c3")
    kept = await kept_of(door)
    await at_work(stream, other, door)
    await let_go(stream, other)

    await unchanged(
        door, lambda: restore(door, kept, replace=False), "progress already"
    )
    outcome = await restore(door, kept, replace=True)

    assert (True, ()) == (outcome.done, outcome.differing)
    assert outcome.removed > len(kept.kept)
    assert {one.name for one in kept.kept} == set(await contents(door))


async def test_who_works_is_not_disturbed(
    redis_url: str, prefix: str, stream: Stream, door: Door
) -> None:
    """While anybody holds a lease, nothing is put back, nor laid beside."""
    kept, said = await kept_of(door), list[Argument]()
    await stream.take("filter", timedelta(seconds=30))

    async def listen(command: Sequence[Argument]) -> None:
        said.append(command[0])

    heard = Door(Meddled(redis_url, listen), prefix)
    await unchanged(
        door, lambda: restore(heard, kept, replace=True), "lease:filter of one"
    )
    await heard.aclose()
    assert {"KEYS", "GET"} == set(said)


async def test_who_begins_to_work_meanwhile_is_not_disturbed(
    redis_url: str, prefix: str, stream: Stream, door: Door
) -> None:
    """The last look for leases is in the very step that changes everything."""
    kept = await kept_of(door)

    async def meddle(command: Sequence[Argument]) -> None:
        if command[1] == RESTORE.hash:
            await stream.take("filter", timedelta(seconds=30))

    meddled = Door(Meddled(redis_url, meddle), prefix)
    await unchanged(door, lambda: restore(meddled, kept, replace=True), "lease:filter")
    await meddled.aclose()


@pytest.mark.parametrize("key", ["stage:", "stage:items"])
async def test_what_is_no_more_staged_as_a_whole_changes_nothing(
    key: str, redis_url: str, prefix: str, stream: Stream, door: Door
) -> None:
    """Another restore, or an hour, may have removed what was laid there."""
    await stream.accept("town", posts(3), "c3")
    kept = await kept_of(door)

    async def meddle(command: Sequence[Argument]) -> None:
        if command[1] == RESTORE.hash:
            await door.call("DEL", door.key(key))

    meddled = Door(Meddled(redis_url, meddle), prefix)
    await unchanged(door, lambda: restore(meddled, kept, replace=True), "try again")
    await meddled.aclose()


class Meddled(Line):
    """A line on which somebody does something else before each command."""

    def __init__(self, url: str, meddle: Callable[[Sequence[Argument]], Any]) -> None:
        super().__init__(url)
        self._meddle = meddle

    async def exchange(self, command: Sequence[Argument]) -> Any:
        await self._meddle(command)
        return await super().exchange(command)


async def test_a_program_that_never_read_anything_is_in_nobodys_way(
    redis_url: str, clock: FakeClock, stream: Stream, door: Door, elsewhere: Door
) -> None:
    """What a first start has made holds no progress, and may go."""
    await stream.accept("town", posts(3), "c3")
    fresh = await Stream.connect(
        redis_url, "two", sinks=["chat"], clock=clock, prefix=elsewhere.prefix
    )
    await fresh.aclose()

    outcome = await restore(elsewhere, await kept_of(door), replace=False)

    assert (True, 6) == (outcome.done, outcome.removed)
    assert "c3" == await stream.cursor("town")


async def test_what_was_read_and_trimmed_is_progress(
    stream: Stream, door: Door, elsewhere: Door
) -> None:
    """A stream is empty if nothing ever stood in it, not if it is empty now."""
    kept = await kept_of(door)
    assert stream.epoch == kept.epoch
    await elsewhere.call("XADD", elsewhere.key("items"), "*", "1", "x")
    await elsewhere.call("XTRIM", elsewhere.key("items"), "MAXLEN", 0)

    await unchanged(
        elsewhere, lambda: restore(elsewhere, kept, replace=False), r"progress.*items"
    )


async def test_others_on_the_same_server_keep_theirs(
    redis_url: str, stream: Stream, door: Door, elsewhere: Door
) -> None:
    """A prefix is a text, whatever the signs in it mean to the server."""
    near = Door(redis_url, "at:")  # `a[t…]*?\:` as a pattern finds it
    for one in (near, elsewhere):
        await one.call("SET", one.key("x"), "1")

    outcome = await restore(elsewhere, await kept_of(door), replace=True)

    assert 1 == outcome.removed
    assert b"1" == await near.call("GET", near.key("x"))
    assert 1 == len((await snapshot(near)).kept)
    assert stream.epoch == (await snapshot(elsewhere)).epoch
    await near.call("DEL", near.key("x"))
    await near.aclose()


async def test_what_an_older_server_cannot_read_changes_nothing(
    stream: Stream, other: Stream, door: Door
) -> None:
    """Both versions are named, and everything is as it was."""
    await at_work(stream, other, door)
    kept = await kept_of(door)
    await let_go(stream, other)
    newer = msgspec.structs.replace(
        kept.kept[-1], dump=kept.kept[-1].dump[:-10] + b"\xff\xff" + bytes(8)
    )  # a sum of nothing is not looked at

    what = Snapshot(kept.epoch, "Valkey 99.0.0", [*kept.kept[:-1], newer])

    said = "kept on Valkey 99.0.0, and (Valkey|Redis) [0-9.]+ cannot read"
    await unchanged(door, lambda: restore(door, what, replace=True), said)


async def test_what_is_not_what_was_kept_is_not_put_in_place(
    stream: Stream, door: Door
) -> None:
    """A server that makes something else of it is found out before, not after."""
    await stream.accept("town", posts(3), "c3")
    kept = await kept_of(door)
    wrong = [
        msgspec.structs.replace(one, digest="0" * 13) if one.name == "cursor" else one
        for one in kept.kept
    ]
    await stream.accept("town", posts(5), "c5")
    before = await contents(door)

    what = Snapshot(kept.epoch, kept.server, wrong)
    outcome = await restore(door, what, replace=True)

    assert Restored(done=False, differing=("cursor",)) == outcome
    assert before == await contents(door)


async def test_what_finds_no_room_changes_nothing(
    state: Path, stream: Stream, door: Door
) -> None:
    """Both do not fit beside each other: the one that is there stays."""
    assert stream.owner
    for number in range(12):  # two pages, of which the first may just go in
        await door.call("SET", door.key(f"noise{number}"), os.urandom(1_000_000))
    kept = await kept_of(door)
    async with Server(state, maxmemory=6_000_000) as server:
        small = Door(await server.ensure(), "monitor:{0}:")
        await small.call("SET", small.key("pulse"), "7")

        await unchanged(small, lambda: restore(small, kept, replace=False), "no room")
        await small.aclose()


async def test_what_was_staged_by_who_died_is_in_nobodys_way(
    stream: Stream, door: Door, elsewhere: Door
) -> None:
    """Of a restore that was killed nothing comes into the next one."""
    await stream.accept("town", posts(3), "c3")
    kept = await kept_of(door)
    await elsewhere.call("HSET", elsewhere.key("stage:"), "old", -1)
    await elsewhere.call("SET", elsewhere.key("stage:old"), "x")

    await restore(elsewhere, kept, replace=False)

    assert {one.name for one in kept.kept} == set(await contents(elsewhere))


# More than one step


async def test_what_is_too_much_for_one_step_is_taken_in_several(
    stream: Stream, other: Stream, door: Door, elsewhere: Door
) -> None:
    """If nobody works, so that nothing changes between them."""
    await at_work(stream, other, door)
    with pytest.raises(Unavailable, match="stop the program"):
        await snapshot(door, one_step=1)
    await let_go(stream, other)

    kept = await snapshot(door, one_step=1)
    await restore(elsewhere, kept, replace=False)

    assert await contents(door) == await contents(elsewhere)


@pytest.mark.parametrize("what", ["a lease", "a change"])
async def test_what_changes_between_steps_is_no_backup(
    what: str, redis_url: str, prefix: str, stream: Stream
) -> None:
    """Who begins to work between two steps is noticed, be they fast or slow."""
    await stream.accept("town", posts(3), "c3")
    steps = 0

    async def meddle(command: Sequence[Argument]) -> None:
        nonlocal steps
        steps += 1
        last = command[1:3] == (BACKUP.hash, 2)  # the epoch, and one key
        if last and what == "a lease":
            await stream.take("filter", timedelta(seconds=30))
        if command[-1] == 0 and what == "a change":  # it is looked at again
            await stream.accept("town", posts(9), "c9")

    door = Door(Meddled(redis_url, meddle), prefix)
    with pytest.raises(Unavailable, match="stop"):
        await snapshot(door, one_step=1)
    await door.aclose()
    assert steps > 7


# Death


class Severed(Line):
    """A line that carries so many commands, and loses the answer of the last."""

    def __init__(self, url: str, commands: int, *, applied: bool) -> None:
        super().__init__(url)
        self.left, self._applied = commands, applied

    async def exchange(self, command: Sequence[Argument]) -> Any:
        self.left -= 1
        if self.left > 0:
            return await super().exchange(command)
        if self.left == 0 and self._applied:
            await super().exchange(command)
        raise exceptions.ConnectionError


@pytest.mark.parametrize("applied", [False, True])
async def test_wherever_it_dies_it_was_done_or_not(
    applied: bool,  # noqa: FBT001 - a case
    redis_url: str,
    stream: Stream,
    door: Door,
    elsewhere: Door,
) -> None:
    """Killed before or after any of its commands, it leaves the old or the new."""
    await stream.accept("town", posts(3), "c3")
    what = await kept_of(door)
    new = await contents(door)
    outcomes = list[str]()
    for commands in itertools.count(1):
        for key in await every(elsewhere):
            await elsewhere.call("DEL", key)
        await elsewhere.call("SET", elsewhere.key("old"), "x")
        old = await contents(elsewhere)
        line = Severed(redis_url, commands, applied=applied)
        cut = Door(line, elsewhere.prefix)
        with suppress(Away):
            await restore(cut, what, replace=True)
        await cut.aclose()

        found = await contents(elsewhere)
        there = {k: v for k, v in found.items() if not k.startswith("stage:")}
        outcomes.append("old" if there == old else "new" if there == new else "torn")
        again = await restore(elsewhere, what, replace=True)
        assert again.done
        assert new == await contents(elsewhere)
        if line.left > 0:
            break

    assert ["old", "new"] == [outcome for outcome, _ in itertools.groupby(outcomes)]
    assert len(outcomes) > 6
