"""How a run is begun, watched to its end, and judged."""

import asyncio
import gc
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulation import loop
from tests.simulation.oracle import Oracle, Outcome, Verdict
from tests.simulation.world import SHM, Cast, World

REST: Final = 3600.0  # seconds within which all has to be quiet again
SELDOM: Final = (20_000, 20, 50)  # objects before garbage is looked for; most live long
LOOK: Final = 5.0  # seconds between two looks whether it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to."""

    seed: object
    verdict: Verdict
    digest: str
    counts: Counter[str]
    lines: Sequence[str]
    points: int  # at which a process could have died
    seconds: float  # simulated
    cost: float  # of the processor's time


def watched(  # noqa: PLR0913 - how it is to be watched
    cast: Cast,
    seed: object,
    story: Callable[[World], Awaitable[bool]],
    *,
    keep: bool = False,
    crash_at: int = 0,
    trimmed: bool = False,
) -> Result:
    """
    Return what comes of a *story*: it says whether all came to rest.

    Args:
        keep: What happened is kept line by line.
        crash_at: The number of the point at which the process that reaches it dies.
        trimmed: See `Outcome`.
    """
    began = time.process_time()
    thresholds = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    try:
        world = World(cast, seed, folder, keep=keep)
        world.crash_at = crash_at
        with world.diary.kept():
            verdict = loop.run(_judged(world, story, trimmed), world.loop)
    finally:
        shutil.rmtree(folder)
        gc.set_threshold(*thresholds)
    return Result(
        seed=seed,
        verdict=verdict,
        digest=world.chronicle.digest,
        counts=world.chronicle.counts,
        lines=world.chronicle.lines,
        points=world.points,
        seconds=world.loop.time(),
        cost=time.process_time() - began,
    )


async def _judged(
    world: World,
    story: Callable[[World], Awaitable[bool]],
    trimmed: bool,  # noqa: FBT001 - of an outcome
) -> Verdict:
    quiet = await story(world)
    return await judged(world, quiet=quiet, trimmed=trimmed)


async def settled(world: World, look: float = LOOK) -> bool:
    """
    Wait until every source was read and nothing is left to do; return whether.

    Args:
        look: Seconds between two looks.
    """
    began = world.loop.time()
    stream = await world.operator()
    while world.loop.time() < began + REST:
        await asyncio.sleep(look)
        read = all(
            any(part.at > began for part in [*outlet.parts.values()][-1:])
            for outlet in world.outlets
        )
        waiting = [
            depth for depth in await stream.depths() if depth.pending or depth.lag
        ]
        if read and not waiting:
            return True
    return False


async def judged(world: World, *, quiet: bool, trimmed: bool = False) -> Verdict:
    """Judge the world as it is now; see `Outcome`."""
    stream = await world.operator()
    counts = world.chronicle.counts
    jumped = counts["clock jumped"] > 0
    begun = sum(world.begun(messenger.name) for messenger in world.messengers)
    outcome = Outcome(
        outlets=world.outlets,
        people=world.people,
        messengers=world.messengers,
        cursors={one.name: await stream.cursor(one.name) for one in world.outlets},
        archive=world.archive(),
        letters=await stream.dead(),
        depths=await stream.depths(),
        begun=begun - counts["request late"],
        trimmed=trimmed,
        stale_after=None if jumped else world.cast.stale_after.total_seconds(),
        leapt=counts["clock set by a year"] > 0,
        rolled_back=counts["redis lost power"] > 0,
    )
    verdict = Oracle(outcome).judge()
    outcome.archive.close()
    if not quiet:
        verdict.blame("restless", "not everything was settled within an hour")
    for fault in world.diary.faults:
        verdict.blame("logged", fault)
    for process in world.processes:
        if process.health and process.health.stalled():
            verdict.blame("stalled", f"{process.name}: {process.health.stalled()}")
    return verdict
