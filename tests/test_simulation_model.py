"""The simulated store answers as real servers do."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import RedisError

from monitor.stream.door import Door, Line, Wire
from monitor.stream.server import Server
from tests.simulation.commands import COMMANDS
from tests.simulation.model import sides
from tests.simulation.model.compare import Pair, Parted, at_random, work_at_random
from tests.simulation.model.servers import Rig, binaries, rig
from tests.simulation.model.sides import Model, refusal
from tests.simulation.model.words import BEGIN
from tests.simulation.model.work import JOBS
from tests.simulation.streams import NODE_BYTES, Stream
from tests.simulation.wire import StoreWire

SEEDS = 120  # of commands; each is said some 190
SHIFTS = 16  # of work; each hears some 280

REFUSALS = {"ERR", "NOGROUP", "BUSYGROUP", "WRONGTYPE", "OOM", "READONLY"}
# Said by scripts only, as their answers come in pages or are nothing but bytes; and two
# that are the same as others.
UNSAID = {"EXPIREAT", "FLUSHDB", "HSCAN", "PEXPIREAT", "RESTORE", "SCAN", "SSCAN"}


@pytest.fixture(scope="module", params=binaries(), ids=lambda path: path.name)
def a_rig(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A real server of each kind that this machine has, and the model beside it."""
    server = Server(tmp_path_factory.mktemp("state"), binary=request.param)
    yield asyncio.run(_rig(server))
    asyncio.run(server.stop())


async def _rig(server: Server) -> Rig:
    return await rig(await server.ensure())


def test_there_is_a_server_to_compare_with() -> None:
    """Without one, nothing here would be run."""
    assert [*binaries()]


async def test_commands_are_answered_alike(a_rig: Rig) -> None:
    """Whatever is said, right or wrong, the model answers what the server does."""
    async with a_rig.town(time.time) as town:
        for seed in range(SEEDS):
            await at_random(town.pair, seed)
        pair = town.pair

    assert 16_000 < pair.compared
    known = {name.decode() for name in COMMANDS} - UNSAID
    assert {} == {name: pair.found[name] for name in known if pair.found[name] < 5}
    often = {code for code, number in pair.refused.items() if number >= 20}
    assert REFUSALS <= often, pair.refused
    assert pair.unknown < pair.compared / 500
    assert pair.refused.total() < pair.compared / 3


async def test_the_work_of_the_program_is_answered_alike(a_rig: Rig) -> None:
    """Owners who work, die and take over get the same from the model as in earnest."""
    async with a_rig.town(time.time) as town:
        for seed in range(SHIFTS):
            await work_at_random(town, seed)

    assert 3_500 < town.pair.compared
    assert {} == {name: town.did[name] for name in JOBS if town.did[name] < 2}
    assert 0 == town.pair.unknown
    often = {code for code, number in town.pair.refused.items() if number >= 5}
    assert {"OOM", "NOGROUP", "NOSCRIPT", "WRONGTYPE"} <= often, town.pair.refused


class Liar(Model):
    """A model that counts one too many, from two on."""

    async def hear(self, lines: Sequence[sides.Line]) -> list[Any]:
        answers = await super().hear(lines)
        return [
            answer + 1 if line[0] == "XLEN" and answer in range(2, 999) else answer
            for line, answer in zip(lines, answers, strict=True)
        ]


