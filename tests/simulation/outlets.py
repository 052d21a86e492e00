"""
Who publishes in the simulated world, and sources that read it as the real ones do.

An outlet hands out parts of reads, each with a cursor that names it and the part
before.  So the cursor that the program ends with tells which parts it has accepted, in
which order, whatever it says of itself.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

import msgspec

from monitor.collect import Batch
from monitor.errors import Rejected, Transient
from monitor.item import Item, Note, Origin
from monitor.web import Web
from tests.simulation.chronicle import Chronicle
from tests.simulation.line import Point
from tests.simulation.loop import START, VirtualClock, VirtualLoop
from tests.simulation.posts import Post, Wording
from tests.simulation.process import Life, here
from tests.simulation.weather import CALM, Weather

PAGE: Final = 20  # posts that are shown at a time
DEADLINE: Final = 30.0  # seconds; `Web` gives an answer up after it
STALE: Final = 120.0  # seconds; a cache may show what was there then


class Cursor(msgspec.Struct, frozen=True):
    """
    A source's memory.

    Attributes:
        part: The number of the part of a read that ended here.
        last: The newest id that was read; of a channel.
        shown: Ids that stood on the newest page then.
    """

    part: int
    last: int = 0
    shown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """
    What a part of a read handed over.

    Attributes:
        before: The number of the part that it went on from; 0 if there was none.
        shown: Posts and what they said.
        at: When, in seconds since the run began.
        seen: The same, by the clock on the wall.
    """

    before: int
    shown: tuple[tuple[Post, Wording], ...]
    at: float
    seen: datetime


@dataclass(slots=True, eq=False)
class Newsroom:
    """What all outlets have in common."""

    loop: VirtualLoop
    clock: VirtualClock
    chronicle: Chronicle
    dice: Random
    point: Point
    context: Context
    weather: Weather = CALM


@dataclass(slots=True, eq=False)
class Outlet:
    """
    One publisher.

    Attributes:
        posts: All of them, in the order of their ids.
        services: Ids of messages that are no posts.
        parts: What was handed out, by number.
        down_until: Till then nobody gets an answer.
    """

    name: str
    room: Newsroom
    posts: list[Post] = field(default_factory=list)
    services: list[int] = field(default_factory=list)
    parts: dict[int, Part] = field(default_factory=dict)
    down_until: float = 0.0
    ids: int = 0

    def publish(
        self, town: str, topic: str, *, fresh: bool = False, back: int = 0
    ) -> Post:
        """Publish a post behind which *back* others stand, and return it."""
        now = self.room.loop.time()
        self.ids += self.room.dice.choice((1, 1, 1, 2, 3))  # ids are skipped
        published = START + timedelta(seconds=now)
        if back and self.posts:
            published = self.posts[-back:][0].published - timedelta(seconds=1)
        post = Post(self.name, self.ids, published, fresh=fresh)
        post.say(now, town, topic)
        self.posts.insert(len(self.posts) - back, post)
        self._changed(post)
        return post

    def announce(self) -> None:
        """Say something that is no post, such as that a picture was changed."""
        self.ids += 1
        self.services.append(self.ids)

    def edit(self, post: Post, town: str, topic: str) -> None:
        """Let *post* say something else; one that was deleted is there again."""
        post.say(self.room.loop.time(), town, topic)
        self._changed(post)

    def delete(self, post: Post) -> None:
        """Take *post* away."""
        post.delete(self.room.loop.time())
        self._changed(post)

    def standing(self, at: float) -> list[tuple[Post, Wording]]:
        """Return the posts that can be seen as of a moment, oldest first."""
        said = ((post, post.said(at)) for post in self.posts[-2 * PAGE :])
        return [(post, then) for post, then in said if then and not then.gone]

    def hand_out(self, before: int, shown: Sequence[tuple[Post, Wording]]) -> int:
        """Note what a part of a read hands over, and return the part's number."""
        number = len(self.parts) + 1
        at, seen = self.room.loop.time(), self.room.clock.now()
        self.parts[number] = Part(before, tuple(shown), at, seen)
        return number

    def _changed(self, post: Post) -> None:
        self.room.chronicle.note("published", post.key, len(post.wordings))

    async def ask(self, life: Life) -> None:
        """
        Have the way to the publisher and back behind oneself.

        Raises:
            Transient: It does not answer.
            Rejected: Its answer makes no sense.
        """
        room = self.room
        life.check()
        room.point(life)
        life.check()
        dice, weather, count = room.dice, room.weather, room.chronicle.count
        if room.loop.time() < self.down_until:
            count("source down")
            await asyncio.sleep(dice.choice((0.05, 5.0, DEADLINE)))
            life.check()
            raise Transient("the source does not answer")
        fate = dice.random()
        if fate < weather.source_hangs:
            count("source hung")
            await asyncio.sleep(dice.uniform(5, DEADLINE))
        elif fate < weather.source_hangs + weather.source_fails:
            count("source failed")
            await asyncio.sleep(dice.uniform(0.05, 1))
            life.check()
            if dice.random() < 0.2:
                raise Rejected("that is no page of a channel")
            again = dice.choice((None, timedelta(seconds=30)))
            raise Transient("503 Service Unavailable", again)
        else:
            await asyncio.sleep(dice.uniform(0.05, 0.5))
        life.check()
        room.point(life)
        life.check()

    def moment(self) -> float:
        """Return as of when an answer is: a cache may be behind."""
        room = self.room
        if room.dice.random() < room.weather.source_stale:
            room.chronicle.count("source stale")
            return room.loop.time() - room.dice.uniform(1, STALE)
        return room.loop.time()


