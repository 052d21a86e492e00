"""The work of the program at random: several owners on one stream."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

from monitor.errors import Failure, Unavailable
from monitor.item import Delivery, Envelope, Item, Match, Note, Outcome, Reading
from monitor.stream import Entry, Reader, Sending, Settlement, Stream
from monitor.stream.door import Door, Wire
from tests.clock import FakeClock
from tests.simulation.model.sides import FUTURE, Line, Listener

PREFIX: Final = "monitor:{0}:"
NOW: Final = datetime(2023, 5, 22, 6, 0, tzinfo=UTC)
OWNERS: Final = ("one", "two", "three")
SOURCES: Final = ("town", "city")
SUBSCRIBERS: Final = ("ann", "bob", "eve")
SINKS: Final = ("chat", "post")
OUTBOXES: Final = tuple(f"outbox:{sink}:0" for sink in SINKS)
READ: Final = (
    ("items", "filter"), ("items", "archive"), ("matches", "alert"),
    ("matches", "archive"), ("deliveries", "archive"), ("notes", "archive"),
    *((outbox, "deliver") for outbox in OUTBOXES),
)  # fmt: skip
# Ids are counted from there in every stream, as the clocks of two servers differ.
BEGIN: Final[tuple[Line, ...]] = (
    ("REPLICAOF", "NO", "ONE"),
    ("FLUSHALL",),
    ("CONFIG", "SET", "maxmemory", "0"),
    ("CONFIG", "SET", "appendfsync", "no"),
    ("SCRIPT", "FLUSH"),
    *(
        line
        for name in ("items", "matches", "deliveries", "notes", "dead", *OUTBOXES)
        for line in (
            ("XGROUP", "CREATE", PREFIX + name, "gone", "$", "MKSTREAM"),
            ("XGROUP", "DESTROY", PREFIX + name, "gone"),
            ("XSETID", PREFIX + name, f"{FUTURE}-0"),
        )
    ),
)
# Nobody has worked on what is pending for so long that others may take it.
AGE: Final = """#!lua flags=allow-oom
local page = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)
for _, one in ipairs(page) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], one[2], 0, one[1], 'IDLE', 61000,
    'RETRYCOUNT', one[4], 'JUSTID')
end
return #page"""

Job = tuple[Any, ...]
Place = tuple[str, str, str]  # owner, queue, group


