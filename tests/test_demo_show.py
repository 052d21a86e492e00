"""The demonstration: what the real daemon makes of the recording."""

import asyncio
import contextlib
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.daemon import Daemon
from monitor.demo import Recording, recording
from monitor.demo.show import EVER, configure, surprises
from monitor.demo.world import World
from monitor.stream import Stream
from monitor.stream.archive import Archive
from tests.onlookers import LOOK, met


def chapters(told: Recording) -> Iterator[tuple[datetime, int]]:
    """
    Yield moments at which to stop, and how many items have come by then.

    No post changes twice within a chapter, so that each state of it can be seen.
    """
    items, last = 0, told.head.begins
    for record in told.records:
        if record.at <= told.head.begins:
            continue
        if record.action in ("edit", "delete"):
            yield last, items
        items += record.action != "service"
        last = record.at
    yield last, items


async def drained(stream: Stream) -> bool:
    """Return whether nothing is on its way."""
    return not any(depth.pending or depth.lag for depth in await stream.depths())


@pytest.mark.timeout(90)
async def test_everything_comes_out_as_the_recording_says(tmp_path: Path) -> None:
    """Every alert, all-clear, drill, homonym, edit and deletion is told or not told."""
    told, passed = recording(), 0.0
    printed = io.StringIO()
    async with World(told, lambda: passed, speed=1) as world:
        settings = configure(tmp_path, told, world.url)
        with contextlib.redirect_stdout(printed):
            daemon = Daemon(settings, SystemClock())
            running = asyncio.create_task(daemon.run())
            async with asyncio.timeout(60):
                names = [source.origin.source for source in settings.sources]
                stream = await met(settings.state, names)
                world.start()
                with Archive(settings.state / "archive") as archive:
                    for moment, count in chapters(told):
                        passed = (moment - told.head.begins).total_seconds()
                        while len(list(archive.items(*EVER))) < count:
                            assert not running.done()
                            await asyncio.sleep(LOOK)
                while not await drained(stream):
                    await asyncio.sleep(LOOK)
            await stream.aclose()
            daemon.stop()
            await running
        with Archive(settings.state / "archive") as archive:
            items = list(archive.items(*EVER))
            deliveries = list(archive.deliveries(*EVER))

    assert [] == list(surprises(told, items, deliveries))
    assert "✅" in printed.getvalue()
    assert "🗑" in printed.getvalue()
