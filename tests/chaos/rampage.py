"""
The killing: which process dies when, what it was doing, and how soon work goes on.

A process is frozen before it is killed.  What it had in flight can then be looked at,
and nothing of that changes any more; for the process itself it is the same instant.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.acceptances import End
from tests.chaos.gauge import Gauge, Look
from tests.chaos.slots import Slot
from tests.chaos.waits import GLANCE, until
from tests.chaos.world import World

ROLES = ("collect", "filter", "alert", "deliver", "archive")
SPLITS: Sequence[Sequence[str]] = (
    ("collect", "filter alert", "deliver", "archive"),
    ("collect archive", "filter", "alert", "deliver"),
    ("collect", "filter", "alert archive", "deliver"),
    ("collect filter", "alert deliver", "archive"),
)
GAP = 0.1, 0.5  # seconds between two kills
AIMED = 0.7  # of the kills wait for a moment at which something is in flight
AIM = 2.5  # seconds that they wait for it at most; a quiet machine takes a tenth
STEP = 0.003  # seconds at most that a process goes on meanwhile, or stands still
AGAIN = 0.08  # of the processes killed are killed again while the next one starts
LIVES = 3  # of a role in a row without anything done; then it is left alone
STARTING = 60.0  # seconds until a process is at work
PATIENCE = 15.0  # seconds after which a process that is to stop is killed
STOPPED_IN = 10.0  # seconds
UNAVAILABLE = 69  # EX_UNAVAILABLE
KILLED = "stopped at once (status -9)"  # what such a process says of its server


@dataclass(slots=True)
class Tally:
    """
    What the killing has come to.

    Attributes:
        kills: By role and "server"; one process may have several roles.
        busy: Those of them that hit something in flight.
        counts: Other things that happened.
        seconds: How long things took, by what they are.
    """

    kills: Counter[str] = field(default_factory=Counter)
    busy: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def killed(self) -> int:
        """How many processes were killed, the server's among them."""
        return self.counts["killed"]


@dataclass(slots=True)
class Hit:
    """When something was hit, how far it had come, and how often without an end."""

    at: float
    done: int
    up: bool = True
    lives: int = 1


