"""What Redis refuses, and what that means for us."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import exceptions as redis

from monitor.errors import Away, Misconfigured, Unavailable
from monitor.item import Item
from monitor.secret import redact
from monitor.stream import DELIVERIES, ITEMS, Fact, Server, Stream
from monitor.stream.doctor import facts
from monitor.stream.door import Door, NoGroup, judged
from tests.stream_values import (
    delivery,
    drained,
    envelope,
    everything,
    match,
    post,
    posts,
    verdicts,
)


@pytest.fixture
async def server(state: Path) -> AsyncIterator[Server]:
    """A server of one's own, with little memory."""
    async with Server(state, maxmemory=5 << 20) as server:
        yield server


@pytest.fixture
async def door(server: Server) -> AsyncIterator[Door]:
    door = Door(await server.ensure(), "monitor:{0}:")
    yield door
    await door.aclose()


@pytest.fixture
async def own(server: Server) -> AsyncIterator[Stream]:
    """A stream on the server of one's own."""
    own = await Stream.connect(await server.ensure(), "one", sinks=["chat"])
    yield own
    await own.aclose()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.ConnectionError("Connection refused"), Away),
        (redis.TimeoutError("Timeout"), Away),
        (redis.BusyLoadingError("Redis is loading"), Away),
        (redis.OutOfMemoryError("command not allowed", status_code="OOM"), Away),
        (redis.ReadOnlyError("You cannot write", status_code="READONLY"), Away),
        (redis.MaxConnectionsError("Too many connections"), Away),
        (redis.ResponseError("MISCONF Errors writing to the AOF file"), Away),
        (redis.ResponseError("BUSY Redis is busy running a script"), Away),
        (redis.ResponseError("NOREPLICAS Not enough good replicas"), Away),
        (redis.ResponseError("NOGROUP No such key"), NoGroup),
        (redis.ResponseError("WRONGTYPE Operation against a key"), Unavailable),
        (redis.ResponseError("ERR unknown command 'XADD'"), Unavailable),
        (redis.NoPermissionError("this user has no permissions"), Unavailable),
        (redis.AuthenticationError("WRONGPASS invalid"), Unavailable),
    ],
)
def test_each_refusal_says_what_to_do_next(
    error: redis.RedisError, expected: type[Exception]
) -> None:
    """What passes by itself is waited for; what does not, a person has to mend."""
    assert expected is type(judged(error))


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2-secret@127.0.0.1:1/0",
        "redis://user:hunter2-secret@127.0.0.1:1/0?socket_timeout=1&protocol=3",
        "redis://:hunter2-secret@host:port/0",
        "redis://:hunter2-secret/x@host:1/0",
        "http://:hunter2-secret@127.0.0.1/",
    ],
)
async def test_a_password_is_not_shown(url: str) -> None:
    """No error about an address or a connection holds its password."""
    with pytest.raises((Away, Misconfigured)) as caught:
        await Stream.connect(url, "one")

    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert "hunter2" not in shown
    assert caught.value.__suppress_context__


async def test_a_password_is_known_to_the_log() -> None:
    """What is in the address is redacted wherever it may turn up."""
    door = Door("redis://:correct-horse@127.0.0.1:1", "")
    await door.aclose()

    assert "[secret]" == redact("correct-horse")


async def test_a_server_that_is_not_there_is_awaited(tmp_path: Path) -> None:
    """Nobody behind the socket is a reason to try again."""
    with pytest.raises(Away):
        await Stream.connect(f"unix://{tmp_path}/none.sock", "one")


async def test_someone_elses_keys_are_not_touched(redis_url: str, prefix: str) -> None:
    """A key of another type means the wrong database, and nothing is written."""
    door = Door(redis_url, prefix)
    await door.call("SET", door.key("items"), "theirs")

    with pytest.raises(Unavailable, match="another database"):
        await Stream.connect(redis_url, "one", prefix=prefix)
    assert b"theirs" == await door.call("GET", door.key("items"))
    await door.aclose()


@pytest.mark.parametrize("key", ["items", "cursor", "seen:town"])
async def test_a_commit_does_all_or_nothing(
    stream: Stream, redis_url: str, prefix: str, key: str
) -> None:
    """A commit that meets a key of another type has written nothing before."""
    door = Door(redis_url, prefix)
    await door.call("DEL", door.key(key))
    await door.call("SET", door.key(key), "theirs")

    with pytest.raises(Unavailable):
        await stream.accept("town", [post("1")], "c")

    there = await door.call("EXISTS", *map(door.key, ("items", "cursor", "seen:town")))
    xlen = 0 if key == "items" else await door.call("XLEN", door.key("items"))
    assert (1 if key == "items" else 2, 0) == (there, xlen)
    await door.aclose()


