"""One run: a world, its processes, so many kills, and then peace."""

import asyncio
import compileall
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import monitor
from monitor.stream.notes import told
from tests.chaos.gauge import Gauge
from tests.chaos.rampage import SPLITS, Rampage, Tally
from tests.chaos.town import PLACES, configured
from tests.chaos.waits import until
from tests.chaos.world import World, living
from tests.daemons import bots
from tests.worlds import run as run_to_end

STARTING = 60.0  # seconds until every source was read for the first time
SETTLING = 120.0  # seconds of peace in which everything that is owed has to come
FRESH = 15.0  # seconds in which what is published then has to come
DRAINING = 30.0  # seconds until every stage has done with everything
ERA = 60  # kills until the roles are dealt to the processes anew
CALM = 40  # kills until one that hits while all is well
STALLED = 90.0  # seconds without a process that is worth to be killed
PROGRESS = 50  # kills until a word of it


@dataclass
class Outcome:
    """
    What became of a run.

    Attributes:
        world: What was published and what came, in its ledger.
        took: How many seconds the killing took.
        settled: How many seconds of peace later everything that was owed had come.
        fresh: How many seconds new posts took then; None if they never came.
        drained: How many seconds later every stage had done with everything.
        lost: What never came.
        dead: What the program has set aside.
        unexplained: What its own account says, if that does not add up.
    """

    seed: int
    world: World
    tally: Tally
    took: float = 0.0
    settled: float | None = None
    fresh: float | None = None
    drained: float | None = None
    lost: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    unexplained: str = ""


async def run(
    kills: int, seed: int, splits: Sequence[Sequence[str]] = SPLITS
) -> Outcome:
    """Kill so often, then let there be peace, and return what became of everything."""
    chance = random.Random(seed)  # noqa: S311 - chosen to be repeated
    token = f"{next(bots)}:a-bot-of-tests"
    # As an installation does it: else each start compiles what it imports, for 0.3 s.
    compileall.compile_dir(Path(monitor.__file__).parent, quiet=2)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        async with living(token, chance) as world:
            file = configured(folder, token, **world.addresses)
            return await _Run(world, file, seed, chance, splits).whole(kills)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Run:
    """The parts of one run, one after the other."""

    def __init__(
        self,
        world: World,
        file: Path,
        seed: int,
        chance: random.Random,
        splits: Sequence[Sequence[str]],
    ) -> None:
        self._world, self._file, self._splits = world, file, splits
        self._gauge = Gauge(file.parent / "state")
        self._rampage = Rampage(world, file, self._gauge, chance)
        self.outcome = Outcome(seed, world, self._rampage.tally)

    async def whole(self, kills: int) -> Outcome:
        """Do all of it."""
        rampage, world = self._rampage, self._world
        try:
            await rampage.settle_in(self._splits[0])
            await self._begun()
            async with asyncio.TaskGroup() as group:
                aside = [
                    group.create_task(world.press.work()),
                    group.create_task(rampage.watch()),
                    group.create_task(world.acceptances.watch(self._gauge.door)),
                ]
                await self._kill(kills)
                await self._make_peace()
                for task in aside:
                    task.cancel()
            await self._add_up()
            await rampage.move_out()
        finally:
            await rampage.close()
            await self._gauge.close()
        return self.outcome

    async def _add_up(self) -> None:
        """Ask the program to account for all that it has seen."""
        done = await run_to_end(
            "monitor", "account", "--from", "2020-01-01", "-c", self._file
        )
        if done.code:
            self.outcome.unexplained = f"{done.out} {done.err}".strip()

    async def _begun(self) -> None:
        """Wait until every source was read, so that all that comes now is news."""

        async def met() -> bool:
            read = await self._gauge.read(self._world.press.sources)
            return read is not None and all(read.values())

        if await until(met, STARTING) is None:
            raise TimeoutError(
                f"the sources are not read: {self._rampage.last_words()}"
            )

    async def _kill(self, kills: int) -> None:
        """Strike until so many have been killed, or none is left that can be."""
        rampage, tally = self._rampage, self._rampage.tally
        began = last = time.monotonic()
        while tally.killed < kills and time.monotonic() - last < STALLED:
            before = tally.killed
            await rampage.strike()
            if tally.killed > before:
                await self._between(before, tally.killed)
                last = time.monotonic()
                self.outcome.took = last - began
        if tally.killed < kills:
            said = f"after {tally.killed} kills: {rampage.last_words()}"
            self._world.ledger.wrong("stalled", said)

    async def _between(self, before: int, killed: int) -> None:
        """Do what has become due since so many kills."""
        if killed // CALM > before // CALM:
            await self._rampage.alone()
        if killed // ERA > before // ERA and len(self._splits) > 1:
            await self._rampage.move_out()
            split = self._splits[killed // ERA % len(self._splits)]
            await self._rampage.settle_in(split)
        if killed // PROGRESS > before // PROGRESS:
            self._say(killed)

    def _say(self, killed: int) -> None:
        counts, ledger = self._world.ledger.counts, self._world.ledger
        print(  # noqa: T201
            f"{killed} kills in {self.outcome.took:.0f} s: {counts['posts']} posts, "
            f"{ledger.obligations()} owed, {len(ledger.missing())} on their way, "
            f"{counts['duplicated']} duplicated, {len(ledger.examples)} wrong",
            file=sys.stderr,
            flush=True,
        )

    async def _make_peace(self) -> None:
        """Wait for all that is owed, then for something new, and for the stages."""
        world, outcome, rampage = self._world, self.outcome, self._rampage
        world.press.paused = True

        async def settled() -> bool:
            await rampage.mend()
            return not world.ledger.missing()

        outcome.settled = await until(settled, SETTLING)
        for key, chat in world.ledger.missing():
            said = await told(self._gauge.door, f"{key[0]}/{key[1]}", [chat])
            known = f"{world.ledger.post(key)}; recorded: {said.get(chat)}"
            outcome.lost.append(f"{key} in {chat}: {known}")
        for place, source in zip(PLACES, world.press.sources.values(), strict=False):
            world.press.post(source, place, dull=0)
        outcome.fresh = await until(settled, FRESH)

        async def drained() -> bool:
            look = await self._gauge.look()
            return look is not None and not look.waiting

        outcome.drained = await until(drained, DRAINING)
        outcome.dead = [f"{one.queue}: {one.why}" for one in await self._gauge.dead()]
