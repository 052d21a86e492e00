"""A server in trouble: nothing is lost, and all goes on by itself once it is over."""

import asyncio
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.errors import Away
from monitor.ground import tend
from monitor.stream import Server
from monitor.stream.door import Door
from tests.daemons import (
    Paper,
    configured,
    loaded,
    looking,
    met,
    printed,
    settled,
    until,
    working,
)
from tests.parts import Told, events, logged, told

RECOVERY = 10.0  # seconds after the end of the trouble
SMALL = 4 << 20  # bytes of a disk
WAITING = {"intake_waits", "stage_waits", "intake_stopped"}
USUAL = {"daemon_started", "daemon_stopped", "items_accepted", "alert_settled"}


@dataclass
class Town:
    """A daemon at work on a server that has its troubles."""

    paper: Paper
    sink: Told
    server: Server
    url: str
    door: Door
    lines: list[dict[str, Any]]

    def publish(self) -> None:
        """Publish three posts that matter, with numbers from 1."""
        first = len(self.paper.texts)
        for number in range(first, first + 3):
            self.paper.publish(f"Беспилотник {number} над Грайвороном")

    @property
    def told(self) -> list[str]:
        """The posts that somebody was told of, in the order of time."""
        return [item for _, item in self.sink.log]

    async def all_told(self) -> None:
        """Wait until everything that was published was told."""
        await until(lambda: len(self.sink.log) >= len(self.paper.texts) - 1, RECOVERY)


@asynccontextmanager
async def troubled(folder: Path, data: Path) -> AsyncIterator[Town]:
    """
    Run all roles on a server that keeps its *data* somewhere; when the block ends,
    everything was told once and in order, and no line of the log came twice.
    """
    sink = told()
    async with printed() as paper, Server(data) as server:
        url = await server.ensure()
        door = Door(url, "")
        tending = asyncio.create_task(tend(server, SystemClock()))
        settings = loaded(configured(folder, paper, url))
        with logged("info") as lines:
            async with working(replace(settings, sinks=(sink,))), looking(url) as at:
                await met(at)
                town = Town(paper, sink, server, url, door, lines)
                town.publish()
                await town.all_told()
                yield town
                await town.all_told()
                await settled(at)
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending
        await door.aclose()
    assert [f"feed/{n}/1" for n in range(1, len(paper.texts))] == town.told
    unusual = [event for event in events(lines) if event not in USUAL]
    assert sorted(set(unusual)) == sorted(unusual)


async def in_trouble(town: Town) -> None:
    """Publish in the middle of it, and see that nothing gets through."""
    before = len(town.told)
    town.publish()
    await until(lambda: WAITING & set(events(town.lines)))
    assert before == len(town.told)


async def test_full_memory(tmp_path: Path) -> None:
    """OOM: nothing more is read, and what was accepted is told all the same."""
    async with troubled(tmp_path / "a", tmp_path / "b") as town:
        town.sink.open.clear()
        town.publish()
        await until(lambda: len(town.sink.begun) > len(town.sink.log))
        await town.door.call("SET", "filler", bytes(1 << 20))
        limits = await town.door.call("CONFIG", "GET", "maxmemory")
        await town.door.call("CONFIG", "SET", "maxmemory", 1 << 20)
        with pytest.raises(Away):
            await town.door.call("SET", "another", "x")
        await until(lambda: "intake_stopped" in events(town.lines))
        before = len(town.paper.texts) - 1
        town.publish()
        town.sink.open.set()
        await until(lambda: len(town.told) == before)
        await town.door.call("CONFIG", "SET", *limits)


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """MISCONF: the disk is full, with `appendfsync everysec`."""
    async with troubled(tmp_path / "a", tmp_path / "b") as town:
        await town.door.call("CONFIG", "SET", "appendfsync", "everysec")
        pid = town.server.pid or 0
        limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, limits[1]))
        await in_trouble(town)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


async def test_a_replica_takes_no_writes(tmp_path: Path) -> None:
    """READONLY: somebody made the server a replica of another."""
    async with troubled(tmp_path / "a", tmp_path / "b") as town:
        await town.door.call("REPLICAOF", "127.0.0.1", "9")
        await in_trouble(town)
        await town.door.call("REPLICAOF", "NO", "ONE")


async def test_a_script_that_does_not_end(tmp_path: Path) -> None:
    """BUSY: the server answers nobody until somebody ends the script."""
    async with troubled(tmp_path / "a", tmp_path / "b") as town:
        await town.door.call("CONFIG", "SET", "busy-reply-threshold", "100")
        other = Door(town.url, "")
        endless = asyncio.create_task(other.call("EVAL", "while true do end", 0))
        await in_trouble(town)
        await town.door.call("SCRIPT", "KILL")
        await asyncio.gather(endless, return_exceptions=True)
        await other.aclose()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={SMALL}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "monitor-test", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False)  # noqa: S603 - no word from outside
    if mounted.returncode:
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)  # noqa: S603, S607 - the same


async def test_a_full_disk(tmp_path: Path, disk: Path) -> None:
    """With `appendfsync always` the server ends, and is not started without room."""
    async with troubled(tmp_path / "a", disk / "b") as town:
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", 0) as file:
            while True:
                file.write(bytes(4096))
        await in_trouble(town)
        await until(lambda: "server_gone" in events(town.lines))
        filler.unlink()
