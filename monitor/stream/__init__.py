"""What outlives the process: streams, progress and the archive."""

# The keys, all behind one prefix.  Its hash tag keeps them on one node of a cluster, so
# that a commit over several keys is one step there, too.
#
# monitor:{0}:…
#
#   streams          field "1" (`item.WIRE`): the value as msgpack; in `items` and
#                    `matches` field "late" where the post was found late
#     items            Item      groups filter, archive
#     matches          Match     groups alert, archive; field "was": the Match that
#                                it corrects
#     outbox:S:0       Envelope  group deliver; lane 0 of sink S; deleted when settled
#     deliveries       Delivery  group archive
#     notes            Note      group archive
#     dead             queue, group, entry, why, attempts, at, and the fields of the
#                      entry itself, each named "entry:…"
#
#   progress, moved only in the same step as what it accounts for
#     cursor           hash  source → its cursor
#     reads            hash  source → when in ms since 1970, and how often it was read
#     seen:SOURCE      hash  post id → version u32, content hash 8 bytes, day last seen
#                            u16 (since 1970), gone u8; version 0 is a Note's
#     matched:POST     the newest Match of a post that mattered; 14 days
#     ledger:POST      hash  subscriber → newest version u32, its rank u8, rank of what
#                            follows u8, Delivery (scripts/record.lua); 30 days
#
#   the deliverers' notes
#     parked           hash  sink, or sink/subscriber → why nothing is sent there
#     moved            hash  sink/address → the address it has now
#     sending:S:0      hash  entry/subscriber → earlier sends of it whose end nobody
#                            knows; there from `begin` to `settle`; and
#                            "digest"/subscriber → key and entries of a message, if
#                            one of many entries is on its way
#     wait             hash  sink, or sink/address → not before, in ms since 1970, and
#                            for how many ms
#     lanes            set   names of the outboxes that were ever used
#
#   lease:NAME       its owner; expires
#   epoch            which database this is: made once, gone with a flush
#   removed          hash  queue → entries trimmed of those added; "queue!" → how many
#                          are gone besides
#   pulse            counts on while we work: an older state of it has counted less
#   stage:KEY        a key of a backup that is not in its place yet; 1 hour
#
# POST is source/id.  Nothing here is trimmed by length: see scripts/trim.lua.

import secrets
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Self, overload

from monitor.clock import Clock, SystemClock
from monitor.item import Delivery, Envelope, Item, Note
from monitor.stream import commits, letters, notes, upkeep
from monitor.stream.backlog import Backlog
from monitor.stream.commits import Accepted, Correction, Settlement
from monitor.stream.database import Database
from monitor.stream.directory import Directory
from monitor.stream.doctor import Fact, examine, refuse
from monitor.stream.door import Door, NoGroup
from monitor.stream.letters import Letter
from monitor.stream.notes import START, Begun, Progress, Pulse, Sending
from monitor.stream.queues import (
    DELIVERIES,
    ITEMS,
    MATCHES,
    NOTES,
    QUEUES,
    Queue,
    T,
    named,
    outbox,
)
from monitor.stream.reader import (
    Consumer,
    Damaged,
    Entry,
    Reader,
    follow,
    make_groups,
)
from monitor.stream.server import Server, find_binary
from monitor.stream.upkeep import Depth

__all__ = [
    "DELIVERIES",
    "GROUPS",
    "ITEMS",
    "MATCHES",
    "NOTES",
    "QUEUES",
    "Accepted",
    "Begun",
    "Correction",
    "Damaged",
    "Depth",
    "Entry",
    "Fact",
    "Letter",
    "NoGroup",
    "Pulse",
    "Queue",
    "Reader",
    "Sending",
    "Server",
    "Settlement",
    "Stream",
    "find_binary",
    "named",
    "outbox",
]

PREFIX = "monitor:{0}:"
BLOCK = timedelta(seconds=2)
CLOCK: Final = SystemClock()
GROUPS: Final = ("filter", "alert", "deliver", "archive")  # each has a role's name
FRESH: Final = partial(secrets.token_hex, 8)  # a name that no other database has