async def test_a_replica_is_awaited(own: Stream, door: Door) -> None:
    """A server that takes no writes for now is waited for, and nothing is lost."""
    await door.call("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(Away):
        await own.accept("town", [post("1")], "c")
    role = next(fact for fact in await own.doctor() if fact.name == "role")
    await door.call("REPLICAOF", "NO", "ONE")

    assert 1 == (await own.accept("town", [post("1")], "c")).new
    assert "warn" == role.judgement


async def test_a_read_that_is_broken_off_leaves_no_answer_behind(
    own: Stream, door: Door
) -> None:
    """After a cancelled read every command gets its own answer."""
    reader = own.reader(ITEMS, "filter")
    await reader.next(1, timedelta())
    waiting = asyncio.create_task(reader.next(1, timedelta(seconds=20)))
    while b"flags=bU" not in await door.call("CLIENT", "LIST"):  # somebody blocks
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()

    await own.accept("town", posts(3), "c")

    cursors = await asyncio.gather(*(own.cursor(f"no{n}") for n in range(9)))
    assert ("c", [""] * 9) == (await own.cursor("town"), cursors)
    assert 3 == len(await drained(reader))


async def test_a_server_that_does_not_answer_is_given_up_on(
    server: Server, door: Door
) -> None:
    """A server that hangs costs the time a caller has, and is used again later."""
    assert server.pid
    await door.call("SET", "k", "v")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Away, match="no answer within"):
            await door.call("PING", patience=0.05)
    finally:
        os.kill(server.pid, signal.SIGCONT)

    assert b"v" == await door.call("GET", "k")


async def test_a_server_that_evicts_is_refused(server: Server, door: Door) -> None:
    """A server that would delete what waits is not used at all."""
    await door.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    with pytest.raises(Unavailable, match="noeviction"):
        await Stream.connect(await server.ensure(), "one")


async def filled(stream: Stream, items: list[Item]) -> int:
    """Accept one after the other until Redis is full; return how many went in."""
    for n, item in enumerate(items):
        try:
            await stream.accept("town", [item], str(n))
        except Away:
            return n
    return len(items)


async def test_full_memory_stops_intake_and_nothing_else(
    server: Server, own: Stream, door: Door
) -> None:
    """When memory is full, sources wait, and what was accepted is still delivered."""
    stream = own
    items = [post(str(n), "x" * 40_000) for n in range(1000)]
    accepted = await filled(stream, items)
    assert 20 < accepted < 1000
    assert str(accepted - 1) == await stream.cursor("town")
    assert items[:accepted] == await everything(door, ITEMS)

    again = await Stream.connect(await server.ensure(), "one")  # a restart meanwhile
    assert again.epoch == stream.epoch
    await again.aclose()
    assert await stream.take("lane", timedelta(minutes=1))
    await stream.directory.park("chat", "bob", "blocked us")
    filtering = stream.reader(ITEMS, "filter")
    assert accepted == await stream.publish(verdicts(await drained(filtering)))
    matches = await drained(stream.reader("matches", "alert"))
    way = envelope(match(post("0"), "danger"), "ann")
    await stream.fanout([(entry, [way], []) for entry in matches])
    for entry in await drained(stream.reader("outbox:chat:0", "deliver")):
        told = delivery(f"town/{entry.id}/1", "ann")
        await stream.settle(entry, [told], done=True)
    assert accepted == len(await everything(door, DELIVERIES))

    for queue in ("items", "matches"):
        entries = await drained(stream.reader(queue, "archive"))
        await stream.ack(queue, "archive", [entry.id for entry in entries])
    await stream.trim()
    for n in range(accepted):
        await door.call("DEL", door.key(f"matched:town/{n}"))
    assert 1 == (await stream.accept("town", [post("more")], "more")).new


async def test_a_forgotten_script_is_given_again(own: Stream, door: Door) -> None:
    """A server that was restarted knows our scripts as soon as they are needed."""
    await door.call("SCRIPT", "FLUSH")

    assert 2 == (await own.accept("town", posts(2), "c")).new


FIT = {
    "redis_version": "7.0.15",
    "role": "master",
    "aof_enabled": "1",
    "maxmemory_policy": "noeviction",
    "maxmemory": "1000000",
    "used_memory": "1000",
}


@pytest.mark.parametrize(
    ("info", "fsync", "expected"),
    [
        ({}, "always", {}),
        ({}, "everysec", {}),
        ({"valkey_version": "9.1.2", "redis_version": "7.2.4"}, "always", {}),
        ({"redis_version": "6.2.14"}, "always", {"version": "fail"}),
        ({"redis_version": "10.0.0"}, "always", {}),
        ({"aof_enabled": "0"}, "everysec", {"appendonly": "warn"}),
        ({}, "no", {"appendfsync": "warn"}),
        ({"maxmemory_policy": "volatile-ttl"}, "always", {"maxmemory-policy": "fail"}),
        ({"used_memory": "850000"}, "always", {"used": "warn"}),
        ({"maxmemory": "0", "used_memory": "850000"}, "always", {"maxmemory": "warn"}),
        ({"role": "slave"}, "always", {"role": "warn"}),
        ({"aof_last_write_status": "err"}, "always", {"last write to disk": "warn"}),
    ],
)
def test_the_server_is_judged(
    info: dict[str, str], fsync: str, expected: dict[str, str]
) -> None:
    """Each unfit setting is named with what to change, and nothing else is."""
    found = facts(FIT | info, fsync)

    unfit = {fact.name: fact for fact in found if fact.judgement != "ok"}
    assert expected == {name: fact.judgement for name, fact in unfit.items()}
    assert all(fact.advice for fact in unfit.values())


async def test_the_embedded_server_is_fit(own: Stream) -> None:
    """Nothing has to be changed about the server that we start ourselves."""
    found = await own.doctor()

    assert [] == [fact for fact in found if fact.judgement != "ok"]
    assert Fact(name="appendfsync", value="always") in found
    assert Fact(name="epoch", value=own.epoch) in found
