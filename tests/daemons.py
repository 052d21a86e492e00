"""Daemons at work on a small town: its feed, its chat, and the configuration."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor import config
from monitor.clock import Clock, SystemClock
from monitor.config import Settings
from monitor.daemon import Daemon
from monitor.stream import Server, Stream
from tests.loopback import Request, Response, serve

bots = itertools.count(os.getpid() * 1000 + 500_000_000)  # in use once on a machine
LOOK = 0.005  # seconds between two looks at what is awaited
TOWN = """\
state: {state}
redis: {redis}
web: {{allow: [127.0.0.0/8], pace: 1ms}}
places:
  - id: RU-BEL
    kind: region
    name: {{ru: Белгородская область}}
    places: [{{id: grayvoron, kind: town, name: {{ru: Грайворон}}}}]
topics: [{{name: uav, words: {{ru: [беспилотник~]}}}}]
rules: [{{name: drones, places: [RU-BEL], topics: [uav], severity: critical}}]
sinks: [{{name: chat, kind: telegram, token: {{file: token}}, api: "{api}"}}]
subscribers: [{{name: ann, sink: chat, to: "1", places: [RU-BEL]}}]
sources:
  - {{name: feed, kind: feed, url: "{feed}/feed.xml", home: RU-BEL, every: 30ms}}
"""


@dataclass
class Paper:
    """A newspaper with a feed on loopback; its first entry is the past."""

    url: str = ""
    texts: list[str] = field(default_factory=lambda: ["Вчерашний беспилотник"])
    reads: list[str] = field(default_factory=list)

    def publish(self, *texts: str) -> None:
        """Add entries; their ids are their numbers from 0."""
        self.texts += texts

    def answer(self, request: Request) -> Response:
        """Serve the feed, and a second one that is empty."""
        self.reads.append(request.path)
        texts = self.texts if request.path == "/feed.xml" else []
        entries = "".join(
            f"<item><guid>{number}</guid><title>{text}</title></item>"
            for number, text in reversed(list(enumerate(texts)))
        )
        return Response(200, f"<rss version='2.0'><channel>{entries}</channel></rss>")


@asynccontextmanager
async def printed() -> AsyncIterator[Paper]:
    """Serve a newspaper while the block runs."""
    paper = Paper()
    async with serve(paper.answer) as server:
        paper.url = server.url
        yield paper


def configured(
    folder: Path, paper: Paper, redis: str = "null", api: str = "http://127.0.0.1:9"
) -> Path:
    """Write a configuration of a town, with a bot of its own; return its file."""
    folder.mkdir(exist_ok=True)
    token = folder / "token"
    token.write_text(f"{next(bots)}:a-bot-of-tests", "ascii")
    token.chmod(0o600)
    file = folder / "monitor.yaml"
    redis = redis if redis == "null" else f'"{redis}"'
    text = TOWN.format(state="./state", redis=redis, feed=paper.url, api=api)
    file.write_text(text, "utf-8")
    return file


def loaded(file: Path) -> Settings:
    """Return the settings in a file."""
    return config.load(file, datetime(2023, 5, 22, tzinfo=UTC).date())


@asynccontextmanager
async def working(
    settings: Settings, roles: Sequence[str] = (), clock: Clock | None = None
) -> AsyncIterator[Daemon]:
    """Run a daemon in this process; when the block ends it is told to stop."""
    daemon = Daemon(settings, clock or SystemClock(), roles)
    running = asyncio.create_task(daemon.run())
    try:
        yield daemon
        daemon.stop()
        await asyncio.wait_for(running, 15)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def started(file: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a daemon as a process of its own; when the block ends it is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "run", *words, "-c", str(file),
        "--log-level", "error",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so; it is an error if it does not come to be."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(LOOK)


@asynccontextmanager
async def looking(url_or_state: str | Path) -> AsyncIterator[Stream]:
    """Look at the streams of a daemon, as soon as there are any."""
    async with asyncio.timeout(20):
        url = url_or_state if isinstance(url_or_state, str) else None
        while url is None:
            await asyncio.sleep(LOOK)
            url = await Server.running_url(Path(url_or_state))
    stream = await Stream.connect(url, "onlooker")
    try:
        yield stream
    finally:
        await stream.aclose()


async def met(stream: Stream, source: str = "feed") -> None:
    """Wait until a source was read for the first time."""
    async with asyncio.timeout(20):
        while not await stream.cursor(source):
            await asyncio.sleep(LOOK)


async def settled(stream: Stream) -> None:
    """Wait until every stage has done with everything."""
    async with asyncio.timeout(20):
        while any(depth.pending or depth.lag for depth in await stream.depths()):
            await asyncio.sleep(LOOK)


class Hurried(SystemClock):
    """A clock that goes so many times faster than ours."""

    def __init__(self, times: float) -> None:
        """Count from now on."""
        self._times = times
        self._began = super().monotonic()

    def monotonic(self) -> float:
        """Return seconds that go by faster."""
        return self._began + (super().monotonic() - self._began) * self._times

    async def sleep(self, duration: timedelta) -> None:
        """Wait for a part of *duration*."""
        await super().sleep(duration / self._times)


class Leaping(SystemClock):
    """A clock whose monotonic seconds can leap ahead."""

    def __init__(self) -> None:
        """Go as the machine's own does."""
        self._ahead = 0.0

    def leap(self, duration: timedelta) -> None:
        """Let so much time have passed."""
        self._ahead += duration.total_seconds()

    def monotonic(self) -> float:
        """Return our seconds, and what was leapt over."""
        return super().monotonic() + self._ahead
