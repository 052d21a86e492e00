"""What is to be done at random, so that much of it meets."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from tests.simulation.model.work import (
    OUTBOXES,
    OWNERS,
    PREFIX,
    READ,
    SOURCES,
    SUBSCRIBERS,
    Job,
    Place,
)

ARCHIVED: Final = tuple(place for place in READ if place[1] == "archive")
KEPT: Final = ("trim", "trim", "forget", "take", "release")
LOOKS: Final = ("told", "progress", "depths", "another", "facts")
ADDRESS: Final = (
    "park", "unpark", "parked", "parking", "move", "moved", "hold", "held",
)  # fmt: skip
FULL: Final = ("CONFIG", "SET", "maxmemory", "1")
ROOM: Final = ("CONFIG", "SET", "maxmemory", "0")
SAID: Final = (
    ("SCRIPT", "FLUSH"),
    ("XTRIM", f"{PREFIX}items", "MAXLEN", "1"),
    ("DEL", f"{PREFIX}cursor", f"{PREFIX}seen:town"),
)
# How often which job is done, and what it is given.
WEIGHTS: Final[dict[Callable[[Random], Job], int]] = {
    lambda r: ("accept", r.choice(SOURCES), _cursor(r), _seeds(r), _rare(r)): 12,
    lambda r: ("next", _place(r, r.choice(READ)), _count(r)): 8,
    lambda r: ("ack", _place(r, r.choice(ARCHIVED))): 4,
    lambda r: ("bury", _place(r, r.choice(READ))): 4,
    lambda _: ("letters",): 4,
    lambda r: ("unbury", r.randrange(9), r.randrange(2)): 4,
    lambda r: ("take_over", _place(r, r.choice(READ))): 2,
    lambda r: ("restart", _owner(r)): 3,
    lambda r: ("age", *r.choice(READ)): 2,
    lambda r: ("wait", r.choice((1, 31, 61, 90_000))): 3,
    lambda r: ("lose", r.choice(("request", "reply", "reply"))): 4,
    lambda r: ("keep", r.choice(KEPT), _owner(r), r.randrange(60)): 5,
    lambda r: ("look", r.choice(LOOKS), _owner(r), r.randrange(60)): 5,
    lambda r: ("address", r.choice(ADDRESS), r.randrange(60)): 5,
    lambda r: ("say", *r.choice(SAID)): 1,
    lambda r: ("say", *r.choice((FULL, ROOM))): 2,
}  # fmt: skip


def jobs(random: Random, number: int) -> list[Job]:
    """Return *number* things to do."""
    makers, weights = [*WEIGHTS], [*WEIGHTS.values()]
    done: list[Job] = []
    while len(done) < number:
        chance = random.random()
        if chance < 0.2:
            done += _passage(random, _owner(random), _outbox(random))
        elif chance < 0.25:
            done += _inheritance(random, random.choice(READ))
        elif chance < 0.27:
            done += _trouble(random, random.choice(READ))
        else:
            (make,) = random.choices(makers, weights)
            done.append(make(random))
    return done[:number]


def _passage(random: Random, owner: str, queue: str) -> Iterator[Job]:
    """Yield most of what brings posts from their source to people."""
    way: tuple[Job, ...] = (
        ("accept", random.choice(SOURCES), _cursor(random), _seeds(random), 0),
        ("next", (owner, "items", "filter"), _count(random)),
        ("publish", owner, random.randrange(60)),
        ("next", (owner, "matches", "alert"), _count(random)),
        ("fanout", owner, random.randrange(60)),
        ("keep", "take", owner, OUTBOXES.index(queue)),
        ("next", (owner, queue, "deliver"), _count(random)),
        ("start", owner, queue, random.choice(SUBSCRIBERS), _rare(random)),
        ("bury", (owner, queue, "deliver")) if random.random() < 0.3 else ("letters",),
        ("settle", owner, queue, _count(random), random.randrange(60)),
        ("unbury", random.randrange(9), random.randrange(2)),
    )
    return (job for job in way if random.random() < 0.85)


def _inheritance(random: Random, read: tuple[str, str]) -> Iterator[Job]:
    """Yield how what one owner has taken comes to another one."""
    one, two = random.sample(OWNERS, 2)
    way: tuple[Job, ...] = (
        ("next", (one, *read), _count(random)),
        ("age", *read),
        ("next", (two, *read), _count(random)),
        ("wait", 31),
        ("next", (two, *read), _count(random)),
        ("ack" if read[1] == "archive" else "bury", (two, *read)),
    )
    return (job for job in way if random.random() < 0.9)


def _trouble(random: Random, read: tuple[str, str]) -> Iterator[Job]:
    """Yield what happens when a group or a key is not what it should be."""
    place, cursor = _place(random, read), f"{PREFIX}cursor"
    yield "next", place, _count(random)
    yield "say", "XGROUP", "DESTROY", PREFIX + read[0], read[1]
    yield "next", place, _count(random)
    yield "say", "SET", cursor, "somebody else's"
    yield "accept", random.choice(SOURCES), _cursor(random), _seeds(random), 0
    yield "say", "DEL", cursor
    yield "next", place, _count(random)


def _owner(random: Random) -> str:
    return random.choice((OWNERS[0], OWNERS[0], OWNERS[0], OWNERS[0], *OWNERS[1:]))


def _place(random: Random, read: tuple[str, str]) -> Place:
    return _owner(random), *read


def _outbox(random: Random) -> str:
    return random.choice(OUTBOXES)


def _cursor(random: Random) -> str:
    return str(random.randrange(9))


def _seeds(random: Random) -> list[int]:
    return [random.randrange(600) for _ in range(random.choice((0, 1, 2, 5, 20)))]


def _count(random: Random) -> int:
    return random.choice((1, 2, 10, 10, 100))


def _rare(random: Random) -> int:
    return int(random.random() < 0.1)
