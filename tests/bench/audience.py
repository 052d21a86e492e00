"""
What it takes to put one alert onto its way to a hundred thousand people.

Their names are eight characters at random, as internal ids of subscribers are to be.
"Writes" are the commands in the server that may change something, whether called by a
script or not; "bytes" are what the outbox's entries hold, and what the server has
written to its disk.
"""

import asyncio
import gc
import random
import string
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

from monitor.alert import Subscriber
from monitor.alert.policy import Subscribers, plan
from monitor.item import Item, Match, Origin, Place, Reading, Topic, to_wire
from monitor.stream import ITEMS, MATCHES, PREFIX, Entry, Server, Stream, outbox
from monitor.stream.commits import FANOUT
from tests.bench.limit import Line
from tests.stream_values import NOW, drained

PEOPLE = 100_000
ROUNDS = 5
LETTERS = string.ascii_lowercase + string.digits
TEXT = (
    "⚠️ В Грайворонском городском округе объявлена опасность атаки беспилотников. "
    "Жителям просьба оставаться дома, не подходить к окнам, укрыться в комнатах "
    "без окон со сплошными стенами. Работают системы ПВО. Телефон экстренных служб 112."
)


def measure() -> dict[str, float]:
    """Return writes, bytes and milliseconds."""
    return asyncio.run(_measured())


async def _measured() -> dict[str, float]:
    subscribers = _people()
    with tempfile.TemporaryDirectory(prefix="monitor-bench-") as folder:
        async with Server(Path(folder)) as server:
            url = await server.ensure()
            with Line(url) as line:
                rounds = [
                    await _round(url, line, subscribers, number)
                    for number in range(ROUNDS)
                ]
    return {figure: min(one[figure] for one in rounds) for figure in rounds[0]}


async def _round(
    url: str, line: Line, subscribers: Subscribers, number: int
) -> dict[str, float]:
    line.ask("FLUSHALL")
    async with aclosing(await Stream.connect(url, "bench", sinks=["chat"])) as stream:
        (entry,) = await _matched(stream, number)
        found: Any = entry.value
        line.ask("SCRIPT", "LOAD", FANOUT.text)  # as it is on a running server
        gc.collect()
        start = time.perf_counter()
        planned = plan(found, None, subscribers, Origin(source="bench"))
        decided = time.perf_counter()
        packed = sum(len(to_wire(envelope)) for envelope in planned.envelopes)
        line.ask("CONFIG", "RESETSTAT")
        on_disk, before = _on_disk(line), time.perf_counter()
        added = await stream.fanout([(entry, planned.envelopes, [])])
        end = time.perf_counter()
        told = sum(len(envelope.recipients) for envelope in planned.envelopes)
        assert PEOPLE == told
        assert len(planned.envelopes) == added
        key = f"{PREFIX}{outbox('chat').name}"
        return {
            "envelopes": float(added),
            "writes (aim 201)": float(_writes(line)),
            "bytes of the envelopes (aim 1,000,000)": float(packed),
            "bytes of the alert in each": float(len(to_wire(found))),
            "bytes in memory": float(line.ask("MEMORY", "USAGE", key, "SAMPLES", 0)),
            "bytes on the disk": float(_on_disk(line) - on_disk),
            "deciding, ms": (decided - start) * 1000,
            "fan-out, ms (aim 10)": (end - before) * 1000,
            "the server held up by it, ms": _script(line),
        }


async def _matched(stream: Stream, number: int) -> list[Entry[Any]]:
    item = Item(
        source="bench", id=str(number), url=f"https://t.me/channel/{number}",
        published=NOW, seen=NOW, text=TEXT,
    )  # fmt: skip
    await stream.accept("bench", [item], str(number))
    (entry,) = await drained(stream.reader(ITEMS, "filter"))
    place = Place(
        id="RU-BEL.grayvoronsky", name="Грайворонский округ", within=("RU-BEL", "RU"),
        spans=((5, 22),),
    )  # fmt: skip
    reading = Reading(
        places=(place,), topics=(Topic(name="uav", spans=((64, 77),)),),
        signal="danger", language="ru",
    )  # fmt: skip
    found = Match(
        item=entry.value, reading=reading, rules=("belgorod-danger",),
        severity="critical",
    )  # fmt: skip
    await stream.publish([(entry, found)])
    return await drained(stream.reader(MATCHES, "alert"))


def _people() -> Subscribers:
    chance = random.Random(1)  # noqa: S311 - no secret comes of it
    names: set[str] = set()
    while len(names) < PEOPLE:
        names.add("".join(chance.choices(LETTERS, k=8)))
    return Subscribers(
        Subscriber(name=name, sink="chat", to=str(number), places=("RU-BEL",))
        for number, name in enumerate(sorted(names))
    )


def _writes(line: Line) -> int:
    """Return how many commands that may write the server has run."""
    stats: bytes = line.ask("INFO", "commandstats")
    writes = 0
    for row in stats.decode().splitlines()[1:]:
        name, _, values = row.removeprefix("cmdstat_").partition(":")
        ((_, _, flags, *_),) = line.ask("COMMAND", "INFO", name.partition("|")[0])
        if b"write" in flags:
            writes += int(values.partition(",")[0].removeprefix("calls="))
    return writes


def _on_disk(line: Line) -> int:
    return int(_info(line, "persistence")["aof_current_size"])


def _script(line: Line) -> float:
    """Return for how many ms the one script ran."""
    values = _info(line, "commandstats")["cmdstat_evalsha"]
    return int(values.split(",")[1].removeprefix("usec=")) / 1000


def _info(line: Line, section: str) -> dict[str, str]:
    text: bytes = line.ask("INFO", section)
    return dict(row.split(":", 1) for row in text.decode().splitlines() if ":" in row)
