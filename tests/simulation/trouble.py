"""
What befalls a world, and when; everything is drawn from dice, the rates included.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final

from tests.simulation.weather import CALM
from tests.simulation.world import Process, World

HOUR: Final = timedelta(hours=1)
YEAR: Final = timedelta(days=365)
PEACE: Final = 900.0  # seconds; a chat that takes nothing for longer is given up
JUMPS: Final = (-HOUR, -timedelta(seconds=30), timedelta(seconds=30), HOUR)


class Trouble:
    """What breaks, and when."""

    def __init__(self, world: World, dice: Random) -> None:
        self._world, self._dice = world, dice
        self._long, self._leapt = 0.0, False
        self._gap = dice.choice((8, 20, 60, 120))
        kinds: list[tuple[float, Callable[[], None]]] = [
            (6, self._kill),
            (0.5, self._kill_all),
            (1, self._stop),
            (0.5, self._move),
            (1.5, self._cut),
            (1.5, self._restart),
            (1, self._freeze),
            (1, self._starve),
            (0.5, self._protect),
            (0.5, self._break_disk),
            (0.5, self._fill_disk),
            (1.5, self._silence_sink),
            (0.3, self._revoke),
            (1.5, self._bother_chat),
            (0.5, self._close_chat),
            (0.3, self._move_chat),
            (0.3, self._poison),
            (1.5, self._silence_source),
            (1, self._jump),
            (0.1, self._leap),
        ]
        self._kinds = [kind for _, kind in kinds]
        self._weights = [
            weight * dice.choice((0, 0.3, 1, 1, 3)) + 0.01 for weight, _ in kinds
        ]

    async def brew(self, until: float) -> None:
        """Let things break until then, some of them for a good part of it."""
        self._long = until / 4
        while True:
            gap = self._dice.expovariate(1 / self._gap)
            left = until - self._now()
            await asyncio.sleep(min(gap, left))
            if gap > left:
                break
            kind = self._dice.choices(self._kinds, self._weights)[0]
            self._world.chronicle.note("trouble", kind.__name__)
            kind()

    def mend(self) -> None:
        """Mend everything."""
        world, store = self._world, self._world.redis.store
        world.chronicle.note("mended")
        world.set_weather(CALM)
        world.redis.down_until = world.redis.frozen_until = 0.0
        store.out_of_memory = store.read_only = store.broken_disk = False
        store.loading = False
        store.used_memory = 1 << 20
        world.free = 1 << 40
        for outlet in world.outlets:
            outlet.down_until = 0.0
        for messenger in world.messengers:
            messenger.down_until = messenger.revoked_until = 0.0
            for chat in messenger.chats.values():
                chat.hangs_until = chat.floods_until = 0.0
                chat.closed_until = min(chat.closed_until, self._now())
        for process in world.processes:
            if process.life:
                process.life.cut_until = 0.0
            world.boot(process)

    def _process(self) -> Process:
        return self._dice.choice(self._world.processes)

    def _kill(self) -> None:
        self._world.kill(self._process(), self._dice.uniform(0.3, 6))

    def _kill_all(self) -> None:
        for process in self._world.processes:
            self._world.kill(process, self._dice.uniform(0.3, 20))

    def _stop(self) -> None:
        self._world.stop(self._process())

    def _move(self) -> None:
        self._world.move(self._process(), self._dice.uniform(1, 30))

    def _cut(self) -> None:
        life = self._process().life
        if life and life.alive:
            self._world.chronicle.count("process cut off from redis")
            life.cut_until = self._now() + self._dice.choice((2, 15, 50, 120))

    def _restart(self) -> None:
        world, dice = self._world, self._dice
        until = self._now() + dice.choice((0.2, 2, 10, 40))
        if world.redis.everysec and dice.random() < 0.6:
            world.lose_power(until)
        else:
            world.chronicle.count("redis restarted")
            world.redis.stop(until)
        if dice.random() < 0.3:
            world.chronicle.count("redis loading")
            world.redis.store.loading = True
            world.later(until + dice.uniform(0, 10) - self._now(), self._loaded)

    def _loaded(self) -> None:
        self._world.redis.store.loading = False

    def _freeze(self) -> None:
        self._world.chronicle.count("redis frozen")
        self._world.redis.frozen_until = self._now() + self._dice.choice((1, 5, 14, 25))

    def _starve(self) -> None:
        world, store = self._world, self._world.redis.store
        world.chronicle.count("redis full")
        store.config["maxmemory"] = str(1 << 30)
        store.used_memory = 1 << 30
        store.out_of_memory = self._dice.random() < 0.7
        world.later(self._dice.choice((1, 10, 60)), self._feed)

    def _feed(self) -> None:
        store = self._world.redis.store
        store.out_of_memory = False
        store.used_memory = 1 << 20

    def _protect(self) -> None:
        store = self._world.redis.store
        self._world.chronicle.count("redis read-only")
        store.read_only = True
        self._world.later(self._dice.choice((1, 10, 60)), self._unprotect)

    def _unprotect(self) -> None:
        self._world.redis.store.read_only = False

    def _break_disk(self) -> None:
        self._world.chronicle.count("redis cannot write")
        self._world.redis.store.broken_disk = True
        self._world.later(self._dice.choice((1, 10, 60)), self._mend_disk)

    def _mend_disk(self) -> None:
        self._world.redis.store.broken_disk = False

    def _fill_disk(self) -> None:
        self._world.chronicle.count("disk full")
        self._world.free = 1 << 20
        self._world.later(self._dice.choice((1, 10, 60)), self._empty_disk)

    def _empty_disk(self) -> None:
        self._world.free = 1 << 40

    def _silence_sink(self) -> None:
        messenger = self._dice.choice(self._world.messengers)
        messenger.down_until = self._now() + self._dice.choice((5, 60, 300, self._long))
        messenger.deaf = self._dice.random() < 0.4

    def _revoke(self) -> None:
        messenger = self._dice.choice(self._world.messengers)
        messenger.revoked_until = self._now() + self._dice.choice((5, 60, 300))

    def _bother_chat(self) -> None:
        messenger = self._dice.choice(self._world.messengers)
        chat = self._dice.choice([*messenger.chats.values()])
        if self._now() < chat.peace_until:
            return
        until = self._now() + self._dice.choice((10, 60, 300))
        chat.peace_until = until + PEACE
        if self._dice.random() < 0.5:
            chat.hangs_until = until
        else:
            chat.floods_until = until

    def _close_chat(self) -> None:
        messenger = self._dice.choice(self._world.messengers)
        chat = self._dice.choice([*messenger.chats.values()])
        chat.closed_until = self._now() + self._dice.choice((10, 60, 300))

    def _move_chat(self) -> None:
        messenger = self._dice.choice(self._world.messengers)
        address = self._dice.choice([*messenger.chats])
        if not messenger.chats[address].moved_to and len(address) < 8:
            messenger.move(address, f"{address}x")

    def _poison(self) -> None:
        messenger = self._dice.choice(self._world.messengers)
        outlet = self._dice.choice(self._world.outlets)
        if outlet.posts:
            messenger.poison.add(f"{outlet.posts[-1].key},")

    def _silence_source(self) -> None:
        outlet = self._dice.choice(self._world.outlets)
        outlet.down_until = self._now() + self._dice.choice((5, 60, self._long))

    def _jump(self) -> None:
        self._world.jump(self._dice.choice(JUMPS))

    def _leap(self) -> None:
        """Set the clock by a year, as one that lost its battery does; once."""
        if not self._leapt:
            self._leapt = True
            self._world.leap(self._dice.choice((-YEAR, YEAR)))

    def _now(self) -> float:
        return self._world.loop.time()