async def test_a_difference_is_found_and_made_short(a_rig: Rig) -> None:
    """If the model answered one thing wrongly, the fewest commands would be told."""
    async with a_rig.town(time.time) as town:
        pair = Pair(town.pair.real, Liar(a_rig.store(time.time)))
        parted = [await _parted(pair, seed) for seed in range(SEEDS // 10)]

    difference = next(filter(None, parted))
    assert "real:  2\n  model: 3" in difference
    told = difference.partition("\n\n")[2].splitlines()
    assert 2 <= len(told) <= 4, told
    assert "XLEN" in told[-1]


async def _parted(pair: Pair, seed: int) -> str:
    try:
        await at_random(pair, seed)
    except Parted as difference:
        return str(difference)
    return ""


async def test_a_trim_ends_after_ten_thousand(a_rig: Rig) -> None:
    """What goes by whole nodes goes in portions, unless another limit is given."""
    grown = "for n = 1, 25000 do redis.call('XADD', 's1', '1-*', '1', n) end"
    async with a_rig.town(time.time) as town:
        trims = [("XTRIM", "s1", "MINID", "~", "1-23950") for _ in range(3)]
        script = [("EVAL", grown, 0), *trims, ("XTRIM", "s1", "MAXLEN", "~", 0)]
        await town.pair.hear([*script, ("XLEN", "s1")])

        assert [10_000, 10_000, 3_900] == (await town.pair.model.hear(
            [("DEL", "s1"), ("EVAL", grown, 0), *trims]
        ))[2:]  # fmt: skip


SCRIPTS = [
    "return {1.9, -1.9, 'a', {ok = 'fine'}, true, false, {err = 'MY own'}, nil, 3}",
    "return {redis.call('SET', 'k', 'v'), redis.call('GET', 'no'), redis.call('PING')}",
    "local t = redis.call('SET', 'k', 'v') return {type(t), t.ok}",
    "local t = redis.pcall('XLEN', 'k') return {type(t), t.err, t.ok}",
    "return redis.pcall('XLEN', 'k')",
    "return redis.call('XLEN', 'k')",
    "return redis.call('XLEN')",
    "return redis.call()",
    "return redis.call('XLEN', {})",
    "return redis.call('SET', 'n', 123456789012)",
    "return {tostring(redis.call('GET', 'n')), #redis.call('HGETALL', 'none')}",
    "return {10 / 3, 2 ^ 53, -0.5}",
    "return {n = 3, a = 'x'}",
    "return {{1, {2, {3}}}, {}, {'a', false, 'b'}}",
    "return",
    "return redis.error_reply('MY own')",
    "return redis.error_reply('-MY own')",
    "return redis.status_reply('fine')",
    "return redis.sha1hex('text')",
    "return pcall(redis.call, 'XLEN', 'k')",
    "local ok, why = pcall(redis.call, 'XLEN', 'k') return {type(why), why}",
    "local ok, why = pcall(redis.call, 'XLEN', 'k') error(why)",
    "redis.log(redis.LOG_NOTICE, 'said') return KEYS[1] == nil and #ARGV",
    "error('mine')",
    "error({err = 'MY own'})",
    "local x = nil return x.y",
    "local function f() redis.call('XLEN', 'k') end f()",
    "foo = 1",
    "return foo",
    "return string.format('%013x', 2 ^ 40) .. #table.concat({1, 2}, ',')",
    "return {unpack({1, 2, 3}, 2)}",
    "return {tonumber('0x10'), tonumber('z', 36), tonumber('1e3'), math.max(1, 2)}",
    "return {string.match('12-34', '^(%d+)-(%d+)$')}",
    "this is no script",
    "redis.call('SET', 'w', '1') error('after a write')",
    "return struct.pack('>I4c8I2B', 7, 'abcdefgh', 300, 1)",
    "return {struct.unpack('>I4c8I2B', struct.pack('>I4c8I2B', 7, 'abcdefgh', 9, 1))}",
    "return {struct.unpack('>I4c2', 'xabcdyz', 2)}",
    "return {struct.unpack('<i2', string.char(1, 255))}",
    "return struct.pack('>I4', -1)",
    "return struct.pack('>I2', 70000)",
    "return struct.pack('>i4', -5)",
    "return struct.pack('<I4', '12')",
    "return struct.pack('>I4', 3.7)",
    "return struct.pack('>I8', 2 ^ 40)",
    "return struct.pack('h', 258)",
    "return struct.pack('>c3', 'abcd')",
    "return struct.pack('>c3', 'ab')",
    "return struct.unpack('>I4', 'abc')",
]


async def test_scripts_are_answered_alike(a_rig: Rig) -> None:
    """Values become what Redis makes of them, and errors say the same."""
    said: list[sides.Line] = [
        ("EVAL", f"{first}{script}", 0)
        for script in SCRIPTS
        for first in ("", "#!lua\n", "#!lua flags=no-writes\n")
    ]
    said += [
        ("EVALSHA", "0" * 40, 0), ("EVALSHA", "short", 0), ("EVAL", "return 1", 1),
        ("EVAL", "return 1", "x"), ("EVAL", "return 1", -1), ("EVAL", "return 1"),
        ("EVAL", "#!lua flags=bogus\nreturn 1", 0), ("SCRIPT", "LOAD", "return 1"),
        ("EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", 0),
        ("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0" * 40),
    ]  # fmt: skip
    async with a_rig.town(time.time) as town:
        await town.pair.hear(said)

    assert 0 == town.pair.unknown


LENGTHS = [*range(70), *range(118, 134), 200, 1000, 2500]
WIDTHS = (7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 62, 63)
BORDERS = [
    sign * (1 << bits) + more for bits in WIDTHS for sign in (1, -1) for more in (-1, 0)
]  # fmt: skip
SIZED = [*("x" * n for n in LENGTHS), *map(str, BORDERS), "0", "-1", "007", "-0"]


async def test_a_node_takes_as_many_bytes(a_rig: Rig) -> None:
    """With one byte more in its first entry, a node has no room for the second one."""
    script: list[sides.Line] = []
    for text in SIZED:
        filler = _filling(text.encode())
        for more in (0, 1):
            script += [
                ("XADD", "s1", "1-1", "f", "x" * (filler + more), "g", text),
                ("XADD", "s1", "1-2", *SECOND),
                ("XTRIM", "s1", "MINID", "~", "1-2"),
                ("DEL", "s1"),
            ]
    async with a_rig.town(time.time) as town:
        await town.pair.hear(script)

        answers = await town.pair.model.hear(script)
    assert [0, 1] * len(SIZED) == answers[2::4]


SECOND = ("f", "second", "g", "2")


def _filling(text: bytes) -> int:
    """Return how long a text beside *text* may be that leaves room for `SECOND`."""
    length = 1000
    for _ in range(9):  # the text's own header may grow with it
        stream = Stream()
        stream.append(1, (b"f", b"x" * length, b"g", text))
        ((_, node),) = stream.nodes()
        missing = NODE_BYTES - 1 - node.size - len("".join(SECOND))
        if not missing:
            return length
        length += missing
    raise LookupError(f"no length fits beside {text!r}")


READ = (
    "XREADGROUP",
    "GROUP",
    "g",
    "{}",
    "COUNT",
    1,
    "BLOCK",
    60_000,
    "STREAMS",
    "s",
    ">",
)
ADD = ("XADD", "s", "5-1", "f", "v")
ANOTHER = ("XADD", "u", "5-1", "f", "v")


@pytest.mark.parametrize(
    "said",
    [
        [ADD],
        [ADD, ("XADD", "s", "5-2", "f", "v")],
        [("EVAL", "for n = 1, 3 do redis.call('XADD', 's', n, 'f', n) end", 0)],
        [("DEL", "s")],
        [("SET", "s", "theirs")],
        [("FLUSHALL",)],
        [("RENAME", "s", "t")],
        [("XGROUP", "DESTROY", "s", "g")],
        [("DEL", "s"), ("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"), ADD],
        [ANOTHER, ("XGROUP", "CREATE", "u", "g", "0"), ("RENAME", "u", "s")],
        [("XGROUP", "SETID", "s", "g", "0"), ("XTRIM", "s", "MAXLEN", 0), ADD, ADD],
    ],
    ids=lambda said: "-".join(line[0].lower() for line in said),
)
async def test_who_waits_is_told_alike(a_rig: Rig, said: list[sides.Line]) -> None:
    """Blocked readers are served first come, first served, or told what has gone."""
    store = a_rig.store(time.time)
    line = Line(a_rig.url)

    expected = await _told(line, said, Door(line, ""))
    answers = await _told(StoreWire(store), said, None)

    await line.aclose()
    assert expected == answers
    assert any(answer is not None for answer in expected)


async def _told(wire: Wire, said: Sequence[sides.Line], real: Door | None) -> list[Any]:
    """Return what two readers of a group and an onlooker get while *said* is said."""
    for line in (*BEGIN, ("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")):
        await wire.exchange(line)
    reads: list[sides.Line] = [
        [owner if part == "{}" else part for part in READ] for owner in ("ann", "bob")
    ]
    reads.append(("XREAD", "COUNT", 1, "BLOCK", 60_000, "STREAMS", "s", "$"))
    tasks: list[asyncio.Task[Any]] = []
    for read in reads:
        tasks.append(asyncio.create_task(wire.exchange(read)))
        await _settled(tasks, real)
    for command in said:
        await _ignoring(wire, command)
    await _settled(tasks, real)
    told = [_outcome(task) for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return told


async def _settled(tasks: Sequence[asyncio.Task[Any]], real: Door | None) -> None:
    """Return when everybody waits at the server who has no answer."""
    blocked = -1
    while blocked != sum(not task.done() for task in tasks):
        await asyncio.sleep(0)
        if real is None:  # the model answers at once
            await asyncio.sleep(0)
            return
        blocked = (await real.call("CLIENT", "LIST")).count(b"flags=b")


async def _ignoring(wire: Wire, line: sides.Line) -> None:
    try:
        await wire.exchange(line)
    except RedisError:
        assert line == ADD, "only what is added twice is refused"


def _outcome(task: asyncio.Task[Any]) -> Any:
    if not task.done():
        return None
    error = task.exception()
    return refusal(error) if isinstance(error, RedisError) else task.result()
