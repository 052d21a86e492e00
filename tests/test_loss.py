"""What Redis lost is noticed and caught up with, and nothing old is told as new."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.item import Item
from monitor.loss import LOOK, SLACK, Known, Loss, Memory, lost
from monitor.pipeline import HIDDEN, collect
from monitor.poll import Poller
from monitor.stream import ITEMS, Pulse, Stream
from monitor.stream.door import Door
from monitor.web import Web
from tests.clock import START, FakeClock
from tests.parts import Scripted, batch, events, logged, scripted
from tests.stream_values import drained

APART = timedelta(minutes=20)  # between two posts
READS = {"governor": START}


def published(id_: str, at: datetime) -> Item:
    """Return a post of the governor."""
    return Item(source="governor", id=id_, published=at, seen=at, text=f"siren {id_}")


class Governor:
    """A source that shows its newest three posts, and the time that it works by."""

    def __init__(self, clock: FakeClock) -> None:
        """Have published two posts."""
        self.clock = clock
        self.posts: list[Item] = []
        self.publish(2)

    def publish(self, count: int = 1) -> None:
        """Publish posts, each some time after the one before."""
        for _ in range(count):
            id_ = str(len(self.posts) + 1)
            self.posts.append(published(id_, self.clock.now()))
            self.clock.advance(APART)

    @property
    def source(self) -> Scripted:
        """The source as it stands now."""
        page = batch(*self.posts[-3:], cursor=f"c{len(self.posts)}")
        return scripted([page], every=timedelta(seconds=20))


@asynccontextmanager
async def collecting(
    stream: Stream, state: Path, clock: FakeClock
) -> AsyncIterator[tuple[Poller, Memory]]:
    """Collect with a memory in the folder *state*, as a daemon does."""
    web = Web(clock)
    memory = Memory(stream, state, clock)
    poller = Poller(stream, web, clock, marks=memory)
    yield poller, memory
    await poller.pause()
    await web.aclose()


async def remembered(memory: Memory, clock: FakeClock) -> None:
    """Let it be time to look, and look."""
    clock.advance(LOOK)
    await memory.look()


async def read(poller: Poller, source: Scripted) -> None:
    """Let a source be read once, from its beginning to its end."""
    poller.replace([source])
    while not source.reads or poller.reading:
        await poller.rest()
        poller.turn()
        while poller.reading:
            await asyncio.sleep(0.0002)


async def found(stream: Stream) -> list[tuple[str, bool]]:
    """Take the items there are: their ids, and whether they are late."""
    reader = stream.reader(ITEMS, "filter")
    await reader.next(block=timedelta())  # makes the group, should it be gone
    entries = await drained(stream.reader(ITEMS, "filter"))
    await stream.ack(ITEMS, "filter", [entry.id for entry in entries])
    return [(entry.value.id, entry.late) for entry in entries]


async def flush(door: Door) -> None:
    """Remove every key of a stream, as a flush does."""
    await door.call("DEL", "", *await door.call("KEYS", door.prefix + "*"))


async def kept(door: Door) -> list[tuple[bytes, bytes]]:
    """Return a copy of all keys."""
    names = await door.call("KEYS", door.prefix + "*")
    return [(name, await door.call("DUMP", name)) for name in names]


async def put_back(door: Door, keys: Sequence[tuple[bytes, bytes]]) -> None:
    """Let the database be as it was when *keys* were kept."""
    await flush(door)
    for name, dump in keys:
        await door.call("RESTORE", name, 0, dump)


@pytest.fixture
def state(state: Path) -> Path:
    """A state folder that is there."""
    state.mkdir()
    return state


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (Pulse("a", 10, {}), None),
        (Pulse("a", 11, {}), None),
        (Pulse("a", 10 - SLACK, {}), None),
        (Pulse("a", 9 - SLACK, {}), "older"),
        (Pulse("b", 11, {}), "another"),
    ],
)
def test_what_was_lost(now: Pulse, kind: str | None) -> None:
    """Another name is another database, a lower count an older state of it."""
    loss = lost(Known("a", 10, READS), now)

    assert kind == (loss.kind if loss else None)
    assert loss is None or loss.since == START
    assert Loss("another") == lost(Known("a", 10, {}), Pulse("b", 0, {}))


@pytest.mark.parametrize("running", [True, False])
async def test_a_flush_is_caught_up_with(
    stream: Stream, door: Door, clock: FakeClock, state: Path, *, running: bool
) -> None:
    """
    What came before the last read is the past, what came after it is late, also if the
    loss happened under a daemon that had not noticed it; then all is as ever.
    """
    governor = Governor(clock)
    with logged():
        async with collecting(stream, state, clock) as (poller, memory):
            await read(poller, governor.source)
            governor.publish()
            await read(poller, governor.source)
            await remembered(memory, clock)
            before = clock.now()
            assert [("3", False)] == await found(stream)
            await flush(door)
            governor.publish()
            if running:
                await read(poller, governor.source)
        if not running:
            async with collecting(stream, state, clock) as (poller, memory):
                await read(poller, governor.source)
                assert memory.loss
                assert memory.loss.kind == "another"
                assert memory.loss.since
                assert before - APART < memory.loss.since < before
        async with collecting(stream, state, clock) as (poller, memory):
            governor.publish()
            await read(poller, governor.source)

            assert (None, frozenset()) == (memory.loss, memory.behind)
    assert [("4", True), ("5", False)] == await found(stream)


async def test_an_old_backup_floods_nobody(
    stream: Stream, door: Door, clock: FakeClock, state: Path
) -> None:
    """A state of an hour ago is read on from, and all that it brings is late."""
    governor = Governor(clock)
    with logged() as lines:
        async with collecting(stream, state, clock) as (poller, memory):
            await read(poller, governor.source)
            old = await kept(door)
            for _ in range(2 * SLACK):
                governor.publish()
                await read(poller, governor.source)
            told = await found(stream)
            await put_back(door, old)
            governor.publish()
            await read(poller, governor.source)
            assert memory.loss
            assert "older" == memory.loss.kind
            again = await found(stream)
            governor.publish()
            await read(poller, governor.source)

    assert not any(late for _, late in told)
    assert [("7", True), ("8", True), ("9", True)] == again
    assert [("10", False)] == await found(stream)
    assert ["redis_is_older"] == events(lines, "redis_is_older", "redis_flushed")


async def test_a_crash_forgets_no_mark(
    stream: Stream, door: Door, clock: FakeClock, state: Path
) -> None:
    """A source that could not be read yet is caught up with by the next process."""
    governor = Governor(clock)
    async with collecting(stream, state, clock) as (poller, memory):
        await read(poller, governor.source)
        await remembered(memory, clock)
    await flush(door)
    async with collecting(stream, state, clock) as (_, memory):
        await memory.look()
        assert {"governor"} == memory.behind
    clock.advance(APART)
    await flush(door)
    governor.publish()
    async with collecting(stream, state, clock) as (poller, memory):
        await read(poller, governor.source)

    assert [("3", True)] == await found(stream)
    assert not (state / "marks").exists()


async def test_more_than_a_source_shows_is_a_gap(
    stream: Stream, door: Door, clock: FakeClock
) -> None:
    """After a loss a source shows its newest posts; older ones may be missing."""
    governor = Governor(clock)
    governor.publish(5)
    web = Web(clock)
    for mark, gap in ((START, True), (governor.posts[-3].published + HIDDEN, False)):
        source = governor.source
        brought = await collect(source, stream, web, clock, known=mark)
        assert gap == brought.gap
        await door.call("DEL", door.key("cursor"), door.key("reads"))
    await web.aclose()


async def test_a_cut_file_is_no_memory(
    stream: Stream, clock: FakeClock, state: Path
) -> None:
    """What a power cut left half written says nothing, and is written anew."""
    cut(state)
    memory = Memory(stream, state, clock)
    await memory.look()

    assert (None, frozenset()) == (memory.loss, memory.behind)
    assert Memory(stream, state, clock).known("governor") is None
    assert b'"count"' in (state / "known").read_bytes()


def cut(state: Path) -> None:
    """Leave what is remembered half written."""
    for name in ("known", "marks"):
        (state / name).write_bytes(b'{"epoch": "a", "cou')
