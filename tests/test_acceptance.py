"""
The whole daemon, on a loopback world: what is published, and who must be told.

A schedule of posts in a channel and a feed is served as they are served in earnest;
the Bot API refuses what Telegram's refuses.  What each chat must get is written down
with the schedule, by other means than the program's.
"""

import asyncio
import itertools
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor import config, log
from monitor.clock import SystemClock
from monitor.daemon import Daemon
from monitor.demo import Channel, Expect, Feed, Head, Record, Recording
from monitor.demo.world import World
from tests.botapi import BotApi, bot_api
from tests.onlookers import LOOK, met

BEGIN = datetime(2023, 5, 22, 9, 0, tzinfo=UTC)
bots = itertools.count(os.getpid() * 100)  # a token is in use only once on a machine
SPEED = 30.0  # a post a second in the recording is thirty a second here
NOTHING = Expect(alert=False, signal="none")

PLACES = {  # chat, and the district and village that it is told of
    101: ("grayvoronsky", "селе Козинка Грайворонского округа"),
    102: ("shebekinsky", "городе Шебекино"),
    103: ("valuysky", "городе Валуйки"),
    104: ("borisovsky", "посёлке Борисовка"),
    105: ("krasnoyaruzhsky", "посёлке Красная Яруга"),
    106: ("volokonovsky", "посёлке Волоконовка"),
    107: ("rovensky", "посёлке Ровеньки"),
    108: ("ivnyansky", "посёлке Ивня"),
}
DULL = (
    "В {place} открыли новую школу искусств",
    "Аграрии завершают сев кукурузы, спасибо механизаторам",
    "Сегодня поздравляем библиотекарей с профессиональным праздником",
)


@dataclass(frozen=True)
class Schedule:
    """What is published, and by chat and source the numbers that must arrive."""

    recording: Recording
    wanted: dict[int, dict[str, list[int]]]


def schedule(posts: int = 100) -> Schedule:
    """Return so many posts, of which two of three matter, each to one chat."""
    ids = {"channel": itertools.count(2), "feed": itertools.count(2)}
    wanted: dict[int, dict[str, list[int]]] = {chat: {} for chat in PLACES}
    past = "В Шебекино атака беспилотника, № 1000"  # nobody is told of it
    records = [_record(where, 1, -60, past) for where in ids]
    for number in range(posts):
        where = "feed" if number % 3 == 0 else "channel"
        chat = list(PLACES)[number % len(PLACES)]
        place = PLACES[chat][1]
        if number % 3 == 1:
            text = DULL[number % len(DULL)].format(place=place)
        else:
            text = f"В {place} беспилотник атаковал дом"
            wanted[chat].setdefault(where, []).append(number)
        said = f"{text}. № {number}."
        records.append(_record(where, next(ids[where]), number + 1, said))
    head = Head(
        reconstruction="invented for a test",
        begins=BEGIN,
        channels=(Channel(name="a_channel", number=77, title="", description=""),),
        feed=Feed(name="a-feed", title="A feed", description=""),
    )
    return Schedule(Recording(head=head, records=tuple(records)), wanted)


def _record(where: str, id_: int, second: int, text: str) -> Record:
    return Record(
        at=BEGIN + timedelta(seconds=second),
        channel="a_channel" if where == "channel" else "",
        feed="a-feed" if where == "feed" else "",
        id=id_,
        action="post",
        title="Новость" if where == "feed" else "",
        text=text,
        expect=NOTHING,
    )