class Crew:
    """
    Several owners at work on one server.

    Attributes:
        wire: What they say and hear.
        did: How often something was done that was not in vain, by its name.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = Listener(wire)
        self.did: Counter[str] = Counter()
        self._clock = FakeClock(NOW)
        self._door = Door(self.wire, PREFIX)
        self._streams: dict[str, Stream] = {}
        self._readers: dict[Place, Reader[Any]] = {}
        self._held: dict[Place, dict[str, Entry[Any]]] = {}
        self._letters: list[str] = []

    async def begin(self) -> bool:
        """Connect everybody."""
        for owner in OWNERS:
            self._streams[owner] = await Stream.behind(
                self._door, owner, sinks=SINKS, clock=self._clock, fresh=lambda: "base"
            )
        return True

    async def do(self, job: Job) -> Any:
        """Do something, and return what came of it."""
        name, *args = job
        try:
            result = await JOBS[name](self, *args)
        except (Failure, Unavailable) as failure:
            return type(failure).__name__
        if result:
            self.did[name] += 1
        return result

    def stream(self, owner: str) -> Stream:
        """Return the stream as *owner* has it."""
        return self._streams[owner]

    def reader(self, place: Place) -> Reader[Any]:
        """Return the reader at *place*, a new one after a restart of its owner."""
        if place not in self._readers:
            owner, queue, group = place
            self._readers[place] = self.stream(owner).reader(queue, group)
        return self._readers[place]

    def held(self, place: Place) -> dict[str, Entry[Any]]:
        """Return what was read at *place*, and not given away yet."""
        return self._held.setdefault(place, {})

    async def next(self, place: Place, count: int) -> list[Entry[Any]]:
        """Read."""
        got = await self.reader(place).next(count, timedelta())
        self.held(place).update((entry.id, entry) for entry in got)
        return got

    async def take_over(self, place: Place) -> bool:
        """Begin with what others left."""
        self.reader(place).begin()
        return True

    async def restart(self, owner: str) -> bool:
        """Forget what *owner* knows, as when its process ends."""
        for places in (self._readers, self._held):
            for place in [place for place in places if place[0] == owner]:
                del places[place]
        return True

    async def accept(self, source: str, cursor: str, seeds: list[int], old: int) -> Any:
        """Accept posts."""
        items = [_post(source, seed) for seed in seeds]
        notes = [
            Note(source=source, id=f"n{seed % 9}", what="service", at=NOW)
            for seed in seeds[:1]
            if seed % 5 == 0
        ]
        late = NOW if seeds and seeds[0] % 7 == 0 else None
        return await self.stream("one").accept(
            source, items, cursor, notes=notes, baseline=bool(old), late_before=late
        )

    async def publish(self, owner: str, seed: int) -> int:
        """Publish what *owner* holds of items."""
        held = self.held((owner, "items", "filter"))
        verdicts = [
            (entry, _verdict(entry.value, seed + n))
            for n, entry in enumerate(held.values())
        ]
        added = await self.stream(owner).publish(verdicts)
        held.clear()
        return added

    async def fanout(self, owner: str, seed: int) -> int:
        """Fan out what *owner* holds of matches."""
        held = self.held((owner, "matches", "alert"))
        plans = [
            (entry, *_plan(entry, seed + n)) for n, entry in enumerate(held.values())
        ]
        added = await self.stream(owner).fanout(plans)
        held.clear()
        return added

    async def start(self, owner: str, queue: str, who: str, again: int) -> Any:
        """Begin to send to somebody."""
        entries = [*self.held((owner, queue, "deliver")).values()][:3]
        doubts = 1 if again else None
        what = [Sending(entry, doubts) for entry in entries]
        return await self.stream(owner).begin(queue, who, what)

    async def settle(self, owner: str, queue: str, count: int, seed: int) -> int:
        """Settle some of what *owner* holds of an outbox."""
        held = self.held((owner, queue, "deliver"))
        entries = [*held.values()][:count]
        done = seed % 4 != 0
        news = await self.stream(owner).settle_all(
            [
                Settlement(entry=entry, deliveries=_deliveries(entry, seed), done=done)
                for entry in entries
            ]
        )
        if done:
            for entry in entries:
                del held[entry.id]
        return news

    async def ack(self, place: Place) -> int:
        """Acknowledge everything that is held at *place*."""
        owner, queue, group = place
        held = self.held(place)
        done = await self.stream(owner).ack(queue, group, [*held])
        held.clear()
        return done

    async def bury(self, place: Place) -> bool:
        """Set the oldest thing aside that is held at *place*."""
        held = self.held(place)
        if not held:
            return False
        entry = next(iter(held.values()))
        done = await self.stream(place[0]).bury(entry, "no good")
        del held[entry.id]
        return done

    async def letters(self) -> Any:
        """Look at the dead letters."""
        found = await self.stream("one").dead(100)
        self._letters = [letter.id for letter in found]
        return found

    async def unbury(self, number: int, drop: int) -> Any:
        """Put a dead letter back, or drop it."""
        letter = "1-1"
        if self._letters:
            letter = self._letters[number % len(self._letters)]
        stream = self.stream("one")
        return await (stream.drop(letter) if drop else stream.retry(letter))

    async def age(self, queue: str, group: str) -> int:
        """Let what is pending be as if nobody had worked on it for a minute."""
        key = self._door.key(queue)
        count: int = await self._door.call("EVAL", AGE, 1, key, group)
        return count

    async def say(self, *command: str) -> Any:
        """Do something by hand, as an operator does or a fault."""
        return await self._door.call(*command)

    async def lose(self, what: str) -> bool:
        """Let the next command be lost, or its answer."""
        once = iter([what])
        self.wire.lose = lambda: next(once, "")
        return True

    async def wait(self, seconds: int) -> bool:
        """Let time pass for the owners, and not for the server."""
        self._clock.advance(timedelta(seconds=seconds))
        return True

    async def address(self, name: str, seed: int) -> Any:
        """Write or read what is known of addresses."""
        book = self.stream("two").directory
        sink, who = SINKS[seed % 2], SUBSCRIBERS[seed % 3]
        until = self._clock.now() + timedelta(seconds=seed % 90)
        done: dict[str, Callable[[], Awaitable[Any]]] = {
            "park": lambda: book.park(sink, who if seed % 4 else "", "blocked"),
            "unpark": lambda: book.unpark(sink, who),
            "parked": lambda: book.parked(sink, who),
            "parking": book.parking,
            "move": lambda: book.move(sink, who, SUBSCRIBERS[seed % 2]),
            "moved": lambda: book.moved(sink, who),
            "hold": lambda: book.hold(sink, who if seed % 4 else None, until),
            "held": book.held,
        }
        return await done[name]()

    async def look(self, what: str, owner: str, seed: int) -> Any:
        """Read something that changes nothing."""
        stream, source = self.stream(owner), SOURCES[seed % 2]
        match what:
            case "told":
                return await stream.told(f"{source}/{seed % 12}", SUBSCRIBERS)
            case "progress":
                return await stream.progress(source), await stream.cursor(source)
            case "depths":
                return await stream.depths(), await stream.lanes()
            case "another":
                return await stream.is_another(), await stream.reads()
        facts = await stream.doctor()
        return [(fact.name, fact.judgement) for fact in facts if fact.name in JUDGED]

    async def keep(self, what: str, owner: str, seed: int) -> Any:
        """Do what has to be done now and then."""
        stream = self.stream(owner)
        match what:
            case "trim":
                return await stream.trim()
            case "forget":
                return await stream.forget(SOURCES[seed % 2], timedelta(days=seed % 3))
            case "take":
                return await stream.take(OUTBOXES[seed % 2], timedelta(seconds=60))
        return await stream.release(OUTBOXES[seed % 2])


JUDGED: Final = frozenset({"version", "role", "maxmemory-policy", "used", "epoch"})
JOBS: Final[dict[str, Callable[..., Awaitable[Any]]]] = {
    method.__name__: method
    for method in (
        Crew.accept, Crew.ack, Crew.address, Crew.age, Crew.begin, Crew.bury,
        Crew.fanout, Crew.keep, Crew.letters, Crew.look, Crew.lose, Crew.next,
        Crew.publish, Crew.restart, Crew.say, Crew.settle, Crew.start,
        Crew.take_over, Crew.unbury, Crew.wait,
    )
}  # fmt: skip


def _post(source: str, seed: int) -> Item:
    text = f"siren {seed % 4} " * (1 + seed % 3 * 40)
    return Item(
        source=source,
        id=str(seed % 12),
        published=NOW - timedelta(minutes=seed % 3),
        seen=NOW,
        text=text,
        change="deleted" if seed % 11 == 0 else "new",
    )


def _verdict(item: Any, seed: int) -> Match | Note | None:
    if not isinstance(item, Item) or seed % 5 == 0:
        return None
    if seed % 5 == 1:
        return Note(source=item.source, id=item.id, what="filtered", at=NOW)
    rules = ("danger",) if seed % 5 < 4 else ()
    return Match(item=item, reading=Reading(), rules=rules, severity="critical")


def _plan(entry: Entry[Any], seed: int) -> tuple[list[Envelope], list[Delivery | Note]]:
    if not isinstance(entry.value, Match):
        return [], []
    envelopes = [
        Envelope(match=entry.value, sink=sink, recipients=SUBSCRIBERS[: 1 + seed % 3])
        for sink in SINKS[: seed % 3]
    ]
    rest: list[Delivery | Note] = []
    if seed % 2:
        rest.append(_delivery(entry.value.item, SUBSCRIBERS[seed % 3], "suppressed"))
    return envelopes, rest


def _deliveries(entry: Entry[Any], seed: int) -> list[Delivery]:
    if not isinstance(entry.value, Envelope):
        return []
    outcomes: Sequence[Outcome] = get_args(Outcome)
    return [
        _delivery(entry.value.match.item, who, outcomes[(seed + n) % len(outcomes)])
        for n, who in enumerate(entry.value.recipients)
    ]


def _delivery(item: Item, who: str, outcome: Outcome) -> Delivery:
    return Delivery(item=item.key, subscriber=who, sink="chat", outcome=outcome, at=NOW)