class Stream:
    """
    The streams and all progress, in one Redis.

    Every method may raise `Away`: the outcome is unknown, and calling it again
    with the same arguments is right; or `Unavailable`: the server cannot be used as
    it is.

    Attributes:
        owner: By which name this instance reads and holds leases; the same after a
            restart, and no other instance's.
        epoch: Which database this is; one that was flushed or replaced has another.
        facts: What is to be known of the server, judged when it was connected.
        directory: The deliverers' notes on addresses.
        backlog: What waits, for an account of it.
        database: What is asked of the server besides its streams.
    """

    def __init__(  # noqa: PLR0913 - what `behind` has found out
        self,
        door: Door,
        owner: str,
        clock: Clock,
        *,
        epoch: str,
        facts: Sequence[Fact],
        fresh: Callable[[], str],
    ) -> None:
        """Use `Stream.connect`, which looks whether the server is fit."""
        self.owner = owner
        self.epoch = epoch
        self.facts = tuple(facts)
        self.directory = Directory(door, clock)
        self.backlog = Backlog(door)
        self.database = Database(door, fresh)
        self._door = door
        self._clock = clock
        self._fresh = fresh

    @classmethod
    async def connect(  # noqa: PLR0913 - one place, seen from several sides
        cls,
        url: str,
        owner: str,
        *,
        sinks: Iterable[str] = (),
        groups: Collection[str] = GROUPS,
        clock: Clock = CLOCK,
        prefix: str = PREFIX,
    ) -> Self:
        """
        Connect to the Redis at *url*, and make the streams and groups that are missing.

        Args:
            url: ``redis://``, ``rediss://`` or ``unix://``.
            owner: A name for this instance that a restart does not change.
            sinks: Those whose outboxes are to be there as well.
            groups: Those to be made; a user of the server may not make all of them.
            prefix: Of all keys; a hash tag in it keeps them on one node of a cluster.

        Raises:
            Misconfigured: The address is none.
            Away: The server is not there, or still loading.
            Unavailable: It cannot be used: too old, or it would evict what waits.
        """
        async with AsyncExitStack() as undo:
            door = Door(url, prefix)
            undo.push_async_callback(door.aclose)
            stream = await cls.behind(
                door, owner, sinks=sinks, groups=groups, clock=clock
            )
            undo.pop_all()
        return stream

    @classmethod
    async def behind(  # noqa: PLR0913 - the same
        cls,
        door: Door,
        owner: str,
        *,
        sinks: Iterable[str] = (),
        groups: Collection[str] = GROUPS,
        clock: Clock = CLOCK,
        fresh: Callable[[], str] = FRESH,
    ) -> Self:
        """
        Return the stream in the server behind *door*; see `connect`.

        Args:
            fresh: Names a database that has no name yet.
        """
        facts = await examine(door)
        refuse(facts)
        queues: list[Queue[Any]] = [*QUEUES, *map(outbox, sinks)]
        wanted = [(q, group) for q in queues for group in q.groups if group in groups]
        await make_groups(door, wanted)
        epoch = await notes.epoch(door, fresh())
        return cls(door, owner, clock, epoch=epoch, facts=facts, fresh=fresh)

    # What a stage commits

    async def accept(  # noqa: PLR0913 - a read, and in what light to see it
        self,
        source: str,
        items: Sequence[Item],
        cursor: str,
        *,
        notes: Sequence[Note] = (),
        baseline: bool = False,
        since: datetime | None = None,
        late_before: datetime | None = None,
        after: int | None = None,
    ) -> Accepted:
        """
        Put what is new or changed among *items* onto the stream, and move the cursor.

        Version and change are decided here: a post not seen before is new, one with
        another content hash is edited, one given as deleted is deleted.  Of several
        items with one id the last counts.

        Args:
            notes: Ids that are no posts; each is put onto `notes` once.
            baseline: Posts not seen before are the past: marked as seen, no more.
            since: Those published after it are not.
            late_before: Posts published before it are late.
            after: How many reads were accepted when this one began, see `progress`.

        Raises:
            Away: Nothing or everything was done: do it again.  When Redis is out of
                memory or disk, or another read was accepted since, nothing was.
        """
        read = commits.Read(
            source=source,
            items=items,
            cursor=cursor,
            now=self._clock.now(),
            notes=notes,
            baseline=baseline,
            since=since,
            late_before=late_before,
            after=after,
        )
        return await commits.accept(self._door, read)

    async def publish(self, verdicts: Sequence[commits.Verdict]) -> int:
        """
        Acknowledge items, and put what matters onto `matches`; return how many.

        Why another one does not goes onto `notes`, if it is given.

        An edited or deleted item that matters no more is a match without rules.  It is
        passed on if an earlier version mattered; and so is what it corrects.  As part
        of a `Correction` it leaves a note if none did.
        """
        return await commits.publish(self._door, verdicts)

    async def fanout(
        self,
        plans: Sequence[commits.Plan],
    ) -> int:
        """
        Acknowledge matches, put envelopes onto their lanes, and write down who is not
        told, or a note that nobody is; return how many envelopes were added.
        """
        return await commits.fanout(self._door, plans)

    async def settle(
        self, entry: Entry[Envelope], deliveries: Sequence[Delivery], *, done: bool
    ) -> int:
        """
        Write down what became of an envelope for some of its recipients, and if it is
        *done* with, acknowledge and delete it; return how many deliveries were news.
        """
        one = Settlement(entry=entry, deliveries=deliveries, done=done)
        return await self.settle_all([one])

    async def settle_all(self, settlements: Sequence[Settlement]) -> int:
        """Settle envelopes of one outbox in one step, as long as they are few."""
        return await commits.settle(self._door, settlements)

    async def begin(
        self, lease: str, subscriber: str, what: Sequence[Sending]
    ) -> list[Begun]:
        """
        Write down that envelopes of one outbox are being sent to *subscriber* now.

        What is written down goes when it is settled.  So whoever begins it again after
        a crash learns that it may have been sent before.

        Args:
            lease: The name of the lease by which the outbox is ours.

        Returns:
            For each of them, whether it may be sent, and what is known of it.
        """
        return await notes.begin(self._door, self.owner, lease, subscriber, what)

    async def ack(self, queue: Queue[Any] | str, group: str, ids: Sequence[str]) -> int:
        """Acknowledge entries that *group* keeps elsewhere; return how many."""
        if not ids:
            return 0
        key = self._door.key(named(queue).name)
        count: int = await self._door.call("XACK", key, group, *ids)
        return count

    # What a stage reads

    @overload
    def reader(self, queue: Queue[T], group: str) -> Reader[T]: ...

    @overload
    def reader(self, queue: str, group: str) -> Reader[Any]: ...

    def reader(self, queue: Queue[Any] | str, group: str) -> Reader[Any]:
        """Return a consumer of *group*; see `Reader` for the order of what it reads."""
        consumer = Consumer(group, self.owner)
        return Reader(self._door, named(queue), consumer, self._clock)

    def follow(
        self, queue: Queue[T], *, back: int = 0, block: timedelta = BLOCK
    ) -> AsyncIterator[Entry[T]]:
        """Yield the last *back* entries, then new ones as they come, for ever."""
        return follow(self._door, queue, block, back)

    async def cursor(self, source: str) -> str:
        """Return where the last read of *source* ended; empty if there was none."""
        return (await self.progress(source)).cursor

    async def progress(self, source: str) -> Progress:
        """Return how far *source* was read, and when."""
        return await notes.progress(self._door, source)

    async def reads(self) -> dict[str, datetime]:
        """Return when each source was last read with success."""
        return await notes.reads(self._door)

    async def told(self, post: str, subscribers: Iterable[str]) -> dict[str, Delivery]:
        """
        Return what was last delivered of *post* (``source/id``) to each subscriber.

        For one whom a deliverer did not reach it is the newest reason why; the others
        are missing.
        """
        return await notes.told(self._door, post, tuple(subscribers))

    # Dead letters

    async def bury(
        self, entry: Entry[Any], why: str, *, attempts: int | None = None
    ) -> bool:
        """
        Set *entry* aside with the reason, and acknowledge it.

        Returns:
            False if it had been acknowledged before.
        """
        tried = entry.attempts if attempts is None else attempts
        return await letters.bury(self._door, entry, why, tried, self._clock.now())

    async def dead(self, count: int = 1000) -> list[Letter]:
        """Return the oldest *count* dead letters."""
        return await letters.letters(self._door, count)

    async def retry(self, letter: str) -> bool:
        """
        Put a dead letter back at the end of its queue, for all of its groups; return
        False if it is not there, or its entry was gone when it was buried.
        """
        return await letters.retry(self._door, letter)

    async def drop(self, letter: str) -> bool:
        """Delete a dead letter for ever; return False if it is not there."""
        return await letters.drop(self._door, letter)

    # Leases

    async def take(self, name: str, ttl: timedelta) -> bool:
        """Take or renew a lease; return False while another owner holds it."""
        return await notes.take(self._door, name, self.owner, ttl)

    async def release(self, name: str) -> bool:
        """Give a lease back; return False if it was not ours."""
        return await notes.release(self._door, name, self.owner)

    # Upkeep

    async def trim(self) -> int:
        """
        Remove what every group has acknowledged, the archive included.

        A queue that lacks one of its groups is left alone.  Returns how many entries
        were removed.
        """
        return await upkeep.trim(self._door, QUEUES)

    async def forget(self, source: str, unseen: timedelta) -> int:
        """
        Forget what *source* has not shown for so many days; return how many posts.

        One of them that is met again is new.  So the days count back from the last one
        on which it showed anything, and its newest thousand posts are always kept: a
        source that was quiet, off or broken for months may show them all again.
        """
        today = (self._clock.now() - START).days
        return await upkeep.forget(self._door, source, today, unseen.days)

    async def lanes(self) -> list[Queue[Envelope]]:
        """Return the outboxes that were ever used, whatever sinks there are now."""
        names = await self._door.call("SMEMBERS", self._door.key("lanes"))
        return [named(name.decode()) for name in sorted(names)]

    async def is_another(self) -> bool:
        """Tell whether the database was flushed or replaced; `epoch` is what it is."""
        before = self.epoch
        self.epoch = await notes.epoch(self._door, self._fresh())
        return self.epoch != before

    async def depths(self) -> list[Depth]:
        """Return how much lies where."""
        return await upkeep.depths(self._door, [*QUEUES, *await self.lanes()])

    async def doctor(self) -> list[Fact]:
        """Return what is to be known of the server now, and what to change."""
        return [*await examine(self._door), Fact(name="epoch", value=self.epoch)]

    async def aclose(self) -> None:
        """Close every connection."""
        await self._door.aclose()