def configured(folder: Path, world: World, api: BotApi) -> Path:
    """Write a configuration for this world, and return its main file."""
    shipped = config.shipped()
    people = "".join(
        f'  - {{name: chat-{chat}, sink: chat, to: "{chat}", '
        f"places: [RU-BEL.{district}], severity: warning}}\n"
        for chat, (district, _) in PLACES.items()
    )
    token = folder / "bot-token"
    token.write_text(api.token)
    token.chmod(0o600)
    file = folder / "monitor.yaml"
    file.write_text(
        f"state: ./state\n"
        f"include: [{shipped}/topics/*.yaml, {shipped}/places/*.yaml]\n"
        f"web: {{allow: [127.0.0.0/8], pace: 10ms}}\n"
        f'telegram: {{preview: "{world.url}"}}\n'
        f"sinks: [{{name: chat, kind: telegram, token: {{file: bot-token}}, "
        f'api: "{api.url}"}}]\n'
        f"subscribers:\n{people}"
        f"rules: [{{name: drones, places: [RU-BEL], topics: [uav], "
        f"severity: critical}}]\n"
        f"sources:\n"
        f"  - {{name: channel, kind: telegram, channel: a_channel, home: RU-BEL, "
        f"voice: official, every: 100ms}}\n"
        f'  - {{name: feed, kind: feed, url: "{world.url}/feed.xml", home: RU-BEL, '
        f"voice: press, every: 100ms}}\n",
        "utf-8",
    )
    return file


@asynccontextmanager
async def loopback(plan: Schedule) -> AsyncIterator[tuple[World, BotApi]]:
    """Serve a schedule and a Bot API."""
    clock = SystemClock()
    async with (
        World(plan.recording, clock.monotonic, speed=SPEED) as world,
        bot_api(f"{next(bots)}:a-bot-of-tests") as api,
    ):
        yield world, api


async def until(true: Callable[[], bool], seconds: float = 45.0) -> None:
    """Wait until something is so; it is an error if it does not come to be."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(LOOK)


def arrived(api: BotApi, chat: int) -> list[int]:
    """Return the numbers that reached a chat, in order."""
    return [
        int(message.text.split("№ ")[1].split(".")[0])
        for message in api.log
        if message.chat == chat
    ]


def complete(plan: Schedule, api: BotApi) -> bool:
    """Return whether every chat has got what it must get."""
    return all(
        set(itertools.chain(*sources.values())) <= set(arrived(api, chat))
        for chat, sources in plan.wanted.items()
    )


@pytest.mark.timeout(90)
async def test_the_right_people_are_told_once_and_in_order(tmp_path: Path) -> None:
    """Of 100 posts each chat gets those of its place, once, in each source's order."""
    log.set_up("error")
    plan = schedule()
    async with loopback(plan) as (world, api):
        settings = config.load(configured(tmp_path, world, api), BEGIN.date())
        daemon = Daemon(settings, SystemClock())
        running = asyncio.create_task(daemon.run())
        await first_reads(tmp_path / "state")
        world.start()
        await until(lambda: running.done() or (world.finished and complete(plan, api)))
        daemon.stop()
        await running

    for chat, sources in plan.wanted.items():
        got = arrived(api, chat)
        assert Counter(itertools.chain(*sources.values())) == Counter(got)
        for numbers in sources.values():
            assert numbers == [number for number in got if number in numbers]
    assert api.refusals == []


@pytest.mark.timeout(120)
async def test_a_kill_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """The process is killed at work, twice, and everything arrives, in order."""
    plan = schedule()
    async with loopback(plan) as (world, api):
        file = configured(tmp_path, world, api)
        process = await _started(file)
        try:
            await first_reads(tmp_path / "state")
            world.start()
            for share in (10, 30):
                await until(lambda share=share: len(api.log) >= share)  # type: ignore[misc]
                process.kill()
                await process.wait()
                process = await _started(file)
            await until(lambda: world.finished and complete(plan, api), 60)
            process.terminate()
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    repeated = 0
    for chat, sources in plan.wanted.items():
        got = arrived(api, chat)
        first = list(dict.fromkeys(got))
        assert set(itertools.chain(*sources.values())) == set(first)
        for numbers in sources.values():
            assert numbers == [number for number in first if number in numbers]
        repeated += len(got) - len(first)
    assert repeated <= 2 * 8  # what was in flight when it was killed


async def _started(file: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "run", "-c", str(file), "--log-level", "error"
    )


async def first_reads(state: Path) -> None:
    """Wait until both sources have been read for the first time."""
    async with asyncio.timeout(30):
        stream = await met(state, ["channel", "feed"])
        await stream.aclose()
