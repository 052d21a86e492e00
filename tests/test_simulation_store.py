"""A server in memory: its clock, its faults, its disk, and who waits for it."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis import exceptions as redis

from monitor.errors import Away
from monitor.stream import Stream
from monitor.stream.door import Door, Line, judged
from monitor.stream.server import find_binary
from tests.simulation.loop import VirtualClock, VirtualLoop, run
from tests.simulation.model.compare import Pair
from tests.simulation.model.sides import Model, refusal
from tests.simulation.model.words import lines
from tests.simulation.replies import digest
from tests.simulation.store import Store
from tests.simulation.wire import StoreWire
from tests.stream_values import drained, posts, verdicts


class Hand:
    """The clock of a server, in seconds since 1970, that a test turns."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def store(hand: Hand) -> Store:
    return Store(hand)


# The clock


def test_ids_follow_the_clock_and_never_go_back(hand: Hand, store: Store) -> None:
    """An entry's id is its moment, or the next one after the newest there ever was."""
    ids = []
    for seconds in (0, 0, 3600, -7200, 3600, 3600.001):
        hand.seconds += seconds
        ids.append(store.execute(("XADD", "s", "*", "f", "v")))
    store.execute(("XTRIM", "s", "MAXLEN", 0))
    ids.append(store.execute(("XADD", "s", "*", "f", "v")))

    assert [
        b"1700000000000-0", b"1700000000000-1", b"1700003600000-0",
        b"1700003600000-1", b"1700003600000-2", b"1700003600001-0",
        b"1700003600001-1",
    ] == ids  # fmt: skip


def test_keys_expire_by_the_clock(hand: Hand, store: Store) -> None:
    """What has expired is gone for good, though the clock be set back after that."""
    store.execute(("SET", "lease", "one", "PX", 1500))
    store.execute(("SET", "kept", "x"))
    hand.seconds += 1.5
    assert b"one" == store.execute(("GET", "lease"))
    assert 0 == store.execute(("PTTL", "lease"))

    hand.seconds += 0.002

    assert store.execute(("GET", "lease")) is None
    hand.seconds -= 1000
    assert [b"kept"] == store.execute(("KEYS", "*"))
    assert 1 == store.execute(("SETNX", "lease", "two"))
    assert -1 == store.execute(("PTTL", "lease"))


def test_time_stands_still_in_a_script(hand: Hand) -> None:
    """A script sees one moment, however long it takes."""
    ticks = iter(range(100))
    store = Store(lambda: hand.seconds + next(ticks))

    entries = store.execute(("EVAL", THREE, 0))

    assert [b"0", b"1", b"2"] == [id_.partition(b"-")[2] for id_, _ in entries]


THREE = """#!lua
for n = 1, 3 do redis.call('XADD', 's', '*', 'n', n) end
return redis.call('XRANGE', 's', '-', '+')"""


# What it refuses

FRUGAL = "#!lua flags=allow-oom\nreturn redis.call('SET', 'a', 'b')"
LAVISH = "#!lua\nreturn redis.call('GET', 'a')"
READER = "#!lua flags=no-writes\nreturn redis.call('GET', 'a')"
OLD = "return redis.call('SET', 'a', 'b')"
PREPARED: list[tuple[str | int, ...]] = [
    ("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"),
    *(("SCRIPT", "LOAD", text) for text in (FRUGAL, LAVISH, READER, OLD)),
]
SAID: dict[str, tuple[str | int, ...]] = {
    "ping": ("PING",),
    "read": ("GET", "a"),
    "grow": ("SET", "a", "b"),
    "shrink": ("XACK", "s", "g", "1-1"),
    "take": ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"),
    "frugal": ("EVALSHA", digest(FRUGAL.encode()), 0),
    "lavish": ("EVALSHA", digest(LAVISH.encode()), 0),
    "reader": ("EVALSHA", digest(READER.encode()), 0),
    "old": ("EVALSHA", digest(OLD.encode()), 0),
    "unknown": ("EVALSHA", "0" * 40, 0),
    "load": ("SCRIPT", "LOAD", OLD),
    "config": ("CONFIG", "GET", "maxmemory"),
}
WRITES = {"grow", "shrink", "take", "frugal", "lavish", "old"}


def prepared(store: Store) -> Store:
    for line in PREPARED:
        store.execute(line)
    return store


def outcome(store: Store, line: Sequence[Any]) -> Any:
    """Return what is answered, or the error that is raised."""
    try:
        return store.execute(line)
    except redis.RedisError as error:
        return error


