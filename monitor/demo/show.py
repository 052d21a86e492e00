"""
The demonstration itself: the real daemon on the bundled recording.

Everything is real but the world: the configuration is a file with the shipped rules
and places, the server is the embedded one, and the alerts come out of the console
sink.  It lives in a folder that is gone afterwards.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from textwrap import fill

from monitor import config, log
from monitor.clock import Clock, SystemClock
from monitor.config import Settings
from monitor.daemon import Daemon
from monitor.demo import Recording, recording
from monitor.demo.world import World
from monitor.errors import Transient
from monitor.item import Delivery, Item
from monitor.stream import Server, Stream
from monitor.stream.archive import Archive

SPEED = 7_200.0  # three days of the recording take half a minute
WIDTH = 79  # columns
LOOK = timedelta(milliseconds=100)
PATIENCE = timedelta(seconds=60)  # with what is still on its way at the end
SUMMARY = """
{happened} things happened.  Accepted were {changes[new]} new posts, {changes[edited]} \
edited and {changes[deleted]} deleted ones.
You were told {outcomes[delivered]} times and corrected {outcomes[edited]} times, \
{took} after a post was seen.
{right} of {happened} came out as the recording says they should.
{wrong}
What next:
  make run                    listens to the real channels and feeds, and prints here
  config/monitor.yaml         who is told what, and in which chat
  config/sources/, rules/     what is listened to, and what matters
  .venv/bin/monitor check     after each change
  .venv/bin/monitor explain "В Шебекино сработала ПВО"     why a text matters"""
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


async def show(*, leave: bool, speed: float | None = None) -> None:
    """
    Run the recording through the daemon; its alerts come on standard output.

    Args:
        leave: End with a summary; otherwise the world stays as it is in the end until
            SIGINT or SIGTERM.
        speed: So many times faster than it happened.
    """
    log.set_up("warning")
    told, clock = recording(), SystemClock()
    print(_introduction(told), flush=True)  # noqa: T201 - it is a show
    with tempfile.TemporaryDirectory(prefix="monitor-demo-") as folder:
        async with World(told, clock.monotonic, speed=speed or SPEED) as world:
            settings = configure(Path(folder), told, world.url)
            daemon = Daemon(settings, clock)
            running = asyncio.create_task(daemon.run())
            guiding = asyncio.create_task(_guide(settings, world, clock))
            await asyncio.wait([running, guiding], return_when="FIRST_COMPLETED")
            if leave or running.done():
                daemon.stop()
            await running
            guiding.cancel()
        print(_summary(settings, told), flush=True)  # noqa: T201


def configure(folder: Path, told: Recording, url: str) -> Settings:
    """Return the shipped knowledge with the recording's sources, kept in *folder*."""
    shipped, file = config.shipped(), folder / "monitor.yaml"
    voices = ("official", "emergency")
    channels = "".join(
        f"  - {{name: {channel.name.replace('_', '-')}, kind: telegram, "
        f"channel: {channel.name}, id: {channel.number}, home: RU-BEL, "
        f"voice: {voice}, every: 200ms}}\n"
        for channel, voice in zip(told.head.channels, voices, strict=True)
    )
    file.write_text(
        f"state: ./state\n"
        f"include: [{shipped}/rules/*.yaml, {shipped}/topics/*.yaml, "
        f"{shipped}/places/*.yaml]\n"
        f"web: {{allow: [127.0.0.0/8], pace: 10ms}}\n"
        f'telegram: {{preview: "{url}"}}\n'
        f"sinks: [{{name: console, kind: console}}]\n"
        f"subscribers:\n"
        f"  - {{name: you, sink: console, places: [RU-BEL], severity: warning}}\n"
        f"sources:\n{channels}"
        f'  - {{name: {told.head.feed.name}, kind: feed, url: "{url}/feed.xml", '
        f"voice: press, every: 200ms}}\n",
        "utf-8",
    )
    return config.load(file, told.ends.date())


async def _guide(settings: Settings, world: World, clock: Clock) -> None:
    """Begin when every source has been met, and return when all has been told."""
    names = [source.origin.source for source in settings.sources]
    stream = await _reached(settings, clock)
    try:
        while not all([await stream.cursor(name) for name in names]):
            await clock.sleep(LOOK)
        world.start()
        while not world.finished:
            await clock.sleep(LOOK)
        await clock.sleep(timedelta(seconds=1))  # a few more reads of each source
        waited = timedelta()
        while waited < PATIENCE and any(
            d.pending or d.lag for d in await stream.depths()
        ):
            await clock.sleep(LOOK)
            waited += LOOK
    finally:
        await stream.aclose()


async def _reached(settings: Settings, clock: Clock) -> Stream:
    """Return the stream of the daemon that is just starting."""
    while True:
        url = await Server.running_url(settings.state)
        if url:
            try:
                return await Stream.connect(url, "demo")
            except Transient:
                pass
        await clock.sleep(LOOK)


def _introduction(told: Recording) -> str:
    channels = len(told.head.channels)
    served = (
        f"{channels} channels and a feed are served on loopback, and the daemon reads "
        f"them as it would read the real ones.\n"
    )
    return "\n\n".join(fill(text, WIDTH) for text in (told.head.reconstruction, served))


def _summary(settings: Settings, told: Recording) -> str:
    with Archive(settings.state / "archive") as archive:
        items = list(archive.items(*EVER))
        deliveries = list(archive.deliveries(*EVER))
    changes = Counter(item.change for item in items)
    outcomes = Counter(delivery.outcome for delivery in deliveries)
    wrong = list(surprises(told, items, deliveries))
    happened = len(told.records)
    return SUMMARY.format(
        happened=happened,
        changes=changes,
        outcomes=outcomes,
        took=_took(items, deliveries),
        right=happened - len(wrong),
        wrong="".join(f"  not so: {surprise}\n" for surprise in wrong),
    )


def surprises(
    told: Recording, items: Iterable[Item], deliveries: Iterable[Delivery]
) -> Iterable[str]:
    """Yield what was told although it should not have been, and the other way round."""
    by_key = {item.key: item for item in items}
    reached = Counter(
        by_key[delivery.item].post
        for delivery in deliveries
        if delivery.outcome in ("delivered", "edited") and delivery.item in by_key
    )
    expected: Counter[str] = Counter()
    for record in told.records:
        if record.at > told.head.begins and record.expect.alert:
            expected[f"{record.where.replace('_', '-')}/{record.item}"] += 1
    for post in sorted(expected.keys() | reached.keys()):
        if expected[post] != reached[post]:
            yield f"{post}: told {reached[post]} times, expected {expected[post]}"


def _took(items: Iterable[Item], deliveries: Iterable[Delivery]) -> str:
    seen = {item.key: item.seen for item in items}
    waits = [
        (delivery.at - seen[delivery.item]).total_seconds()
        for delivery in deliveries
        if delivery.outcome in ("delivered", "edited") and delivery.item in seen
    ]
    return f"{median(waits) * 1000:.0f} ms (median)" if waits else "never"
