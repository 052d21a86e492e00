"""The daemon as a whole: from "visible at the source" to "accepted by the sink"."""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from monitor import config, log
from monitor.alert import NOT_RECOGNISED, Alert, Digest, Message, Pace, Repeats
from monitor.clock import SystemClock
from monitor.config import Settings
from monitor.daemon import Daemon
from monitor.demo import Channel, Expect, Feed, Head, Record, Recording
from monitor.demo.world import World
from monitor.web import Web
from tests.onlookers import LOOK, met

BEGIN = datetime(2023, 5, 22, 9, 0, tzinfo=UTC)
BURST = 50, 12  # posts a second, and for how many seconds
ALONE = 2, 15  # so slowly that no post has to wait for another
EVERY = 200  # ms, the poll interval
IDLE = 10  # seconds that the idle daemon is watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopwatch:
    """A sink that takes everything at once, and notes when."""

    name: str = "console"
    pace: Pace = field(default=Pace())
    repeats: Repeats = NOT_RECOGNISED
    took: list[tuple[int, float, float]] = field(default_factory=list)

    async def send(self, message: Message, to: str, web: Web) -> str:
        """Note each post's number, when it was seen, and that it is here now."""
        alerts = message.alerts if isinstance(message, Digest) else (message,)
        for item in (alert.match.item for alert in alerts):
            self.took.append((int(item.id), item.seen.timestamp(), time.time()))
        return alerts[-1].match.item.key

    async def edit(self, alert: Alert, to: str, message: str, web: Web) -> None:
        """Take no notice."""

    async def check(self, web: Web) -> str:
        """Be there."""
        return "a stopwatch"


def measure() -> dict[str, float]:
    """Return latencies in ms, memory in MB and the start in s."""
    with tempfile.TemporaryDirectory() as folder:
        whole, stages = asyncio.run(_latency(Path(folder), *BURST))
    with tempfile.TemporaryDirectory() as folder:
        _, alone = asyncio.run(_latency(Path(folder), *ALONE))
    with tempfile.TemporaryDirectory() as folder:
        resting = asyncio.run(_resting(Path(folder)))
    at = f"{BURST[0]} posts/s"
    aim = EVERY / 2 + 50
    return {
        f"{at}: visible → told p50, ms (aim {aim:.0f})": _share(whole, 50),
        f"{at}: visible → told p99, ms": _share(whole, 99),
        f"{at}: read → told p50, ms": _share(stages, 50),
        f"{at}: read → told p99, ms": _share(stages, 99),
        "a post alone: read → told p50, ms (aim 5)": _share(alone, 50),
        "a post alone: read → told p99, ms": _share(alone, 99),
        **resting,
    }


async def _latency(
    folder: Path, rate: int, seconds: int
) -> tuple[list[float], list[float]]:
    """Return how long each post took from visible, and from read, to told."""
    log.set_up("error")
    count, clock, watch = rate * seconds, SystemClock(), Stopwatch()
    async with World(_recording(rate, count), clock.monotonic, speed=1) as world:
        settings = replace(_settings(folder, world.url), sinks=(watch,))
        daemon = Daemon(settings, clock)
        running = asyncio.create_task(daemon.run())
        stream = await met(settings.state, ["channel"])
        await stream.aclose()
        world.start()
        started = time.time()
        while len(watch.took) < count and not running.done():
            await asyncio.sleep(LOOK)
        daemon.stop()
        await running
    shown = [started + (number - 1) / rate for number, _, _ in watch.took]
    whole = [took - at for (_, _, took), at in zip(watch.took, shown, strict=True)]
    return whole, [took - seen for _, seen, took in watch.took]


def _share(seconds: Sequence[float], percent: int) -> float:
    return quantiles(seconds, n=100)[percent - 1] * 1000


def _recording(rate: int, count: int) -> Recording:
    head = Head(
        reconstruction="invented for a measurement",
        begins=BEGIN,
        channels=(Channel(name="a_channel", number=77, title="", description=""),),
        feed=Feed(name="a-feed", title="", description=""),
    )
    past = _record(1, -60.0)
    posts = [_record(n, (n - 1) / rate) for n in range(2, count + 2)]
    return Recording(head=head, records=(past, *posts))


def _record(number: int, second: float) -> Record:
    return Record(
        at=BEGIN + timedelta(seconds=second),
        channel="a_channel",
        id=number,
        action="post",
        text=f"Над Шебекино сбит беспилотник. Сообщение номер {number}.",
        expect=Expect(alert=True, signal="impact"),
    )


def _settings(folder: Path, url: str) -> Settings:
    shipped = config.shipped()
    file = folder / "monitor.yaml"
    file.write_text(
        f"state: ./state\n"
        f"include: [{shipped}/rules/*.yaml, {shipped}/topics/*.yaml, "
        f"{shipped}/places/*.yaml]\n"
        f"web: {{allow: [127.0.0.0/8], pace: 1ms}}\n"
        f'telegram: {{preview: "{url}"}}\n'
        f"sinks: [{{name: console, kind: console}}]\n"
        f"subscribers: [{{name: you, sink: console, places: [RU-BEL]}}]\n"
        f"sources: [{{name: channel, kind: telegram, channel: a_channel, "
        f"home: RU-BEL, voice: official, every: {EVERY}ms}}]\n",
        "utf-8",
    )
    return config.load(file, BEGIN.date())


async def _resting(folder: Path) -> dict[str, float]:
    """Return what the daemon takes that waits, and how long it takes to be ready."""
    settings = _settings(folder, "http://127.0.0.1:9")
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.setblocking(False)  # noqa: FBT003 - the socket's own word
        start = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitor", "run", "-c", str(settings.file),
            "--log-level", "error", env=os.environ | {"NOTIFY_SOCKET": str(path)},
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        while b"READY=1" not in await loop.sock_recv(manager, 4096):
            pass
        ready = time.monotonic() - start
        await asyncio.sleep(IDLE)
        used = _rss(process.pid)
        spent = _cpu(process.pid)
        process.terminate()
        await process.wait()
    return {
        "start to ready, s (aim 1.5)": ready,
        "memory at rest, MB (aim 120)": used / 1e6,
        "CPU at rest with its start, s": spent,
    }


def _rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
