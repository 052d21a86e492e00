"""Whoever is told to stop finishes what is on its way, and nobody gets it twice."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

from monitor.alert import Pace, Subscriber, Telegram
from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.secret import Secret
from monitor.stream import Stream
from monitor.web import Web
from monitor.work import Work
from tests.couriers import match, put
from tests.loopback import Request, Response, json_response, serve
from tests.parts import drones

CYCLES, CHATS = 50, 6
CLOCK = SystemClock()


@dataclass
class Bot:
    """
    A Bot API that answers when it is told to.

    Attributes:
        taken: What each chat was sent, and how often.
        asked: Requests that are not answered yet.
    """

    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: Request) -> Response:
        """Take a message, and answer once it is open."""
        body = request.json()
        self.taken[str(body["chat_id"]), body["text"]] += 1
        async with self.news:
            self.asked += 1
            self.news.notify_all()
        await self.open.wait()
        self.asked -= 1
        result = {"message_id": self.taken.total()}
        return json_response({"ok": True, "result": result})

    async def until_asked(self, count: int) -> None:
        """Wait until so many requests are not answered."""
        async with self.news:
            await self.news.wait_for(lambda: self.asked >= count)


def settings(url: str, state: Path) -> Settings:
    """Return the settings of a few chats of one bot."""
    token = Secret("700001:a-bot-that-is-stopped-often")
    sink = Telegram(name="chat", token=token, api=url, pace=Pace())
    people = [
        Subscriber(name=f"p{n}", sink="chat", to=str(100 + n)) for n in range(CHATS)
    ]
    return Settings(
        file=state / "monitor.yaml",
        state=state,
        filter=drones(),
        sinks=(sink,),
        subscribers=tuple(people),
    )


async def test_nothing_in_flight_is_repeated(stream: Stream, tmp_path: Path) -> None:
    """Stopped half a hundred times in the middle of its sends, each arrives once."""
    bot, names = Bot(), [f"p{n}" for n in range(CHATS)]
    web = Web(CLOCK, allow=[ip_network("127.0.0.0/8")])
    async with serve(bot.answer) as server:
        for n in range(CYCLES):
            now = CLOCK.now() + timedelta(microseconds=n)
            await put(stream, match(str(n), seen=now), names)
            stopping = asyncio.Event()
            work = Work(settings(server.url, tmp_path), stream, web, CLOCK, stopping)
            working = asyncio.create_task(work.turn(["deliver"]))
            await bot.until_asked(CHATS)
            stopping.set()
            await asyncio.sleep(0)
            bot.open.set()
            await asyncio.wait_for(working, 10)
            bot.open.clear()
        await web.aclose()

        assert CYCLES * CHATS == len(bot.taken) == bot.taken.total()
        for n in range(CYCLES):
            told = await stream.told(f"governor/{n}", names)
            assert [("delivered", 0)] * CHATS == [
                (one.outcome, one.repeats) for one in told.values()
            ]


async def test_who_stands_by_repeats_nothing(
    stream: Stream, other: Stream, tmp_path: Path
) -> None:
    """The lease changes hands only when what is on its way has arrived."""
    bot, names = Bot(), [f"p{n}" for n in range(CHATS)]
    web = Web(CLOCK, allow=[ip_network("127.0.0.0/8")])
    async with serve(bot.answer) as server:
        told = settings(server.url, tmp_path)
        await put(stream, match("1", seen=CLOCK.now()), names)
        ends = [asyncio.Event(), asyncio.Event()]
        first = Work(told, stream, web, CLOCK, ends[0]).turn(["deliver"])
        working = [asyncio.create_task(first)]
        await bot.until_asked(CHATS)
        second = Work(told, other, web, CLOCK, ends[1]).turn(["deliver"])
        working.append(asyncio.create_task(second))
        ends[0].set()
        assert not await other.take("deliver:chat", timedelta(minutes=1))
        bot.open.set()
        await asyncio.wait_for(working[0], 10)
        await put(stream, match("2", seen=CLOCK.now()), names)
        while bot.taken.total() < 2 * CHATS:
            await asyncio.sleep(0.01)
        ends[1].set()
        await asyncio.wait_for(working[1], 10)
        await web.aclose()

    assert 2 * CHATS == len(bot.taken) == bot.taken.total()