class Rampage:
    """
    The processes of a world, and who kills them.

    Attributes:
        tally: What it has come to.
    """

    def __init__(
        self, world: World, file: Path, gauge: Gauge, chance: random.Random
    ) -> None:
        """Kill what runs with the configuration in *file*."""
        self.tally = Tally()
        self._world, self._file, self._gauge, self._chance = world, file, gauge, chance
        self._slots: list[Slot] = []
        self._deck: list[tuple[str, int]] = []
        self._hits: dict[str, Hit] = {}
        self._struck = 0.0  # when something was killed last

    async def settle_in(self, split: Sequence[str]) -> None:
        """Run the roles in processes of their own as *split* says."""
        folder = self._file.parent
        self._slots = [Slot(roles.split(), self._file, folder) for roles in split]
        await asyncio.gather(*(slot.start() for slot in self._slots))

    async def move_out(self) -> None:
        """Tell all processes to stop at the same time, once they are at work."""
        await until(self._at_work, STARTING)
        await until(self._sending, AIM)
        await asyncio.gather(*map(self._stopped, self._slots))
        await self._account("stop")
        for slot in self._slots:
            self.tally.seconds["start"] += slot.starts
            await slot.close()
        self._slots, self._deck = [], []

    async def close(self) -> None:
        """Leave nothing running."""
        for slot in self._slots:
            await slot.close()

    def last_words(self) -> str:
        """Return the last that each process has said."""
        return "; ".join(slot.last_words() for slot in self._slots)

    async def strike(self) -> None:
        """Kill one process, or the server, or tell a process to stop."""
        await asyncio.sleep(self._chance.uniform(*GAP))
        await self.mend()
        if not self._deck:
            self._deck = self._shuffled()
        for card in self._deck:
            if await self._played(*card):
                self._deck.remove(card)
                break

    def _shuffled(self) -> list[tuple[str, int]]:
        """Return what happens next: of five kills one hits the server."""
        slots = range(len(self._slots))
        deck = [("kill", slot) for slot in slots] * 2
        deck += [("server", 0)] * max(len(deck) // 4, 1)
        delivers = next(n for n in slots if "deliver" in self._slots[n].roles)
        deck.append(("stop", self._chance.choice([delivers, *slots])))
        self._chance.shuffle(deck)
        return deck

    async def _played(self, what: str, slot: int) -> bool:
        """Do this if it can be done now."""
        one = self._slots[slot]
        if what == "server":
            return await self._kill_server()
        if not one.ready or not self._thrives(one):
            return False
        await (self._kill(one) if what == "kill" else self._stop(one))
        if what == "kill" and self._chance.random() < AGAIN:
            await asyncio.sleep(self._chance.random() * one.starts[-1])
            await self._kill(one)
        return True

    async def alone(self) -> None:
        """
        Kill once while all is well, and see how soon the work goes on.

        In the thick of it that says little: what was hit waits for others that are.
        """
        if await until(self._well, STARTING) is None:
            return
        what = self._chance.choice(("kill", "kill", "server"))
        slot = self._chance.randrange(len(self._slots))
        killed = await self._played(what, slot)
        if killed and await until(self._well, STARTING) is not None:
            took = time.monotonic() - self._struck
            self.tally.seconds[f"alone, {what}"].append(took)

    async def _well(self) -> bool:
        return await self._at_work() and not self._hits

    def _thrives(self, slot: Slot) -> bool:
        """
        Tell whether each role of *slot* got something done in one of its last lives.

        The program sets aside what has felled five processes in a row, and is right:
        it cannot know that it was us.
        """
        return all(
            self._hits[role].lives < LIVES for role in slot.roles if role in self._hits
        )

    async def mend(self) -> None:
        """
        Start again what has ended by itself, which nothing should.

        But a start is given up when the server that it has begun is killed at once.
        """
        for slot in self._slots:
            slot.listen()
            if slot.ended is None:
                continue
            said = f"{slot.roles} ended with {slot.ended}: {slot.last_words()}"
            if slot.ended == UNAVAILABLE and KILLED in said and not slot.ready:
                self.tally.counts["gave up"] += 1
            else:
                self._world.ledger.wrong("ended by itself", said)
            await slot.start()

    async def _kill(self, slot: Slot) -> None:
        self.tally.counts["killed at the start"] += not slot.ready
        if slot.ready and self._chance.random() < AIMED:
            await self._aim(slot, self._chance.choice(slot.roles))
        slot.freeze()
        look = await self._gauge.look()
        busy = await self._busy(slot, look)
        if "deliver" in slot.roles:
            await self._world.quiet()
            busy |= {"deliver"} if await self._account("kill") else set()
        self._note(slot.roles, busy, look)
        await slot.kill()
        await slot.start()

    async def _aim(self, slot: Slot, role: str) -> None:
        """
        Freeze *slot* at a moment at which its *role* has something in flight.

        Most of those moments are short.  So the process goes on by little steps until
        one is met, but not for long.
        """
        until = time.monotonic() + AIM
        while time.monotonic() < until:
            slot.freeze()
            await asyncio.sleep(self._chance.random() * STEP)
            if role in await self._busy(slot, await self._gauge.look()):
                return
            slot.go_on()
            await asyncio.sleep(self._chance.random() * STEP)

    async def _busy(self, slot: Slot, look: Look | None) -> set[str]:
        """Return the roles of *slot* that have something in flight."""
        press, busy = self._world.press, set[str]()
        if self._world.sending:
            busy.add("deliver")
        if look:
            busy |= {r for r in ("filter", "alert", "archive") if look.pending[r]}
        if "collect" in slot.roles:
            read = await self._gauge.read(press.sources)
            behind = read and any(
                read[name] > 1 and source.served > read[name]
                for name, source in press.sources.items()
            )
            busy |= {"collect"} if press.opened or behind else set()
        return busy & {*slot.roles}

    def _note(self, roles: Sequence[str], busy: set[str], look: Look | None) -> None:
        """Count a kill, and wait for the work to go on from here."""
        now = time.monotonic()
        self._count(roles, busy)
        for role in roles:
            lives = self._hits[role].lives + 1 if role in self._hits else 1
            if role == "deliver":
                self._hits[role] = Hit(now, self._world.taken, lives=lives)
            elif look:
                self._hits[role] = Hit(now, look.done[role], lives=lives)

    def _count(self, hit: Sequence[str], busy: set[str]) -> None:
        self._struck = time.monotonic()
        self.tally.counts["killed"] += 1
        self.tally.counts["killed at work"] += bool(busy)
        self.tally.kills.update(hit)
        self.tally.busy.update(busy)

    async def _kill_server(self) -> bool:
        """Kill the server, if there is one at this moment."""
        pid, look = await self._gauge.pid(), await self._gauge.look()
        if pid is None or look is None:
            return False
        os.kill(pid, signal.SIGKILL)
        busy = any(look.pending.values())
        self._count(["server"], {"server"} if busy else set())
        self._hits["server"] = Hit(time.monotonic(), 0, up=False)
        return True

    async def _stop(self, slot: Slot) -> None:
        """Tell a process to stop, best with something in flight, and start it again."""
        if "deliver" in slot.roles:
            await until(self._sending, AIM)
        await self._stopped(slot)
        if "deliver" in slot.roles:
            await self._account("stop")
        await slot.start()

    async def _stopped(self, slot: Slot) -> None:
        self.tally.counts["stops"] += 1
        at_work = "deliver" in slot.roles and self._world.sending > 0
        self.tally.counts["stops at work"] += at_work
        took, status = await slot.stop(PATIENCE)
        self.tally.seconds["stop"].append(took)
        if status or took > STOPPED_IN:
            said = f"{slot.roles} ended with {status} after {took:.1f} s"
            self._world.ledger.wrong("stopped badly", f"{said}: {slot.last_words()}")

    async def _at_work(self) -> bool:
        await self.mend()
        return all(slot.ready for slot in self._slots)

    async def _sending(self) -> bool:
        return self._world.sending > 0

    async def _account(self, end: End) -> int:
        """Find out what was sent and not recorded by the deliverer that ends now."""
        await self._world.quiet()
        return await self._world.acceptances.close(self._gauge.door, end)

    async def watch(self) -> None:
        """See for each hit when the work goes on, until cancelled."""
        while True:
            await asyncio.sleep(GLANCE)
            for slot in self._slots:
                slot.listen()
            look = await self._gauge.look()
            if look:
                self._see(look)

    def _see(self, look: Look) -> None:
        now, taken = time.monotonic(), self._world.taken
        for kind, hit in list(self._hits.items()):
            if not hit.up:  # the server is back: the next message is its first
                hit.up, hit.done = True, taken
            done = taken if kind in ("server", "deliver") else look.done[kind]
            hit.done = min(hit.done, done)  # another database begins from nothing
            if done > hit.done:
                self.tally.seconds[kind].append(now - hit.at)
                del self._hits[kind]