def _item(outlet: Outlet, post: Post, said: Wording) -> Item:
    seen = outlet.room.clock.now()
    return Item(
        source=outlet.name,
        id=str(post.number),
        url=f"https://t.me/{post.key}",
        published=post.published,
        seen=seen,
        text=said.text,
        change="deleted" if said.gone else "new",
    )


def _recalled(cursor: str) -> Cursor:
    return msgspec.json.decode(cursor, type=Cursor) if cursor else Cursor(0)


def _kept(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """
    A channel that is read by the ids of its messages: complete after any pause.

    Each read goes on from the last id page by page, and looks once more at the newest
    page for what was edited or deleted.
    """

    origin: Origin
    every: timedelta
    outlet: Outlet = field(compare=False)

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield what is new page by page, and then how the newest ones stand."""
        outlet, life = self.outlet, here()
        memory = _recalled(cursor)
        await outlet.ask(life)
        new = [post for post in outlet.posts if post.number > memory.last]
        if not memory.part:
            new = new[-PAGE:]
        pages = [new[at : at + PAGE] for at in range(0, len(new), PAGE)]
        for page in pages[:-1]:
            shown = [(post, post.now) for post in page if not post.now.gone]
            memory = self._read_on(memory, shown, page[-1].number)
            yield self._batch(memory)
            await outlet.ask(life)
        newest = outlet.posts[-PAGE:]
        older = [post for post in (pages[-1] if pages else []) if post not in newest]
        standing = [(post, post.now) for post in [*older, *newest] if not post.now.gone]
        shown = [*self._missing(memory, standing), *standing]
        last = max(outlet.ids, memory.last)
        yield self._batch(self._read_on(memory, shown, last), memory.last)

    def _missing(
        self, memory: Cursor, standing: Sequence[tuple[Post, Wording]]
    ) -> list[tuple[Post, Wording]]:
        """Return the posts that stood on the page before, and are there no more."""
        there = {post.number for post, _ in standing}
        return [
            (post, post.now)
            for post in self.outlet.posts
            if post.number in memory.shown
            and post.number not in there
            and post.now.gone
        ]

    def _read_on(
        self, memory: Cursor, shown: Sequence[tuple[Post, Wording]], last: int
    ) -> Cursor:
        part = self.outlet.hand_out(memory.part, shown)
        there = tuple(post.number for post, said in shown if not said.gone)
        return Cursor(part, last, there[-PAGE:])

    def _batch(self, memory: Cursor, since: int | None = None) -> Batch:
        """Return the part that was just handed out, with notes if it is the last."""
        outlet = self.outlet
        part = outlet.parts[memory.part]
        now = outlet.room.clock.now()
        notes = (
            Note(source=outlet.name, id=str(id_), what="service", at=now)
            for id_ in outlet.services
            if since is not None and since < id_ <= memory.last
        )
        return Batch(
            items=tuple(_item(outlet, post, said) for post, said in part.shown),
            cursor=_kept(memory),
            notes=tuple(notes),
        )

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return nothing: there are no recorded answers."""
        del body, source, url, received
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A window on the newest entries: in any order, with doubles, at times stale."""

    origin: Origin
    every: timedelta
    outlet: Outlet = field(compare=False)

    async def read(self, cursor: str, web: Web) -> AsyncIterator[Batch]:
        """Yield what the window shows."""
        outlet, life = self.outlet, here()
        room = outlet.room
        memory = _recalled(cursor)
        await outlet.ask(life)
        if memory.part and room.dice.random() < room.weather.source_same:
            room.chronicle.count("source not modified")
            yield Batch(items=(), cursor=cursor)
            return
        shown = outlet.standing(outlet.moment())[-PAGE:]
        if room.weather is not CALM and len(shown) > 1 and room.dice.random() < 0.2:
            room.chronicle.count("source doubled")
            shown = [*shown, shown[room.dice.randrange(len(shown))]]
        ids = tuple(sorted({post.number for post, _ in shown}))
        shared = not memory.shown or not ids or set(ids) & set(memory.shown)
        if not shared:
            room.chronicle.count("window left a gap")
        part = outlet.hand_out(memory.part, shown)
        yield Batch(
            items=tuple(_item(outlet, post, said) for post, said in shown),
            cursor=_kept(Cursor(part, shown=ids or memory.shown)),
            gap=not shared,
        )

    @staticmethod
    def parse(
        body: bytes, *, source: str, url: str, received: datetime
    ) -> tuple[Item, ...]:
        """Return nothing: there are no recorded answers."""
        del body, source, url, received
        return ()
