"""The line to a server: one for all, whatever becomes of those who wait on it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import Away
from monitor.stream import ITEMS, Stream
from monitor.stream.door import Door
from monitor.stream.line import Line
from tests.stream_values import post

SILENCE = 0.05


class Mute:
    """
    A server that takes commands and answers when it is told to.

    Attributes:
        asked: The commands that came, each as its first line and its last.
        connections: How many were made.
    """

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.connections = 0
        self._came = asyncio.Event()
        self._clients: list[asyncio.StreamWriter] = []

    async def serve(
        self, commands: asyncio.StreamReader, answers: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self._clients.append(answers)
        while head := await commands.readline():
            words = [
                await commands.readexactly(int((await commands.readline())[1:]) + 2)
                for _ in range(int(head[1:]))
            ]
            self.asked.append(words[-1].strip())
            self._came.set()

    async def hear(self, count: int) -> None:
        """Wait until so many commands have come."""
        while len(self.asked) < count:
            self._came.clear()
            await self._came.wait()

    def answer(self) -> None:
        """Answer everything that was asked, in its order."""
        self._clients[-1].write(b"".join(b"+%b\r\n" % word for word in self.asked))

    def hang_up(self) -> None:
        """Break the newest connection."""
        self._clients[-1].transport.abort()

    def close(self) -> None:
        """Break all connections."""
        for client in self._clients:
            client.transport.abort()


@pytest.fixture
async def mute(tmp_path: Path) -> AsyncIterator[Mute]:
    mute = Mute()
    server = await asyncio.start_unix_server(mute.serve, tmp_path / "mute.sock")
    async with server:
        yield mute
        mute.close()


@pytest.fixture
async def quiet(mute: Mute, tmp_path: Path) -> AsyncIterator[Door]:
    """The door to the mute server."""
    assert not mute.connections
    line = Line(f"unix://{tmp_path}/mute.sock", silence=SILENCE)
    door = Door(line, "")
    yield door
    await door.aclose()


async def asked(door: Door, mute: Mute, count: int) -> list[asyncio.Task[Any]]:
    """Return so many who have asked and wait for their answers."""
    waiting = [asyncio.create_task(door.call("ECHO", n)) for n in range(count)]
    await mute.hear(count)
    return waiting


async def test_a_crowd_is_answered(door: Door) -> None:
    """
    Five hundred who ask at a time are all answered, each with their own answer.
    """
    answers = await asyncio.gather(*(door.call("ECHO", n) for n in range(500)))

    assert [str(n).encode() for n in range(500)] == answers


async def test_a_crowd_is_on_one_line(quiet: Door, mute: Mute) -> None:
    """
    However many wait for an answer, they do so on one connection.
    """
    waiting = await asked(quiet, mute, 50)
    mute.answer()

    assert [str(n).encode() for n in range(50)] == await asyncio.gather(*waiting)
    assert 1 == mute.connections


async def test_who_gives_up_takes_no_others_answer(quiet: Door, mute: Mute) -> None:
    """
    The answer to one who no longer waits is nobody else's.
    """
    first, second, third = await asked(quiet, mute, 3)
    second.cancel()
    await asyncio.wait([second])
    mute.answer()

    assert [b"0", b"2"] == [await first, await third]
    assert 1 == mute.connections


async def test_all_learn_that_the_line_broke(quiet: Door, mute: Mute) -> None:
    """
    Who waits on a line that breaks is away, all of them; who comes next dials anew.
    """
    waiting = await asked(quiet, mute, 3)
    mute.hang_up()

    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [Away, Away, Away] == [type(end) for end in ends]
    later = asyncio.create_task(quiet.call("ECHO", "later"))
    await mute.hear(4)
    mute.asked = mute.asked[3:]
    mute.answer()
    assert b"later" == await later
    assert 2 == mute.connections


async def test_a_line_without_answers_is_given_up(quiet: Door, mute: Mute) -> None:
    """
    If one has waited too long for an answer, the line is dead for the others, too.
    """
    (other,) = await asked(quiet, mute, 1)
    with pytest.raises(Away, match="no answer"):
        await quiet.call("ECHO", "late", patience=2 * SILENCE)

    with pytest.raises(Away, match="no answers come"):
        await other


async def test_who_waits_for_news_holds_up_nobody(stream: Stream) -> None:
    """
    While a reader waits for new entries, everything else is answered.
    """
    reader = stream.reader(ITEMS, "filter")
    reading = asyncio.create_task(reader.next(block=timedelta(seconds=20)))
    for n in range(20):
        assert "" == await stream.cursor(f"source-{n}")
    await stream.accept("town", [post("1")], "1")

    (entry,) = await reading
    assert ITEMS.name == entry.queue