@pytest.mark.parametrize(
    ("fault", "error", "refused"),
    [
        ("loading", redis.BusyLoadingError, SAID.keys() - {"config"}),
        ("read_only", redis.ReadOnlyError, WRITES),
        ("broken_disk", redis.ResponseError, WRITES | {"ping"}),
        ("out_of_memory", redis.OutOfMemoryError, {"grow", "lavish", "old"}),
    ],
)
def test_a_fault_refuses_what_it_has_to(
    store: Store, fault: str, error: type[redis.RedisError], refused: set[str]
) -> None:
    """While it lasts, some commands are refused, as what passes; then none is."""
    prepared(store)
    setattr(store, fault, True)

    met = {name: outcome(store, line) for name, line in SAID.items()}

    failed = {name for name, answer in met.items() if isinstance(answer, error)}
    assert refused == failed - ({"unknown"} if fault != "loading" else set())
    assert {Away} == {type(judged(met[name])) for name in refused}
    assert b"redis_version" in store.execute(("INFO",))
    setattr(store, fault, False)
    healed = {name: outcome(store, line) for name, line in SAID.items()}
    assert {"unknown"} == {n for n, one in healed.items() if isinstance(one, Exception)}


async def test_a_broken_disk_is_as_on_a_real_server(
    tmp_path: Path, store: Store
) -> None:
    """A server that cannot save refuses what the model does, by the same code."""
    prepared(store).broken_disk = True

    expected = {name: code(outcome(store, line)) for name, line in SAID.items()}

    async with without_a_disk(tmp_path) as line:
        answers = {name: code(await answered(line, SAID[name])) for name in SAID}
    assert expected == answers


def code(answer: Any) -> str:
    return refusal(answer)[2] if isinstance(answer, redis.RedisError) else ""


async def answered(line: Line, said: Sequence[Any]) -> Any:
    try:
        return await line.exchange(said)
    except redis.RedisError as error:
        return error


@asynccontextmanager
async def without_a_disk(folder: Path) -> AsyncIterator[Line]:
    """Run a real server whose folder has gone, so that it cannot save."""
    data = folder / "data"
    data.mkdir()
    options = ("--port", "0", "--unixsocket", folder / "s", "--save", "3600 1")
    server = subprocess.Popen(  # noqa: ASYNC220, S603 - our own; nothing waits for it
        [find_binary(), *options, "--dir", data], stdout=subprocess.DEVNULL
    )
    line = Line(f"unix://{folder}/s")
    try:
        while await answered(line, ("PING",)) != b"PONG":
            await asyncio.sleep(0.01)
        for said in PREPARED:
            await line.exchange(said)
        shutil.rmtree(data)
        await line.exchange(("BGSAVE",))
        while code(await answered(line, ("PING",))) != "MISCONF":
            await asyncio.sleep(0.01)
        yield line
    finally:
        await line.aclose()
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    "line",
    [
        ("GEOADD", "k", 1, 2, "m"),
        ("XADD", "s", "KEEPREF", "*", "f", "v"),
        ("SET", "k", "v", "GET"),
        ("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", "1"),
        ("EVAL", "return redis.pcall('ZADD', 'k', 1, 'm')", 0),
        ("EVAL", "return pcall(redis.call, 'ZADD', 'k', 1, 'm')", 0),
        ("EVAL", "return cjson.encode({1})", 0),
        ("EVAL", "return redis.call('SET', 'k', 0.1)", 0),
        ("EVAL", "return struct.pack('>d', 1)", 0),
        ("CONFIG", "GET", "lua-time-limit"),
    ],
)
def test_what_it_does_not_know_ends_the_run(store: Store, line: Sequence[Any]) -> None:
    """Nothing is answered on a guess, and no script can catch that."""
    with pytest.raises(NotImplementedError):
        store.execute(line)

    assert store.execute(("SET", "k", "v")) == b"OK"


def test_a_script_that_fails_keeps_what_it_has_written(store: Store) -> None:
    """Scripts do not roll back: a commit must look before it writes."""
    text = "#!lua\nredis.call('SET', 'a', '1')\nredis.call('XLEN', 'a')"

    with pytest.raises(redis.ResponseError, match=r"^WRONGTYPE .*user_script:3"):
        store.execute(("EVAL", text, 0))

    assert b"1" == store.execute(("GET", "a"))


# Its end, and its disk


async def both(one: Store, other: Store) -> None:
    """Compare all that is in two stores."""
    pair = Pair(Model(one), Model(other))
    await pair.say(await pair.everything())


def said_to(store: Store, hand: Hand, seed: int, number: int) -> None:
    """Say random commands, a tenth of a second apart."""
    for line in lines(Random(seed), number):  # noqa: S311 - no secret is made
        if line[0] not in {"CONFIG", "REPLICAOF"}:
            hand.seconds += 0.1
            outcome(store, line)


@pytest.mark.parametrize("seed", range(4))
async def test_a_power_cut_leaves_what_was_on_the_disk(seed: int) -> None:
    """After it the server has what the last sync had, and goes on from there."""
    hand, shadow = Hand(), Hand()
    store, plain = Store(hand), Store(shadow)
    store.sync()
    lost = 0

    for part in range(seed, seed + 30):
        said_to(store, hand, part, 60)
        said_to(plain, shadow, part, 60)
        store.sync()
        if part % 3 == 0:
            said_to(store, hand, 1000 + part, 60)
            lost += store.lose_power()
            hand.seconds = shadow.seconds

    assert 300 < lost
    await both(store, plain)
    assert 4 <= store.execute(("DBSIZE",))


