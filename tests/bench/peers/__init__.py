"""
How many posts a second others carry through the same server on the same machine.

    make bench ARGS=peers

They are no dependencies: they are installed into an environment of their own, which is
deleted afterwards, and each sends and handles in a process of its own as its
documentation shows.  Handling is receiving, calling a handler that does nothing, and
acknowledging.  None of them looks at duplicates when it sends; we do.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

from monitor.item import Item
from monitor.stream import ITEMS, Server, Stream
from tests.bench.limit import Line
from tests.bench.stream import texts

PEERS = {
    "faststream": ("faststream[redis]", "hiredis"),
    "taskiq": ("taskiq", "taskiq-redis", "hiredis"),
    "dramatiq": ("dramatiq[redis]", "hiredis"),
}
COUNT = 5_000
LONGEST = 120  # seconds that one of them may take
BATCH = 64


def measure() -> dict[str, object]:
    """Return messages a second, or why there is no figure."""
    with tempfile.TemporaryDirectory(prefix="monitor-peers-") as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        if why := _install(python):
            return {"skipped": why}
        return asyncio.run(_measured(Path(folder), python))


def _install(python: Path) -> str:
    """Install what is measured, and return why that was not possible."""
    wanted = sorted({name for names in PEERS.values() for name in names})
    commands = (
        [sys.executable, "-m", "venv", str(python.parent.parent)],
        [str(python), "-m", "pip", "install", "-q", *wanted],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if done.returncode:
            return (done.stderr.strip() or "no reason given").splitlines()[-1]
    return ""


async def _measured(folder: Path, python: Path) -> dict[str, object]:
    figures: dict[str, object] = {}
    async with Server(folder / "state") as server:
        url = await server.ensure()
        with Line(url) as line:
            line.ask("CONFIG", "SET", "appendfsync", "no")
            for name in PEERS:
                line.ask("FLUSHALL")
                figures |= dict(_peer(name, python, url))
            line.ask("FLUSHALL")
        figures |= await _ours(url)
    return figures


def _peer(name: str, python: Path, url: str) -> Iterator[tuple[str, object]]:
    script = Path(__file__).parent / f"with_{name}.py"
    (post,) = texts(1)
    command = [str(python), str(script), url, str(COUNT), post.text]
    try:
        done = subprocess.run(  # noqa: S603 - ours
            command, capture_output=True, text=True, check=True, timeout=LONGEST
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        yield f"{name}, skipped", str(error)
        return
    answer = json.loads(done.stdout)
    yield f"{name} {answer['version']}: send, /s", answer["sent"]
    yield (
        f"{name} {answer['version']}: receive, handle, acknowledge, /s",
        (answer["handled"]),
    )


async def _ours(url: str) -> dict[str, object]:
    items = texts(2 * COUNT)
    async with aclosing(await Stream.connect(url, "bench")) as stream:
        start = time.perf_counter()
        for item in items[:COUNT]:
            await stream.accept("bench", [item], item.id)
        alone = time.perf_counter()
        for at in range(COUNT, 2 * COUNT, BATCH):
            await stream.accept("bench", items[at : at + BATCH], str(at))
        batched = time.perf_counter()
        reader, handled = stream.reader(ITEMS, "filter"), 0
        while entries := await reader.next(block=timedelta()):
            for entry in entries:
                assert isinstance(entry.value, Item)
                await _handle(entry.value)
            await stream.publish([(entry, None) for entry in entries])
            handled += len(entries)
        end = time.perf_counter()
    assert 2 * COUNT == handled
    return {
        "ours: accept, each alone, /s": COUNT / (alone - start),
        f"ours: accept, batches of {BATCH}, /s": COUNT / (batched - alone),
        "ours: receive, handle, acknowledge, /s": handled / (end - batched),
    }


async def _handle(item: Item) -> None:
    """Do nothing, as the handlers of the others."""
