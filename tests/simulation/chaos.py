"""
What befalls the world of one seed: who takes part, and when which part of it breaks.

Everything is drawn from the seed, the rates included: some are calm, some brutal.  At
the end all is mended, and the program has to come to rest.
"""

import asyncio
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final

from tests.simulation.ending import Result, settled, watched
from tests.simulation.oracle import SOON
from tests.simulation.outlets import Outlet
from tests.simulation.posts import TOPICS, TOWNS
from tests.simulation.trouble import Trouble
from tests.simulation.weather import dice, drawn
from tests.simulation.world import Cast, World

ALL: Final = ("collect", "filter", "alert", "deliver", "archive")
CASTS: Final = (
    (("a", ALL),),
    (("a", ("collect", "archive")), ("b", ("filter", "alert", "deliver"))),
    (("a", ("collect", "filter", "archive")), ("b", ("alert", "deliver"))),
    (("a", ALL), ("b", ("collect", "filter", "alert", "deliver"))),
    (
        ("a", ("collect", "archive")),
        ("b", ("filter", "alert", "deliver")),
        ("c", ("deliver", "filter", "alert", "collect")),
    ),
)
MINUTES: Final = 20.0


def run(seed: int, minutes: float = MINUTES, *, keep: bool = False) -> Result:
    """Run the world of *seed*, and judge what came of it."""
    chance = dice(seed, "cast")
    cast = Cast(
        processes=chance.choice(CASTS),
        channels=chance.choice((1, 2, 2)),
        feeds=chance.choice((0, 1, 1)),
        people=chance.choice((6, 8, 10)),
        every=tuple(timedelta(seconds=chance.choice((10, 20, 30))) for _ in range(3)),
        everysec=chance.random() < 0.3,
        block=timedelta(seconds=chance.choice((2, 5, 8))),
        stale_after=timedelta(minutes=chance.choice((2, 5, 60))),
    )
    story = partial(_live, seed=seed, minutes=minutes)
    return watched(cast, seed, story, keep=keep, trimmed=True)


async def _live(world: World, seed: int, minutes: float) -> bool:
    """Let everything happen, mend everything, and return whether it came to rest."""
    end = minutes * 60
    for process in world.processes:
        world.boot(process)
    beside = [
        asyncio.create_task(_publish(world, outlet, dice(seed, outlet.name), end))
        for outlet in world.outlets
    ]
    if world.redis.everysec:
        beside.append(asyncio.create_task(_sync(world)))
    trouble = Trouble(world, dice(seed, "trouble"))
    world.set_weather(drawn(dice(seed, "weather")))
    await trouble.brew(end)
    trouble.mend()
    quiet = await settled(world)
    for outlet in world.outlets:
        for town in TOWNS:
            outlet.publish(town, "missile", fresh=True)
    await asyncio.sleep(SOON)
    quiet = await settled(world) and quiet
    await asyncio.sleep(62)  # the stream is trimmed each minute
    for task in beside:
        task.cancel()
    return quiet


async def _publish(world: World, outlet: Outlet, chance: Random, until: float) -> None:
    """Publish, edit, delete and put back, until the world is mended."""
    gap = chance.choice((8, 15, 40))
    await asyncio.sleep(chance.uniform(0, gap))
    while world.loop.time() < until:
        _happen(outlet, chance)
        burst = chance.random() < 0.1
        await asyncio.sleep(0.1 if burst else chance.expovariate(1 / gap))


def _happen(outlet: Outlet, chance: Random) -> None:
    """Let one thing happen at an outlet."""
    town = chance.choice([*TOWNS])
    topic = chance.choice([*TOPICS, *TOPICS, ""])
    fate = chance.random()
    recent = outlet.posts[-8:]
    if fate < 0.7 or not recent:
        feed = outlet.name.startswith("feed")
        back = chance.randrange(1, 4) if feed and chance.random() < 0.1 else 0
        outlet.publish(town, topic, back=min(back, len(outlet.posts)))
        return
    post = chance.choice(recent)
    if fate < 0.88:
        if not post.now.gone or chance.random() < 0.5:
            outlet.edit(post, town, topic)
    elif fate < 0.94:
        if not post.now.gone:
            outlet.delete(post)
    elif not outlet.name.startswith("feed"):
        outlet.announce()


async def _sync(world: World) -> None:
    """Bring the log onto the disk each second, as ``appendfsync everysec`` does."""
    while True:
        world.redis.store.sync()
        await asyncio.sleep(1)
