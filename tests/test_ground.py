"""What the program stands on: whose it is, and whether it is still the same."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from socket import gethostname

import pytest

from monitor.ground import GLANCE, machine, owner_of, tend, watch
from monitor.pipeline import collect
from monitor.stream import ITEMS, Server, Stream, find_binary
from monitor.stream.door import Door
from monitor.web import Web
from tests.clock import FakeClock
from tests.daemons import Hurried
from tests.parts import batch, events, logged, post, scripted


class Stepped(FakeClock):
    """A clock whose sleepers go on one step each time they are let."""

    def __init__(self) -> None:
        """Let nobody go on yet."""
        super().__init__()
        self._slept, self._go = asyncio.Event(), asyncio.Event()

    async def sleep(self, duration: object) -> None:
        """Wait to be let on."""
        assert duration == GLANCE
        self._slept.set()
        await self._go.wait()
        self._go.clear()

    async def step(self) -> None:
        """Let the sleeper do its work once."""
        await self._slept.wait()
        self._slept.clear()
        self._go.set()
        await self._slept.wait()


def know(stream: Stream, state: Path) -> None:
    """Remember the database in the state folder, as `connect` does."""
    state.mkdir(exist_ok=True)
    (state / "epoch").write_text(stream.epoch, "ascii")


@asynccontextmanager
async def watched(stream: Stream, state: Path) -> AsyncIterator[Stepped]:
    """Watch a stream while the block runs, whenever it steps."""
    know(stream, state)
    clock = Stepped()
    task = asyncio.create_task(watch(stream, state, clock))
    try:
        yield clock
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def block(state: Path) -> None:
    """Let a folder stand where the epoch is to be remembered."""
    (state / "epoch").unlink()
    (state / "epoch").mkdir()


async def flush(door: Door) -> None:
    """Remove every key of a stream, as a flush does."""
    await door.call("DEL", *await door.call("KEYS", door.prefix + "*"))


async def test_a_flush_under_us_is_told_once(
    stream: Stream, door: Door, state: Path
) -> None:
    """An operator hears that progress was lost, once, and at error."""
    with logged() as lines:
        async with watched(stream, state) as clock:
            await clock.step()
            assert [] == events(lines)
            await flush(door)
            await clock.step()
            await clock.step()

    assert [("redis_flushed", "error")] == [(o["event"], o["level"]) for o in lines]
    assert stream.epoch == (state / "epoch").read_text("ascii")
    assert stream.epoch != (state / "epoch.before").read_text("ascii")


async def test_of_several_processes_on_one_state_one_tells(
    stream: Stream, other: Stream, door: Door, state: Path
) -> None:
    """It is one fact, though each process finds it by itself."""
    with logged() as lines:
        async with watched(stream, state) as one, watched(other, state) as two:
            await one.step()
            await two.step()
            await flush(door)
            await one.step()
            await two.step()

    assert ["redis_flushed"] == events(lines)
    assert stream.epoch == other.epoch


async def test_what_cannot_be_remembered_is_told_all_the_same(
    stream: Stream, door: Door, state: Path
) -> None:
    """A state folder that takes nothing more hides no loss."""
    with logged() as lines:
        async with watched(stream, state) as clock:
            await clock.step()
            block(state)
            await flush(door)
            await clock.step()

    assert ["redis_flushed"] == events(lines)


async def test_everything_goes_on_after_a_flush(
    stream: Stream, door: Door, clock: FakeClock, state: Path
) -> None:
    """What the sources have then is the past, and the next post is taken and told."""
    source = scripted([batch(post("1"))], [batch(post("1"), post("2"))])
    reader = stream.reader(ITEMS, "filter")
    web = Web(clock)
    await collect(source, stream, web, clock)
    async with watched(stream, state) as watching:
        with logged() as lines:
            await flush(door)
            await collect(scripted([batch(post("1"))]), stream, web, clock)
            await watching.step()
            assert ["redis_flushed"] == events(lines)
        await collect(source, stream, web, clock)
    await web.aclose()

    found = [*await reader.next(), *await reader.next()]
    assert ["2"] == [entry.value.id for entry in found if hasattr(entry.value, "id")]


async def test_a_server_that_keeps_ending_is_told_once(
    state: Path, tmp_path: Path
) -> None:
    """It is started again each second, and a person reads two lines, not a hundred."""
    mortal = tmp_path / "mortal"
    mortal.write_text(f'#!/bin/sh\nexec timeout 0.2 {find_binary()} "$@"\n', "utf-8")
    mortal.chmod(0o755)
    server, pids = Server(state, binary=mortal), set[int]()
    with logged() as lines:
        tending = asyncio.create_task(tend(server, Hurried(10)))
        async with asyncio.timeout(20):
            while len(pids) < 5:
                await asyncio.sleep(0.01)
                pids |= {server.pid} if server.pid else set()
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
    await server.stop()

    assert ["server_started_again", "server_keeps_ending"] == events(lines)


def test_an_owner_is_the_same_after_a_restart(state: Path, tmp_path: Path) -> None:
    """The name stays, also when the folder is reached by another way."""
    state.mkdir()
    (tmp_path / "link").symlink_to(state)

    assert owner_of(state) == owner_of(state) == owner_of(tmp_path / "link")


def test_a_copied_folder_is_another_owner(state: Path, tmp_path: Path) -> None:
    """A state that was copied with its `instance` shares no lease with the first."""
    state.mkdir()
    owner = owner_of(state)
    shutil.copytree(state, tmp_path / "copy")

    assert owner != owner_of(tmp_path / "copy")


def test_machines_are_told_apart(tmp_path: Path) -> None:
    """By their id; one without, or with nonsense in it, by its address."""
    for name, content in (("a", b"1f0c\n"), ("b", b"2e1d\n"), ("c", b"\xff")):
        (tmp_path / name).write_bytes(content)
    names = [machine(tmp_path / name) for name in ("a", "b", "c", "none")]

    assert names == [machine(tmp_path / name) for name in ("a", "b", "c", "none")]
    assert 3 == len(set(names))
    assert all(name.endswith(f"/{gethostname()}") for name in names)


@pytest.mark.parametrize("gone", ["epoch", "items"])
async def test_an_epoch_is_all_that_counts(
    stream: Stream, door: Door, state: Path, gone: str
) -> None:
    """Progress is lost with the epoch; a queue alone that is gone is made again."""
    with logged() as lines:
        async with watched(stream, state) as clock:
            await clock.step()
            await door.call("DEL", door.key(gone))
            await clock.step()

    assert (["redis_flushed"] if gone == "epoch" else []) == events(lines)
