"""
Crash points: a process dies at every single call to the world, one run after another.

Chance seldom hits the narrow moments between two calls; so a few short stories are told
again and again, and each time the process that makes the n-th call dies there, before
what it asked for was done or after, is started again a second later, and has to bring
everything to its end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tests.simulation.chaos import ALL
from tests.simulation.ending import Result, settled, watched
from tests.simulation.world import Cast, World

EVERY: Final = (timedelta(seconds=5),)
LOOK: Final = 1.0  # seconds between two looks whether all is done
ONE: Final = (("a", ALL),)
TWO: Final = (("a", ALL), ("b", ("collect", "filter", "alert", "deliver")))
THREE: Final = (
    ("a", ("collect", "archive")),
    ("b", ("filter", "alert")),
    ("c", ("deliver",)),
)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, and to whom."""

    tell: Callable[[World], Awaitable[None]]
    cast: Cast


async def _news(world: World) -> None:
    """Let there be posts, better and worse news of them, a deletion and a burst."""
    first, second = world.outlets
    posts = [first.publish(*what) for what in _THREE]
    await asyncio.sleep(5.5)
    first.edit(posts[0], "grayvoron", "missile")
    first.edit(posts[1], "valuyki", "")
    second.announce()
    await asyncio.sleep(5.5)
    first.delete(posts[1])
    for what in _THREE:
        second.publish(*what)


async def _takeover(world: World) -> None:
    """Let a machine die for good while messages are on their way."""
    first, second = world.outlets
    for what in _THREE:
        first.publish(*what)
        second.publish(*what)
    await asyncio.sleep(5.3)
    world.move(world.processes[0], 4.0)
    first.edit(first.posts[1], "valuyki", "missile")


async def _refusals(world: World) -> None:
    """Let services refuse: a message, a chat, everything for a while."""
    first, second = world.outlets
    plain, sure = world.messengers
    poisoned = first.publish("grayvoron", "uav")
    plain.poison.add(f"{poisoned.key},")
    plain.chats["a2"].closed_until = world.loop.time() + 6
    plain.move("a0", "a0x")
    sure.down_until = world.loop.time() + 8
    await asyncio.sleep(3.5)
    for what in _THREE:
        second.publish(*what)
    plain.chats["a3"].floods_until = world.loop.time() + 4
    await asyncio.sleep(6.0)
    first.edit(poisoned, "valuyki", "missile")
    first.delete(first.posts[0])


async def _late(world: World) -> None:
    """Let reading pause for long, so that what is found is told in one message."""
    first, second = world.outlets
    first.down_until = second.down_until = world.loop.time() + 9
    for what in _THREE * 2:
        first.publish(*what)
        second.publish(*what)
    await asyncio.sleep(4.5)
    world.jump(timedelta(hours=3))
    await asyncio.sleep(8.0)
    first.edit(first.posts[-1], "grayvoron", "missile")
    second.delete(second.posts[-2])
    first.publish("shebekino", "uav")


_THREE: Final = (("grayvoron", "uav"), ("valuyki", "missile"), ("shebekino", ""))
STORIES: Final[Mapping[str, Story]] = {
    "news": Story(_news, Cast(processes=ONE, feeds=0, people=4, every=EVERY)),
    "parted": Story(
        _news, Cast(processes=THREE, channels=1, feeds=1, people=4, every=EVERY)
    ),
    "takeover": Story(_takeover, Cast(processes=TWO, feeds=0, people=3, every=EVERY)),
    "refusals": Story(_refusals, Cast(processes=ONE, feeds=0, people=4, every=EVERY)),
    "late": Story(_late, Cast(processes=ONE, feeds=0, people=3, every=EVERY)),
}


def told(name: str, crash_at: int = 0, *, keep: bool = False) -> Result:
    """
    Tell a story, and judge what came of it.

    Args:
        crash_at: The number of the point at which a process dies; 0 is none.
    """
    story = STORIES[name]

    async def tell(world: World) -> bool:
        for outlet in world.outlets:
            outlet.publish("grayvoron", "uav")  # before anybody looked: the past
        for process in world.processes:
            world.boot(process)
        await asyncio.sleep(5.5)  # every source was read once
        await story.tell(world)
        return await settled(world, LOOK)

    return watched(story.cast, name, tell, keep=keep, crash_at=crash_at)


def spread(count: int) -> Iterator[tuple[str, int]]:
    """
    Yield *count* points of all stories, evenly spread; 0 yields all.

    A story is told once without a crash to know how many points it has.
    """
    points = [
        (name, number) for name in STORIES for number in range(1, told(name).points + 1)
    ]
    total = len(points)
    wanted = min(count, total) or total
    yield from (points[n * total // wanted] for n in range(wanted))