async def test_a_long_history_is_not_repeated_from_its_beginning() -> None:
    """However much was done since the start, what a sync left comes back."""
    hand, shadow = Hand(), Hand()
    store, plain = Store(hand), Store(shadow)
    store.sync()
    for part in range(80):
        said_to(store, hand, part, 100)
        said_to(plain, shadow, part, 100)
        store.sync()

    said_to(store, hand, 1000, 100)
    assert 20 < store.lose_power() < 200

    hand.seconds = shadow.seconds
    await both(store, plain)


async def test_an_old_state_is_put_back_as_often_as_one_likes(hand: Hand) -> None:
    """A snapshot is not changed by what follows, nor by being put back."""
    store, shadow = Store(hand), Hand()
    said_to(store, hand, 1, 200)
    kept = store.snapshot()
    for seed in (2, 3):
        said_to(store, hand, seed, 100)
        store.restore(kept)

    plain = Store(shadow)
    said_to(plain, shadow, 1, 200)
    hand.seconds = shadow.seconds
    await both(store, plain)


async def test_a_dump_holds_all_of_a_key(hand: Hand) -> None:
    """What is dumped from one server and restored on another is the same there."""
    store, other = Store(hand), Store(hand)
    said_to(store, hand, 5, 400)

    for key in store.execute(("KEYS", "*")):
        left = max(store.execute(("PTTL", key)), 0)
        dump = store.execute(("DUMP", key))
        other.execute(("RESTORE", key, left, dump))
        with pytest.raises(redis.ResponseError, match="checksum"):
            other.execute(("RESTORE", "x", 0, dump[:-1] + bytes([dump[-1] ^ 1])))

    assert 4 <= other.execute(("DBSIZE",))
    await both(store, other)


def test_a_restart_forgets_scripts_and_clients(store: Store) -> None:
    """Data stay; scripts have to be loaded again, and those who waited are cut off."""
    prepared(store)
    waiting = store.execute(("XREAD", "BLOCK", 0, "STREAMS", "s", "$"))
    told: list[Any] = []
    store.wait(waiting, told.append)
    store.execute(SAID["grow"])

    store.restart()

    assert [redis.ConnectionError] == [type(one) for one in told]
    assert type(outcome(store, SAID["frugal"])) is redis.NoScriptError
    assert b"b" == store.execute(("GET", "a"))
    assert 2 == store.starts


# Who waits


def test_blocked_readers_wait_in_virtual_time() -> None:
    """They are served in the order of their coming, or go when their time is over."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    store = Store(clock.timestamp)
    wire = StoreWire(store)
    came: list[tuple[str, float, bool]] = []

    async def read(owner: str, block: int) -> None:
        command = ("XREADGROUP", "GROUP", "g", owner, "COUNT", 1, "BLOCK", block)
        answer = await wire.exchange((*command, "STREAMS", "s", ">"))
        came.append((owner, loop.time(), answer is not None))

    async def main() -> None:
        await wire.exchange(("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"))
        readers = [("short", 1000), ("first", 9000), ("gone", 0), ("last", 0)]
        tasks = [asyncio.create_task(read(*reader)) for reader in readers]
        await asyncio.sleep(2)
        tasks[2].cancel()
        await asyncio.sleep(1)
        for second in range(2):
            await wire.exchange(("XADD", "s", f"{second + 1}-1", "f", "v"))
            await asyncio.sleep(1)
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main(), loop)

    assert [("short", 1.0, False), ("first", 3.0, True), ("last", 4.0, True)] == came


def test_the_program_runs_on_it() -> None:
    """`Stream` and its readers go through a restart of it without noticing much."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    store = Store(clock.timestamp)

    async def main() -> None:
        door = Door(StoreWire(store), "m:")
        stream = await Stream.behind(door, "one", clock=clock, fresh=lambda: "base")
        reader = stream.reader("items", "filter")
        waiting = asyncio.create_task(reader.next(10, timedelta(seconds=10)))
        await asyncio.sleep(11)
        assert [] == await waiting
        waiting = asyncio.create_task(reader.next(10, timedelta(seconds=10)))
        await asyncio.sleep(1)
        store.restart()
        with pytest.raises(Away):
            await waiting
        await stream.accept("town", posts(300), "c")
        assert 300 == await stream.publish(verdicts(await drained(reader)))
        assert not await stream.is_another()

    run(main(), loop)


@pytest.mark.parametrize("number", range(3))
def test_the_same_is_said_twice(number: int) -> None:
    """Nothing in it is left to chance: the same commands have the same answers."""

    def answers() -> list[str]:
        hand = Hand()
        store = Store(hand)
        script = lines(Random(number), 300)  # noqa: S311 - no secret is made
        return [repr(outcome(store, line)) for line in script]

    assert answers() == answers()
